"""Operations on the steps of an execution: what it was given, what runs, and answers to Callback steps."""

from __future__ import annotations

import json

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.errors import conflict, not_found, validation
from cloudml_sagemaker.mock.core.listing import page
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.pipelines import attempts, records, requests
from cloudml_sagemaker.mock.pipelines.decide import ENDED
from cloudml_sagemaker.mock.pipelines.driver import outputs_given
from cloudml_sagemaker.mock.pipelines.kinds.base import Progress
from cloudml_sagemaker.mock.pipelines.room import Run


@operation("ListPipelineExecutionSteps")
def list_pipeline_execution_steps(call: Call) -> Parameters:
    """The steps that have begun, the latest first; steps that never run are not in the list."""
    run = requests.execution(call)
    rows = sorted(run.steps.values(), key=lambda record: float(record["StartTime"]))
    if call.params.get("SortOrder") != "Ascending":
        rows.reverse()
    return page(call, rows, "PipelineExecutionSteps")


@operation("ListPipelineParametersForExecution")
def list_pipeline_parameters_for_execution(call: Call) -> Parameters:
    """Every parameter with the value that the execution has."""
    values = requests.execution(call).record["_parameters"]
    rows = [
        {"Name": name, "Value": value if isinstance(value, str) else json.dumps(value)}
        for name, value in values.items()
    ]
    return page(call, rows, "PipelineParameters")


@operation("DescribePipelineDefinitionForExecution")
def describe_pipeline_definition_for_execution(call: Call) -> Parameters:
    """The definition with which the execution began."""
    run = requests.execution(call)
    name = records.version_key(records.pipeline_of(run.arn), run.record["PipelineVersionId"])
    row = call.table(records.VERSIONS)[name]
    return {"PipelineDefinition": row["PipelineDefinition"], "CreationTime": row["CreationTime"]}


@operation("SendPipelineExecutionStepSuccess", executes="the waiting Callback step ends")
def send_pipeline_execution_step_success(call: Call) -> Parameters:
    """End a Callback step with its outputs."""
    return requests.once(call, call.params["CallbackToken"], lambda: _succeeded(call))


def _succeeded(call: Call) -> Document:
    run, record = _waiting(call)
    given = {output["Name"]: output["Value"] for output in call.params.get("OutputParameters") or []}
    progress = outputs_given(run, record, given)
    if progress.status == "Failed":
        raise validation(progress.reason.removeprefix("ClientError: "))
    return _answer(call, run, record, progress)


@operation("SendPipelineExecutionStepFailure", executes="the waiting Callback step fails")
def send_pipeline_execution_step_failure(call: Call) -> Parameters:
    """End a Callback step as failed."""
    reason = str(call.params.get("FailureReason", ""))
    token = call.params["CallbackToken"]
    return requests.once(call, token, lambda: _answer(call, *_waiting(call), Progress("Failed", reason)))


def _answer(call: Call, run: Run, record: Document, progress: Progress) -> Document:
    attempts.settle(run, record, progress)
    run.room.driver.poke(call.scope, run.arn)
    return {"PipelineExecutionArn": run.arn}


def _waiting(call: Call) -> tuple[Run, Document]:
    """The step that waits for the token. Raises ResourceNotFound, ConflictException when it waits no more."""
    token = call.params["CallbackToken"]
    known = call.table(records.TOKENS).get(token)
    if known is None:
        raise not_found(f"The callback token {token} does not exist.")
    run = requests.execution(call, known["execution"])
    record = run.steps.get(known["step"])
    if record is None or record.get("_token") != token or record["StepStatus"] in ENDED:
        raise conflict(f"The step with the callback token {token} is not waiting any more.")
    return run, record
