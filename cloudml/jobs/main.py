"""One job from its step's document to what the service collects: bind, run, publish, exit.

What only some kinds of steps need is imported by them: a fresh container compiles every module that it imports.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cloudml.jobs import failure, guards
from cloudml.jobs.context import Context, Document, Stopping
from cloudml.jobs.outputs import Outcome, publish
from cloudml.jobs.platform import Platform
from cloudml.jobs.sources import Sources
from cloudml.runtime.failures import Interrupted
from cloudml.runtime.function import prepare_paths

VERSION = 1


def run(platform: Platform, code: str, work: str, arguments: Sequence[str]) -> int:
    """Run the step that `step.json` in the folder `code` describes; 0 when it succeeded.

    `work` holds the unpacked bundle and whatever the job needs meanwhile. Signals: SIGTERM ends the step's process, or
    the control step, with the failure class `interrupted`.
    """
    stopping = Stopping()
    stopping.listen()
    place = Path(work)
    context = Context(platform, place, {}, stopping, Sources(platform.layout, place / "unpacked"))
    try:
        outcome = _run(Path(code), context, arguments)
    except (Exception, Interrupted) as error:  # noqa: BLE001 - the job must end with a reason
        outcome = Outcome("failed", failure=failure.of(error, [str(context.project)]))
    return _end(outcome, context)


def _run(code: Path, context: Context, arguments: Sequence[str]) -> Outcome:
    step = json.loads((code / "step.json").read_bytes())
    if step.get("version") != VERSION:
        raise failure.Refused(f"step.json has version {step.get('version')!r}; this library reads version {VERSION}")
    context.step, context.sources.forms = step, step.get("sources", {})
    context.sets.update(context.platform.given(step, arguments))
    if step.get("requirements"):
        from cloudml.jobs import requirements

        requirements.ensure(context.requirements)
    why = guards.reason(step, context)
    if why is not None:
        return guards.skipped(step, context, why)
    outcome = _KINDS[step["kind"]](step, context)
    if outcome.status == "succeeded":
        context.platform.measured(outcome.metrics, _objective(step, outcome))
    return outcome


def _objective(step: Document, outcome: Outcome) -> float | None:
    """What a trial is judged by."""
    if step.get("tuning") is None:
        return None
    from cloudml.jobs import trial

    return trial.objective(outcome.values, step["tuning"]["objective"])


def _job(step: Document, context: Context) -> Outcome:
    from cloudml.jobs.job import run_job

    tuning = step.get("tuning")
    if tuning is None:
        return run_job(step, context)
    from cloudml.jobs import trial

    tuned = context.platform.tuned()
    parameters = trial.parameters(tuning, tuned)
    number = trial.number(tuning, tuned)
    if number is not None:
        os.environ["CLOUDML_TRIAL"] = str(number)
    outcome = run_job(step, context, parameters)
    return Outcome(**{**vars(outcome), "more": {**outcome.more, "parameters": parameters, "trial": number}})


def _control(step: Document, context: Context) -> Outcome:
    from cloudml.jobs.control import act

    prepare_paths([str(context.project)])
    context.stopping.act(True)
    try:
        return act(step, context)
    finally:
        context.stopping.act(False)


def _group(step: Document, context: Context) -> Outcome:
    from cloudml.jobs.group import run_group

    return run_group(step, context)


def _search(step: Document, context: Context) -> Outcome:
    from cloudml.jobs.search import run_search

    return run_search(step, context)


_KINDS: dict[str, Callable[[Document, Context], Outcome]] = {
    "job": _job,
    "control": _control,
    "group": _group,
    "search": _search,
}


def _end(outcome: Outcome, context: Context) -> int:
    """Publish, and tell a failure. Of several machines only the first publishes: their folders become one."""
    failed, platform = outcome.failure, context.platform
    try:
        if platform.layout.hosts()[1] == 0:
            publish(outcome, platform.layout)
            platform.finished(context.step, outcome)
    except failure.Refused as error:  # the service does not take what the step made
        failed = failure.of(error)
        publish(Outcome("failed", failure=failed), platform.layout)
    except OSError as error:
        failed = failure.record("error", "CannotStore", f"the outputs cannot be written: {error}")
    if failed is None:
        return 0
    platform.failed(failed)
    sys.stderr.write(f"cloudml: {failure.line(failed)}\n{failed.get('traceback', '')}")
    return 1
