"""A sandbox that is opened when its first command, or somebody's question, comes: many tests of a mock run no job."""

from __future__ import annotations

import threading

from cloudml.mocks.sandbox.choose import open_sandbox
from cloudml.mocks.sandbox.command import Command, Process, Sandbox


class LazySandbox:
    """The sandbox that `auto` means here, found when it is needed. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: Sandbox | None = None
        self._closed = False

    @property
    def kind(self) -> str:
        """`namespaces` or `paths`."""
        return self._sandbox().kind

    @property
    def reason(self) -> str:
        """Why this one, for people."""
        return self._sandbox().reason

    def start(self, command: Command) -> Process:
        """As every sandbox. OSError once it is closed."""
        return self._sandbox().start(command)

    def close(self) -> None:
        """Kill all that was started here; nothing starts any more."""
        with self._lock:
            self._closed = True
            if self._opened is not None:
                self._opened.close()

    def __enter__(self) -> LazySandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _sandbox(self) -> Sandbox:
        with self._lock:
            if self._opened is None:
                if self._closed:
                    raise OSError("the sandbox is closed")
                self._opened = open_sandbox("auto")
            return self._opened
