"""What a step needs to run: machine, image, time, retries, caching. No provider's words."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from cloudml.spec.node import Node, Positive, Seconds

ErrorClass: TypeAlias = Literal["transient", "timeout", "memory", "crash", "interrupted", "error"]
"""Why an attempt ended: a passing fault, its time limit, memory, a dead process, a reclaimed machine, an exception."""


class Resources(Node):
    """What one process of the step may use: `cpu` in cores, `memory` and `disk` in MiB, `gpu` in devices."""

    cpu: Annotated[float, Field(gt=0, le=1024)] = 1
    memory: Annotated[int, Field(ge=64)] | None = None
    gpu: Annotated[int, Field(ge=0, le=64)] = 0
    gpu_type: str | None = None
    disk: Annotated[int, Field(ge=1)] | None = None


class Retry(Node):
    """Try again up to `attempts` times in all, when the failure is of a class or an exception named in `on`.

    The wait before attempt n+1 is `delay * backoff ** (n - 1)` seconds, at most `max_delay`.
    Exceptions are named as Python prints them: `ConnectionError`, `psycopg.OperationalError`.
    """

    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    on: tuple[str, ...] = ("transient", "interrupted")
    delay: Seconds = 1.0
    backoff: Annotated[float, Field(ge=1, le=10)] = 2.0
    max_delay: Seconds = 300.0


class Cache(Node):
    """Whether a result may be reused, and for how many seconds (None: for ever)."""

    enabled: bool = True
    ttl: Seconds | None = None


class Spot(Node):
    """Run on reclaimable capacity; `max_wait` seconds for it in all. An interrupted step resumes from a checkpoint."""

    max_wait: Seconds | None = None


class Distribution(Node):
    """`processes` workers on each of `nodes` machines, started together."""

    nodes: Positive = 1
    processes: Positive = 1
    launcher: Literal["torchrun"] = "torchrun"


class EnvironmentVariable(Node):
    """A plain variable for the step's process. Secrets are arguments, never variables."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    value: str


class FunctionRef(Node):
    """A function by import path: it travels as a name beside the project's code, never pickled."""

    module: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*$")]
    name: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*$")]

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"
