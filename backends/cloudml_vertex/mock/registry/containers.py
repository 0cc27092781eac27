"""What a model's container specification may say: docstrings of ModelContainerSpec, Port and Probe in aiplatform_v1."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cloudml_vertex.mock.core.errors import field_violations
from cloudml_vertex.mock.core.times import duration
from cloudml_vertex.mock.core.world import World

Document = dict[str, Any]
_REGISTRY = re.compile(r"(?:[a-z0-9-]+-docker\.pkg\.dev|(?:[a-z]+\.)?gcr\.io)/\S+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TWO_HOURS = 7200.0
_ROUTES = ("predict_route", "health_route")
_PROBES = ("startup_probe", "health_probe", "liveness_probe")


def check(world: World, spec: Document, where: str) -> None:
    """Raises INVALID_ARGUMENT with everything that is wrong with a ModelContainerSpec; `where` is its field."""
    found = [(f"{where}.{field}", text) for field, text in _problems(world, spec)]
    if found:
        raise field_violations(found)


def _problems(world: World, spec: Document) -> Iterator[tuple[str, str]]:
    image = spec.get("image_uri", "")
    if world.switches["model-image-registry"] == "required" and not _REGISTRY.fullmatch(image):
        yield "image_uri", f"{image!r} does not name an image in Artifact Registry or Container Registry"
    yield from _routes(spec)
    for field in ("ports", "grpc_ports"):
        for index, port in enumerate(spec.get(field, [])):
            if not 1 <= port.get("container_port", 0) <= 65535:
                yield f"{field}[{index}].container_port", "a port is a number from 1 to 65535"
    for index, variable in enumerate(spec.get("env", [])):
        if not _VARIABLE.fullmatch(variable.get("name", "")):
            yield f"env[{index}].name", f"{variable.get('name', '')!r} is not a C identifier"
    limit = spec.get("deployment_timeout")
    if limit is not None and not 0 < duration(limit) <= _TWO_HOURS:
        yield "deployment_timeout", "the limit for the deployment timeout is 2 hours"
    if spec.get("shared_memory_size_mb", 0) < 0:
        yield "shared_memory_size_mb", "a size is not negative"
    for field in _PROBES:
        yield from ((f"{field}.{name}", text) for name, text in _probe(spec.get(field) or {}))


def _routes(spec: Document) -> Iterator[tuple[str, str]]:
    for field in _ROUTES:
        route = spec.get(field, "")
        if route and not route.startswith("/"):
            yield field, f"{route!r} does not begin with a slash"
    prefix = spec.get("invoke_route_prefix", "")
    if prefix and prefix != "/*":
        yield "invoke_route_prefix", "'/*' is the only supported value"
    if prefix and spec.get("predict_route"):
        yield "invoke_route_prefix", "only one of predict_route and invoke_route_prefix can be set"


_LEAST = {"period_seconds": 1, "timeout_seconds": 1, "failure_threshold": 1, "success_threshold": 1}


def _probe(probe: Document) -> Iterator[tuple[str, str]]:
    for field, least in _LEAST.items():
        if field in probe and probe[field] < least:
            yield field, f"the minimum is {least}"
    if probe.get("initial_delay_seconds", 0) < 0:
        yield "initial_delay_seconds", "the minimum is 0"
