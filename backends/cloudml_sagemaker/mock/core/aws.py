"""Real boto3 clients of moto's services, in this process: requests go straight into the WSGI application, no socket."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

from cloudml.mocks.store import Scope

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_MAKING = threading.Lock()
_NOWHERE = "http://127.0.0.1:1"
"""The endpoint of the clients; never looked up, as `Aws` answers in place of the network."""


@cache
def _session() -> Any:
    """One for every mock of the process: it reads AWS's models once, and nothing of the user's own configuration."""
    import boto3
    import botocore.session

    nowhere = (None, None, os.devnull, None)
    own = {"profile": (None, None, None, None), "config_file": nowhere, "credentials_file": nowhere}
    return boto3.session.Session(botocore_session=botocore.session.Session(own))


@cache
def _config() -> Any:
    from botocore.config import Config

    return Config(
        parameter_validation=False,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


DEFAULT_ACCOUNT = "123456789012"
"""moto's account, which any credentials belong to unless a role of another account was assumed."""


class Aws:
    """Clients by service and scope; made once, safe to share between threads."""

    def __init__(self, app: WsgiApp) -> None:
        self._app = app
        self._clients: dict[tuple[str, Scope], Any] = {}
        self._lock = threading.Lock()
        self._accounts: dict[str, str] = {}
        self._signed: dict[Scope, dict[str, str]] = {}
        self.changes = 0
        """How many requests to IAM were seen: what was read from it before is old when this has grown."""

    def client(self, service: str, scope: Scope) -> Any:
        """The boto3 client of a service that moto serves ("s3", "logs", "cloudwatch"...)."""
        key = (service, scope)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._make(service, scope.region, *self.credentials(scope))
            return self._clients[key]

    def account(self, access_key: str, region: str) -> str:
        """The account that an access key belongs to, as moto's STS answers."""
        if access_key not in self._accounts:
            if access_key.startswith(("ASIA", "AKIA")):
                sts = self._make("sts", region, access_key, "secret", None)
                self._accounts[access_key] = sts.get_caller_identity()["Account"]
            else:
                return DEFAULT_ACCOUNT
        return self._accounts[access_key]

    def credentials(self, scope: Scope) -> tuple[str, str, str | None]:
        """Access key, secret and session token that moto takes for the scope's account; what jobs are given too."""
        if scope.account == DEFAULT_ACCOUNT:
            return "mock", "mock", None
        role = f"arn:aws:iam::{scope.account}:role/mock"
        sts = self._make("sts", scope.region, "mock", "mock", None)
        given = sts.assume_role(RoleArn=role, RoleSessionName="mock")["Credentials"]
        return given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]

    def _make(self, service: str, region: str, key: str, secret: str, token: str | None) -> Any:
        # Making a client is not thread-safe while a session is shared.
        with _MAKING:
            client = _session().client(
                service,
                region_name=region,
                endpoint_url=_NOWHERE,
                config=_config(),
                aws_access_key_id=key,
                aws_secret_access_key=secret,
                aws_session_token=token,
            )
        client.meta.events.register("before-send", self._send)
        return client

    def ask_s3(self, scope: Scope, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """Status and body of a plain request to S3; `path` is quoted. Half the time of a client's: nothing is signed,
        no answer parsed, so only for what is done once an object."""
        with self._lock:
            signed = self._signed.get(scope)
        if signed is None:
            key, _, token = self.credentials(scope)
            name = f"AWS4-HMAC-SHA256 Credential={key}/20260101/{scope.region}/s3/aws4_request"
            signed = {"Authorization": f"{name}, SignedHeaders=host, Signature=0"}
            signed |= {"X-Amz-Security-Token": token} if token else {}
            with self._lock:
                self._signed[scope] = signed
        status, _, answer = self._answer(_environ(method, _NOWHERE + path, signed | headers, body))
        return status, answer

    def _send(self, request: Any, **_: Any) -> Any:
        from botocore.awsrequest import AWSResponse

        environ = _environ(request.method, request.url, request.headers, _bytes(request.body))
        status, headers, body = self._answer(environ)
        return AWSResponse(request.url, status, _Headers(headers), _Raw(body))

    def _answer(self, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
        answer: dict[str, Any] = {}

        def start_response(
            status: str, headers: list[tuple[str, str]], _exc_info: Any = None
        ) -> Callable[[bytes], None]:
            answer["status"], answer["headers"] = int(status.split(" ", 1)[0]), headers
            return lambda _data: None

        chunks = self._app(environ, start_response)
        try:
            body = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        return answer["status"], answer["headers"], body


class _Raw(io.BytesIO):
    """A body as urllib3 would give it."""

    def stream(self, amount: int = 65536, decode_content: bool | None = None) -> Iterable[bytes]:
        while chunk := self.read(amount):
            yield chunk

    def release_conn(self) -> None:
        """Nothing is held."""


def _Headers(pairs: list[tuple[str, str]]) -> Any:  # noqa: N802 - it makes botocore's mapping
    from botocore.compat import HTTPHeaders

    headers = HTTPHeaders()
    for name, value in pairs:
        headers[name] = value
    return headers


def _bytes(body: Any) -> bytes:
    """A body as botocore may have it: bytes, text, a file, or nothing."""
    if isinstance(body, str):
        return body.encode()
    return bytes(body.read() if hasattr(body, "read") else body or b"")


def _environ(method: str, target: str, headers: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    url = urlsplit(target)
    raw = target[len(f"{url.scheme}://{url.netloc}") :]
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(url.path, "latin-1"),
        "RAW_URI": raw,
        "REQUEST_URI": raw,
        "QUERY_STRING": url.query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": url.netloc,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ["CONTENT_TYPE"] = text
        elif key not in {"CONTENT_LENGTH", "HOST"}:
            environ[f"HTTP_{key}"] = text
    return environ
