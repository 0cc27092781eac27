"""moto behind the face: loaded while the mock starts, called in process, its state kept in a journal when asked to.

moto's services lock nothing and keep one state a process: calls of one service go one at a time here.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode

from cloudml_sagemaker.mock.core.errors import AwsError, internal
from cloudml_sagemaker.mock.face.incoming import Incoming, receive
from cloudml_sagemaker.mock.face.journal import Journal, StateNotWritten
from cloudml_sagemaker.mock.face.replies import Reply, StartResponse, refusal

log = logging.getLogger(__name__)

WsgiApp = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]

LOADING = 120.0
"""Seconds (real) that a request waits for moto to be loaded and its journal to be played."""
_BY_NAME = frozenset(
    {
        "s3", "sts", "iam", "logs", "monitoring", "events", "scheduler", "sqs", "sns", "kms", "ecr",
        "application-autoscaling", "ssm", "secretsmanager",
    }
)  # fmt: skip
"""Services that moto's router takes by their name in the signature alone, so that it need be asked only once..."""
_OTHERWISE = ("/v20180820/", "/moto-api", "/latest/", "/favicon.ico")
"""...save for these paths (S3 Control, moto's own)."""
_TRIES = 3
_POLL = 0.05
"""Seconds (real) between two looks into a queue on which a client polls long."""


class Behind:
    """moto's application. `begin` loads it in the background; calls wait for that."""

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal
        self._app: Any = None
        self._loaded = threading.Event()
        self._failed: BaseException | None = None
        self._locks: dict[str, threading.RLock] = {}
        self._guard = threading.Lock()
        self._closing = threading.Event()
        self._by_name: dict[str, WsgiApp] = {}

    def begin(self) -> None:
        """Load moto on a thread of its own."""
        threading.Thread(target=self._load, name="mock-moto", daemon=True).start()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """As WSGI application; for the clients inside the mock."""
        return self.ask(receive(environ)).send(start_response)

    def ask(self, incoming: Incoming) -> Reply:
        """moto's answer; what it does not serve is refused in the service's own protocol, by name."""
        self.wait()
        try:
            if incoming.service == "sqs" and incoming.operation == "ReceiveMessage":
                return self._poll(incoming)
            return self._locked(incoming)
        except AwsError as error:
            return refusal(error, incoming.protocol)
        except StateNotWritten as error:
            return refusal(internal(f"the mock's state cannot be written: {error}"), incoming.protocol)

    def wait(self) -> None:
        """Until moto is there. Raises AwsError when it cannot be loaded."""
        if not self._loaded.wait(LOADING):
            raise internal("moto was not loaded in time")
        if self._failed is not None:
            raise internal(f"moto cannot be loaded: {self._failed}")

    def reset(self) -> None:
        """Forget everything, on the disk too."""
        self.wait()
        with ExitStack() as stack:
            if self._journal is not None:
                stack.enter_context(self._journal.lock)
                self._journal.clear()
            _reset_moto()

    def close(self) -> None:
        """Let long polls go, and close the journal."""
        self._closing.set()
        if self._loaded.wait(LOADING) and self._journal is not None:
            self._journal.close()

    def _load(self) -> None:
        try:
            self._app = _import_moto()
            _reset_moto()
            if self._journal is not None:
                self._journal.open(self._app_for)
        except BaseException as error:
            log.exception("moto cannot be loaded")
            self._failed = error
        finally:
            self._loaded.set()

    def _locked(self, incoming: Incoming) -> Reply:
        with ExitStack() as stack:
            if self._journal is not None and incoming.changes:
                strike_out = stack.enter_context(self._journal.written(incoming))
                stack.enter_context(self._lock_of(incoming.service))
                reply = self._plain(incoming)
                if reply.status >= 400 or not _matters(incoming, reply):
                    strike_out()
                return reply
            stack.enter_context(self._lock_of(incoming.service))
            return self._plain(incoming)

    def _lock_of(self, service: str) -> threading.RLock:
        with self._guard:
            return self._locks.setdefault(service, threading.RLock())

    def _plain(self, incoming: Incoming) -> Reply:
        return ask_moto(self._app_for(incoming), incoming)

    def _app_for(self, incoming: Incoming) -> WsgiApp:
        """moto's application of a request's service. Raises AwsError when it has none."""
        app = self._by_name.get(incoming.service)
        if app is None or incoming.path.startswith(_OTHERWISE):
            if not known(self._app, incoming):
                raise not_served(incoming)
            app = self._app
            if incoming.service in _BY_NAME and not incoming.path.startswith(_OTHERWISE):
                # moto's router looks through its folder of modules for each request: a third of the time of a call.
                app = self._by_name[incoming.service] = self._app.get_application(incoming.passed_on())
        return app

    def _poll(self, incoming: Incoming) -> Reply:
        """ReceiveMessage: moto would sleep while it polls; here the waiting is outside of every lock."""
        short, wait = _without_wait(incoming)
        limit = time.monotonic() + min(wait, 20.0)
        while True:
            reply = self._locked(short)
            if reply.status != 200 or not _empty(reply) or time.monotonic() >= limit or self._closing.wait(_POLL):
                return reply


def ask_moto(app: WsgiApp, incoming: Incoming) -> Reply:
    """One call of moto's application. Raises AwsError for what it does not serve."""
    answer: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], None]:
        answer["status"], answer["headers"] = int(status.split(" ", 1)[0]), headers
        return lambda _data: None

    try:
        chunks = app(incoming.passed_on(), start_response)
        try:
            body = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
    except NotImplementedError:
        raise not_served(incoming) from None
    except Exception as error:
        log.debug("moto failed on %s", incoming.operation, exc_info=True)
        raise internal(
            f"moto failed on {incoming.service}:{incoming.operation}: {type(error).__name__}: {error}"
        ) from None
    status, headers = answer["status"], answer["headers"]
    kind = next((value for name, value in headers if name.lower() == "content-type"), "")
    if status in {404, 405} and kind.startswith("text/html") and b"<!doctype html>" in body[:64].lower():
        raise not_served(incoming)  # no rule of moto's router: nothing serves this path
    kept = tuple((name, value) for name, value in headers if name.lower() != "content-length")
    if incoming.method == "HEAD" or status == 304:
        kept = tuple(headers)
    return Reply(status, kept, body)


def not_served(incoming: Incoming) -> AwsError:
    """The refusal of what neither the mock nor moto does, by name."""
    name = f"{incoming.service or 'unsigned'}:{incoming.operation or f'{incoming.method} {incoming.path}'}"
    return AwsError("NotImplemented", f"{name} is not served by this mock of AWS.", 501)


def known(app: Any, incoming: Incoming) -> bool:
    """Whether moto has the service that its router would take the request for.

    Raises AwsError when the router itself cannot read the request.
    """
    from moto.backends import list_of_moto_modules

    try:
        host = app.infer_service_region_host(incoming.passed_on(), incoming.path)
    except (AttributeError, LookupError, TypeError, ValueError):
        raise AwsError("UnknownOperationException", "The request names no operation.") from None
    if host is None or host in set(list_of_moto_modules()):
        return True
    return any(pattern.match(f"http://{host}") for _, pattern in app.backend_url_patterns)


def _import_moto() -> Any:
    """moto's application, made; what its imports warn of is no error, whatever the filters of a test run say."""
    for _ in range(_TRIES):
        try:
            return _application()
        except Warning as warning:
            # Another thread may have put its own filters in place meanwhile, so that one may try again.
            log.debug("a warning while moto is imported: %s", warning)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _application()


def _application() -> Any:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    return DomainDispatcherApplication(create_backend_app)


def _reset_moto() -> None:
    from moto.core.model_instances import reset_model_data
    from moto.moto_api._internal.models import moto_api_backend

    moto_api_backend.reset()
    reset_model_data()


def _matters(incoming: Incoming, reply: Reply) -> bool:
    return not (incoming.service == "sqs" and incoming.operation == "ReceiveMessage" and _empty(reply))


def _empty(reply: Reply) -> bool:
    body = reply.body
    return isinstance(body, bytes) and b'"Messages"' not in body and b"<Message>" not in body


def _without_wait(incoming: Incoming) -> tuple[Incoming, float]:
    """The same request, which does not wait; and how many seconds it would have waited."""
    if incoming.form:
        form = {name: values[0] for name, values in incoming.form.items()}
        wait, form["WaitTimeSeconds"] = form.get("WaitTimeSeconds", "0"), "0"
        body = urlencode(form).encode()
    else:
        try:
            params = incoming.json()
        except ValueError:
            return incoming, 0.0
        if not isinstance(params, dict):
            return incoming, 0.0
        wait, params["WaitTimeSeconds"] = params.get("WaitTimeSeconds", 0), 0
        body = json.dumps(params).encode()
    short = Incoming(incoming.environ, body, incoming.service, incoming.region, incoming.access_key)
    try:
        return short, float(wait or 0)
    except (TypeError, ValueError):
        return incoming, 0.0
