"""Steps that hang, crash, eat memory, print without end, or lie about what they return."""

from __future__ import annotations

import os
import time

import pytest
from worlds import CHAIN, Make, failure, one_step, task

from cloudml.errors import Refused
from cloudml_local.engine import pool


def test_a_hanging_step_meets_its_timeout(make: Make) -> None:
    world = make(one_step("time.sleep(60)\nreturn 1", "@ml.processing(timeout=0.5)"))
    begun = time.monotonic()
    found = failure(world.run())
    assert found["class"] == "timeout"
    assert "timeout of 0.5 s" in found["message"]
    assert time.monotonic() - begun < 15


def test_a_step_that_ignores_sigterm_is_killed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "GRACE", 0.5)
    body = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)\nreturn 1"
    world = make(one_step(body, "@ml.processing(timeout=0.5)"))
    begun = time.monotonic()
    assert failure(world.run())["class"] == "timeout"
    assert time.monotonic() - begun < 15


def test_an_import_that_hangs_meets_the_timeout_too(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "GRACE", 0.5)
    world = make(
        one_step("import slow_module\nreturn slow_module.VALUE", "@ml.processing(timeout=1)"),
        modules={"slow_module": "import time\ntime.sleep(60)\nVALUE = 1"},
    )
    begun = time.monotonic()
    assert failure(world.run())["class"] == "timeout"
    assert time.monotonic() - begun < 20


def test_an_import_that_ends_the_process_is_the_steps_failure(make: Make) -> None:
    world = make(
        one_step("import bad_module\nreturn bad_module.VALUE"), modules={"bad_module": "import os\nos._exit(3)"}
    )
    found = failure(world.run())
    assert (found["class"], "exit code 3" in found["message"]) == ("crash", True), found


def test_a_segfault_is_a_crash(make: Make) -> None:
    found = failure(make(one_step("import ctypes\nctypes.string_at(0)\nreturn 1")).run())
    assert found["class"] == "crash"
    assert "SIGSEGV" in found["message"]


def test_a_process_killed_for_memory_says_so(make: Make) -> None:
    found = failure(make(one_step("import signal\nos.kill(os.getpid(), signal.SIGKILL)\nreturn 1")).run())
    assert found["class"] == "memory"
    assert "SIGKILL" in found["message"]


def test_memory_that_cannot_be_had_is_a_memory_failure(make: Make) -> None:
    body = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
return len(bytearray(4 << 30))
"""
    found = failure(make(one_step(body)).run())
    assert (found["class"], found["exception"]) == ("memory", "MemoryError")


def test_a_memory_failure_is_retried_only_when_asked(make: Make) -> None:
    world = make(one_step("raise MemoryError", '@ml.processing(retries=ml.retry(2, on=["memory"], delay=0))'))
    record = world.run()
    assert failure(record)["class"] == "memory"
    assert (task(record).attempts, world.count("work")) == (2, 2)


def test_a_step_that_prints_100_mb_just_works(make: Make) -> None:
    world = make(
        one_step('line = "x" * 99 + "\\n"\nfor _ in range(1000):\n    sys.stdout.write(line * 1000)\nreturn 1')
    )
    record = world.run()
    assert record.status == "succeeded"
    log = world.state / "runs" / record.id / "work" / "1.log"
    assert log.stat().st_size >= 100_000_000
    with world.session() as session:
        assert session.runs.why(record.id, "work")[0].verdict == "computed"


def test_the_wrong_type_is_named_with_the_right_one(make: Make) -> None:
    found = failure(make(one_step('return "seven"')).run())
    assert "str" in found["message"] and "int" in found["message"]
    assert "work" in found["message"]


def test_a_step_that_exits_well_without_a_result_has_failed(make: Make) -> None:
    found = failure(make(one_step("os._exit(0)")).run())
    assert found["class"] == "crash"
    assert "exit code 0" in found["message"]


def test_sys_exit_is_a_failure(make: Make) -> None:
    assert failure(make(one_step("sys.exit(0)")).run())["exception"] == "SystemExit"


def test_a_step_that_closes_every_file_just_works(make: Make) -> None:
    assert make(one_step("os.closerange(0, 200)\nreturn 1")).run().status == "succeeded"


def test_a_step_that_deletes_its_folder_harms_nobody(make: Make) -> None:
    source = """
@ml.processing
def vandal() -> int:
    import shutil
    shutil.rmtree(Path(os.environ["HERE"]) / os.environ["CLOUDML_RUN"] / "vandal" / "1")
    return 1

@ml.processing
def neighbour() -> int:
    return 2

@ml.pipeline
def pipeline() -> None:
    vandal()
    neighbour()
"""
    world = make(source)
    os.environ["HERE"] = str(world.state / "runs")
    try:
        record = world.run()
    finally:
        del os.environ["HERE"]
    assert [task(record, name).status for name in ("vandal", "neighbour")] == ["succeeded", "succeeded"]
    assert task(record, "vandal").values == {"output": 1}


def test_a_module_with_threads_runs_in_a_fresh_process(make: Make) -> None:
    module = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nVALUE = 7"
    world = make(one_step("import busy_module\nreturn busy_module.VALUE"), modules={"busy_module": module})
    record = world.run()
    assert (record.status, task(record).values) == ("succeeded", {"output": 7})


def test_the_working_directory_is_the_project_in_every_kind_of_process(make: Make) -> None:
    module = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    for name, body in (("plain", "return os.getcwd()"), ("fresh", "import busy_module\nreturn os.getcwd()")):
        world = make(one_step(body, returns="str"), name, modules={"busy_module": module})
        assert task(world.run()).values == {"output": str(world.root)}


def test_an_import_error_in_the_users_module_names_it(make: Make) -> None:
    world = make(one_step("import not_a_module\nreturn 1"))
    found = failure(world.run())
    assert found["exception"] == "ModuleNotFoundError"
    assert "not_a_module" in found["message"]
    assert found["where"].startswith("work.py:")


def test_code_that_changes_while_a_run_starts_is_refused(make: Make) -> None:
    world = make(CHAIN)
    resources = world.resources()
    (world.root / "work.py").write_text("import nowhere\n")
    with world.session() as session, pytest.raises(Refused, match="changed") as caught:
        session.runs.start(resources, {})
    assert caught.value.where.endswith("work.py")


def test_code_that_changes_during_a_run_does_not_reach_it(make: Make) -> None:
    source = """
@ml.processing
def first() -> int:
    Path("work.py").write_text("import nowhere")
    return 1

@ml.processing
def second(value: int) -> int:
    import work
    return value + len([name for name in ("first", "second") if hasattr(work, name)])

@ml.pipeline
def pipeline() -> None:
    second(first())
"""
    record = make(source).run()
    assert (record.status, task(record, "second").values) == ("succeeded", {"output": 3})


def test_an_input_file_cannot_be_changed_by_accident(make: Make) -> None:
    source = """
@ml.processing
def produce() -> Path:
    path = Path("made.txt")
    path.write_text("content")
    return path

@ml.processing
def vandal(path: Path) -> int:
    mode = path.stat().st_mode
    if os.getuid() == 0:
        os.chmod(path, 0o644)
        path.write_text("changed!")
    return mode & 0o222

@ml.processing(cache=False)
def reader(path: Path, vandalised: int) -> str:
    return path.read_text()

@ml.pipeline
def pipeline() -> None:
    path = produce()
    reader(path, vandal(path))
"""
    world = make(source)
    record = world.run()
    assert task(record, "vandal").values == {"output": 0}, "no one may write to it"
    if os.getuid() == 0:  # root overrides permissions: then the digest tells
        assert "damaged" in failure(record, "reader")["message"]


def test_what_a_step_started_ends_with_it(make: Make) -> None:
    body = 'import subprocess\nsubprocess.Popen(["sleep", "60"])\nreturn 1'
    world = make(one_step(body))
    assert world.run().status == "succeeded"
    assert world.gone(), world.processes()


def test_what_a_timed_out_step_started_ends_with_it(make: Make) -> None:
    body = """
import subprocess
subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"])
time.sleep(60)
return 1
"""
    world = make(one_step(body, "@ml.processing(timeout=1)"))
    assert failure(world.run())["class"] == "timeout"
    assert world.gone(), world.processes()


def test_nonsense_in_progress_harms_nobody(make: Make) -> None:
    world = make(one_step('ml.progress(float("nan"), 3)\ntime.sleep(1.2)\nreturn 1'))
    assert world.run(lambda event: None).status == "succeeded"
