"""AWS as a table of answers: a client whose calls are functions of the test, with a small S3."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from typing import IO, Any

from cloudml_sagemaker.client import Client, bucket_and_key
from cloudml_sagemaker.refusals import Call, refusal

Json = dict[str, Any]


class Place:
    region = "us-east-1"


class FakeClient(Client):
    """Answers from `answers` (by operation); objects lie in `objects` by their address. `asked` keeps the calls."""

    def __init__(self, **answers: Callable[..., Any]) -> None:
        super().__init__(Place())
        self.answers = answers
        self.objects: dict[str, bytes] = {}
        self.asked: list[tuple[str, Json]] = []

    def call(self, service: str, operation: str, /, *, purpose: str | None = None, **request: Any) -> Json:
        self.asked.append((operation, request))
        if operation in self.answers:
            found: Json = self.answers[operation](**request)
            return found
        return self._s3(operation, request)

    def pages(
        self, service: str, operation: str, member: str, /, *, limit: int | None = None, **request: Any
    ) -> Iterator[Any]:
        found = list(self.call(service, operation, **request)[member])
        yield from found[:limit]

    def stream(self, uri: str, use: Callable[[IO[bytes]], Any]) -> Any:
        return use(io.BytesIO(self.objects[uri]))

    def _s3(self, operation: str, request: Json) -> Json:
        base = f"s3://{request['Bucket']}"
        if operation == "ListObjectsV2":
            rows = [
                {"Key": bucket_and_key(uri)[1], "ETag": hashlib.md5(content).hexdigest(), "Size": len(content)}
                for uri, content in sorted(self.objects.items())
                if uri.startswith(f"{base}/{request['Prefix']}")
            ]
            return {"Contents": rows}
        uri = f"{base}/{request['Key']}"
        if operation == "PutObject":
            body = request["Body"]
            self.objects[uri] = body if isinstance(body, bytes) else body.read()
            return {}
        assert operation == "HeadObject", operation
        if uri not in self.objects:
            raise missing("s3", operation)
        return {"ContentLength": len(self.objects[uri])}


def missing(service: str, operation: str) -> Exception:
    """What AWS says of a thing that is not there."""
    return refusal(Call(service, operation, "us-east-1", "ResourceNotFound", "it does not exist", 400))
