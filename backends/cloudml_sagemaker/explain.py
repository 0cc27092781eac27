"""`why`: for each task of a run, why it was computed, reused, skipped or failed, as far as SageMaker tells."""

from __future__ import annotations

from cloudml.backend.records import Explanation, TaskRecord
from cloudml.errors import CloudmlError
from cloudml_sagemaker.console import job_page
from cloudml_sagemaker.describe import Execution
from cloudml_sagemaker.logs import Job, jobs_of, tail
from cloudml_sagemaker.resources.kind import World

_COMPUTED = frozenset({"processing", "training", "tuning", "batch_prediction"})
_LOG_LINES = 20


def explain(world: World, found: Execution, task: str | None) -> list[Explanation]:
    """One explanation a task that has begun or ended: what failed first comes first, the rest in the author's order.

    Raises AwsError.
    """
    told = [one for one in found.record.tasks if one.status != "pending"]
    if task is not None:
        told = [one for one in told if one.id == task or one.id.startswith(f"{task}[")]
        if not told:
            return [Explanation(found.record.id, task, "has not started", (f"the run is {found.record.status}",))]
    told.sort(key=lambda one: (0, one.started_at or "") if one.status == "failed" else (1, ""))
    cached = _cached_steps(found)
    return [_one(world, found, one, cached) for one in told]


def _one(world: World, found: Execution, task: TaskRecord, cached: frozenset[str]) -> Explanation:
    run = found.record.id
    if task.status == "failed":
        return _failed(world, found, task)
    if task.status == "cached":
        return Explanation(run, task.id, f"reused from {task.cached_from}", _hit(found, task))
    if task.status == "skipped":
        return Explanation(run, task.id, "skipped", (task.reason,))
    if task.status in ("running", "waiting", "stopped", "interrupted"):
        reasons = (task.reason,) if task.reason else ()
        return Explanation(run, task.id, task.status, reasons, hint=_next(world, found, task))
    if task.kind not in _COMPUTED:
        return Explanation(run, task.id, "done", (task.reason,) if task.reason else ())
    return Explanation(run, task.id, "computed", _miss(found, task, cached), hint=_page(world, found, task))


def _cached_steps(found: Execution) -> frozenset[str]:
    """The steps of the definition that may be reused."""
    from cloudml_sagemaker.compile.expressions import every

    steps = every(list(found.definition["Steps"]))
    return frozenset(step["Name"] for step in steps if step.get("CacheConfig", {}).get("Enabled"))


def _hit(found: Execution, task: TaskRecord) -> tuple[str, ...]:
    if found.started.get(task.id) and any(step.cached_from for _, step in found.started[task.id]):
        return ("its code, arguments and the addresses of its inputs are those of that run",)
    return (f"this is a rerun of {found.record.parent} from another step",)


def _miss(found: Execution, task: TaskRecord, cached: frozenset[str]) -> tuple[str, ...]:
    parts = [part.name for part, _ in found.started.get(task.id, ())]
    if not all(name in cached for name in parts):
        return ("it is computed every time: its cache is switched off, or it stands where SageMaker cannot reuse it",)
    if found.anew:
        parent = found.record.parent
        return (f"this is a rerun of {parent} that computes it anew" if parent else "the run was to reuse nothing",)
    above = [need for need in task.needs if (one := found.record.task(need)) is not None and one.status == "succeeded"]
    if above:
        return (f"{', '.join(above)} was computed in this run, so that its inputs have new addresses",)
    return ("SageMaker knows no earlier run of it with the same code, arguments and inputs within the cache's time",)


def _failed(world: World, found: Execution, task: TaskRecord) -> Explanation:
    failure = task.failure or {}
    reasons = [task.reason]
    if failure.get("where"):
        reasons.append(f"at {failure['where']}")
    if failure.get("traceback"):
        reasons += str(failure["traceback"]).rstrip().splitlines()
    said = {step.failure_reason for _, step in found.started.get(task.id, ()) if step.failure_reason}
    reasons += [f"SageMaker says: {text}" for text in sorted(said) if text not in task.reason]
    if task.attempts > 1:
        reasons.append(f"it was tried {task.attempts} times")
    return Explanation(found.record.id, task.id, "failed", tuple(reasons), _tail(world, found, task),
                       _next(world, found, task))  # fmt: skip


def _tail(world: World, found: Execution, task: TaskRecord) -> tuple[str, ...]:
    """The log's end. That it cannot be read must not hide why the task failed."""
    try:
        return tail(world.client, jobs_of(world.client, found, task.id), _LOG_LINES)
    except CloudmlError as error:
        return (f"(the log cannot be read: {error.message})",)


def _page(world: World, found: Execution, task: TaskRecord) -> str:
    """The console's page of the job that tells most: the last one of the task."""
    jobs = [Job(*step.job) for _, step in found.started.get(task.id, ()) if step.job is not None]
    return job_page(world.place, jobs[-1].kind, jobs[-1].name) if jobs else ""


_COMMANDS = {
    "running": "cloudml logs {run} {task} --follow",
    "waiting": "cloudml approve {run}/{task} --reason …",
    "failed": "when the cause is mended: cloudml resume {run}",
    "stopped": "cloudml resume {run}",
    "interrupted": "cloudml resume {run}",
}


def _next(world: World, found: Execution, task: TaskRecord) -> str:
    command = _COMMANDS[task.status].format(run=found.record.id, task=task.id)
    page = _page(world, found, task)
    return f"{command}\n{page}" if page else command
