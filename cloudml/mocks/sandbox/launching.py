"""The mock's side of the launcher: it starts it, hands jobs over, and speaks to each over two sockets."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloudml.errors import Refused
from cloudml.mocks.sandbox.command import JobLost

_FOLDER = Path(__file__).parent
_BOOT = "import sys; sys.path.append({folder!r}); from inside.serve import main; main({fd})"
_CLOSING_SECONDS = 10.0
_ATTEMPTS = 2
"""The second is for a launcher that was found dead, or died with the job in its hands."""
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)

Connect = Callable[["LaunchedProcess", float], socket.socket]


class Launcher:
    """One launcher process, started with the first job, started anew when it was killed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._live: weakref.WeakSet[LaunchedProcess] = weakref.WeakSet()
        self._closed = False

    def start(self, job: dict[str, Any], log: Path, connect: Connect, ended: Callable[[], None]) -> LaunchedProcess:
        """Run `job`; returns when its program does. `ended` is called once, when the job needs nothing any more.

        Raises OSError when the program cannot be executed, Refused when the contract cannot be set up.
        """
        try:
            for _ in range(_ATTEMPTS):
                process = self._start(job, log, connect, ended)
                if process is not None:
                    return process
        except BaseException:
            ended()
            raise
        ended()
        raise Refused("a job could not be started", hint="see whether the machine is out of processes or memory")

    def _start(
        self, job: dict[str, Any], log: Path, connect: Connect, ended: Callable[[], None]
    ) -> LaunchedProcess | None:
        """None when the launcher was found dead, or died before it had started the job."""
        control, inner_control = socket.socketpair()
        status, inner_status = socket.socketpair()
        log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            self._hand_over([inner_control.fileno(), inner_status.fileno(), log_fd])
        except BaseException:
            control.close()
            status.close()
            raise
        finally:
            inner_control.close()
            inner_status.close()
            os.close(log_fd)
        process = LaunchedProcess(control, status, connect, ended)
        try:
            started = process.begin(job)
        except BaseException:
            process.abandon()
            raise
        if not started:
            process.abandon()
            return None
        with self._lock:
            if not self._closed:
                self._live.add(process)
                return process
        process.close()
        raise _closed()

    def _hand_over(self, descriptors: list[int]) -> None:
        with self._lock:
            if self._closed:
                raise _closed()
            channel = self._channel or self._spawn()
            try:
                socket.send_fds(channel, [b"j"], descriptors)
            except (BrokenPipeError, ConnectionResetError):
                socket.send_fds(self._spawn(), [b"j"], descriptors)

    def _spawn(self) -> socket.socket:
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._channel, inner = socket.socketpair()
        with inner:
            boot = _BOOT.format(folder=str(_FOLDER), fd=inner.fileno())
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", "-S", "-X", "utf8", "-c", boot],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[inner.fileno()],
                start_new_session=True,
            )
        return self._channel

    def close(self) -> None:
        """Kill every job and the launcher. Later starts are refused."""
        with self._lock:
            self._closed = True
            live = list(self._live)
        for process in live:
            process.close()
        if self._channel is not None:
            # A fork of this process may hold it too, so closing alone would not end it.
            with contextlib.suppress(OSError):
                self._channel.shutdown(socket.SHUT_RDWR)
            self._channel.close()
        if self._process is not None:
            try:
                self._process.wait(_CLOSING_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class LaunchedProcess:
    """A job of the launcher; see `command.Process`."""

    def __init__(
        self, control: socket.socket, status: socket.socket, connect: Connect, ended: Callable[[], None]
    ) -> None:
        self.pid = 0
        self._control = control
        self._status = status
        self._connect = connect
        self._finalizer = weakref.finalize(self, _release, control, status, ended)
        self._finalizer.atexit = False  # the end of the program closes the sockets too, after everybody's clean-up
        self._buffer = b""
        self._code: int | None = None
        self._lost = False
        self._closed = False
        self._reading = threading.Lock()
        self._asking = threading.Lock()

    def begin(self, job: dict[str, Any]) -> bool:
        """Describe the job and wait until its program runs. False when the launcher is dead."""
        data = json.dumps(job).encode()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._control.sendall(struct.pack("!I", len(data)) + data)
        line = self._read_line(None)
        if not line:
            return False
        if "failed" in line:
            raise _refusal(line)
        self.pid = line["started"]
        return True

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code, or None after `timeout` seconds. Any number of threads may wait."""
        end = None if timeout is None else time.monotonic() + timeout
        if not self._reading.acquire(timeout=-1 if timeout is None else max(0.0, timeout)):
            return None
        try:
            if self._code is None and not self._lost:
                line = self._read_line(end)
                if line is None:
                    return None
                self._end(line.get("exit"))
            if self._lost:
                raise JobLost("a job ended and nobody can tell how", hint="the process that watched it was killed")
            return self._code
        finally:
            self._reading.release()

    def _end(self, code: int | None) -> None:
        self._code = -9 if code is None and self._closed else code
        self._lost = self._code is None
        with self._asking:
            self._finalizer()

    def _read_line(self, end: float | None) -> dict[str, Any] | None:
        """What the job tells next; empty when it will tell nothing any more, None when the time is over."""
        poller = select.poll()
        poller.register(self._status, select.POLLIN)
        while b"\n" not in self._buffer:
            left = None if end is None else max(0.0, end - time.monotonic()) * 1000
            if not poller.poll(left):
                return None
            try:
                data = self._status.recv(4096)
            except ConnectionResetError:
                data = b""
            if not data:
                return {}
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        told: dict[str, Any] = json.loads(line)
        return told

    def terminate(self) -> None:
        """SIGTERM to the program; nothing when it has ended."""
        self._command(b"T")

    def kill(self) -> None:
        """SIGKILL to the program; the rest of the job ends with it."""
        self._command(b"K")

    def _command(self, letter: bytes) -> None:
        with self._asking, contextlib.suppress(OSError):
            self._control.send(letter)

    def connect(self, timeout: float) -> socket.socket:
        """A stream to the program's port. OSError when nothing listens or the program has ended."""
        return self._connect(self, timeout)

    def make_socket(self, timeout: float) -> socket.socket:
        """A TCP socket of the job's own network, not yet connected."""
        with self._asking:
            if not self._finalizer.alive:
                raise ConnectionRefusedError("the program has ended")
            self._control.settimeout(timeout)
            try:
                self._control.sendall(b"S")
                data, descriptors, _, _ = socket.recv_fds(self._control, 1, 1, _CLOEXEC)
            finally:
                self._control.settimeout(None)
        if not data:
            raise ConnectionRefusedError("the program has ended")
        os.set_inheritable(descriptors[0], False)
        return socket.socket(fileno=descriptors[0])

    def close(self) -> None:
        """Kill the job, wait until nothing of it is left, and close its sockets."""
        self._closed = True
        # What the job listens to ends: that kills it, and wakes whoever waits for it.
        with self._asking, contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
        with contextlib.suppress(JobLost):
            self.wait(_CLOSING_SECONDS)
        with self._asking:
            self._finalizer()

    def abandon(self) -> None:
        """Close the sockets of a job that never ran; what it needed is still needed."""
        self._finalizer.detach()
        self._control.close()
        self._status.close()


def _release(control: socket.socket, status: socket.socket, ended: Callable[[], None]) -> None:
    control.close()
    status.close()
    ended()


def _closed() -> Refused:
    return Refused("the sandbox is closed", hint="open another")


def _refusal(line: dict[str, Any]) -> Exception:
    if line["failed"] == "execute" and line["errno"] is not None:
        return OSError(line["errno"], line["text"], line["path"])
    place = f" ({line['path']})" if line["path"] else ""
    return Refused(
        f"the job's surroundings could not be made: {line['failed']}: {line['text']}{place}",
        hint="the kernel may forbid namespaces here; the kind 'paths' needs none",
    )
