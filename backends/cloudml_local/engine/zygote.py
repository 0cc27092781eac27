"""The parent of all steps: a small process that imports what steps need once, then forks one child for each attempt.

It reads JSON lines from a socket and answers with the fate of each child. When the driver dies the socket closes, and
the zygote ends every child and itself; when the zygote dies the kernel ends the children (Linux).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

from cloudml_local.engine.lessons import Lessons

_RUNTIME = ("main", "inputs", "outputs", "codecs", "codecs.registry", "digest")
"""What every child needs of `cloudml.runtime`: imported here once instead of in each."""

_HARMLESS = ("jemalloc_bg_thd", "polars-ooc-clea")
"""Native threads whose loss a child survives: allocator housekeeping that is set up again after a fork, and the
cleaner of polars' spill files, which only waits to be told of a file to delete."""
_PR_SET_PDEATHSIG = 1


def main(fd: int) -> None:
    """Serve until the socket closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Python 3.12 warns of threads at every fork; which ones are harmless is decided below, by name.
    warnings.filterwarnings("ignore", message=".*multi-threaded", category=DeprecationWarning)
    # What is imported stays: to search it for garbage would cost time here, and memory pages shared with the children.
    gc.disable()
    for module in _RUNTIME:
        importlib.import_module(f"cloudml.runtime.{module}")
    Zygote(socket.socket(fileno=fd)).serve()


class Zygote:
    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._children: dict[int, int] = {}
        self._imported: set[str] = set()
        self._forkable = True
        self._lessons = Lessons()
        self._prctl = _load_prctl()
        self._pid = os.getpid()

    def serve(self) -> None:
        import selectors

        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self._die_with_the_driver()
        selector = selectors.DefaultSelector()
        selector.register(self._channel, selectors.EVENT_READ)
        selector.register(wake_read, selectors.EVENT_READ)
        buffer = b""
        while True:
            for key, _ in selector.select():
                if key.fileobj is self._channel:
                    data = self._channel.recv(1 << 16)
                    if not data:
                        self._end_all()
                    *lines, buffer = (buffer + data).split(b"\n")
                    for line in lines:
                        self._start(json.loads(line))
                else:
                    _drain(wake_read)
                    self._reap()

    def _die_with_the_driver(self) -> None:
        """A zygote that is busy importing does not look at its socket; the kernel tells it all the same."""
        signal.signal(signal.SIGTERM, lambda number, frame: self._end_all())
        if self._prctl is not None:
            self._prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    def _start(self, job: dict[str, Any]) -> None:
        self._preload(job)
        pid = os.fork()
        if pid == 0:
            self._become(job)
        self._children[pid] = job["id"]
        self._send({"id": job["id"], "pid": pid})

    def _preload(self, job: dict[str, Any]) -> None:
        """Import now what the child would import; a failure is the child's to report, with its own traceback."""
        for path in reversed(job["paths"]):
            if path not in sys.path:
                sys.path.insert(0, path)
        wanted = [*job["modules"], *self._lessons.of(job["function"])]
        new = [name for name in wanted if name not in self._imported]
        if not new:
            return
        self._imported.update(new)
        for name in new:
            try:
                importlib.import_module(name)
            except BaseException:  # noqa: BLE001, S112
                continue
        self._forkable = self._forkable and not _foreign_threads()
        gc.freeze()

    def _become(self, job: dict[str, Any]) -> None:
        """In the child: leave the zygote behind and run the step. Never returns."""
        code = 70
        try:
            self._channel.close()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            os.setsid()
            if self._prctl is not None:
                self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != self._pid:
                    os._exit(code)  # the zygote died before the kernel knew what to do then
            gc.enable()
            _redirect(job["log"])
            os.environ.update(job["environment"])
            os.chdir(job["directory"])
            if not self._forkable:
                os.execv(sys.executable, [sys.executable, "-P", "-m", "cloudml.runtime", job["envelope"]])  # noqa: S606
            _reseed()
            from cloudml.runtime.main import run

            self._lessons.begin()
            code = run(job["envelope"])
            self._lessons.tell(job["function"], job["paths"])
            sys.stdout.flush()
            sys.stderr.flush()
        except BaseException:  # noqa: BLE001
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)

    def _reap(self) -> None:
        while self._children:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            job = self._children.pop(pid, None)
            if job is not None:
                _end_group(pid)
                peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
                code = os.waitstatus_to_exitcode(status)
                self._send({"id": job, "exit": code, "cpu": usage.ru_utime + usage.ru_stime, "peak": peak})

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._channel.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self._end_all()

    def _end_all(self) -> None:
        if os.getpid() == self._pid:
            for pid in self._children:
                _end_group(pid)
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        os._exit(0)


def _end_group(pid: int) -> None:
    """End what a step started and left behind. What shall outlive it, such as an endpoint, has a session of its own."""
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def _reseed() -> None:
    """numpy, unlike Python itself, would give every child of one parent the same random numbers."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def _drain(fd: int) -> None:
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        pass


def _redirect(log: str) -> None:
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)
    os.close(null)


def _foreign_threads() -> bool:
    """Whether an import started threads that a fork would lose: Python's own, or a named native pool.

    Threads of BLAS libraries bear the process's name and re-create themselves after a fork, so they do not count.
    """
    if threading.active_count() > 1:
        return True
    own = Path("/proc/self/comm")
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return False
    harmless = {own.read_text().strip(), *_HARMLESS}
    return any(_comm(task) not in harmless for task in tasks.iterdir())


def _comm(task: Path) -> str:
    try:
        return (task / "comm").read_text().strip()
    except OSError:
        return _HARMLESS[0]


def _load_prctl() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    return ctypes.CDLL(None, use_errno=True).prctl
