"""Driving a launcher: start, look again, cancel. What it needs to go on is in `Progress.state`."""

from __future__ import annotations

from collections.abc import Mapping

from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.pipelines.launchers.changes import CHANGES, get_model
from cloudml_vertex.mock.pipelines.launchers.command import Launch
from cloudml_vertex.mock.pipelines.launchers.jobs import JOBS
from cloudml_vertex.mock.pipelines.launchers.progress import Call, Document, Failed, Progress, gcp_resources
from cloudml_vertex.mock.pipelines.launchers.strict import strictly


def start(launch: Launch, call: Call, stored: str | None = None, labels: Mapping[str, str] | None = None) -> Progress:
    """Do what the launcher does first: create the job or the operation.

    `stored` is what an earlier attempt wrote to `launch.gcp_resources`; a job that it names is waited for again (an
    operation is made anew). `labels` are those of the pipeline run, which launchers give to what they create.
    """
    try:
        return _start(launch, strictly(call), stored, labels or {})
    except Failed as failure:
        return Progress({}, error=str(failure))
    except GoogleError as error:
        return Progress({}, error=f"Failed to create the resource. Error: {error}")


def poll(launch: Launch, state: Document, call: Call) -> Progress:
    """Look at what was started."""
    name = str(state["name"])
    try:
        if launch.kind in JOBS:
            files = JOBS[launch.kind].look(launch, name, call)
            return Progress(state, name, files or {}, done=files is not None)
        return _operation(launch, call("Operations.GetOperation", {"name": name}))
    except Failed as failure:
        return Progress(state, name, error=str(failure))
    except GoogleError as error:
        return Progress(state, name, error=str(error))


def cancel(launch: Launch, state: Document, call: Call) -> None:
    """Ask for the end of what was started. Raises GoogleError."""
    if launch.kind in JOBS:
        JOBS[launch.kind].cancel(str(state["name"]), call)
    elif launch.kind in CHANGES:
        call("Operations.CancelOperation", {"name": state["name"]})


def _start(launch: Launch, call: Call, stored: str | None, labels: Mapping[str, str]) -> Progress:
    if launch.kind in JOBS:
        name, files = JOBS[launch.kind].begin(launch, call, stored, labels)
        return Progress({"name": name}, name, files)
    if launch.kind == "GetModel":
        name, files = get_model(launch, call)
        return Progress({"name": name}, name, files, done=True)
    change = CHANGES[launch.kind]
    operation = call(change.rpc, change.request(launch, call, labels))
    begun = gcp_resources(launch, "VertexLro", str(operation["name"]))
    progress = _operation(launch, operation)
    return Progress(progress.state, progress.resource, {**begun, **progress.files}, progress.done, progress.error)


def _operation(launch: Launch, operation: Document) -> Progress:
    name = str(operation["name"])
    error = operation.get("error", {})
    if error.get("code"):
        shown = f"{error['code']} {error.get('message', '')}".strip()
        return Progress({"name": name}, name, error=f"Failed to create the resource. Error: {shown}")
    if not operation.get("done"):
        return Progress({"name": name}, name)
    return Progress({"name": name}, name, CHANGES[launch.kind].outputs(launch, operation), done=True)
