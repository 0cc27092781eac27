"""Monitoring alerts: one for each schedule, InAlert when enough of its last executions found violations.

Source: API reference, UpdateMonitoringAlert (DatapointsToAlert of EvaluationPeriod) and MonitoringAlertSummary. How
AWS names the alert is not published; here it bears the schedule's name.
"""

from __future__ import annotations

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core.errors import not_found, validation
from cloudml_sagemaker.mock.core.listing import listed, page
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.core.world import World

ALERTS = "MonitoringAlert"
HISTORY = "MonitoringAlertHistory"
PAGE = 100
"""The default of MaxResults (API reference, ListMonitoringAlerts and ListMonitoringAlertHistory)."""


def enter(call: Call, schedule: str) -> None:
    """The alert of a new schedule. Needs the lock."""
    call.table(ALERTS).put(
        schedule,
        {
            "MonitoringAlertName": schedule,
            "MonitoringScheduleName": schedule,
            "CreationTime": call.now,
            "LastModifiedTime": call.now,
            "AlertStatus": "OK",
            "DatapointsToAlert": 1,
            "EvaluationPeriod": 1,
            "Actions": {"ModelDashboardIndicator": {"Enabled": True}},
        },
    )


def remove(call: Call, schedule: str) -> None:
    """The schedule is gone; the history of its alert stays."""
    call.table(ALERTS).delete(schedule)


def evaluate(world: World, scope: Scope, schedule: str) -> None:
    """An execution has ended: look at the last ones. Needs the lock."""
    table = world.table(ALERTS, scope)
    alert = table.get(schedule)
    if alert is None:
        return
    rows = [row for row in world.table("MonitoringExecution", scope) if row["MonitoringScheduleName"] == schedule]
    statuses = [row["MonitoringExecutionStatus"] for row in rows]
    told = [status for status in statuses if status in {"Completed", "CompletedWithViolations"}]
    found = told[-alert["EvaluationPeriod"] :].count("CompletedWithViolations")
    status = "InAlert" if found >= alert["DatapointsToAlert"] else "OK"
    if status != alert["AlertStatus"]:
        alert.update(AlertStatus=status, LastModifiedTime=world.now())
        table.put(schedule, alert)
        row = {
            "MonitoringScheduleName": schedule,
            "MonitoringAlertName": alert["MonitoringAlertName"],
            "CreationTime": world.now(),
            "AlertStatus": status,
        }
        world.table(HISTORY, scope).put(world.unique(HISTORY), row)


def _found(call: Call) -> Document:
    name = call.params["MonitoringScheduleName"]
    alert = call.table(ALERTS).get(name)
    if alert is None:
        raise not_found(f"Monitoring Schedule with name {name} does not exist.")
    return alert


@operation("ListMonitoringAlerts")
def list_monitoring_alerts(call: Call) -> Parameters:
    """The alert of a schedule."""
    return page(call, [_found(call)], "MonitoringAlertSummaries", size=PAGE)


@operation("UpdateMonitoringAlert")
def update_monitoring_alert(call: Call) -> Parameters:
    """How many of how many executions raise it."""
    alert = _found(call)
    params = call.params
    if params["MonitoringAlertName"] != alert["MonitoringAlertName"]:
        raise not_found(f"Monitoring alert {params['MonitoringAlertName']} does not exist.")
    if params["DatapointsToAlert"] > params["EvaluationPeriod"]:
        raise validation("DatapointsToAlert must not be greater than EvaluationPeriod.")
    alert.update(
        DatapointsToAlert=params["DatapointsToAlert"],
        EvaluationPeriod=params["EvaluationPeriod"],
        LastModifiedTime=call.now,
    )
    call.table(ALERTS).put(alert["MonitoringScheduleName"], alert)
    evaluate(call.world, call.scope, alert["MonitoringScheduleName"])
    schedule = call.table("MonitoringSchedule")[alert["MonitoringScheduleName"]]
    return {
        "MonitoringScheduleArn": schedule["MonitoringScheduleArn"],
        "MonitoringAlertName": alert["MonitoringAlertName"],
    }


@operation("ListMonitoringAlertHistory")
def list_monitoring_alert_history(call: Call) -> Parameters:
    """Every change of status."""
    wanted = [(name, call.params.get(name)) for name in ("MonitoringScheduleName", "MonitoringAlertName")]
    rows = [row for row in call.table(HISTORY) if all(value is None or row[name] == value for name, value in wanted)]
    return listed(call, rows, "MonitoringAlertHistory", name="MonitoringAlertName", status="AlertStatus", size=PAGE)
