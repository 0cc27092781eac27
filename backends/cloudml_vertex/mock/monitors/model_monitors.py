"""Model monitoring v2 (v1beta1): ModelMonitors, each for one version of a registered model."""

from __future__ import annotations

import copy

from cloudml.mocks.store import Document, Scope
from cloudml_vertex.mock.core import labels, lro, masks, names
from cloudml_vertex.mock.core.errors import GoogleError, already_exists, failed_precondition, invalid, not_found
from cloudml_vertex.mock.core.listing import listed
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.monitors import monitor_rules

KIND = "ModelMonitor"
JOBS, STATS = "ModelMonitoringJob", "ModelMonitoringStats"
_PATTERN = "projects/*/locations/*/modelMonitors/*"
_CHANGEABLE = (
    "display_name",
    "tabular_objective",
    "training_dataset",
    "notification_spec",
    "output_spec",
    "explanation_spec",
    "model_monitoring_schema",
    "model_monitoring_target",
)


def install(world: World) -> None:
    """Register the long-running works."""
    lro.register(world, "model-monitor.create", _created)
    lro.register(world, "model-monitor.update", _created)
    lro.register(world, "model-monitor.delete", _deleted)


def found(call: Call, name: str) -> Document:
    """The monitor. Raises NOT_FOUND."""
    names.parse(name, _PATTERN)
    monitor = call.table(KIND).get(name)
    if monitor is None:
        raise not_found(name)
    return monitor


def check(call: Call, monitor: Document) -> None:
    """Raises GoogleError for what Vertex AI refuses."""
    labels.display_name(monitor.get("display_name"), required=False)
    target = monitor.get("model_monitoring_target", {}).get("vertex_model", {})
    if not target.get("model"):
        raise invalid("model_monitoring_target: a model of the registry is required.")
    version = target.get("model_version_id")
    model = target["model"] + (f"@{version}" if version else "")
    call.world.call(call.scope, "ModelService.GetModel", {"name": model}, "v1beta1")
    schema = monitor.get("model_monitoring_schema")
    if schema is None:
        raise invalid("model_monitoring_schema is required for models that AutoML did not train.")
    monitor_rules.check_schema(schema)
    if "tabular_objective" in monitor:
        monitor_rules.check_objective(monitor["tabular_objective"], schema)
    if "training_dataset" in monitor:
        monitor_rules.check_dataset(monitor["training_dataset"], "training_dataset")


@rpc("ModelMonitoringService.CreateModelMonitor")
def create_model_monitor(call: Call) -> Document:
    """Long-running."""
    names.parse(call.parent, "projects/*/locations/*")
    monitor = copy.deepcopy(call.params["model_monitor"])
    given = str(call.params.get("model_monitor_id", ""))
    if given:
        names.check_id(given, monitor_rules.ID, "model_monitor_id", monitor_rules.ID_WORDS)
    name = names.child(call.parent, "modelMonitors", given or names.new_id(call.world, KIND))
    if name in call.table(KIND):
        raise already_exists(f"The resource '{name}' already exists.")
    check(call, monitor)
    monitor.update(name=name, create_time=call.stamp, update_time=call.stamp)
    return _begin(call, "create", monitor)


@rpc("ModelMonitoringService.UpdateModelMonitor")
def update_model_monitor(call: Call) -> Document:
    """Long-running, by mask."""
    before = found(call, call.name)
    paths = call.params.get("update_mask")
    changed = masks.apply(before, call.params["model_monitor"], paths, _CHANGEABLE)
    check(call, changed)
    changed["update_time"] = call.stamp
    return _begin(call, "update", changed)


def _begin(call: Call, what: str, monitor: Document) -> Document:
    return lro.begin(
        call,
        on=monitor["name"],
        metadata=f"{what.title()}ModelMonitorOperationMetadata",
        response=KIND,
        work=(f"model-monitor.{what}", {"scope": [call.scope.account, call.scope.region], "monitor": monitor}),
    )


def _created(world: World, _: str, arguments: Document) -> Document:
    monitor: Document = arguments["monitor"]
    with world.lock:
        return dict(world.table(KIND, Scope(*arguments["scope"])).put(monitor["name"], monitor))


@rpc("ModelMonitoringService.GetModelMonitor")
def get_model_monitor(call: Call) -> Document:
    """One monitor."""
    return found(call, call.name)


@rpc("ModelMonitoringService.ListModelMonitors")
def list_model_monitors(call: Call) -> Document:
    """By name, display_name, create_time."""
    fields = {key: key for key in ("name", "display_name", "create_time", "update_time", "model_monitoring_target")}
    return listed(call, call.table(KIND), "model_monitors", filters=fields)


@rpc("ModelMonitoringService.DeleteModelMonitor")
def delete_model_monitor(call: Call) -> Document:
    """Long-running; with schedules by force only, which deletes them too (DeleteModelMonitorRequest.force)."""
    found(call, call.name)
    schedules = _schedules(call)
    if schedules and not call.params.get("force"):
        raise failed_precondition(f"The model monitor {call.name} has {len(schedules)} schedules; set force to delete.")
    work = {"scope": [call.scope.account, call.scope.region], "monitor": call.name, "schedules": schedules}
    return lro.begin(
        call,
        on=call.name,
        metadata="DeleteOperationMetadata",
        response="Empty",
        work=("model-monitor.delete", work),
    )


def _schedules(call: Call) -> list[str]:
    """Names of the schedules that start jobs of the monitor."""
    rows = call.world.table("Schedule", call.scope)
    return [
        row["name"]
        for row in rows
        if names.canonical(call.world, row.get("create_model_monitoring_job_request", {}).get("parent", ""))
        == call.name
    ]


def _deleted(world: World, _: str, arguments: Document) -> None:
    scope, name = Scope(*arguments["scope"]), arguments["monitor"]
    for schedule in arguments["schedules"]:
        try:
            world.call(scope, "ScheduleService.DeleteSchedule", {"name": schedule}, "v1beta1")
        except GoogleError as error:
            if error.code != "NOT_FOUND":
                raise
    with world.lock:
        world.table(KIND, scope).delete(name)
        for kind in (JOBS, STATS):
            table = world.table(kind, scope)
            for key, row in table.items():
                if row["_monitor"] == name:
                    table.delete(key)
