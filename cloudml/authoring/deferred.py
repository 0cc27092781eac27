"""Settings kept as written until a build makes the spec's nodes, so that decorators cost no import of pydantic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cloudml.authoring.location import Location, caller
from cloudml.authoring.refusal import make, refusal

if TYPE_CHECKING:
    from cloudml import spec


class Deferred:
    """A node to be: its class, its fields, and the line where the author asked for it."""

    __slots__ = ("fields", "kind", "where")

    def __init__(self, kind: str, **fields: Any) -> None:
        self.kind, self.fields, self.where = kind, fields, caller()

    def __repr__(self) -> str:
        return f"{self.kind}({', '.join(f'{name}={value!r}' for name, value in self.fields.items())})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Deferred) and (self.kind, self.fields) == (other.kind, other.fields)

    __hash__ = None  # type: ignore[assignment]

    def node(self) -> Any:
        """The spec's node. What is wrong with it is refused on the line where it was written."""
        from cloudml import spec

        return make(getattr(spec, self.kind), self.where, self.kind, **self.fields)


def node_of(given: Any) -> Any:
    """A node, whether the author wrote it as one or as something deferred."""
    return given.node() if isinstance(given, Deferred) else given


def duration(value: float | str, what: str, where: Location | None = None) -> float:
    """Seconds of `90` or `"15m"`. Refuses what is no duration."""
    from cloudml.spec.units import seconds

    try:
        return seconds(value)
    except (ValueError, AttributeError) as error:
        raise refusal("CML122", f"{what}: {error}", "", where) from None


def cron(expression: str, *, tz: str = "UTC") -> Deferred:
    """At the times that five cron fields name: `ml.cron("0 2 * * MON", tz="Europe/Prague")`."""
    return _Scheduled("Cron", expression=expression, timezone=tz)


def every(interval: float | str) -> Deferred:
    """At a fixed interval: `ml.every("1h")`; one minute at least."""
    return _Scheduled("Every", interval=interval)


class _Scheduled(Deferred):
    __slots__ = ()

    def node(self) -> spec.Cron | spec.Every:
        from cloudml import spec

        if self.kind == "Every":
            interval = duration(self.fields["interval"], "ml.every", self.where)
            if interval < 60:
                raise refusal(
                    "CML118",
                    f"an interval of {interval:g} s is too short",
                    "one minute is the least: ml.every('1m')",
                    self.where,
                )
            return spec.Every(interval=interval)
        expression, timezone = self.fields["expression"], self.fields["timezone"]
        problem = spec.cron_problem(expression) or spec.timezone_problem(timezone)
        if problem:
            hint = (
                "five fields: minute hour day-of-month month day-of-week, for example ml.cron('0 2 * * MON', "
                "tz='Europe/Prague')"
            )
            raise refusal("CML118", problem, hint, self.where)
        return spec.Cron(expression=" ".join(expression.split()), timezone=timezone)


def retry(
    attempts: int = 3,
    *,
    on: str | type[BaseException] | Sequence[str | type[BaseException]] = ("transient", "interrupted"),
    delay: float | str = 1.0,
    backoff: float = 2.0,
    max_delay: float | str = 300.0,
) -> Deferred:
    """Up to `attempts` attempts in all, when one fails with an error class or an exception named in `on`."""
    return _Retry("Retry", attempts=attempts, on=on, delay=delay, backoff=backoff, max_delay=max_delay)


class _Retry(Deferred):
    __slots__ = ()

    def node(self) -> spec.Retry:
        from cloudml import spec

        on = self.fields["on"]
        given = (on,) if isinstance(on, (str, type)) else on
        waits = {name: duration(self.fields[name], f"ml.retry({name}=)", self.where) for name in ("delay", "max_delay")}
        names = tuple(error_name(one, self.where) for one in given)
        fields = {"attempts": self.fields["attempts"], "on": names, "backoff": self.fields["backoff"], **waits}
        made: spec.Retry = make(spec.Retry, self.where, "ml.retry", **fields)
        return made


def error_name(error: Any, where: Location | None = None) -> str:
    """An error class as it is, an exception as Python prints it; `ml.Transient` is the class `transient`."""
    if isinstance(error, str):
        return error
    if isinstance(error, type) and issubclass(error, BaseException):
        if (error.__module__, error.__qualname__) == ("cloudml.runtime.failures", "Transient"):
            return "transient"
        return error.__qualname__ if error.__module__ == "builtins" else f"{error.__module__}.{error.__qualname__}"
    message = f"on={error!r} names no error"
    raise refusal(
        "CML122",
        message,
        "give error classes ('transient', 'timeout', 'memory') or exceptions (ConnectionError)",
        where,
    )


def spot(*, max_wait: float | str | None = None) -> Deferred:
    """Reclaimable capacity, waited for at most `max_wait` in all."""
    return _Spot("Spot", max_wait=max_wait)


class _Spot(Deferred):
    __slots__ = ()

    def node(self) -> spec.Spot:
        from cloudml import spec

        wait = self.fields["max_wait"]
        return spec.Spot(max_wait=None if wait is None else duration(wait, "ml.spot(max_wait=)", self.where))


def distribution(*, nodes: int = 1, processes: int = 1) -> Deferred:
    """`processes` workers on each of `nodes` machines, started together by torchrun."""
    return Deferred("Distribution", nodes=nodes, processes=processes)


def pruning(*, startup_trials: int = 5, warmup_reports: int = 0) -> Deferred:
    """When a trial may be stopped early: after that many finished trials, and that many reports of its own."""
    return Deferred("Pruning", startup_trials=startup_trials, warmup_reports=warmup_reports)
