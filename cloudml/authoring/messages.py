"""Telling people, and giving up: notify and fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudml.authoring.context import Build, current
from cloudml.authoring.functions import add_step
from cloudml.authoring.literals import value
from cloudml.authoring.location import Location, caller
from cloudml.authoring.outputs import as_output
from cloudml.authoring.references import Condition, Operand, Simple, described
from cloudml.authoring.refusal import refusal

if TYPE_CHECKING:
    from cloudml import spec


def notify(alerts: Any, message: str, /, *, name: str | None = None, after: Any = (), **values: Any) -> Any:
    """Send a message to one alert channel or several: `ml.notify(TEAM, "AUC {auc:.3f}", auc=score.auc)`."""
    from cloudml import spec

    build, where = current("ml.notify"), caller()
    given = alerts if isinstance(alerts, (list, tuple)) else (alerts,)
    wrong = next((one for one in given if not isinstance(one, spec.Alert)), None)
    if wrong is not None or not given:
        message_ = (
            f"ml.notify goes to alert channels, not {described(wrong)}"
            if given
            else "ml.notify goes to no alert channel"
        )
        raise refusal(
            "CML123",
            message_,
            'write TEAM = ml.slack("team", ml.secret("SLACK_URL")) and ml.notify(TEAM, "...")',
            where,
        )
    fields = {
        "alerts": tuple(build.declare("alerts", one, where) for one in given),
        **_filled(message, values, build, where),
    }
    return _add(build, spec.NotifyStep, name or build.fresh("notify"), "notify", after, where, fields)


def fail(message: str, /, *, name: str | None = None, after: Any = (), **values: Any) -> Any:
    """End the run as failed: `ml.fail("AUC {auc} is below {least}", auc=score.auc, least=min_auc)`."""
    from cloudml import spec

    build, where = current("ml.fail"), caller()
    fields = _filled(message, values, build, where)
    return _add(build, spec.FailStep, name or build.fresh("fail"), "fail", after, where, fields)


def _add(
    build: Build, node: type[spec.BaseStep], name: str, verb: str, after: Any, where: Location, fields: dict[str, Any]
) -> Any:
    waits = build.after(name, after, where)
    return add_step(
        build, node, name, where, (), f"name one of them: ml.{verb}(..., name='{name}_2')", after=waits, **fields
    )


def _filled(message: Any, values: dict[str, Any], build: Build, where: Location) -> dict[str, Any]:
    """The message and its arguments. Refuses names that do not match, and secrets."""
    from cloudml import spec

    if not isinstance(message, str):
        form = 'write the text with names in braces, and the values beside it: ml.fail("AUC {auc}", auc=score.auc)'
        what = message._label if isinstance(message, (Operand, Condition)) else described(message)
        raise refusal("CML121", f"a message is text, not {what}", form, where)
    problem = spec.message_problem(message, list(values))
    if problem:
        raise refusal("CML121", problem, "each {name} in the message needs name=..., and the other way round", where)
    found = []
    for name, one in values.items():
        if isinstance(one, Simple) and one._kind == "SecretRef":
            raise refusal("CML121", f"{one._label} would be written into a message", "leave it out", where)
        found.append(spec.Argument(name=name, value=value(as_output(one), build, f"{{{name}}} of the message")))
    return {"message": message, "arguments": tuple(found)}
