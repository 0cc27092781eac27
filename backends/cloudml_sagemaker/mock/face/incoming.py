"""What a request is: its service, region, operation and the protocol in which its answer must be."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, parse_qsl

JSON, QUERY, EC2, REST_XML, REST_JSON, CBOR = "json", "query", "ec2", "rest-xml", "rest-json", "smithy-rpc-v2-cbor"

XML_SERVICES = frozenset({"s3", "s3-outposts", "s3express", "s3-object-lambda", "cloudfront", "route53"})
"""Signing names of the services whose protocol is REST with XML."""

READS = (
    "describe", "list", "get", "batchget", "head", "lookup", "search", "filter", "simulate", "test", "check",
    "validate", "decode", "preview", "estimate",
)  # fmt: skip
"""Operations whose names begin so change nothing."""


@dataclass
class Incoming:
    """One request. The body has been read; `environ` can be given to another WSGI application."""

    environ: dict[str, Any]
    body: bytes
    service: str = ""
    """The name in the signature's scope, lower case ("s3", "monitoring"...); "" when it is not signed."""
    region: str = "us-east-1"
    access_key: str = ""
    method: str = field(init=False)
    path: str = field(init=False)

    def __post_init__(self) -> None:
        self.method = self.environ["REQUEST_METHOD"]
        self.path = self.environ.get("PATH_INFO", "")

    @cached_property
    def target(self) -> str:
        """The X-Amz-Target header."""
        return str(self.environ.get("HTTP_X_AMZ_TARGET", ""))

    @cached_property
    def query(self) -> dict[str, str]:
        """The query's arguments; an argument without a value is ""."""
        return dict(parse_qsl(self.environ.get("QUERY_STRING", ""), keep_blank_values=True))

    @cached_property
    def form(self) -> dict[str, list[str]]:
        """The arguments of a form, as the Query protocol sends them."""
        if not str(self.environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded"):
            return {}
        return parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)

    @cached_property
    def protocol(self) -> str:
        """How it speaks, as seen from the request itself: some services are spoken to in more than one way."""
        if "HTTP_SMITHY_PROTOCOL" in self.environ:
            return CBOR
        if self.target:
            return JSON
        if "Action" in self.form or "Action" in self.query:
            return EC2 if self.service == "ec2" else QUERY
        return REST_XML if self.service in XML_SERVICES or not self.service else REST_JSON

    @cached_property
    def operation(self) -> str:
        """The operation where the request names it; for REST services the service model is asked; "" if unknown."""
        if self.target:
            return self.target.rpartition(".")[2]
        if self.protocol == CBOR:
            return self.path.rpartition("/operation/")[2]
        named = self.form.get("Action", [""])[0] or self.query.get("Action", "")
        if named:
            return named
        from cloudml_sagemaker.mock.face.routes import operation_of

        return operation_of(self.service, self.method, self.path, self.query, self.environ)

    @cached_property
    def changes(self) -> bool:
        """Whether it may change something."""
        if self.protocol in {REST_XML, REST_JSON}:
            return self.method not in {"GET", "HEAD", "OPTIONS"}
        return not self.operation.lower().startswith(READS)

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body or b"{}", parse_constant=_no_constant)

    def passed_on(self) -> dict[str, Any]:
        """The environ for another application, which reads the body from its beginning."""
        environ = dict(self.environ)
        environ["wsgi.input"] = io.BytesIO(self.body)
        environ["CONTENT_LENGTH"] = str(len(self.body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        if self.service == "s3":
            # moto reads the key from RAW_URI; the patterns of its routes, which are held against this, take no "\n".
            environ["PATH_INFO"] = self.path.replace("\n", "\r")
        return environ


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def receive(environ: dict[str, Any]) -> Incoming:
    """Read the body, and see whom it is for."""
    length = str(environ.get("CONTENT_LENGTH") or "0")
    body = environ["wsgi.input"].read(int(length) if length.isdigit() else 0)
    service, region, key = _signed_for(environ)
    return Incoming(environ, body, service, region or "us-east-1", key)


def _signed_for(environ: dict[str, Any]) -> tuple[str, str, str]:
    """Service, region and access key of a SigV4 header or of a presigned URL; empty when it is not signed."""
    _, found, rest = str(environ.get("HTTP_AUTHORIZATION", "")).partition("Credential=")
    if not found and "X-Amz-Credential=" in environ.get("QUERY_STRING", ""):
        rest = parse_qs(environ["QUERY_STRING"]).get("X-Amz-Credential", [""])[0]
    parts = rest.split(",", 1)[0].strip().split("/")
    if len(parts) < 5:
        return "", "", ""
    return parts[-2].lower(), parts[-3], "/".join(parts[:-4])
