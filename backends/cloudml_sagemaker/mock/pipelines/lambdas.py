"""Lambda functions of pipelines: a Python callable given to the mock, or the handler in the archive that moto keeps."""

from __future__ import annotations

import inspect
import io
import json
import sys
import tempfile
import zipfile
from collections import UserDict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cloudml.mocks.sandbox import Command, JobLost, Process, open_sandbox
from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.core import container
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
    function_name=os.environ["AWS_LAMBDA_FUNCTION_NAME"], invoked_function_arn=sys.argv[2], aws_request_id="mock"
)
with open(sys.argv[3]) as file:
    event = json.load(file)
result = handler(event, context)
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

    def __init__(self, given: Callable[[], None], present: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__()
        # Nothing waits for a function yet: the room goes on with its executions only after this.
        self.data.update(present)
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
        self._process: Process | None = None
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
            code, told, answer, log = (Path(folder, name) for name in ("code", "event.json", "answer.json", "log"))
            _unpack(archive, code)
            told.write_text(json.dumps(event))
            words = (sys.executable, "-c", _RUNNER, handler, self._function, str(told), str(answer))
            env = {**container.environment(self._world, self._scope), **variables, "AWS_LAMBDA_FUNCTION_NAME": name}
            if self._wait(Command(words, env, (), log, cwd=str(code))) != 0:
                last = log.read_text(errors="replace").strip().rpartition("\n")[2]
                raise LambdaError(f"ClientError: Lambda function {self._function} failed with {last}")
            return json.loads(answer.read_text())

    def _wait(self, command: Command) -> int | None:
        """The exit code. The sandbox sees to it that the process ends with the mock."""
        with ExitStack() as stack:
            sandbox = self._world.sandbox
            if sandbox.kind == "container":
                # A function has no image: it runs on this machine's Python.
                sandbox = open_sandbox("paths")
                stack.callback(sandbox.close)
            self._process = sandbox.start(command)
            stack.callback(self._process.close)
            if self._cancelled:
                self._process.kill()
            try:
                return self._process.wait()
            except JobLost as lost:
                raise LambdaError(f"ClientError: Lambda function {self._function} was lost: {lost}") from None


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
