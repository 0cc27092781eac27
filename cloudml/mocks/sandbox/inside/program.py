"""A job's program: started, obeyed for, and taken leave of."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import selectors
import signal
import socket
from typing import Any

from . import linux

TERMINATE, KILL, SOCKET = b"T", b"K", b"S"
_RESET = ("SIGPIPE", "SIGXFSZ", "SIGINT", "SIGQUIT", "SIGHUP")
"""Signals that Python ignores, or the launcher; a program expects them at their defaults."""

Job = dict[str, Any]


class Failed(Exception):
    """The job's program could not be started; the text names the stage."""

    def __init__(self, stage: str, error: OSError) -> None:
        super().__init__(stage)
        self.line = {"failed": stage, "errno": error.errno, "text": error.strerror, "path": error.filename}


class Wake:
    """Becomes readable when a child has ended."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def fileno(self) -> int:
        """What a selector watches."""
        return self._read

    def drain(self) -> None:
        """Forget the children that were told of so far."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._read, 4096):
                pass

    def close(self) -> None:
        """Told of nothing any more; signals at their defaults."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._read)
        os.close(self._write)


def tell(channel: socket.socket, line: dict[str, Any]) -> None:
    """A line of JSON."""
    channel.sendall(json.dumps(line).encode() + b"\n")


def watch(job: Job, control: socket.socket, status: socket.socket, log: int, processes: int | None) -> int:
    """Start the program, obey commands until it has ended, and end what it left. Returns its exit code."""
    wake = Wake()
    program = _start(job, status, log, processes)
    os.close(log)
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    selector.register(wake, selectors.EVENT_READ)
    try:
        while True:
            for key, _ in selector.select():
                if key.fileobj is control:
                    _obey(control, program)
                else:
                    wake.drain()
            code = _reap(program)
            if code is not None:
                return code
    finally:
        if processes is None:
            _end_leftovers(program)


def _obey(control: socket.socket, program: int) -> None:
    command = control.recv(1)
    if command == TERMINATE:
        os.kill(program, signal.SIGTERM)
    elif command == KILL:
        os.kill(program, signal.SIGKILL)
    elif command == SOCKET:
        with socket.socket() as made:
            socket.send_fds(control, [b"."], [made.fileno()])
    else:
        raise EOFError  # the mock let go of the job


def _reap(program: int) -> int | None:
    """Take leave of every child that has ended; the exit code when the program is among them."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while code is None:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == program:
                code = os.waitstatus_to_exitcode(status)
    return code


def _end_leftovers(program: int) -> None:
    """Without a process namespace: end the program's group, then what became ours when its parent ended."""
    while True:
        children = _children()
        for kill, target in ((os.killpg, program), *((os.kill, pid) for pid in children)):
            with contextlib.suppress(OSError):
                kill(target, signal.SIGKILL)
        if not children:
            return
        os.waitpid(-1, 0)


def _children() -> list[int]:
    """Of this process; none where the kernel does not tell, as elsewhere than on Linux."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as listing:
            return [int(pid) for pid in listing.read().split()]
    except OSError:
        return []


def _start(job: Job, status: socket.socket, log: int, processes: int | None) -> int:
    """Fork and execute the program; tell `status` its pid on the host. Raises Failed where that is not possible."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _become(job, log, processes, writing)
    os.close(writing)
    with open(reading, "rb") as report:
        lines = report.read().splitlines()  # ends when the program takes over: the descriptor closes by itself then
    if len(lines) != 1:
        os.waitpid(pid, 0)
        text = json.loads(lines[-1]) if lines else [None, "ended early", None]
        raise Failed("execute", OSError(*text))
    tell(status, {"started": int(lines[0])})
    return pid


def _become(job: Job, log: int, processes: int | None, report: int) -> None:
    """In the last fork: be the program. Never returns."""
    try:
        linux.die_with_parent()
        signal.set_wakeup_fd(-1)
        for name in _RESET:
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.setsid()
        own = os.getpid() if processes is None else int(os.readlink("self", dir_fd=processes))
        os.write(report, b"%d\n" % own)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.chdir(job["cwd"])
        os.execvpe(job["argv"][0], job["argv"], job["env"])  # noqa: S606
    except OSError as error:
        path = job["cwd"] if error.filename == job["cwd"] else job["argv"][0]
        os.write(report, json.dumps([error.errno, error.strerror, path]).encode())
    except ValueError as error:
        os.write(report, json.dumps([errno.EINVAL, str(error), job["argv"][0]]).encode())
    finally:
        os._exit(127)
