"""The operations that the mock serves: a table that handlers enter by decorator; dispatch and the docs read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloudml.mocks.store import Scope, Table

if TYPE_CHECKING:
    from cloudml_sagemaker.mock.core.world import World

Parameters = dict[str, Any]


def arn_of(scope: Scope, resource: str, service: str = "sagemaker") -> str:
    """`arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`."""
    return f"arn:aws:{service}:{scope.region}:{scope.account}:{resource}"


@dataclass(frozen=True)
class Call:
    """One validated request. `principal` is the caller's ARN as far as the credentials tell."""

    world: World
    scope: Scope
    operation: str
    params: Parameters
    principal: str = ""

    def table(self, kind: str) -> Table:
        """The caller's table of that kind."""
        return self.world.store.table(kind, self.scope)

    def arn(self, resource: str) -> str:
        """An ARN of the caller's account and region."""
        return arn_of(self.scope, resource)

    @property
    def now(self) -> float:
        """The clock's time in seconds since the epoch."""
        return self.world.now()


Handler = Callable[[Call], Parameters | None]


@dataclass(frozen=True)
class Operation:
    """What is served. `executes` says in a few words what really happens; empty: the record is kept and given back."""

    name: str
    handler: Handler = field(repr=False)
    service: str = "sagemaker"
    executes: str = ""
    locked: bool = True


OPERATIONS: dict[str, Operation] = {}


def operation(
    name: str, *, service: str = "sagemaker", executes: str = "", locked: bool = True
) -> Callable[[Handler], Handler]:
    """Serve AWS's operation `name` with the decorated function; `locked`: it runs under `World.lock`.

    The function gets a `Call` whose parameters hold all constraints of AWS's service model, and gives back a dict of
    which only what the response shape knows is sent. It raises `AwsError` to refuse.
    """

    def enter(handler: Handler) -> Handler:
        if name in OPERATIONS and OPERATIONS[name].handler.__qualname__ != handler.__qualname__:
            raise RuntimeError(f"two handlers for {name}")
        OPERATIONS[name] = Operation(name, handler, service, executes, locked)
        return handler

    return enter
