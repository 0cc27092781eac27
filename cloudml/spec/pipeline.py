"""The pipeline: the root of the document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from cloudml.spec.endpoint import Endpoint
from cloudml.spec.monitor import Monitor
from cloudml.spec.node import Name, NativeOption, Node, Positive, Seconds, Tag
from cloudml.spec.schedule import Alert, Schedule
from cloudml.spec.steps import BaseStep, Step, children
from cloudml.spec.values import Parameter


class Pipeline(Node):
    """Steps in the order they were written, with all that they name. `timeout` is for the whole run, in seconds."""

    spec_version: Literal["1"] = "1"
    name: Name
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    steps: tuple[Step, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    monitors: tuple[Monitor, ...] = ()
    alerts: tuple[Alert, ...] = ()
    schedule: Schedule | None = None
    max_parallel: Positive | None = None
    timeout: Annotated[Seconds, Field(gt=0)] | None = None
    tags: tuple[Tag, ...] = ()
    native: tuple[NativeOption, ...] = ()


def walk(steps: tuple[Step, ...] | tuple[BaseStep, ...]) -> Iterator[BaseStep]:
    """Every step, the containers before what lies in them, depth first. Iterative: depth is the author's choice."""
    stack: list[BaseStep] = list(reversed(steps))
    while stack:
        step = stack.pop()
        yield step
        stack.extend(reversed(children(step)))
