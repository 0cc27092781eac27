"""Steps that share a job: they run one after the other, and hand their outputs to one another on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cloudml.jobs import failure
from cloudml.jobs.conditions import holds
from cloudml.jobs.context import Context, Document
from cloudml.jobs.failure import Refused
from cloudml.jobs.job import run_job
from cloudml.jobs.messages import filled
from cloudml.jobs.outputs import Outcome


class Group:
    """One group in progress. The first member that fails ends it; those after it are skipped."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.ended: dict[str, Outcome] = {}
        self.broken: Outcome | None = None

    def run(self, members: Iterable[Document]) -> None:
        """Run members in their order."""
        for member in members:
            if self.broken is not None:
                self._skip([member], "an earlier step of its group failed")
                continue
            try:
                outcome = _MEMBERS[member["kind"]](self, member)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one member is that member's failure
                outcome = Outcome("failed", failure=failure.of(error, [str(self._context.project)]))
            self.ended[member["step"]] = outcome
            self._context.sources.members[member["step"]] = outcome.outputs
            if outcome.status == "failed" and self.broken is None:
                self.broken = outcome

    def _job(self, member: Document) -> Outcome:
        return run_job(member, self._context)

    def _condition(self, member: Document) -> Outcome:
        result, words = holds(member["condition"], self._context.values)
        taken, other = ("then", "otherwise") if result else ("otherwise", "then")
        self._skip(member.get(other, ()), f"{member['step']} took the other branch")
        self.run(member.get(taken, ()))
        return Outcome("succeeded", values={"branch": taken, "why": words})

    def _fail(self, member: Document) -> Outcome:
        raise Refused(filled(member["message"], member.get("arguments", {}), self._context.values))

    def _skip(self, members: Iterable[Document], why: str) -> None:
        for member in members:
            self.ended[member["step"]] = Outcome("skipped", more={"reason": why})
            self._skip((*member.get("then", ()), *member.get("otherwise", ())), why)


_MEMBERS: dict[str, Callable[[Group, Document], Outcome]] = {
    "job": Group._job,
    "condition": Group._condition,
    "fail": Group._fail,
}


def run_group(step: Document, context: Context) -> Outcome:
    """Run the group; its outputs are those of its members, as `<member>/<port>`."""
    group = Group(context)
    group.run(step["members"])
    more: dict[str, Any] = {"members": {name: one.document() for name, one in group.ended.items()}}
    if group.broken is not None:
        return Outcome("failed", failure=group.broken.failure, more=more)
    outputs = {f"{name}/{port}": made for name, one in group.ended.items() for port, made in one.outputs.items()}
    values = {name: one.values for name, one in group.ended.items()}
    metrics = {name: one.metrics for name, one in group.ended.items() if one.metrics}
    return Outcome("succeeded", outputs, values, metrics, more=more)
