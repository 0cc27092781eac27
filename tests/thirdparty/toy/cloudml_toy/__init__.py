"""A backend small enough to read at once: plain steps, one after the other, each in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.backend.feature import FULL, Feature, Level, Support
from cloudml.backend.port import Backend, Target
from cloudml.plan import Resource

if TYPE_CHECKING:
    from cloudml import spec
    from cloudml.backend.port import Session
    from cloudml.code import Sources

FEATURES = {
    Feature.PROCESSING: FULL,
    Feature.RETRY: Support(Level.NOT_IMPLEMENTED, "a toy gives up at once", "leave `retries` out"),
    Feature.CONDITION: Support(Level.NEVER, "a toy never decides"),
}
"""What is not named here is refused as well."""


def _compile(pipeline: spec.Pipeline, target: Target, sources: Sources) -> tuple[Resource, ...]:
    from cloudml.graph import order

    steps = {step.name: step for step in pipeline.steps}
    document = {
        "root": str(sources.root),
        "python": target.settings.get("python"),
        "parameters": {one.name: {"type": one.type, "default": one.default} for one in pipeline.parameters},
        "steps": [_step(steps[name]) for name in order(pipeline)],
    }
    return (Resource.of("pipeline", pipeline.name, document),)


def _step(step: Any) -> dict[str, Any]:
    return {**step.model_dump(mode="json"), "function": str(step.function)}


def _connect(target: Target) -> Session:
    from cloudml_toy.session import ToySession

    return ToySession(target.root / ".toy")


backend = Backend(
    name="toy",
    description="one step after the other, to show how a backend is written",
    features=FEATURES,
    compile=_compile,
    connect=_connect,
    settings={"python": "the interpreter that runs the steps (default: this one)"},
)
