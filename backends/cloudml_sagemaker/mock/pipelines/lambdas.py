"""Lambda functions of pipelines: a Python callable given to the mock, or the handler in the archive that moto keeps."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections import UserDict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cloudml_sagemaker.mock.core import container
from cloudml_sagemaker.mock.core.store import Scope
from cloudml_sagemaker.mock.core.world import World

LIMIT = 600
"""Seconds that a Lambda step may take (developer guide, "Lambda step")."""

LARGEST = 250 * 1024 * 1024
"""Bytes of a function's unpacked archive (Lambda quotas)."""

_RUNNER = """
import importlib, json, os, sys
from types import SimpleNamespace
sys.path.insert(0, os.getcwd())
module, _, name = sys.argv[1].rpartition(".")
handler = getattr(importlib.import_module(module.replace("/", ".")), name)
context = SimpleNamespace(
    function_name=os.environ["AWS_LAMBDA_FUNCTION_NAME"], invoked_function_arn=sys.argv[2], aws_request_id=sys.argv[3]
)
result = handler(json.load(sys.stdin), context)
with open(sys.argv[4], "w") as file:
    json.dump(result, file)
"""


class LambdaError(Exception):
    """A function could not be invoked, or failed; `reason` is the step's FailureReason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Functions(UserDict[str, Callable[..., Any]]):
    """Python handlers by the function's name or ARN: `functions["score"] = handler`, a callable of event (and context).

    They are in no state folder: after a restart a step that was calling one waits until it is given again.
    """

    def __init__(self, given: Callable[[], None]) -> None:
        super().__init__()
        self._given = given

    def __setitem__(self, name: str, handler: Callable[..., Any]) -> None:
        super().__setitem__(name, handler)
        self._given()

    def find(self, function: str) -> Callable[..., Any] | None:
        """The handler of a function, None when Lambda itself must have it."""
        return self.get(function) or self.get(function_name(function))


class Invocation:
    """One call of a function."""

    def __init__(self, world: World, scope: Scope, function: str, event: Any) -> None:
        self._world = world
        self._scope = scope
        self._function = function
        self._event = event
        self._process: subprocess.Popen[bytes] | None = None
        self._cancelled = False

    def run(self) -> Any:
        """What the function returns, as JSON gives it back; a LambdaError (returned) when it failed."""
        try:
            # The wire is JSON both ways: what a handler cannot get or give there, it does not get here.
            event = json.loads(json.dumps(self._event))
            return json.loads(json.dumps(self._result(event)))
        except LambdaError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever a user's function raises is its failure
            return LambdaError(
                f"ClientError: Lambda function {self._function} failed with {type(error).__name__}: {error}"
            )

    def cancel(self) -> None:
        """Its time is over: a process is killed; a callable's result will not be looked at."""
        self._cancelled = True
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def _result(self, event: Any) -> Any:
        name = function_name(self._function)
        handler = functions_of(self._world).find(self._function)
        if handler is not None:
            context = SimpleNamespace(function_name=name, invoked_function_arn=self._function, aws_request_id="mock")
            return handler(event, context) if _takes_context(handler) else handler(event)
        return self._in_process(name, event)

    def _in_process(self, name: str, event: Any) -> Any:
        found = _kept_by_moto(self._scope, name)
        if found is None:
            raise LambdaError(
                f"ClientError: Failed to invoke lambda. Error Details: Function not found: {self._function} "
                "(Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException)"
            )
        archive, handler, variables = found
        with tempfile.TemporaryDirectory(prefix="lambda-", dir=self._world.folder) as folder:
            code, answer, errors = Path(folder, "code"), Path(folder, "answer.json"), Path(folder, "errors.log")
            _unpack(archive, code)
            variables = {
                **os.environ,
                **container.environment(self._world, self._scope),
                **variables,
                "AWS_LAMBDA_FUNCTION_NAME": name,
            }
            words = [sys.executable, "-c", _RUNNER, handler, self._function, "mock", str(answer)]
            with errors.open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - the user's own function, no shell
                    words, cwd=code, env=variables, stdin=subprocess.PIPE, stdout=log, stderr=log
                )
                if self._cancelled:
                    self.cancel()
                self._process.communicate(json.dumps(event).encode())
            if self._process.returncode != 0:
                last = errors.read_text(errors="replace").strip().rpartition("\n")[2]
                raise LambdaError(f"ClientError: Lambda function {self._function} failed with {last}")
            return json.loads(answer.read_text())


def functions_of(world: World) -> Functions:
    """The handlers that a mock was given."""
    found = world.rooms["lambdas"]
    assert isinstance(found, Functions)
    return found


def known(world: World, scope: Scope, function: str) -> bool:
    """Whether there is anything to call."""
    return functions_of(world).find(function) is not None or _kept_by_moto(scope, function_name(function)) is not None


def function_name(arn: str) -> str:
    """The name in a function's ARN (`...:function:NAME[:QUALIFIER]`), or the name itself."""
    return arn.partition(":function:")[2].partition(":")[0] or arn


def _takes_context(handler: Any) -> bool:
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _kept_by_moto(scope: Scope, name: str) -> tuple[bytes, str, dict[str, str]] | None:
    """Archive, handler and variables of a function; moto's API does not give the archive, so its backend is read."""
    from moto.awslambda.models import lambda_backends

    try:
        function = lambda_backends[scope.account][scope.region].get_function(name)
    except Exception:  # noqa: BLE001 - moto raises its own kinds for what it does not have
        return None
    code = getattr(function, "code_bytes", None)
    if not isinstance(code, bytes) or not code:
        return None
    return code, str(function.handler), {str(key): str(value) for key, value in function.environment_vars.items()}


def _unpack(archive: bytes, folder: Path) -> None:
    """No member leaves the folder (zipfile drops `..` and roots); too large an archive is refused."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            if sum(member.file_size for member in opened.infolist()) > LARGEST:
                raise LambdaError("ClientError: the unpacked function is larger than Lambda allows")
            opened.extractall(folder)
    except zipfile.BadZipFile:
        raise LambdaError("ClientError: the function's archive is not a zip file") from None
