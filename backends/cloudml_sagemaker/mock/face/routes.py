"""Which operation a REST request is, by the `http` traits of botocore's service models."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

_ALIASES = {"monitoring": "cloudwatch", "sagemaker": "sagemaker-runtime", "email": "sesv2", "execute-api": ""}
"""Names of service models where they differ from the name in the signature."""


@dataclass(frozen=True)
class Route:
    """One operation: method, path, what the query and the headers must hold; the more it asks, the nearer it is."""

    operation: str
    method: str
    path: re.Pattern[str]
    literals: tuple[tuple[str, str], ...]
    query: tuple[str, ...]
    headers: tuple[str, ...]
    weight: int

    def fits(self, method: str, path: str, query: dict[str, str], environ: dict[str, Any]) -> bool:
        """Whether a request can be this operation."""
        return (
            self.method == method
            and self.path.fullmatch(path) is not None
            and all(name in query and value in {"", query[name]} for name, value in self.literals)
            and all(name in query for name in self.query)
            and all(name in environ for name in self.headers)
        )


def operation_of(service: str, method: str, path: str, query: dict[str, str], environ: dict[str, Any]) -> str:
    """The operation's name, "" when no operation of the service is like that."""
    found = [route for route in routes(service) if route.fits(method, path.rstrip("/") or "/", query, environ)]
    return max(found, key=lambda route: route.weight).operation if found else ""


@cache
def routes(service: str) -> tuple[Route, ...]:
    """Every route of the service of that signing name; empty when there is no such model."""
    from botocore.exceptions import UnknownServiceError

    from cloudml_sagemaker.service.model import service_model

    name = _ALIASES.get(service, service)
    try:
        model = service_model(name) if name else None
    except UnknownServiceError:
        return ()
    if model is None or not model.metadata.get("protocol", "").startswith("rest"):
        return ()
    return tuple(_route(model.operation_model(operation)) for operation in model.operation_names)


def _route(operation: Any) -> Route:
    path, _, query = operation.http.get("requestUri", "/").partition("?")
    literals = tuple(parse_qsl(query, keep_blank_values=True))
    shape = operation.input_shape
    required = [shape.members[name].serialization for name in shape.required_members] if shape is not None else []
    in_query = tuple(place["name"] for place in required if place.get("location") == "querystring")
    in_headers = tuple(
        "HTTP_" + place["name"].upper().replace("-", "_")
        for place in required
        if place.get("location") == "header" and place["name"].lower() not in {"content-type", "content-length"}
    )
    return Route(
        operation.name,
        operation.http["method"],
        path_pattern(path),
        literals,
        in_query,
        in_headers,
        100 * path.count("/") + 10 * (len(literals) + len(in_query) + len(in_headers)) - path.count("{"),
    )


def path_pattern(path: str) -> re.Pattern[str]:
    """`/endpoints/{Name}/invocations` as a pattern; `{Key+}` takes slashes too."""
    parts = re.split(r"(\{[^}]+\})", path.rstrip("/") or "/")
    text = "".join(
        (f"(?P<{part[1:-1].rstrip('+').replace('-', '_')}>{'.+' if part.endswith('+}') else '[^/]+'})")
        if part.startswith("{")
        else re.escape(part)
        for part in parts
    )
    return re.compile(text, re.DOTALL)  # keys of S3 may have line feeds
