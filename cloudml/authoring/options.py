"""Options of a step: machine, time, retries, cache. The author's words here, the spec's nodes at the build."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from cloudml.authoring.deferred import Deferred, duration, node_of
from cloudml.authoring.location import Location
from cloudml.authoring.refusal import did_you_mean, make, refusal

if TYPE_CHECKING:
    from cloudml import spec

Duration: TypeAlias = float | str
Size: TypeAlias = int | str


class JobOptions(TypedDict, total=False):
    """What every step that runs a function may ask for."""

    cpu: float
    """Cores of one process."""
    memory: Size
    """MiB, or text such as "16Gi"."""
    disk: Size
    """MiB, or text such as "100Gi"."""
    gpu: int
    """Number of devices."""
    gpu_type: str
    retries: int | Deferred | spec.Retry
    """How often to try again after a passing failure, or `ml.retry(...)`."""
    timeout: Duration
    """For one attempt: seconds, or text such as "1h"."""
    max_time: Duration
    """The same as `timeout`."""
    cache: bool | Duration
    """True: reuse results for ever; "14d": for so long; False: never."""
    image: str
    environment: Mapping[str, str]
    files: Sequence[str]
    """Patterns of further project files that belong to the code: `("sql/*.sql",)`."""
    description: str
    tags: Mapping[str, str]
    native: Mapping[str, Mapping[str, Any]]
    """Fragments merged last into a backend's own document; they are not portable."""


class TrainingOptions(JobOptions, total=False):
    """What a training step may ask for besides."""

    spot: bool | Deferred | spec.Spot
    """Run on reclaimable capacity."""
    checkpoint: bool
    """Keep a checkpoint folder from one attempt to the next."""
    distribution: Deferred | spec.Distribution


class UseOptions(TrainingOptions, total=False):
    """What may be said of one use of a step."""

    name: str
    after: Any
    """Steps to wait for without taking their data: handles, or names."""


ALLOWED = {
    "processing": frozenset(JobOptions.__annotations__),
    "evaluation": frozenset(JobOptions.__annotations__),
    "training": frozenset(TrainingOptions.__annotations__),
}
USE = frozenset({"name", "after"})


def refuse_unknown(kind: str, given: Mapping[str, Any], allowed: frozenset[str], where: Location) -> None:
    """Refuse an option that the kind of step does not have."""
    for name in given:
        if name in allowed:
            continue
        if name in ALLOWED["training"]:
            raise refusal(
                "CML122", f"{name} is an option of @ml.training, not of @ml.{kind}", "decorate with @ml.training", where
            )
        raise refusal("CML122", f"@ml.{kind} has no option {name!r}", did_you_mean(name, allowed), where)
    if "timeout" in given and "max_time" in given:
        raise refusal("CML122", "timeout and max_time mean the same", "give one of them", where)


def job_fields(options: Mapping[str, Any], where: Location) -> dict[str, Any]:
    """The fields of a JobStep that the options set."""
    fields: dict[str, Any] = {}
    resources = resource_fields(options, where)
    if resources:
        fields["resources"] = resources_node(resources, where)
    for name, convert in _CONVERTERS.items():
        if options.get(name) is not None:
            fields["timeout" if name == "max_time" else name] = convert(options[name], where)
    for name in ("retries", "spot"):
        node = fields.pop(name, None)
        if node is not None:
            fields["retry" if name == "retries" else name] = node
    return fields


def resource_fields(options: Mapping[str, Any], where: Location) -> dict[str, Any]:
    """cpu, memory, gpu, gpu_type and disk, in the spec's units."""
    fields = {name: options[name] for name in ("cpu", "gpu", "gpu_type") if options.get(name) is not None}
    sizes = {name: _size(options[name], name, where) for name in ("memory", "disk") if options.get(name) is not None}
    return {**fields, **sizes}


def resources_node(fields: Mapping[str, Any], where: Location) -> spec.Resources:
    from cloudml.spec import Resources

    return make(Resources, where, "resources", **fields)


def _size(value: Any, name: str, where: Location) -> int:
    from cloudml.spec.units import mebibytes

    try:
        return mebibytes(value)
    except (ValueError, AttributeError) as error:
        raise refusal("CML122", f"{name}: {error}", "", where) from None


def _retries(value: Any, where: Location) -> Any:
    from cloudml.spec import Retry

    if isinstance(value, bool) or (isinstance(value, int) and value < 0):
        raise refusal(
            "CML122", f"retries={value!r} is no number of retries", "write retries=3, or retries=ml.retry(...)", where
        )
    if isinstance(value, int):
        return make(Retry, where, "retries", attempts=value + 1) if value else None
    return node_of(value)


def _cache(value: Any, where: Location) -> Any:
    from cloudml.spec import Cache

    if isinstance(value, bool):
        return Cache(enabled=value)
    return Cache(ttl=duration(value, "cache", where))


def _spot(value: Any, _: Location) -> Any:
    from cloudml.spec import Spot

    return (Spot() if value else None) if isinstance(value, bool) else node_of(value)


def tags(value: Any, where: Location) -> Any:
    """`{"team": "growth"}` as the spec's tags."""
    from cloudml.spec import Tag

    return tuple(make(Tag, where, "tags", key=key, value=str(one)) for key, one in value.items())


def native(value: Any, where: Location) -> Any:
    """`{"sagemaker": {...}}` as the spec's native options."""
    from cloudml.spec import NativeOption

    return tuple(make(NativeOption, where, "native", backend=key, document=dict(one)) for key, one in value.items())


def environment(value: Any, where: Location) -> Any:
    """`{"TZ": "UTC"}` as the spec's variables. Refuses secrets, which would be written into the document."""
    from cloudml.authoring.references import Reference
    from cloudml.spec import EnvironmentVariable

    for name, one in value.items():
        if isinstance(one, Reference):
            message = f"environment variable {name} is {one._label}, which the document cannot hold"
            raise refusal("CML122", message, "pass it to the step's function as an argument", where)
    return tuple(
        make(EnvironmentVariable, where, "environment", name=name, value=str(one)) for name, one in value.items()
    )


def _files(value: Any, where: Location) -> tuple[str, ...]:
    if isinstance(value, str):
        raise refusal("CML122", f"files={value!r} is text, not a list of patterns", f"write files=({value!r},)", where)
    return tuple(value)


def _timeout(value: Any, where: Location) -> float:
    found = duration(value, "timeout", where)
    if found <= 0:
        raise refusal(
            "CML122", "a timeout of zero would stop every attempt at once", "write for example timeout='1h'", where
        )
    return found


def _as_is(value: Any, _: Location) -> Any:
    return value


_CONVERTERS: dict[str, Callable[[Any, Location], Any]] = {
    "retries": _retries,
    "timeout": _timeout,
    "max_time": _timeout,
    "cache": _cache,
    "image": _as_is,
    "environment": environment,
    "files": _files,
    "description": _as_is,
    "tags": tags,
    "native": native,
    "spot": _spot,
    "checkpoint": _as_is,
    "distribution": lambda value, _: node_of(value),
}
