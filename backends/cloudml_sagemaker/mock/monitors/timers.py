"""The timer of each schedule."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cloudml.mocks.clock import Timer
from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.core.world import World


def _timers(world: World) -> dict[tuple[Scope, str], Timer]:
    memory: dict[tuple[Scope, str], Timer] = world.rooms.setdefault("monitors", {})
    return memory


def arm(world: World, scope: Scope, name: str, when: float, action: Callable[[], None]) -> None:
    """Call `action` at `when` (seconds since the epoch) in place of what was set before. Needs the lock."""
    disarm(world, scope, name)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=when)
    _timers(world)[(scope, name)] = world.clock.call_at(moment, action, f"monitoring schedule {name}")


def disarm(world: World, scope: Scope, name: str) -> None:
    """Take the timer away. Needs the lock."""
    timer = _timers(world).pop((scope, name), None)
    if timer is not None:
        timer.cancel()
