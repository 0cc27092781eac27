"""PipelineExperimentConfig: the experiment and the trial of an execution, made when they are not there."""

from __future__ import annotations

import contextlib

from cloudml_sagemaker.mock.core.errors import AwsError, validation
from cloudml_sagemaker.mock.core.operations import OPERATIONS, Call
from cloudml_sagemaker.mock.core.store import Document
from cloudml_sagemaker.mock.core.world import iso
from cloudml_sagemaker.mock.pipelines import records
from cloudml_sagemaker.mock.pipelines.definition import Definition, Resolver, Unresolved


def attach(call: Call, definition: Definition, record: Document) -> None:
    """Put the execution's names into its record and make sure of what they name. Raises ValidationException."""
    if not definition.experiment:
        return

    def none(what: str) -> Document:
        raise Unresolved(f"{what} has no value when an execution starts")

    def no_text(what: str) -> str:
        raise Unresolved(f"{what} cannot be read when an execution starts")

    arn = record["PipelineExecutionArn"]
    variables = {
        "PipelineName": records.pipeline_of(arn),
        "PipelineArn": record["PipelineArn"],
        "PipelineExecutionId": records.execution_id(arn),
        "PipelineExecutionArn": arn,
        "StartDateTime": iso(record["CreationTime"]),
        "CurrentDateTime": iso(record["CreationTime"]),
    }
    resolver = Resolver(
        definition=definition, parameters=record["_parameters"], execution=variables, step=none, s3_text=no_text
    )
    try:
        found: Document = resolver.resolve(definition.experiment)
    except Unresolved as missing:
        raise validation(f"PipelineExperimentConfig: {missing.reason}") from None
    record["PipelineExperimentConfig"] = found
    call.table(records.EXECUTIONS).put(arn, record)
    experiment, trial = found.get("ExperimentName"), found.get("TrialName")
    if experiment:
        _make(call, "CreateExperiment", {"ExperimentName": experiment})
    if experiment and trial:
        _make(call, "CreateTrial", {"ExperimentName": experiment, "TrialName": trial})


def _make(call: Call, name: str, params: Document) -> None:
    # One of that name is what is wanted; a refusal here does not keep the steps from running.
    if name in OPERATIONS:
        with contextlib.suppress(AwsError):
            call.world.call(call.scope, name, params)
