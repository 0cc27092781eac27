"""Monitors: a step puts the baseline, and a pipeline of its own, which a schedule starts, looks at the live traffic.

The portable engine is cloudml's own job, on every account. `engine="native"` is SageMaker Model Monitor, which takes no
new customers (AWS's notice of 30 June 2026): see `native_monitors`.
"""

from __future__ import annotations

from collections.abc import Iterator

from cloudml import spec
from cloudml.errors import Diagnostic
from cloudml.plan import Resource
from cloudml.remote.layout import Position
from cloudml.runtime.monitoring import SERVICE
from cloudml_sagemaker.compile import alerts, checks, control, native_monitors, schedule
from cloudml_sagemaker.compile.context import Context, Document
from cloudml_sagemaker.compile.jobs import Job, processing
from cloudml_sagemaker.compile.rollout import VARIANT
from cloudml_sagemaker.compile.wiring import Wiring

VERSION = "2020-12-01"
TAG = "cloudml:monitor"
"""Names the monitor on all that is made for it: so its pipeline is told from the author's."""
LONGEST_WATCH = 7200.0
"""Seconds that one look at the traffic may take."""
_REPORT = {"name": "report", "type": "dict", "mode": "value", "fields": []}


def emit_monitor(context: Context, step: spec.MonitorStep) -> list[Document]:
    """Writes the baseline, with the version that is served; and makes the native schedule, if it is one."""
    wiring = Wiring(context, context.position(step.name))
    monitor = _declared(context, step)
    action: Document = {
        "name": "monitor",
        "monitor": monitor.name,
        "endpoint": wiring.value(step.endpoint),
        "baseline": wiring.artifact(step.baseline),
        "features": list(monitor.features),
        "folder": folder(context, monitor),
        "time": wiring.value(spec.RunRef(field="time")),
    }
    if monitor.engine == "native":
        action["native"] = native_monitors.document(context, step, monitor, folder(context, monitor))
        action["constraints"] = native_monitors.constraints(monitor)
    job = Job(context.name(step.name), context.position(step.name), wiring, _control(action))
    job.functions = _maker(context, step)
    return [processing(context, job)]


def _maker(context: Context, step: spec.MonitorStep) -> tuple[str, ...]:
    """The function that made the baseline: what reads tables is installed where that function's code is."""
    if not isinstance(step.baseline, spec.OutputRef):
        return ()
    source = context.position(step.baseline.step).step
    job = source.job if isinstance(source, spec.TuningStep) else source
    return (str(job.function),) if isinstance(job, spec.JobStep) else ()


def _control(action: Document) -> Document:
    return control.control({key: value for key, value in action.items() if value is not None}, [])


def _declared(context: Context, step: spec.MonitorStep) -> spec.Monitor:
    return next(one for one in context.pipeline.monitors if one.name == step.monitor)


def folder(context: Context, monitor: spec.Monitor) -> str:
    """Where a monitor's baseline and reports lie."""
    return f"{context.place.base}/monitors/{context.pipeline.name}/{monitor.name}"


def resources(context: Context, main: str) -> Iterator[Resource]:
    """What each monitor that a step puts in place needs beside that step; `main`: AWS's name of the pipeline."""
    steps = [step for step in spec.walk(context.pipeline.steps) if isinstance(step, spec.MonitorStep)]
    for name in dict.fromkeys(step.monitor for step in steps):
        step = next(one for one in steps if one.monitor == name)
        monitor = _declared(context, step)
        endpoint = watched(context, step)
        _check(context, monitor, endpoint)
        if monitor.engine == "native":
            document = native_monitors.document(context, step, monitor, folder(context, monitor))
            yield Resource.of("monitor", document["MonitoringScheduleName"], document)
            continue
        watching = _pipeline(context, step, monitor, endpoint, main)
        yield Resource.of("pipeline", watching["PipelineName"], watching)
        where = f"monitor {monitor.name}"
        request = schedule.entry(context, watching["PipelineName"], monitor.schedule, where)
        yield Resource.of("schedule", request["Name"], request)


def watched(context: Context, step: spec.MonitorStep) -> spec.Endpoint | None:
    """The endpoint that a step puts its monitor on, when the pipeline tells."""
    if not isinstance(step.endpoint, spec.OutputRef):
        return None
    source = context.position(step.endpoint.step).step
    if not isinstance(source, spec.DeployStep):
        return None
    return next((one for one in context.pipeline.endpoints if one.name == source.endpoint), None)


def _check(context: Context, monitor: spec.Monitor, endpoint: spec.Endpoint | None) -> None:
    """What could never work is told now (CML349)."""
    wanted = [one.statistic for one in monitor.thresholds]
    if "quality" in wanted:
        message = "threshold 'quality' needs labels, which this backend cannot join to the traffic yet"
        refuse(context, monitor, message, "leave it out for this target; watch the predictions' drift instead")
    columns = [one for one in wanted if one not in (*SERVICE, "quality")]
    if columns and endpoint is not None and endpoint.capture is None:
        message = f"threshold {columns[0]!r} looks at requests, and endpoint {endpoint.name} keeps none"
        refuse(context, monitor, message, "write capture=True (or a share) at the endpoint")
    required = [one.name for one in context.pipeline.parameters if one.required]
    if monitor.retrain is not None and required:
        message = f"it starts the pipeline again, and {', '.join(required)} must be given for each run"
        refuse(context, monitor, message, "give the parameters defaults")
    if monitor.engine == "portable" and any(one.backend == "sagemaker" for one in monitor.native):
        message = "native options are of engine='native'; the portable engine is no resource of SageMaker's own"
        refuse(context, monitor, message, "leave native= out, or take engine='native'")


def refuse(context: Context, monitor: spec.Monitor, message: str, hint: str) -> None:
    """Note that a monitor cannot be compiled."""
    context.findings.append(Diagnostic("CML349", f"monitor {monitor.name}", message, hint))


def _pipeline(
    context: Context, step: spec.MonitorStep, monitor: spec.Monitor, endpoint: spec.Endpoint | None, main: str
) -> Document:
    """The pipeline of one step that a schedule starts."""
    name = context.resource_name(f"{context.pipeline.name}/monitor/{monitor.name}")
    labels = {**dict(context.place.tags), **control.identity(context), TAG: monitor.name}
    document: Document = {
        "PipelineName": name,
        "PipelineDisplayName": name,
        "PipelineDescription": f"Monitor {monitor.name} of pipeline {context.pipeline.name}",
        "RoleArn": context.place.role,
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(labels.items())],
        "definition": {"Version": VERSION, "Parameters": [], "Steps": [_watch(context, step, monitor, endpoint, main)]},
    }
    checks.check(context, document)
    return document


def _watch(
    context: Context, step: spec.MonitorStep, monitor: spec.Monitor, endpoint: spec.Endpoint | None, main: str
) -> Document:
    alone = step.model_copy(update={"after": (), "description": ""})
    position = Position(alone)
    wiring = Wiring(context, position)
    name = context.name(step.name, "watch")
    if name in context.layout.positions:
        message = f"its part {name!r} has the name of another step"
        context.find("CML335", step.name, message, f"rename step {name!r}")
    action: Document = {
        "name": "watch",
        "monitor": monitor.name,
        "folder": folder(context, monitor),
        "capture": f"{context.place.base}/capture",
        "variant": VARIANT,
        "features": list(monitor.features),
        "order": list(endpoint.features) if endpoint is not None else [],
        "thresholds": [one.model_dump(mode="json") for one in monitor.thresholds],
        "window": monitor.window,
        "alerts": alerts.channels(context, monitor.alerts),
        "retrain": None if monitor.retrain is None else monitor.retrain.model_dump(mode="json"),
        "rollback": monitor.rollback or None,
        "pipeline": main,
        "dimensions": {
            "Project": context.place.project,
            "Target": context.place.target,
            "Pipeline": context.pipeline.name,
            "Monitor": monitor.name,
        },
        "time": wiring.value(spec.RunRef(field="time")),
    }
    document = {
        **control.control({key: value for key, value in action.items() if value is not None}, [_REPORT]),
        "task": {"name": monitor.name, "kind": "monitor", "part": "main", "needs": []},
    }
    job = Job(name, position, wiring, document)
    job.outputs = {"report": None}
    job.timeout = LONGEST_WATCH
    return processing(context, job)
