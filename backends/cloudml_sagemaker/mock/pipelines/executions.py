"""Operations on executions: start, describe, list, change, stop and retry."""

from __future__ import annotations

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.errors import conflict, validation
from cloudml_sagemaker.mock.core.listing import listed
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.pipelines import experiments, records, requests, selective
from cloudml_sagemaker.mock.pipelines.definition import start_parameters
from cloudml_sagemaker.mock.pipelines.room import Run, room_of

RUNNING_QUOTA = 20
"""Executions at a time (developer guide, quotas)."""


@operation("StartPipelineExecution", executes="the steps run, as the definition orders them")
def start_pipeline_execution(call: Call) -> Parameters:
    """Start an execution of a version."""
    document = requests.pipeline(call, call.params["PipelineName"])
    return requests.once(call, document["PipelineName"], lambda: _start(call, document))


def _start(call: Call, document: Document) -> Document:
    params = call.params
    if params.get("RoleArn"):
        raise validation("RoleArn can be specified only for pipelines that Amazon Web Services manages.")
    row = requests.version(call, document, params.get("PipelineVersionId"), params.get("PipelineVersionAlias"))
    table, room = call.table(records.EXECUTIONS), room_of(call.world)
    requests.within_quota(
        call,
        lambda: sum(1 for other in table if other["PipelineExecutionStatus"] in records.LIVE),
        RUNNING_QUOTA,
        "Number of concurrent pipeline executions",
    )
    definition = room.plan(row["PipelineDefinition"]).definition
    chosen = selective.choose(call, document, definition)
    given = params.get("PipelineParameters") or []
    if any(not item["Value"] for item in given):
        # AWS's words, as sagemaker-python-sdk issue 4016 saw them; the service model allows empty values.
        raise validation('[string "" is too short (length: 0, required minimum: 1)]')
    arn = f"{document['PipelineArn']}/execution/{call.world.unique('execution', document['PipelineName'])}"
    record: Document = {
        "PipelineArn": document["PipelineArn"],
        "PipelineExecutionArn": arn,
        "PipelineExecutionDisplayName": f"execution-{int(call.now * 1000)}",
        "PipelineVersionId": row["PipelineVersionId"],
        "CreationTime": call.now,
        "LastModifiedTime": call.now,
        **requests.given(document, "ParallelismConfiguration"),
        **requests.given(
            params,
            "PipelineExecutionDisplayName",
            "PipelineExecutionDescription",
            "ParallelismConfiguration",
            "SelectiveExecutionConfig",
        ),
        **requests.by(call, "CreatedBy", "LastModifiedBy"),
        "_parameters": start_parameters(definition, selective.parameters(chosen, given)),
        "_selected": sorted(chosen.steps) if chosen is not None else None,
        "_begun": call.now,
    }
    table.put(arn, record)
    experiments.attach(call, definition, record)
    records.set_execution(call.world, call.scope, arn, "Executing")
    if chosen is not None:
        selective.take_over(room, call.scope, arn, definition, chosen)
    row["LastExecutionPipelineExecutionArn"] = arn
    call.table(records.VERSIONS).put(records.version_key(document["PipelineName"], row["PipelineVersionId"]), row)
    document["LastRunTime"] = call.now
    call.table(records.PIPELINES).put(document["PipelineName"], document)
    room.driver.started(call.scope, arn)
    return {"PipelineExecutionArn": arn}


@operation("DescribePipelineExecution")
def describe_pipeline_execution(call: Call) -> Parameters:
    """The execution as it stands."""
    run = requests.execution(call)
    return {**run.record, "PipelineVersionAliases": _aliases(call, run.record)}


def _aliases(call: Call, record: Document) -> list[str]:
    name = records.pipeline_of(record["PipelineExecutionArn"])
    row = call.table(records.VERSIONS)[records.version_key(name, record["PipelineVersionId"])]
    return list(row["PipelineVersionAliases"])


@operation("ListPipelineExecutions")
def list_pipeline_executions(call: Call) -> Parameters:
    """Of one pipeline, the newest first."""
    document = requests.pipeline(call, call.params["PipelineName"])
    rows = [row for row in call.table(records.EXECUTIONS) if row["PipelineArn"] == document["PipelineArn"]]
    alias = call.params.get("PipelineVersionAlias")
    if alias is not None:
        number = requests.version(call, document, alias=alias)["PipelineVersionId"]
        rows = [row for row in rows if row["PipelineVersionId"] == number]
    return listed(
        call,
        rows,
        "PipelineExecutionSummaries",
        name="PipelineExecutionDisplayName",
        sorts={"PipelineExecutionArn": "PipelineExecutionArn"},
        summary=lambda row: {
            **row,
            "StartTime": row["CreationTime"],
            "PipelineExecutionFailureReason": row.get("FailureReason"),
            "PipelineVersionAliases": _aliases(call, row),
        },
    )


@operation("UpdatePipelineExecution")
def update_pipeline_execution(call: Call) -> Parameters:
    """Name, description, and how many steps run at once."""
    run = requests.execution(call)
    members = ("PipelineExecutionDescription", "PipelineExecutionDisplayName", "ParallelismConfiguration")
    run.record.update(requests.given(call.params, *members))
    run.record.update(LastModifiedTime=call.now, **requests.by(call, "LastModifiedBy"))
    call.table(records.EXECUTIONS).put(run.arn, run.record)
    run.room.driver.poke(call.scope, run.arn)
    return {"PipelineExecutionArn": run.arn}


@operation("StopPipelineExecution", executes="jobs are stopped; Lambda and Callback steps are waited for")
def stop_pipeline_execution(call: Call) -> Parameters:
    """Stop it; it is Stopping until every step has ended."""
    run = requests.execution(call)
    return requests.once(call, run.arn, lambda: _stop(call, run))


def _stop(call: Call, run: Run) -> Document:
    status = run.record["PipelineExecutionStatus"]
    if status not in records.LIVE:
        raise conflict(f"Pipeline execution '{run.arn}' cannot be stopped: its status is {status}.")
    if status == "Executing":
        run.room.driver.stop(run)
    return {"PipelineExecutionArn": run.arn}


@operation("RetryPipelineExecution", executes="failed and stopped steps run again, and what never ran")
def retry_pipeline_execution(call: Call) -> Parameters:
    """Go on with an execution that failed or was stopped; steps that succeeded keep their results."""
    run = requests.execution(call)
    return requests.once(call, run.arn, lambda: _retry(call, run))


def _retry(call: Call, run: Run) -> Document:
    status = run.record["PipelineExecutionStatus"]
    if status not in {"Failed", "Stopped", "CompletedWithFailures"}:
        raise conflict(f"Pipeline execution '{run.arn}' cannot be retried: its status is {status}.")
    if any(record["_type"] == "Fail" for record in run.steps.values()):
        raise validation(f"Pipeline execution '{run.arn}' cannot be retried: it was ended by a Fail step.")
    for name in _again(run):
        run.room.index.forget(call.table(records.STEPS), run.arn, name)
    for member in ("FailureReason", "_expired"):
        run.record.pop(member, None)
    run.record.update(_begun=call.now, **requests.given(call.params, "ParallelismConfiguration"))
    records.set_execution(call.world, call.scope, run.arn, "Executing")
    run.room.driver.started(call.scope, run.arn)
    return {"PipelineExecutionArn": run.arn}


def _again(run: Run) -> list[str]:
    """The records to drop: steps that did not succeed, and whatever ran after one of them by a run condition."""
    gone: list[str] = []
    for step in run.plan.order:
        record = run.steps.get(step.name)
        if record is not None and (record["StepStatus"] != "Succeeded" or step.upstream & set(gone)):
            gone.append(step.name)
    loops = set(gone)
    children = [name for name, record in run.steps.items() if run.definition.every[record["_step"]].body_of in loops]
    return gone + children
