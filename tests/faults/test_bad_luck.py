"""What goes wrong on a laptop: disks, damage, memory, signals, clocks, and steps that misbehave."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from worlds import World, outcome, wait_until

from cloudml.backend.records import RunRecord, TaskRecord
from cloudml.errors import Refused, StateError
from cloudml_local.engine import pool
from cloudml_local.state import journal

Make = Callable[..., World]

CHAIN = """
@ml.processing
def first() -> list[int]:
    count("first")
    return list(range(20_000))

@ml.processing
def second(values: list[int]) -> bytes:
    count("second")
    return bytes(value % 251 for value in values)

@ml.processing
def third(data: bytes) -> int:
    count("third")
    return sum(data)

@ml.pipeline
def pipeline() -> None:
    third(second(first()))
"""
SUM = sum(value % 251 for value in range(20_000))


def one_step(body: str, decorator: str = "@ml.processing", returns: str = "int") -> str:
    """A pipeline of a single step `work` with that body."""
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    return f"""
{decorator}
def work() -> {returns}:
    count("work")
{lines}

@ml.pipeline
def pipeline() -> None:
    work()
"""


def task(record: RunRecord, name: str = "work") -> TaskRecord:
    found = record.task(name)
    assert found is not None
    return found


def failure(record: RunRecord, name: str = "work") -> dict[str, Any]:
    found = task(record, name)
    assert (record.status, found.status) == ("failed", "failed"), (record.reason, found)
    assert found.failure is not None
    return found.failure


# -- disks ----------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_named_and_resume_goes_on_when_there_is_room(make: Make, small_disk: Any) -> None:
    disk = small_disk("3m")
    world = make(CHAIN, state=str(disk / "state"))
    world.resources()
    with world.session():
        pass
    filler = disk / "filler"
    filler.write_bytes(b"x" * (os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - 300_000))
    told = ""
    try:
        record = world.run()
        told = record.reason
        assert record.status == "failed"
    except StateError as error:
        told = str(error)
    assert "full" in told or "No space left" in told, told
    filler.unlink()
    assert world.resume().status == "succeeded"
    assert task(world.get(), "third").values == {"output": SUM}


def test_an_artifact_that_finds_no_room_names_its_step(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make(CHAIN)

    rename = os.rename

    def full(source: Any, target: Any) -> None:
        if world.state / "objects" in Path(target).parents:
            raise OSError(28, "No space left on device")
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("cloudml_local.state.store.os.rename", full)
        with pytest.raises(StateError, match="step 'first': the disk is full") as caught:
            world.run()
    assert "cloudml gc" in caught.value.hint
    assert world.get().status == "failed"
    assert world.resume().status == "succeeded"


def test_a_full_database_is_told_as_a_full_disk(make: Make) -> None:
    world = make(CHAIN)
    resources = world.resources()
    with world.session() as session:
        connection = session._database._connection
        connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
        with pytest.raises(StateError, match="the disk is full"):
            session.runs.start(resources, {})
    assert world.run().status == "succeeded"


def test_a_state_that_cannot_be_written_says_so(make: Make, small_disk: Any) -> None:
    disk = small_disk("8m")
    world = make(CHAIN, state=str(disk / "state"))
    assert world.run().status == "succeeded"
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(StateError, match="cannot be written") as caught:
        world.run()
    assert "writable" in caught.value.hint
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert world.run().status == "succeeded"


def test_a_state_directory_that_cannot_be_made_says_so(make: Make) -> None:
    world = make(CHAIN, state="/proc/1/nowhere")
    with pytest.raises(StateError) as caught:
        world.run()
    assert "/proc/1/nowhere" in str(caught.value)


# -- damage ---------------------------------------------------------------------------------------------------------


def flip(path: Path) -> None:
    """Change one bit of a read-only artifact."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


@pytest.mark.parametrize(("step", "reader"), [("first", "second"), ("second", "third")])
def test_a_flipped_bit_is_found_by_the_reader_and_healed_by_resume(make: Make, step: str, reader: str) -> None:
    world = make(CHAIN)
    flip(Path(task(world.run(), step).outputs[0].path))
    record = world.rerun(reader)  # all above the reader is reused
    assert record.status == "failed"
    assert step in task(record, reader).reason or reader in task(record, reader).reason
    assert "damaged" in task(record, reader).reason
    assert "cloudml" in task(record, reader).reason, "the remedy is named"
    healed = world.resume()
    assert healed.status == "succeeded"
    assert task(healed, "third").values == {"output": SUM}
    assert world.count(step) == 2


def test_a_missing_artifact_is_made_again(make: Make) -> None:
    world = make(CHAIN)
    Path(task(world.run(), "second").outputs[0].path).unlink()
    record = world.run()
    assert record.status == "succeeded"
    assert [task(record, name).status for name in ("first", "second", "third")] == ["cached", "succeeded", "cached"]


def test_gc_verify_removes_what_is_damaged_and_the_next_run_makes_it_again(make: Make) -> None:
    world = make(CHAIN)
    output = task(world.run(), "second").outputs[0]
    flip(Path(output.path))
    with world.session() as session:
        assert session.collect(10, False, True).corrupt == (output.digest,)
    record = world.run()
    assert (record.status, task(record, "second").status) == ("succeeded", "succeeded")


def test_a_damaged_database_says_so(make: Make) -> None:
    world = make(CHAIN)
    world.run()
    for name in ("state.db-wal", "state.db-shm"):
        (world.state / name).unlink(missing_ok=True)
    (world.state / "state.db").write_bytes(b"this is no database" * 1000)
    with pytest.raises(StateError, match="damaged") as caught:
        world.run()
    assert str(world.state / "state.db") in caught.value.where


# -- steps that misbehave -------------------------------------------------------------------------------------------


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


# -- names that try to leave their folder ---------------------------------------------------------------------------

FORGE = """
import json
folder = Path(os.environ["HERE"]) / os.environ["CLOUDML_RUN"] / "work" / "1"
(folder / "outputs" / "output").mkdir(parents=True)
inside = folder / "outputs" / "output" / "output.json"
inside.write_text("7")
outside = Path("precious.txt").resolve()
os.symlink(outside, folder / "outputs" / "link")
good = {"name": "output", "path": str(inside), "format": "json", "size": 1, "filename": "output.json",
        "digest": "sha256:7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451"}
forged = {"status": "succeeded", "outputs": [{**good, **CHANGE}], "values": {}, "reports": [], "failure": None}
(folder / "result.json").write_text(json.dumps(forged))
os._exit(0)
"""


@pytest.mark.parametrize(
    "change",
    [
        '{"path": str(outside)}',
        '{"path": str(folder / "outputs" / ".." / ".." / ".." / ".." / ".." / ".." / "precious.txt")}',
        '{"path": str(folder / "outputs" / "link")}',
        '{"digest": "sha256:../../../escaped"}',
        '{"digest": "tree:/etc"}',
        '{"digest": 7}',
        '{"filename": "../../escaped"}',
        '{"name": "nobody"}',
        '{"path": 7}',
    ],
)
def test_a_forged_result_leaves_nothing_outside_of_its_folder(
    make: Make, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    world = make(one_step(FORGE.replace("CHANGE", change)))
    monkeypatch.setenv("HERE", str(world.state / "runs"))
    (world.root / "precious.txt").write_text("precious")
    found = failure(world.run())
    assert "result.json" in found["message"], found
    assert (world.root / "precious.txt").read_text() == "precious"
    assert os.access(world.root / "precious.txt", os.W_OK) and (world.root / "precious.txt").stat().st_mode & 0o200
    assert not list(world.root.rglob("escaped*"))


def test_the_forger_would_have_been_believed_with_honest_names(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above fails for the change alone."""
    world = make(one_step(FORGE.replace("CHANGE", "{}")))
    monkeypatch.setenv("HERE", str(world.state / "runs"))
    assert world.run().status == "succeeded"


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "7",
        "{}",
        '{"status": "failed"}',
        '{"status": "failed", "reports": [], "failure": {"message": 7, "exception": 7}}',
        '{"status": "succeeded"}',
        "{",
    ],
)
def test_a_broken_result_file_is_the_steps_failure(make: Make, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    body = f"""
folder = Path(os.environ["HERE"]) / os.environ["CLOUDML_RUN"] / "work" / "1"
(folder / "result.json").write_text({content!r})
os._exit(0)
"""
    world = make(one_step(body))
    monkeypatch.setenv("HERE", str(world.state / "runs"))
    assert failure(world.run())["message"]


# -- signals --------------------------------------------------------------------------------------------------------

SLOW = """
@ml.processing
def quick() -> int:
    count("quick")
    return 1

@ml.processing
def slow(value: int) -> int:
    count("slow")
    if not (SIDE / "patience").exists():
        try:
            time.sleep(60)
        finally:
            count("cleaned")
    return value + 1

@ml.pipeline
def pipeline() -> None:
    slow(quick())
    with ml.on_exit():
        last()

@ml.processing
def last() -> int:
    count("last")
    return 0
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_run_which_resumes(make: Make, number: signal.Signals) -> None:
    world = make(SLOW)
    world.resources()
    driver = world.spawn()
    world.await_side("slow")
    driver.send_signal(number)
    out, err = driver.communicate(timeout=20)
    assert out.strip() == "stopped", err
    assert world.count("cleaned") == 1, "finally blocks of the step run"
    assert world.gone(), world.processes()
    record = world.get()
    assert [task(record, name).status for name in ("quick", "slow", "last")] == ["succeeded", "stopped", "pending"]
    (world.root / "side" / "patience").touch()
    resumed = world.resume()
    assert resumed.status == "succeeded"
    assert (world.count("quick"), task(resumed, "slow").values) == (1, {"output": 2})


def test_the_second_signal_does_not_wait(make: Make) -> None:
    stubborn = SLOW.replace(
        "        try:\n", "        import signal\n        signal.signal(15, signal.SIG_IGN)\n        try:\n"
    )
    world = make(stubborn)
    world.resources()
    driver = world.spawn()
    world.await_side("slow")
    driver.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert driver.poll() is None, "the first signal leaves time to end"
    begun = time.monotonic()
    driver.send_signal(signal.SIGINT)
    assert driver.communicate(timeout=20)[0].strip() == "stopped"
    assert time.monotonic() - begun < pool.GRACE - 2
    assert world.gone(), world.processes()


def test_stop_from_another_process_waits_until_the_run_has_stopped(make: Make) -> None:
    world = make(SLOW)
    world.resources()
    driver = world.spawn()
    world.await_side("slow")
    with world.session() as session:
        running = session.runs.get("last")
        assert (running.status, task(running, "slow").status) == ("running", "running")
        assert [one.status for one in session.runs.list()] == ["running"]
        assert not session.collect(100, True, False).objects
        assert session.runs.stop("last").status == "stopped"
        with pytest.raises(Refused):
            session.runs.approve("last", "slow", "me", "because")
    assert driver.communicate(timeout=20)[0].strip() == "stopped"


def test_a_run_that_is_driven_cannot_be_resumed_beside_its_driver(make: Make) -> None:
    world = make(SLOW)
    world.resources()
    driver = world.spawn()
    world.await_side("slow")
    with pytest.raises(Refused, match=str(driver.pid)):
        world.resume()
    driver.kill()
    driver.communicate(timeout=20)
    assert world.gone(), world.processes()
    assert world.get().status == "interrupted"
    assert task(world.get(), "slow").status == "interrupted"


def test_a_stopped_run_keeps_a_result_that_came_in_time(make: Make) -> None:
    """The signal reaches a step whose work is done already."""
    body = """
import signal
signal.signal(signal.SIGTERM, lambda number, frame: None)
deadline = time.monotonic() + 20
count("ready")
while not (SIDE / "go").exists() and time.monotonic() < deadline:
    time.sleep(0.02)
return 5
"""
    world = make(one_step(body))
    world.resources()
    driver = world.spawn()
    world.await_side("ready")
    driver.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    (world.root / "side" / "go").touch()
    assert driver.communicate(timeout=20)[0].strip() == "stopped"
    assert world.resume().status == "succeeded"
    assert world.count("work") == 1


# -- two at once, clocks, paths, nothing ----------------------------------------------------------------------------


def test_two_runs_at_once_in_a_new_project_both_succeed(make: Make) -> None:
    world = make(CHAIN)
    world.resources()
    drivers = [world.spawn() for _ in range(3)]
    answers = [driver.communicate(timeout=60) for driver in drivers]
    assert [out.strip() for out, _ in answers] == ["succeeded"] * 3, answers
    with world.session() as session:
        records = [session.runs.get(one.id) for one in session.runs.list()]
        assert len({record.id for record in records}) == 3
        assert not session.collect(100, True, True).corrupt
    assert outcome(records[0]) == outcome(records[1]) == outcome(records[2])


def test_a_clock_that_was_set_back_reuses_and_decides_nothing_wrong(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make(one_step("return 7", '@ml.processing(cache="1h")'))
    assert world.run().status == "succeeded"
    year = 365 * 86400
    real = time.time
    with monkeypatch.context() as patch:
        patch.setattr("cloudml_local.state.journal.time.time", lambda: real() - year)
        patch.setattr(journal, "now", lambda: "2001-01-01T00:00:00.000+00:00")
        past = world.run()
        assert (past.status, task(past).status) == ("succeeded", "cached")
        assert past.created_at.startswith("2001")
    with monkeypatch.context() as patch:
        patch.setattr("cloudml_local.state.journal.time.time", lambda: real() + year)
        assert task(world.run()).status == "succeeded", "an hour has passed: it is computed again"
    with world.session() as session:
        ids = [one.id for one in session.runs.list()]
    assert ids == ["work-3", "work-2", "work-1"] or ids == ["pipeline-3", "pipeline-2", "pipeline-1"], (
        "in order of start"
    )


def test_a_path_with_spaces_and_letters_of_all_kinds(make: Make) -> None:
    world = make(CHAIN, "Příliš žluťoučký kůň 'n\" $HOME %20 データ")
    record = world.run()
    assert record.status == "succeeded"
    assert task(record, "third").values == {"output": SUM}
    assert world.run().status == "succeeded"


def test_an_empty_data_set_keeps_its_columns(make: Make) -> None:
    source = """
import polars as pl

@ml.processing
def extract() -> pl.DataFrame:
    return pl.DataFrame(schema={"customer": pl.Int64, "spent": pl.Float64, "at": pl.Datetime("us")})

@ml.processing
def describe(table: pl.DataFrame) -> dict[str, str]:
    return {"rows": str(table.height), **{name: str(kind) for name, kind in table.schema.items()}}

@ml.processing
def regions() -> list[str]:
    return []

@ml.processing
def sell(region: str) -> int:
    return 1

@ml.processing
def total(sales: list[int]) -> int:
    return sum(sales)

@ml.pipeline
def pipeline() -> None:
    describe(extract())
    with ml.map(regions()) as region:
        sold = sell(region)
    total(ml.collect(sold))
"""
    record = make(source).run()
    assert record.status == "succeeded"
    wanted = {"rows": "0", "customer": "Int64", "spent": "Float64", "at": "Datetime(time_unit='us', time_zone=None)"}
    assert task(record, "describe").values == {"output": wanted}
    assert task(record, "total").values == {"output": 0}


def test_logs_follow_a_running_step(make: Make) -> None:
    world = make(SLOW.replace('count("slow")', 'print("begun", flush=True)\n    count("slow")'))
    world.resources()
    driver = world.spawn()
    world.await_side("slow")
    with world.session() as session:
        lines = session.runs.logs("last", "slow", follow=True)
        assert next(lines) == "begun"
        driver.send_signal(signal.SIGTERM)
        assert not any("begun" in line for line in lines), "following ends with the run"
    driver.communicate(timeout=20)
    assert wait_until(lambda: world.get().status == "stopped", 5)
