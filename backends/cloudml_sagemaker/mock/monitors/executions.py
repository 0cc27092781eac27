"""ListMonitoringExecutions."""

from __future__ import annotations

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.listing import listed
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.monitors.running import EXECUTIONS, STATUS

_EQUAL = {
    "MonitoringScheduleName": "MonitoringScheduleName",
    "EndpointName": "EndpointName",
    "MonitoringJobDefinitionName": "MonitoringJobDefinitionName",
    "MonitoringTypeEquals": "MonitoringType",
}


@operation("ListMonitoringExecutions")
def list_monitoring_executions(call: Call) -> Parameters:
    """By schedule, endpoint, definition, type, status and times."""
    rows = [row for row in call.table(EXECUTIONS) if _wanted(call, row)]
    return listed(
        call,
        rows,
        "MonitoringExecutionSummaries",
        name="MonitoringScheduleName",
        status=STATUS,
        sorts={"ScheduledTime": "ScheduledTime"},
    )


def _wanted(call: Call, row: Document) -> bool:
    params = call.params
    if any(params.get(given) is not None and row.get(member) != params[given] for given, member in _EQUAL.items()):
        return False
    after, before = params.get("ScheduledTimeAfter"), params.get("ScheduledTimeBefore")
    scheduled: float = row["ScheduledTime"]
    return (after is None or scheduled > after) and (before is None or scheduled < before)
