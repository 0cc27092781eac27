"""The one way from this machine to AWS: sessions, time limits, retries, tokens, pages, and errors in clear words.

Everything else asks through `Client.call` with the names that AWS's API reference uses. boto3 and tenacity are imported
when the first call is made. botocore's own retries are off: a call is tried again only here, and only for throttling,
5xx and trouble of the line, with waits drawn between nothing and a bound that doubles (full jitter).
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol, TypeVar

from cloudml import __version__
from cloudml.errors import CloudmlError, MissingExtra
from cloudml_sagemaker.gaps import from_moto, gap_in_answer, gap_in_error
from cloudml_sagemaker.refusals import AwsError, Call, Kind, refusal, unreachable

__all__ = ["Client", "Located", "Patience", "bucket_and_key", "token_of"]

T = TypeVar("T")

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 60.0
"""Seconds. What may rightly take longer (an invocation) is asked with a limit of its own."""


class Located(Protocol):
    """Of a place in AWS, what a client needs."""

    @property
    def region(self) -> str: ...


@dataclass(frozen=True)
class Patience:
    """How long a refused call is tried again: so many attempts, so many seconds; `longest` bounds one wait."""

    attempts: int = 8
    seconds: float = 120.0
    first: float = 0.25
    longest: float = 20.0
    sleep: Callable[[float], None] = time.sleep


def token_of(operation: str, request: Mapping[str, Any], purpose: str) -> str:
    """An idempotency token: equal for the same intent, 64 characters (AWS asks for 32 to 128).

    `purpose` tells apart two intents with equal requests, such as two starts of one pipeline.
    """
    text = json.dumps([operation, purpose, request], sort_keys=True, separators=(",", ":"), default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def bucket_and_key(uri: str) -> tuple[str, str]:
    """`s3://bucket/a/key` in two. Raises ValueError for anything else."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ValueError(f"{uri!r} is no address in S3")
    return bucket, key


class Client:
    """AWS as one account and region see it. Safe to share between threads."""

    def __init__(self, place: Located, *, patience: Patience = Patience(), read_timeout: float = READ_TIMEOUT) -> None:
        self.region = place.region
        self._patience = patience
        self._read_timeout = read_timeout
        self._core: Any = None
        self._session: Any = None
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self.simulated = False
        """Whether moto has answered: records are kept there, nothing runs."""

    # -- asking -------------------------------------------------------------------------------------------------

    def call(self, service: str, operation: str, /, *, purpose: str | None = None, **request: Any) -> dict[str, Any]:
        """One call, tried again while its refusal may pass: `call("sagemaker", "DescribePipeline", PipelineName=...)`.

        An operation that takes an idempotency token is given one: of `purpose`, so that the same intent, repeated by
        another process, is one; without a purpose each `call` is an intent of its own. Raises AwsError, MissingExtra.
        """
        return self._call(service, operation, request, purpose)

    def pages(
        self, service: str, operation: str, member: str, /, *, limit: int | None = None, **request: Any
    ) -> Iterator[Any]:
        """The items of `member` of every page, at most `limit` in all. Raises AwsError."""
        client = self._client(service)
        given, found = self._page_tokens(service, operation), 0
        taken: dict[str, Any] = {}
        while True:
            page = self._persist(
                lambda: _method(client, operation)(**request, **taken),  # noqa: B023 - called before the next turn
                service,
                operation,
            )
            for item in page.get(member, ()):
                yield item
                found += 1
                if found == limit:
                    return
            taken = {asked: page[told] for asked, told in given if page.get(told)}
            if not taken:
                return

    def make(
        self, service: str, operation: str, request: Mapping[str, Any], look: tuple[str, Mapping[str, Any]]
    ) -> tuple[dict[str, Any], bool]:
        """Create something that has a name, once: what `look` (operation, request) tells of it, and whether it is new.

        That it is there already is no error: the answer to an earlier attempt may have been lost. Whether what is
        there is what was wanted is for the caller to compare. AWS may show it only after a while. Raises AwsError.
        """
        new = True
        try:
            self.call(service, operation, **request)
        except AwsError as error:
            if error.kind != "exists":
                raise
            new = False
        return self._call(service, *look, also=frozenset({"missing"})), new

    def find(self, service: str, operation: str, /, **request: Any) -> dict[str, Any] | None:
        """What a Describe, Get or Head tells, or None when there is no such thing. Raises AwsError."""
        try:
            return self.call(service, operation, **request)
        except AwsError as error:
            if error.kind == "missing":
                return None
            raise

    def read(self, uri: str) -> bytes:
        """The content of an object. Raises AwsError, ValueError."""
        return self.stream(uri, lambda body: body.read())

    def stream(self, uri: str, use: Callable[[IO[bytes]], T]) -> T:
        """What `use` makes of an object's content; a transfer that breaks off is begun again, and `use` with it.

        Raises AwsError, ValueError.
        """
        bucket, key = bucket_and_key(uri)
        client = self._client("s3")

        def fetch() -> T:
            with client.get_object(Bucket=bucket, Key=key)["Body"] as body:
                return use(body)

        made: T = self._persist(fetch, "s3", "GetObject")
        return made

    def token(self, operation: str, request: Mapping[str, Any], purpose: str) -> str:
        """See `token_of`; the region is part of the intent."""
        return token_of(f"{self.region}:{operation}", request, purpose)

    # -- how ----------------------------------------------------------------------------------------------------

    def _call(
        self,
        service: str,
        operation: str,
        request: Mapping[str, Any],
        purpose: str | None = None,
        also: frozenset[Kind] = frozenset(),
    ) -> dict[str, Any]:
        client = self._client(service)
        wanted = self._with_token(client, operation, request, purpose)
        answer = self._persist(lambda: _method(client, operation)(**wanted), service, operation, also)
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    def _with_token(
        self, client: Any, operation: str, request: Mapping[str, Any], purpose: str | None
    ) -> dict[str, Any]:
        """The request with a token of ours: botocore's own would be another one at each attempt."""
        model = client.meta.service_model.operation_model(operation)
        members = [name for name in model.idempotent_members if name not in request]
        intent = purpose if purpose is not None else uuid.uuid4().hex
        token, shapes = self.token(operation, request, intent), model.input_shape.members if members else {}
        return {**request, **{name: token[: shapes[name].metadata.get("max")] for name in members}}

    def _page_tokens(self, service: str, operation: str) -> list[tuple[str, str]]:
        """Pairs: the member that asks for the next page, and the member of the last one that tells it."""
        config = self._core.get_paginator_model(service).get_paginator(operation)
        asked, told = (
            [one] if isinstance(one, str) else one for one in (config["input_token"], config["output_token"])
        )
        return [(ask, tell.partition(" || ")[0]) for ask, tell in zip(asked, told, strict=True)]

    def _persist(
        self, ask: Callable[[], Any], service: str, operation: str, also: frozenset[Kind] = frozenset()
    ) -> Any:
        """Ask until it is answered, refused for good, or patience ends; `also`: further kinds of refusal that pass."""
        from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_random_exponential

        patience = self._patience
        persistent = Retrying(
            sleep=patience.sleep,
            stop=stop_after_attempt(patience.attempts) | stop_after_delay(patience.seconds),
            wait=wait_random_exponential(multiplier=patience.first, max=patience.longest),
            retry=retry_if_exception(
                lambda error: isinstance(error, AwsError) and (error.passing or error.kind in also)
            ),
            reraise=True,
        )
        return persistent(self._ask, ask, service, operation)

    def _ask(self, ask: Callable[[], Any], service: str, operation: str) -> Any:
        """One attempt; what the SDK raises becomes AwsError, what a mock in this process raises a MockGap."""
        from botocore import exceptions as sdk

        try:
            answer = ask()
        except sdk.ClientError as error:
            call = _answered(error.response, service, operation, self.region)
            headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
            raise gap_in_answer(call, headers) or refusal(call) from error
        except (sdk.HTTPClientError, sdk.ConnectionError, sdk.IncompleteReadError, sdk.ChecksumError) as error:
            raise unreachable(Call(service, operation, self.region, type(error).__name__, str(error), -1)) from error
        except sdk.BotoCoreError as error:
            raise unreachable(Call(service, operation, self.region, type(error).__name__, str(error))) from error
        except CloudmlError:
            raise
        except Exception as error:
            gap = gap_in_error(error, Call(service, operation, self.region, type(error).__name__, str(error)))
            if gap is None:
                raise
            raise gap from error
        self.simulated = self.simulated or from_moto(answer)
        return answer

    def _client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._ask(lambda: self._open(service), service, "the session")
            return self._clients[service]

    def _open(self, service: str) -> Any:
        try:
            import boto3
            import botocore.session
            import tenacity  # noqa: F401 - needed by every call: told now, and not in the middle
            from botocore.config import Config
        except ImportError as error:
            raise MissingExtra("sagemaker", error.name or "boto3") from None
        if self._session is None:
            self._core = botocore.session.get_session()
            self._session = boto3.session.Session(botocore_session=self._core, region_name=self.region)
        config = Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=self._read_timeout,
            retries={"total_max_attempts": 1},
            user_agent_extra=f"cloudml/{__version__}",
            max_pool_connections=32,
            tcp_keepalive=True,
        )
        return self._session.client(service, config=config)


def _method(client: Any, operation: str) -> Callable[..., dict[str, Any]]:
    from botocore import xform_name

    method: Callable[..., dict[str, Any]] = getattr(client, xform_name(operation))
    return method


def _answered(response: Mapping[str, Any], service: str, operation: str, region: str) -> Call:
    error, about = response.get("Error", {}), response.get("ResponseMetadata", {})
    return Call(
        service,
        operation,
        region,
        str(error.get("Code", "Unknown")),
        str(error.get("Message") or error.get("message") or "no reason was given"),
        int(about.get("HTTPStatusCode", 0)),
        str(about.get("RequestId", "")),
    )
