"""What a mock cloud is to the rest of cloudml: a name, an extra, and how it is started.

A distribution offers one by an entry point of the group `cloudml.mocks` whose value is a `MockCloud`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class MockOptions:
    """What can be told to a mock when it starts.

    `port`: of loopback, 0 for any that is free; `state`: a folder that survives the process; `images`: rules
    `PATTERN=COMMAND`; `faults`: rules as in `cloudml.mocks.faults`; `switches`: choices by name; `isolation`: of the
    jobs' processes, as in `cloudml.mocks.sandbox`; `hold`: the clock moves only by `advance`, from `start` on (UTC);
    `jobs`: processes of jobs at a time; `functions`: Python functions, or `module:function`, that stand for the cloud's
    functions of those names (AWS Lambda).
    """

    port: int = 0
    state: Path | None = None
    images: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    switches: Mapping[str, str] = field(default_factory=dict)
    isolation: str = "auto"
    hold: bool = False
    start: datetime | None = None
    jobs: int = field(default_factory=lambda: 2 * (os.cpu_count() or 2))
    functions: Mapping[str, Callable[..., Any] | str] = field(default_factory=dict)


class RunningMock(Protocol):
    """A mock that runs in this process."""

    @property
    def url(self) -> str:
        """Where it answers."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which the cloud's own clients find it."""

    @property
    def hides(self) -> tuple[str, ...]:
        """How the names of variables begin that would lead such a client past the mock."""

    @property
    def isolation(self) -> tuple[str, str]:
        """How the processes of jobs are kept apart, and why so."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know about this start."""

    def reset(self) -> None:
        """Forget everything; the url stays."""

    def stop(self) -> None:
        """Take it down; no process of a job or an endpoint stays."""


@dataclass(frozen=True)
class MockCloud:
    """A mock cloud as its distribution offers it. `start` raises MissingExtra, MockError.

    `modules` are what its extra brings; naming them here lets a missing one be told before anything starts.
    """

    name: str
    description: str
    extra: str
    start: Callable[[MockOptions], RunningMock]
    modules: tuple[str, ...] = ()
