"""One job, around its program: what it needs is made, and its end told.

Over `control` come the job's description (4 bytes of length, then JSON) and commands of one byte. Over `status` goes a
line of JSON when the program runs or cannot, and one when it has ended and nothing of the job is left. A job that
closes `status` without the second line was lost.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import traceback
from collections.abc import Iterator

from . import linux, network, rooms
from .program import Failed, Job, tell, watch

_PRESENT = b"."


def run(parent: int, control_fd: int, status_fd: int, log: int) -> None:
    """In the launcher's fork: do all that the job needs. Never returns."""
    control, status = socket.socket(fileno=control_fd), socket.socket(fileno=status_fd)
    with _last(status):
        linux.die_with_parent()
        if os.getppid() != parent:
            return  # the launcher ended before the kernel knew what to do then
        job = _receive(control)
        if job["isolated"]:
            _keep(job, control, status, log)
        else:
            linux.adopt_orphans()
            tell(status, {"exit": watch(job, control, status, log, None)})


@contextlib.contextmanager
def _last(status: socket.socket) -> Iterator[None]:
    """What a process does last: it tells of a failure, and ends whatever happens."""
    try:
        yield
    except Failed as failure:
        with contextlib.suppress(OSError):
            tell(status, failure.line)
    except (BrokenPipeError, ConnectionResetError, EOFError):
        pass  # the mock let go of the job, or the process above is gone
    except Exception:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os._exit(0)


def _receive(control: socket.socket) -> Job:
    (length,) = struct.unpack("!I", _exactly(control, 4))
    job: Job = json.loads(_exactly(control, length))
    return job


def _exactly(control: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        part = control.recv(length - len(data))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


def _keep(job: Job, control: socket.socket, status: socket.socket, log: int) -> None:
    """The keeper: opens the process namespace, keeps the carrier of the private network's ways out, tells of the end.

    Init ends only when the kernel has ended and reaped every process of its namespace, so nothing of the job is left
    when its exit is told.
    """
    carrier, ways_out = _fork_carrier(job["reach"], (control, status)) if job["reach"] else (0, None)
    try:
        _leave_processes()
    except OSError as error:
        raise Failed("unshare processes", error) from error
    outside, inside = socket.socketpair()
    init = os.fork()
    if init == 0:
        outside.close()
        _begin(job, control, status, log, inside, ways_out)
    for end in (control, inside, ways_out):
        if end is not None:
            end.close()
    os.close(log)
    line = outside.makefile("rb").readline().removeprefix(_PRESENT)
    os.waitpid(init, 0)
    if carrier:
        os.kill(carrier, signal.SIGKILL)
        os.waitpid(carrier, 0)
    status.sendall(line)


def _fork_carrier(reach: list[tuple[str, int]], others: tuple[socket.socket, ...]) -> tuple[int, socket.socket]:
    """A process that stays in the host's network and serves the sockets that init sends it.

    Not the keeper itself: a process whose children are to be in another process namespace can start no threads.
    """
    mine, inits = socket.socketpair()
    keeper = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            for end in (*others, inits):
                end.close()
            linux.die_with_parent()
            if os.getppid() == keeper:
                network.carry(mine, reach)
        finally:
            os._exit(0)
    mine.close()
    return pid, inits


def _leave_processes() -> None:
    """A process namespace for the children of this process; in a user namespace of its own unless root may do it."""
    if os.geteuid() == 0:
        with contextlib.suppress(PermissionError):
            linux.unshare(linux.CLONE_NEWPID)
            return
    user, group = os.geteuid(), os.getegid()
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWPID)
    # The same ids inside as outside: programs behave as for the user who runs the mock.
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _begin(
    job: Job,
    control: socket.socket,
    status: socket.socket,
    log: int,
    keeper: socket.socket,
    ways_out: socket.socket | None,
) -> None:
    """Init: process 1 of the job's namespace. Never returns."""
    with _last(status):
        linux.die_with_parent()
        keeper.sendall(_PRESENT)  # fails when the keeper ended before the kernel knew what to do then
        processes = _leave_files_and_network(job, ways_out)
        tell(keeper, {"exit": watch(job, control, status, log, processes)})


def _leave_files_and_network(job: Job, ways_out: socket.socket | None) -> int:
    """The job's own mounts and, for a server, network. Returns the host's view of processes, to know pids there."""
    stage = "unshare files and network"
    try:
        linux.unshare(linux.CLONE_NEWNS | (linux.CLONE_NEWNET if job["private"] else 0))
        stage = "raise the network"
        if job["private"]:
            network.raise_loopback()
        if ways_out is not None:
            network.lead_out(ways_out, job["reach"])
        stage = "mount"
        processes = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        rooms.Rooms().arrange(job["mounts"])
        # Refused where /proc is masked, as in many containers; the host's then stays, and /proc/self is right in it.
        with contextlib.suppress(PermissionError):
            linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    except OSError as error:
        raise Failed(stage, error) from error
    return processes
