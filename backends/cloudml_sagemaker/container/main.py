"""One job from its step's document to what SageMaker collects: bind, run, publish, exit.

What only some kinds of steps need is imported by them: a fresh container compiles every module that it imports.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cloudml.runtime.failures import Interrupted
from cloudml.runtime.function import prepare_paths
from cloudml_sagemaker.container import failure, guards
from cloudml_sagemaker.container.context import Context, Document, Stopping
from cloudml_sagemaker.container.layout import Layout
from cloudml_sagemaker.container.outputs import Outcome, metric_lines, publish
from cloudml_sagemaker.container.sources import Sources
from cloudml_sagemaker.container.values import given

VERSION = 1


def run(code: str, work: str, arguments: Sequence[str]) -> int:
    """Run the step that `step.json` in the folder `code` describes; 0 when it succeeded.

    `work` holds the unpacked bundle and whatever the job needs meanwhile. Signals: SIGTERM ends the step's process, or
    the control step, with the failure class `interrupted`.
    """
    stopping = Stopping()
    stopping.listen()
    layout = Layout.find(os.environ)
    place = Path(work)
    sets = given(arguments, layout.hyperparameters())
    context = Context(layout, place, sets, stopping, Sources(layout, place / "unpacked"))
    try:
        outcome = _run(Path(code), context)
    except (Exception, Interrupted) as error:  # noqa: BLE001 - the job must end with a reason
        outcome = Outcome("failed", failure=failure.of(error, [str(context.project)]))
    return _end(outcome, context)


def _run(code: Path, context: Context) -> Outcome:
    step = json.loads((code / "step.json").read_bytes())
    if step.get("version") != VERSION:
        raise failure.Refused(f"step.json has version {step.get('version')!r}; this library reads version {VERSION}")
    if step.get("requirements"):
        from cloudml_sagemaker.container import requirements

        requirements.ensure(context.requirements)
    context.step, context.sources.forms = step, step.get("sources", {})
    why = guards.reason(step, context)
    if why is not None:
        return guards.skipped(step, context, why)
    outcome = _KINDS[step["kind"]](step, context)
    if context.layout.training and outcome.status == "succeeded":
        _say(step, outcome)
    return outcome


def _job(step: Document, context: Context) -> Outcome:
    from cloudml_sagemaker.container.jobs import run_job

    tuning = step.get("tuning")
    if tuning is None:
        return run_job(step, context)
    from cloudml_sagemaker.container import trial

    hyperparameters = context.layout.hyperparameters()
    parameters = trial.parameters(tuning, hyperparameters)
    number = trial.number(tuning, hyperparameters)
    if number is not None:
        os.environ["CLOUDML_TRIAL"] = str(number)
    outcome = run_job(step, context, parameters)
    return Outcome(**{**vars(outcome), "more": {**outcome.more, "parameters": parameters, "trial": number}})


def _control(step: Document, context: Context) -> Outcome:
    from cloudml_sagemaker.container.control import act

    prepare_paths([str(context.project)])
    context.stopping.act(True)
    try:
        return act(step, context)
    finally:
        context.stopping.act(False)


def _group(step: Document, context: Context) -> Outcome:
    from cloudml_sagemaker.container.group import run_group

    return run_group(step, context)


def _search(step: Document, context: Context) -> Outcome:
    from cloudml_sagemaker.container.search import run_search

    return run_search(step, context)


_KINDS: dict[str, Callable[[Document, Context], Outcome]] = {
    "job": _job,
    "control": _control,
    "group": _group,
    "search": _search,
}


def _say(step: Document, outcome: Outcome) -> None:
    """The metrics where SageMaker looks for them, the objective of a trial last."""
    lines = metric_lines(outcome.metrics)
    if step.get("tuning") is not None:
        from cloudml_sagemaker.container import trial

        lines.append(f"cloudml:metric objective={trial.objective(outcome.values, step['tuning']['objective'])!r}")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _end(outcome: Outcome, context: Context) -> int:
    """Publish, and tell a failure. Of several machines only the first publishes: their folders become one."""
    failed = outcome.failure
    try:
        if context.layout.hosts()[1] == 0:
            publish(outcome, context.layout)
    except OSError as error:
        failed = failure.record("error", "CannotStore", f"the outputs cannot be written: {error}")
    if failed is None:
        return 0
    failure.tell(context.layout.message, failed)
    sys.stderr.write(f"cloudml: {failure.line(failed)}\n{failed.get('traceback', '')}")
    return 1
