"""The end of a run, told: the tree or a line, why it failed, what to type next. And its exit code."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Iterable

from cloudml.backend.port import Session
from cloudml.backend.records import EndpointRecord, RunRecord, TaskRecord
from cloudml.cli import output
from cloudml.cli.runview import status_counts, view_of
from cloudml.cli.style import Style, clean, duration, one_line, style_of
from cloudml.cli.tree import tree_lines
from cloudml.errors import CloudmlError

EXIT_OF_STATUS = {"succeeded": 0, "failed": 1, "waiting": 3, "stopped": 130, "interrupted": 130, "running": 0}

TRACEBACK_LINES = 12
LOG_LINES = 10
FAILURES_SHOWN = 3

_COUNTED = ("succeeded", "cached", "skipped", "waiting", "failed", "stopped", "interrupted", "pending", "running")


def command(*words: str) -> str:
    """A command line that can be pasted."""
    return shlex.join(("cloudml", *words))


def run_text(record: RunRecord, session: Session, style: Style, *, tree: bool, place: Iterable[str] = ()) -> str:
    """What a person reads when a run ended. `place` are the options that the next command needs too."""
    lines = [*tree_lines(view_of(record), style, width=shutil.get_terminal_size().columns), ""] if tree else []
    lines.append(_verdict(record, style))
    failed = [task for task in record.tasks if task.status == "failed" and task.kind not in _CONTAINERS]
    for task in failed[:FAILURES_SHOWN]:
        lines += ["", *failure_lines(record, task, session, style)]
    if len(failed) > FAILURES_SHOWN:
        lines += ["", f"  and {len(failed) - FAILURES_SHOWN} more failed steps: {command('show', record.id, *place)}"]
    steps = next_steps(record, failed, tuple(place))
    if steps:
        lines += [
            "",
            *(
                f"  {style.paint('next' if index == 0 else '    ', 'dim')}  {style.paint(step, 'cyan')}"
                for index, step in enumerate(steps)
            ),
        ]
    return "\n".join(lines)


_CONTAINERS = frozenset({"condition", "map", "group", "finally"})


def _verdict(record: RunRecord, style: Style) -> str:
    counts = [(status, sum(task.status == status for task in record.tasks)) for status in _COUNTED]
    told = status_counts((status, count) for status, count in counts if count)
    head = style.status(f"{style.sign(record.status)} {record.id} {record.status}", record.status)
    spent = f" in {duration(record.duration)}" if record.duration is not None else ""
    reason = f": {one_line(record.reason)}" if record.reason and record.status != "succeeded" else ""
    return f"{head}{spent}{reason}" + (f"  {style.paint(f'({told})', 'dim')}" if told else "")


def failure_lines(record: RunRecord, task: TaskRecord, session: Session, style: Style) -> list[str]:
    """One line for the reason, then the end of the author's traceback and of the log."""
    failure = task.failure or {}
    what = ": ".join(part for part in (failure.get("exception", ""), failure.get("message", "")) if part)
    reason = one_line(what or task.reason or "no reason was recorded", 300)
    where = f"  {style.paint(clean(str(failure['where'])), 'dim')}" if failure.get("where") else ""
    lines = [f"  {style.status(clean(task.id), 'failed')}  {reason}{where}"]
    trace = clean(str(failure.get("traceback", ""))).rstrip().splitlines()
    lines += _block("traceback", trace, TRACEBACK_LINES, style)
    if not _in_log(trace, log := log_tail(record.id, task.id, session)):
        lines += _block("log", log, LOG_LINES, style)
    return lines


def log_tail(run: str, task: str, session: Session) -> list[str]:
    """The last lines of a step's log; none when it cannot be read."""
    try:
        return [clean(line.rstrip("\n")) for entry in session.runs.why(run, task) for line in entry.log_tail]
    except (CloudmlError, OSError):
        return []


def _in_log(trace: list[str], log: list[str]) -> bool:
    """Whether the log's end says no more than the traceback does."""
    known = {line.strip() for line in trace}
    return all(line.strip() in known for line in log if line.strip())


def _block(title: str, lines: list[str], limit: int, style: Style) -> list[str]:
    if not lines:
        return []
    kept = lines[-limit:]
    cut = [style.paint(f"    {len(lines) - limit} lines above", "dim")] if len(lines) > limit else []
    return [style.paint(f"    {title}", "dim"), *cut, *(f"      {line}" for line in kept)]


def next_steps(record: RunRecord, failed: list[TaskRecord], place: tuple[str, ...] = ()) -> list[str]:
    """The commands that make sense now."""
    if record.status == "failed":
        return [
            command("why", record.id, *(task.id for task in failed[:1]), *place),
            command("resume", record.id, *place),
        ]
    if record.status in ("stopped", "interrupted"):
        return [command("resume", record.id, *place)]
    if record.status == "waiting":
        waiting = [task.id for task in record.tasks if task.status == "waiting" and task.kind == "approve"]
        decide = [command("approve", f"{record.id}/{task}", "--reason", "...", *place) for task in waiting]
        return [*decide, command("resume", record.id, *place)]
    return []


def endpoint_text(endpoint: EndpointRecord, session: Session, style: Style, place: Iterable[str] = ()) -> str:
    """Where an endpoint answers, and how to ask it, with a row that the model knows.

    By hand only where no signature is needed: on this machine.
    """
    serves = f"{endpoint.model}/{endpoint.version}" if endpoint.model else ""
    head = f"{style.paint(endpoint.name, 'bold')}  {style.paint(endpoint.url, 'cyan')}  {serves}"
    curl = ["curl", "-sS", f"{endpoint.url}/invocations", "-H", "content-type: application/json", "-d"]
    if request_of(endpoint, session):
        ask = command("invoke", endpoint.name, *place, "--sample")
        by_hand = f"{ask} --dry-run | {shlex.join([*curl, '@-'])}"
    else:
        body = '{"instances": [...]}'
        ask = command("invoke", endpoint.name, *place, "--data", body)
        by_hand = shlex.join([*curl, body])
    lines = [head.rstrip(), f"  {ask}"]
    if not endpoint.url.endswith("/invocations"):
        lines.append(f"  {style.paint(by_hand, 'dim')}")
    return "\n".join(lines)


def request_of(endpoint: EndpointRecord, session: Session) -> str:
    """A request with one row of the served version's sample; empty when it has none."""
    if endpoint.model is None or endpoint.version is None:
        return ""
    rows = session.models.get(endpoint.model, version=endpoint.version).sample[:1]
    return json.dumps({"instances": list(rows)}, ensure_ascii=False) if rows else ""


def warn(lines: Iterable[str]) -> None:
    """Lines for a person beside the result: on stderr, in their place among what stdout said before."""
    sys.stdout.flush()
    for line in lines:
        print(line, file=sys.stderr)


def tell_run(record: RunRecord, session: Session, *, as_json: bool, tree: bool, place: Iterable[str] = ()) -> int:
    """Print the end of a run and return its exit code."""
    if as_json:
        output.write_json({"run": record.to_dict()})
    else:
        output.write(run_text(record, session, style_of(sys.stdout), tree=tree, place=place))
    return EXIT_OF_STATUS[record.status]
