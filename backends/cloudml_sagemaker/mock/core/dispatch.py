"""From an operation's name and parameters to its result: shape check, handler, response shape."""

from __future__ import annotations

from typing import Any

from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.core.errors import AwsError, constraints, internal
from cloudml_sagemaker.mock.core.operations import OPERATIONS, Call
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.service import shapes
from cloudml_sagemaker.service.model import input_shape, output_shape


def serve(world: World, scope: Scope, name: str, params: dict[str, Any], principal: str = "") -> dict[str, Any]:
    """Handle one request. Raises AwsError for whatever AWS would refuse; KeyError when the mock does not own `name`."""
    operation = OPERATIONS[name]
    check(world, name, params, operation.service)
    call = Call(world, scope, name, params, principal)
    try:
        if operation.locked:
            with world.lock:
                result = operation.handler(call)
                return _response(name, operation.service, result)
        return _response(name, operation.service, operation.handler(call))
    except AwsError:
        raise
    except Exception as error:
        raise internal(f"{name}: {type(error).__name__}: {error}") from error


def check(world: World, name: str, params: dict[str, Any], service: str = "sagemaker") -> None:
    """Hold a request against AWS's model of the operation.

    Raises ValidationException with all that is wrong; the runtime's model calls it ValidationError.
    """
    strict = world.switches["unknown-members"] == "refuse"
    found = shapes.problems(input_shape(name, service), params, dynamic=_is_body, strict=strict)
    if found:
        refusal = constraints(found)
        raise AwsError("ValidationError", refusal.message) if service == "sagemaker-runtime" else refusal


def _is_body(value: Any) -> bool:
    """Bytes come only as the body of a request: its operation measures it, by a limit that is in doubt."""
    return isinstance(value, bytes)


def _response(name: str, service: str, result: dict[str, Any] | None) -> dict[str, Any]:
    pruned: dict[str, Any] = shapes.prune(output_shape(name, service), result or {})
    return pruned
