"""The launcher's loop: a message is a byte with three descriptors (control, status, log); each makes a fork."""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket

from . import jobs
from .program import Wake

DESCRIPTORS = 3


def main(fd: int) -> None:
    """Serve until the socket closes, then kill every job."""
    os.chdir("/")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    gc.freeze()
    with socket.socket(fileno=fd) as channel:
        Launcher(channel).serve()


class Launcher:
    """Forks, reaps, and kills what is left at the end. What a job tells goes from its own processes to the mock."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._children: set[int] = set()
        self._wake = Wake()

    def serve(self) -> None:
        """Until the mock's end of the socket closes."""
        selector = selectors.DefaultSelector()
        selector.register(self._channel, selectors.EVENT_READ)
        selector.register(self._wake, selectors.EVENT_READ)
        try:
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._wake:
                        self._wake.drain()
                        self._reap()
                    elif not self._take():
                        return
        finally:
            self._end_all()

    def _take(self) -> bool:
        """One job. False at the end of the channel."""
        data, descriptors, _, _ = socket.recv_fds(self._channel, 1, DESCRIPTORS)
        if not data:
            return False
        for fd in descriptors:
            os.set_inheritable(fd, False)
        # Without room for a process the descriptors close, and the mock sees that this job came to nothing.
        with contextlib.suppress(OSError):
            self._fork(descriptors)
        for fd in descriptors:
            os.close(fd)
        return True

    def _fork(self, descriptors: list[int]) -> None:
        launcher = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                self._wake.close()
                self._channel.close()
                jobs.run(launcher, *descriptors)
            finally:
                os._exit(1)
        self._children.add(pid)

    def _reap(self) -> None:
        while self._children:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._children.discard(pid)

    def _end_all(self) -> None:
        for pid in self._children:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
