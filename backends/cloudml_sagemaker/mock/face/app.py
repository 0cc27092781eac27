"""The WSGI application: SageMaker's own services here, the mock's control interface, everything else to moto."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from cloudml.mocks import control
from cloudml.mocks.http.guard import stranger
from cloudml.mocks.http.serving import DROP
from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.core import tags
from cloudml_sagemaker.mock.core.aws import DEFAULT_ACCOUNT
from cloudml_sagemaker.mock.core.dispatch import check, serve
from cloudml_sagemaker.mock.core.errors import AwsError, internal
from cloudml_sagemaker.mock.core.operations import OPERATIONS, Call
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.face import rest
from cloudml_sagemaker.mock.face.behind import Behind, not_served
from cloudml_sagemaker.mock.face.hooks import answered, told
from cloudml_sagemaker.mock.face.incoming import JSON, REST_JSON, Incoming, receive
from cloudml_sagemaker.mock.face.passed import PASSED, TAG_OPERATIONS, is_passed_arn
from cloudml_sagemaker.mock.face.replies import Reply, StartResponse, as_json, refusal
from cloudml_sagemaker.mock.face.strikes import Fresh, strike
from cloudml_sagemaker.service.model import operation_names

log = logging.getLogger(__name__)

BUILDING = 120.0
"""Seconds (real) that a request waits for the world to be put together, or together again."""


class Application:
    """`enter` gives it a world; requests wait until there is one. `reset` makes another, for the control interface."""

    def __init__(self, behind: Behind, reset: Callable[[], None]) -> None:
        self._behind = behind
        self._reset = reset
        about = "A SageMaker that executes, on this machine. Point AWS_ENDPOINT_URL here."
        self._subject = control.Subject("cloudml mock sagemaker", about, _served, reset)
        self._world: World | None = None
        self._there = threading.Event()
        self._fresh = Fresh()

    def enter(self, world: World) -> None:
        """Answer for this world from now on."""
        self._world, self._fresh = world, Fresh()
        self._there.set()

    def leave(self) -> None:
        """The world is about to go: let requests wait."""
        self._there.clear()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        incoming = receive(environ)
        try:
            reply = self._answer(incoming)
        except AwsError as error:
            reply = refusal(error, _protocol(incoming))
        except Exception as error:
            log.exception("a request failed inside the mock")
            reply = refusal(internal(f"{type(error).__name__}: {error}"), _protocol(incoming))
        return reply.send(start_response)

    def _answer(self, incoming: Incoming) -> Reply:
        refused = stranger(incoming.environ)
        if refused:
            return as_json({"message": refused}, 403, "application/json")
        if not self._there.wait(BUILDING) or self._world is None:
            raise AwsError("ServiceUnavailable", "The mock is being put together.", 503)
        world = self._world
        if _is_control(incoming):
            document, status = control.answer(self._subject, world, incoming.method, incoming.path, incoming.body)
            return as_json(document, status, "application/json")
        if incoming.target.startswith("SageMaker.") and incoming.service in {"", "sagemaker"}:
            return self._sagemaker(world, incoming)
        found = rest.find(incoming)
        if found is not None:
            return self._rest(world, incoming, found)
        return self._other(world, incoming)

    def _sagemaker(self, world: World, incoming: Incoming) -> Reply:
        name = incoming.target.partition(".")[2]
        if name not in OPERATIONS and name not in operation_names():
            raise AwsError("UnknownOperationException", f"SageMaker has no operation {name!r}.", 404)
        lost = self._struck(world, incoming, "sagemaker", name)
        params = _parameters(incoming)
        if name in OPERATIONS and not self._is_of_moto(world, incoming, name, params):
            return self._finish(incoming, as_json(self._serve(world, incoming, name, params)), lost)
        if name not in PASSED and name not in TAG_OPERATIONS:
            raise AwsError("NotImplemented", f"sagemaker:{name} is not served by this mock of AWS.", 501)
        check(world, name, params)
        return self._finish(incoming, self._behind.ask(incoming), lost)

    def _rest(self, world: World, incoming: Incoming, found: rest.Found) -> Reply:
        if found.operation not in OPERATIONS:
            raise AwsError("NotImplemented", f"{found.service}:{found.operation} is not served by this mock.", 501)
        lost = self._struck(world, incoming, "sagemaker", found.operation)
        params = rest.parse(found, incoming)
        result = serve(world, self._scope(world, incoming), found.operation, params, _principal(incoming))
        return self._finish(incoming, rest.serialise(found, result), lost)

    def _other(self, world: World, incoming: Incoming) -> Reply:
        if incoming.service == "sagemaker":
            raise not_served(incoming)
        if incoming.path == "/moto-api/reset":
            self._reset()
            return as_json({"status": "ok"}, 200, "application/json")
        lost = bool(world.faults.rules()) and self._struck(world, incoming, incoming.service, incoming.operation)

        def scope() -> Scope:
            return self._scope(world, incoming)

        reply = answered(world, incoming, scope)
        if reply is None:
            reply = self._behind.ask(incoming)
            if reply.status < 400 and incoming.changes:
                if incoming.service == "iam":
                    world.aws.changes += 1
                told(world, incoming, scope)
        return self._finish(incoming, reply, lost)

    def _serve(self, world: World, incoming: Incoming, name: str, params: dict[str, Any]) -> dict[str, Any]:
        scope = self._scope(world, incoming)
        principal = _principal(incoming)
        result = self._fresh.read(world, scope, name, params, lambda given: serve(world, scope, name, given, principal))
        self._fresh.created(world, scope, name, params)
        return result

    @staticmethod
    def _struck(world: World, incoming: Incoming, service: str, operation: str) -> bool:
        return strike(world, service, operation, _protocol(incoming))

    @staticmethod
    def _finish(incoming: Incoming, reply: Reply, lost: bool) -> Reply:
        if lost:
            drop = incoming.environ.get(DROP)
            if drop is not None:
                drop()
        return reply

    @staticmethod
    def _scope(world: World, incoming: Incoming) -> Scope:
        key = incoming.access_key
        return Scope(world.aws.account(key, incoming.region) if key else DEFAULT_ACCOUNT, incoming.region)

    def _is_of_moto(self, world: World, incoming: Incoming, name: str, params: dict[str, Any]) -> bool:
        """Tags of what moto keeps are kept by moto."""
        if name not in TAG_OPERATIONS or not is_passed_arn(params.get("ResourceArn")):
            return False
        return not tags.knows(Call(world, self._scope(world, incoming), name, params), params["ResourceArn"])


def _is_control(incoming: Incoming) -> bool:
    """Whether the request is for the mock itself: unsigned, at `/` or below the prefix."""
    if incoming.service or incoming.target:
        return False
    is_root = incoming.path == "/" and incoming.method == "GET" and not incoming.environ.get("QUERY_STRING")
    return is_root or incoming.path.startswith(control.PREFIX)


def _served() -> dict[str, Any]:
    owned = [
        {"name": name, "service": one.service, "executes": one.executes} for name, one in sorted(OPERATIONS.items())
    ]
    return {"served": owned, "passed": dict(sorted(PASSED.items()))}


def _protocol(incoming: Incoming) -> str:
    if incoming.service == "sagemaker":
        return JSON if incoming.target else REST_JSON
    return REST_JSON if not incoming.service and rest.find(incoming) else incoming.protocol


def _parameters(incoming: Incoming) -> dict[str, Any]:
    try:
        params = incoming.json()
    except (ValueError, RecursionError):
        raise AwsError("SerializationException", "The request's body is not JSON.") from None
    if not isinstance(params, dict):
        raise AwsError("SerializationException", "The request's body is not a JSON object.")
    found: dict[str, Any] = _without_nulls(params)
    return found


def _without_nulls(value: Any) -> Any:
    """A member that is null counts as absent (Smithy, AWS JSON 1.1: null in a structure)."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _principal(incoming: Incoming) -> str:
    return f"arn:aws:iam::{DEFAULT_ACCOUNT}:user/{incoming.access_key or 'anonymous'}"
