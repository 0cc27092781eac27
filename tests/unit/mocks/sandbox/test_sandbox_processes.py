"""What every kind of sandbox that runs processes of this machine promises."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cloudml.errors import Refused
from cloudml.mocks.sandbox import Command, JobLost, Mount, Sandbox

Make = Callable[..., Command]
Until = Callable[[Callable[[], object]], None]

SERVER = """
import os, socket
server = socket.create_server(("127.0.0.1", int(os.environ.get("BIND", 8080))))
while True:
    stream, _ = server.accept()
    stream.sendall(os.environ["NAME"].encode() + stream.recv(100))
    stream.close()
"""


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def marked(mark: str) -> list[str]:
    """Processes of the machine that have `mark` in their words."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "cmdline").read_bytes() and alive(int(entry.name)):
                found.append(entry.name)
        except OSError:
            continue
    return found


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("true", 0),
        ("exit 3", 3),
        ("exit 137", 137),
        ("kill -TERM $$", -15),
        ("kill -KILL $$", -9),
        ("kill -SEGV $$", -11),
    ],
)
def test_the_exit_code_is_the_programs_and_a_signal_is_negative(
    sandbox: Sandbox, shell: Make, line: str, code: int
) -> None:
    process = sandbox.start(shell(line))
    assert process.wait(20) == code
    assert process.wait() == code, "told once more"


def test_the_log_merges_both_streams_in_order_and_is_appended_to(sandbox: Sandbox, shell: Make, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    sandbox.start(shell("echo one; echo two >&2; echo three")).wait()
    assert (tmp_path / "log").read_text() == "before\none\ntwo\nthree\n"


def test_the_log_is_written_while_the_program_runs(sandbox: Sandbox, shell: Make, tmp_path: Path, until: Until) -> None:
    process = sandbox.start(shell("echo first; sleep 60"))
    until(lambda: (tmp_path / "log").read_text() == "first\n")
    assert process.wait(0) is None
    process.close()


def test_the_environment_is_exactly_what_was_given(sandbox: Sandbox, tmp_path: Path) -> None:
    env = {"A": "1", "B": "two words\nand a line", "Ü": "\udce4"}
    sandbox.start(Command(("/usr/bin/env", "-0"), env, (), tmp_path / "log")).wait()
    told = (tmp_path / "log").read_bytes().rstrip(b"\0").split(b"\0")
    assert sorted(told) == sorted([b"A=1", b"B=two words\nand a line", "Ü=".encode() + b"\xe4"])


def test_a_large_environment_passes(sandbox: Sandbox, shell: Make, tmp_path: Path) -> None:
    env = {f"V{number}": "x" * 10_000 for number in range(60)}
    assert sandbox.start(shell("echo ${#V59}", env=env)).wait() == 0
    assert (tmp_path / "log").read_text() == "10000\n"


def test_a_program_is_searched_in_the_path_of_its_own_environment(sandbox: Sandbox, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "only-here"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 7\n")
    program.chmod(0o755)
    command = Command(("only-here",), {"PATH": f"/nowhere:{program.parent}"}, (), tmp_path / "log")
    assert sandbox.start(command).wait() == 7


def test_a_missing_program_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        sandbox.start(Command(("no-such-program",), {"PATH": "/bin"}, (), tmp_path / "log"))
    assert caught.value.filename == "no-such-program"


def test_a_program_that_may_not_be_executed_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no program")
    with pytest.raises(PermissionError) as caught:
        sandbox.start(Command((str(tmp_path / "data"),), {}, (), tmp_path / "log"))
    assert caught.value.filename == str(tmp_path / "data")


def test_a_missing_working_folder_is_named(sandbox: Sandbox, shell: Make) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        sandbox.start(shell("true", cwd="/no/such/folder"))
    assert caught.value.filename == "/no/such/folder"


def test_a_variable_that_cannot_be_encoded_is_an_error_and_no_hang(sandbox: Sandbox, shell: Make) -> None:
    with pytest.raises(OSError, match="surrogates") as caught:
        sandbox.start(shell("true", env={"A": "\ud800"}))
    assert caught.value.errno == errno.EINVAL


def test_the_working_folder_may_lie_in_a_mount(sandbox: Sandbox, shell: Make, tmp_path: Path) -> None:
    (tmp_path / "data" / "code").mkdir(parents=True)
    (tmp_path / "data" / "code" / "x.txt").write_text("here\n")
    command = shell("cat x.txt", cwd="/opt/ml/code", mounts=(Mount(tmp_path / "data", "/opt/ml"),))
    assert sandbox.start(command).wait() == 0
    assert (tmp_path / "log").read_text() == "here\n"


def test_a_mount_inside_of_another_is_seen_in_it(sandbox: Sandbox, shell: Make, tmp_path: Path) -> None:
    for name in ("base", "train"):
        (tmp_path / name).mkdir()
    (tmp_path / "train" / "x.csv").write_text("1,2\n")
    mounts = (Mount(tmp_path / "train", "/opt/ml/input/data/train"), Mount(tmp_path / "base", "/opt/ml"))
    command = shell(
        "cat input/data/train/x.csv; echo m > model; echo o > input/data/train/o", cwd="/opt/ml", mounts=mounts
    )
    assert sandbox.start(command).wait() == 0
    assert (tmp_path / "log").read_text() == "1,2\n"
    assert (tmp_path / "base" / "model").read_text() == "m\n"
    assert (tmp_path / "train" / "o").read_text() == "o\n"


def test_a_program_finds_its_signals_at_their_defaults(sandbox: Sandbox, python: Make, tmp_path: Path) -> None:
    """/proc/self/status tells ignored and blocked signals as bit masks; Python itself ignores SIGPIPE and SIGXFSZ."""
    sandbox.start(Command(("/bin/grep", "-E", "SigIgn|SigBlk", "/proc/self/status"), {}, (), tmp_path / "log")).wait()
    assert (tmp_path / "log").read_text().split() == ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16]


def test_a_program_gets_no_descriptor_but_the_three(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.start(Command(("/bin/ls", "/proc/self/fd"), {}, (), tmp_path / "log")).wait()
    assert (tmp_path / "log").read_text().split() == ["0", "1", "2", "3"], "the last is the listing's own"


def test_waiting_ends_with_its_time(sandbox: Sandbox, shell: Make) -> None:
    process = sandbox.start(shell("sleep 60"))
    began = time.monotonic()
    assert process.wait(0.05) is None
    assert process.wait(0) is None
    assert 0.04 < time.monotonic() - began < 10
    process.close()


def test_several_threads_may_wait(sandbox: Sandbox, shell: Make) -> None:
    process = sandbox.start(shell("sleep 0.2; exit 5"))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(process.wait, [None, 20] * 4)) == [5] * 8


def test_stop_is_a_sigterm_that_a_program_may_answer(
    sandbox: Sandbox, shell: Make, tmp_path: Path, until: Until
) -> None:
    process = sandbox.start(shell("trap 'echo bye; exit 4' TERM; echo ready; while :; do sleep 0.02; done"))
    until((tmp_path / "log").read_text)
    process.terminate()
    assert process.wait(20) == 4
    assert (tmp_path / "log").read_text() == "ready\nbye\n"
    process.terminate()
    process.kill()


def test_stop_ends_a_program_that_has_no_answer(sandbox: Sandbox, shell: Make) -> None:
    process = sandbox.start(shell("exec sleep 60"))
    process.terminate()
    assert process.wait(20) == -signal.SIGTERM


def test_kill_ends_a_program_that_ignores_stop(sandbox: Sandbox, shell: Make, tmp_path: Path, until: Until) -> None:
    process = sandbox.start(shell("trap '' TERM; echo ready; while :; do sleep 0.02; done"))
    until((tmp_path / "log").read_text)
    process.terminate()
    assert process.wait(0.1) is None
    process.kill()
    assert process.wait(20) == -signal.SIGKILL


@pytest.mark.parametrize("how", ["exit", "kill", "close"])
def test_what_a_program_started_ends_with_it(
    sandbox: Sandbox, shell: Make, tmp_path: Path, until: Until, how: str
) -> None:
    """A child in its group, and a daemon: in a session of its own, and its parent gone."""
    mark = f"86{os.getpid()}{time.monotonic_ns() % 10**9}"
    last = "sleep 0.1" if how == "exit" else "sleep 60"
    process = sandbox.start(shell(f"sleep {mark} & (setsid sleep {mark} &) ; echo ready; {last}"))
    until((tmp_path / "log").read_text)
    until(lambda: how == "exit" or len([pid for pid in marked(mark) if b"-c" not in words(pid)]) == 2)
    if how != "exit":
        getattr(process, how)()
    assert process.wait(20) == (0 if how == "exit" else -9)
    assert marked(mark) == [], "gone when the end is told, not later"


def words(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_the_pid_is_the_programs_on_the_host(sandbox: Sandbox, shell: Make, until: Until) -> None:
    process = sandbox.start(shell("exec sleep 4711"))
    until(lambda: words(str(process.pid)).split(b"\0")[:2] == [b"sleep", b"4711"])
    process.close()
    assert not alive(process.pid)


def test_closing_a_process_frees_who_waits_for_it(sandbox: Sandbox, shell: Make) -> None:
    process = sandbox.start(shell("sleep 60"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(process.wait)
        time.sleep(0.05)
        process.close()
        assert waiting.result(20) == -9
    process.close()
    assert process.wait() == -9


def test_closing_the_sandbox_kills_every_job_and_refuses_more(sandbox: Sandbox, shell: Make) -> None:
    processes = [sandbox.start(shell("exec sleep 60")) for _ in range(3)]
    sandbox.close()
    assert [process.wait() for process in processes] == [-9] * 3
    assert not any(alive(process.pid) for process in processes)
    with pytest.raises(Refused, match="closed"):
        sandbox.start(shell("true"))
    sandbox.close()


def test_a_job_that_nobody_holds_any_more_is_killed(sandbox: Sandbox, shell: Make, until: Until) -> None:
    pid = sandbox.start(shell("exec sleep 60")).pid
    until(lambda: not alive(pid))


def test_fifty_jobs_from_twenty_threads(sandbox: Sandbox, shell: Make, tmp_path: Path) -> None:
    def run(number: int) -> int | None:
        return sandbox.start(shell(f"echo {number}; exit {number}")).wait(60)

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(run, range(50))) == list(range(50))
    assert sorted(map(int, (tmp_path / "log").read_text().split())) == list(range(50))


def test_no_descriptor_stays_open(sandbox: Sandbox, shell: Make) -> None:
    sandbox.start(shell("true")).wait()
    before = descriptors()
    for _ in range(5):
        sandbox.start(shell("true", hosts=("algo-1",))).wait()
        sandbox.start(shell("sleep 60")).close()
        with pytest.raises(FileNotFoundError):
            sandbox.start(shell("true", cwd="/no/such/folder"))
    assert descriptors() == before


def launcher_of(pid: int) -> int:
    """The outermost process above `pid` that is not this one."""
    while True:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        if parent == os.getpid():
            return pid
        pid = parent


def test_a_killed_launcher_loses_its_jobs_and_is_started_anew(sandbox: Sandbox, shell: Make, until: Until) -> None:
    lost = sandbox.start(shell("exec sleep 60"))
    os.kill(launcher_of(lost.pid), signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(JobLost):
            lost.wait(20)
    until(lambda: not alive(lost.pid))
    assert sandbox.start(shell("exit 3")).wait(20) == 3


HOLDER = """
import sys, time
from pathlib import Path
from cloudml.mocks.sandbox import Command, open_sandbox
sandbox = open_sandbox(sys.argv[1])
jobs = [sandbox.start(Command(("/bin/sleep", sys.argv[2]), {}, (), Path(sys.argv[3]))) for _ in range(3)]
print(*[job.pid for job in jobs], flush=True)
time.sleep(60)
"""


def test_nothing_is_left_of_a_mock_that_was_killed(sandbox: Sandbox, tmp_path: Path, until: Until) -> None:
    mark = f"87{os.getpid()}"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, sandbox.kind, mark, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        pids = list(map(int, holder.stdout.readline().split()))
        launcher = next(int(pid) for pid in Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split())
        assert len(pids) == 3
        assert all(map(alive, [*pids, launcher]))
        holder.kill()
    until(lambda: not any(map(alive, [*pids, launcher])))
    assert marked(mark) == []


def ask(process: Any, question: bytes = b"?") -> bytes:
    with process.connect(10) as stream:
        stream.sendall(question)
        return bytes(stream.recv(100))


def serving(process: Any) -> bool:
    try:
        process.connect(10).close()
    except ConnectionRefusedError:
        return False
    return True


def test_many_servers_have_one_port(sandbox: Sandbox, python: Make, until: Until) -> None:
    names = [f"server-{number}" for number in range(3)]
    commands = [python(SERVER, env={"NAME": name}, port=8080, port_env="BIND") for name in names]
    processes = [sandbox.start(command) for command in commands]
    for process in processes:
        until(partial(serving, process))
    for name, process in zip(names, processes, strict=True):
        assert ask(process) == name.encode() + b"?"
    for process in processes:
        process.close()


def test_connecting_to_nobody_is_refused(sandbox: Sandbox, shell: Make) -> None:
    process = sandbox.start(shell("sleep 60", port=8080, port_env="BIND"))
    with pytest.raises(ConnectionRefusedError):
        process.connect(5)
    process.kill()
    process.wait(20)
    with pytest.raises(ConnectionRefusedError):
        process.connect(5)
    without = sandbox.start(shell("sleep 60"))
    with pytest.raises(ConnectionRefusedError, match="without a port"):
        without.connect(5)
    without.close()


def test_many_threads_connect_at_once(sandbox: Sandbox, python: Make, until: Until) -> None:
    process = sandbox.start(python(SERVER, env={"NAME": "n"}, port=8080, port_env="BIND"))
    until(lambda: serving(process))
    before = descriptors()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: ask(process, b"%d" % number), range(100)))
    assert answers == [b"n%d" % number for number in range(100)]
    assert descriptors() == before
    process.close()


def test_a_thread_that_started_a_job_may_end_before_it(sandbox: Sandbox, shell: Make) -> None:
    """The kernel's death signal follows threads, and the one that starts the first job starts the launcher."""
    started: list[Any] = []
    thread = threading.Thread(target=lambda: started.append(sandbox.start(shell("sleep 0.3; exit 6"))))
    thread.start()
    thread.join()
    assert started[0].wait(20) == 6
