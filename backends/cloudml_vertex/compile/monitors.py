"""Monitors: a step puts the baseline, and a pipeline of its own, which a schedule starts, looks at the live traffic.

The portable engine is cloudml's own job, in every project. `monitors = "native-v1"` or `"native-v2"` in the target, or
`engine="native"` at the monitor (then v1), hands the same declaration to Vertex AI: see `native_monitors`. What the
portable engine reads is what cloudml's serving container captures in Cloud Storage, not Vertex AI's request-response
logging: that goes to BigQuery only.
"""

from __future__ import annotations

from cloudml import spec
from cloudml.errors import Diagnostic
from cloudml.plan import Resource
from cloudml.runtime.monitoring import SERVICE
from cloudml_vertex import names
from cloudml_vertex.compile import alerts, native_monitors
from cloudml_vertex.compile.port import Compiling, Document, Wires

LABEL = "cloudml-monitor"
"""Names the monitor on all that is made for it: so its pipeline is told from the author's."""
LONGEST_WATCH = 7200.0
"""Seconds that one look at the traffic may take."""
REPORT: Document = {"name": "report", "type": "dict", "mode": "value", "fields": []}
"""The output of a look."""


def monitor_action(context: Compiling, step: spec.MonitorStep, wiring: Wires) -> Document:
    """The action that writes the baseline, with the version that is served; and makes the native monitor, if it is one.

    Without members that are not set.
    """
    monitor = declared(context, step)
    action: Document = {
        "name": "monitor",
        "monitor": monitor.name,
        "endpoint": wiring.value(step.endpoint),
        "baseline": wiring.artifact(step.baseline),
        "features": list(monitor.features),
        "folder": folder(context, monitor),
        "time": wiring.value(spec.RunRef(field="time")),
    }
    if native_monitors.engine(context, monitor):
        action["native"] = _native(context, step, monitor)
    return {key: value for key, value in action.items() if value is not None}


def watch_action(context: Compiling, step: spec.MonitorStep, wiring: Wires, main: str) -> Document:
    """The action of one look at the traffic; `main`: the pipeline's name in the project."""
    monitor = declared(context, step)
    place, endpoint = context.place, watched(context, step)
    action: Document = {
        "name": "watch",
        "monitor": monitor.name,
        "folder": folder(context, monitor),
        "capture": capture(context),
        "features": list(monitor.features),
        "order": list(endpoint.features) if endpoint is not None else [],
        "thresholds": [one.model_dump(mode="json") for one in monitor.thresholds],
        "window": monitor.window,
        "alerts": alerts.channels(context, monitor.alerts),
        "retrain": None if monitor.retrain is None else monitor.retrain.model_dump(mode="json"),
        "rollback": monitor.rollback or None,
        "pipeline": main,
        "template": f"{place.base}/pipelines/{main}.json",
        "parent": place.parent,
        "dimensions": {
            "Project": place.project,
            "Target": place.target,
            "Pipeline": context.pipeline.name,
            "Monitor": monitor.name,
        },
        "time": wiring.value(spec.RunRef(field="time")),
    }
    return {key: value for key, value in action.items() if value is not None}


def makers(context: Compiling, step: spec.MonitorStep) -> tuple[str, ...]:
    """The function that made the baseline: what reads tables is installed where that function's code is."""
    if not isinstance(step.baseline, spec.OutputRef):
        return ()
    source = _step(context, step.baseline.step)
    job = source.job if isinstance(source, spec.TuningStep) else source
    return (str(job.function),) if isinstance(job, spec.JobStep) else ()


def declared(context: Compiling, step: spec.MonitorStep) -> spec.Monitor:
    """The monitor that a step puts in place."""
    return next(one for one in context.pipeline.monitors if one.name == step.monitor)


def folder(context: Compiling, monitor: spec.Monitor) -> str:
    """Where a monitor's baseline and reports lie."""
    return f"{context.place.base}/monitors/{context.pipeline.name}/{monitor.name}"


def capture(context: Compiling) -> str:
    """Where serving containers keep their traffic."""
    return f"{context.place.base}/capture"


def watching(context: Compiling) -> list[spec.MonitorStep]:
    """For each monitor the first step that puts it in place. Findings: CML349."""
    steps = [step for step in spec.walk(context.pipeline.steps) if isinstance(step, spec.MonitorStep)]
    found: dict[str, spec.MonitorStep] = {}
    for step in steps:
        found.setdefault(step.monitor, step)
    for step in found.values():
        _check(context, declared(context, step), watched(context, step))
    return list(found.values())


def native(context: Compiling, step: spec.MonitorStep) -> Resource | None:
    """The resource of a monitor that is Vertex AI's; None of a portable one, which is a pipeline and its schedule."""
    monitor = declared(context, step)
    if not native_monitors.engine(context, monitor):
        return None
    document = _native(context, step, monitor)
    return Resource.of("monitor", document["id"], document)


def _native(context: Compiling, step: spec.MonitorStep, monitor: spec.Monitor) -> Document:
    return native_monitors.document(context, step.name, monitor, watched(context, step), folder(context, monitor))


def name(context: Compiling, monitor: spec.Monitor) -> str:
    """The name in the project of a portable monitor's pipeline."""
    return context.resource_name(f"{context.pipeline.name}/monitor/{monitor.name}")


def labels(context: Compiling, monitor: spec.Monitor) -> dict[str, str]:
    """The labels of that pipeline."""
    place = context.place
    own = {**place.identity(context.pipeline.name), LABEL: names.label(monitor.name)}
    return {**dict(place.labels), **own}


def watched(context: Compiling, step: spec.MonitorStep) -> spec.Endpoint | None:
    """The endpoint that a step puts its monitor on, when the pipeline tells."""
    if not isinstance(step.endpoint, spec.OutputRef):
        return None
    source = _step(context, step.endpoint.step)
    if not isinstance(source, spec.DeployStep):
        return None
    return next((one for one in context.pipeline.endpoints if one.name == source.endpoint), None)


def _step(context: Compiling, wanted: str) -> spec.BaseStep | None:
    return next((one for one in spec.walk(context.pipeline.steps) if one.name == wanted), None)


def _check(context: Compiling, monitor: spec.Monitor, endpoint: spec.Endpoint | None) -> None:
    """What could never work is told now (CML349)."""
    wanted = [one.statistic for one in monitor.thresholds]
    portable = not native_monitors.engine(context, monitor)
    if "quality" in wanted:
        message = "threshold 'quality' needs labels, which this backend cannot join to the traffic yet"
        _refuse(context, monitor, message, "leave it out for this target; watch the predictions' drift instead")
    columns = [one for one in wanted if one not in (*SERVICE, "quality")]
    if portable and columns and endpoint is not None and endpoint.capture is None:
        message = f"threshold {columns[0]!r} looks at requests, and endpoint {endpoint.name} keeps none"
        _refuse(context, monitor, message, "write capture=True (or a share) at the endpoint")
    required = [one.name for one in context.pipeline.parameters if one.required]
    if monitor.retrain is not None and required:
        message = f"it starts the pipeline again, and {', '.join(required)} must be given for each run"
        _refuse(context, monitor, message, "give the parameters defaults")
    if portable and any(one.backend == "vertex" for one in monitor.native):
        message = "native options are of Vertex AI's own monitoring; the portable engine is no resource of it"
        _refuse(context, monitor, message, "leave native= out, or take engine='native'")


def _refuse(context: Compiling, monitor: spec.Monitor, message: str, hint: str) -> None:
    finding = Diagnostic("CML349", f"monitor {monitor.name}", message, hint)
    if finding not in context.findings:
        context.findings.append(finding)
