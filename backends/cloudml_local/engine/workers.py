"""The driver's side of the zygote: start it when the first step needs a process, send jobs, learn their fate."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Pools of native threads that libraries size when they are loaded: to 1 in the zygote, unless the user set them."""
PATIENCE = 3.0
"""Seconds that a zygote gets to end by itself."""

_START = "import sys; from cloudml_local.engine.zygote import main; main(int(sys.argv[1]))"


@dataclass(frozen=True)
class Job:
    """One process to start: what it runs, where it writes, what to import before."""

    envelope: Path
    log: Path
    function: str
    directory: str
    paths: tuple[str, ...]
    modules: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Exit:
    """How a process ended: `code` is negative for a signal; `cpu` in seconds, `peak` memory in bytes."""

    id: int
    code: int
    cpu: float = 0.0
    peak: int = 0
    lost: bool = False


class Workers:
    """Runs jobs in child processes. `fileno` may change: ask for it after every start."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._buffer = b""
        self._next = 0
        self._running: dict[int, int | None] = {}
        self._pending_signals: dict[int, int] = {}
        self._preload = True

    @property
    def channel(self) -> socket.socket | None:
        return self._channel

    def start(self, job: Job) -> int:
        """Start a process; the number under which its exit will be told."""
        if self._process is None:
            self._launch()
        assert self._channel is not None
        self._next += 1
        message = {
            "id": self._next,
            "envelope": str(job.envelope),
            "log": str(job.log),
            "function": job.function,
            "directory": job.directory,
            "paths": list(job.paths),
            "modules": list(job.modules) if self._preload else [],
            "environment": job.environment,
        }
        self._running[self._next] = None
        with suppress(OSError):  # the zygote is gone: `exits` reports the job as lost
            self._channel.sendall(json.dumps(message).encode() + b"\n")
        return self._next

    def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        environment = dict(os.environ)
        for name in THREAD_VARIABLES:
            environment.setdefault(name, "1")
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-c", _START, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        theirs.close()
        self._channel = ours
        self._buffer = b""

    def exits(self) -> Iterator[Exit]:
        """Read what the zygote has to say now; blocks only when nothing is there to be read."""
        assert self._channel is not None
        try:
            data = self._channel.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            yield from self._lost()
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            message: dict[str, Any] = json.loads(line)
            number = message["id"]
            if "pid" in message:
                self._running[number] = message["pid"]
                if number in self._pending_signals:
                    self._kill(message["pid"], self._pending_signals.pop(number))
            elif self._running.pop(number, self) is not self:
                yield Exit(number, message["exit"], message["cpu"], message["peak"])

    def _lost(self) -> Iterator[Exit]:
        """The zygote died: so did its children. An import may have killed it, so the next one imports nothing early."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        self._preload = False
        lost, self._running = self._running, {}
        if self._process is not None:
            self._process.wait()
            self._process = None
        self._end_groups(lost)
        for number in lost:
            yield Exit(number, -signal.SIGKILL, lost=True)

    def signal(self, number: int, what: int) -> None:
        """Send a signal to a job and all that it started. A zygote stuck in an import is killed in a job's place."""
        pid = self._running.get(number)
        if pid is not None:
            self._kill(pid, what)
        elif number in self._running and what != signal.SIGKILL:
            self._pending_signals[number] = what
        elif number in self._running and self._process is not None:
            self._process.kill()

    @staticmethod
    def _kill(pid: int, what: int) -> None:
        for kill in (os.killpg, os.kill):
            with suppress(OSError):
                kill(pid, what)
                return

    @staticmethod
    def _end_groups(running: dict[int, int | None]) -> None:
        """What dead jobs started themselves lives on in their process groups."""
        for pid in running.values():
            if pid is not None:
                with contextlib.suppress(OSError):
                    os.killpg(pid, signal.SIGKILL)

    def close(self) -> None:
        """End the zygote and whatever still runs below it."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:  # it hangs in an import of the user's
                self._process.kill()
                self._process.wait()
            self._process = None
        self._end_groups(self._running)
        self._running = {}
