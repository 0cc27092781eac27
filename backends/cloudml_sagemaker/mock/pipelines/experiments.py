"""What an execution is recorded under: its experiment and trial, made when they are not there, and its MLflow names.

Developer guide, "Amazon SageMaker Experiments Integration".
"""

from __future__ import annotations

import contextlib
import re

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.errors import AwsError, validation
from cloudml_sagemaker.mock.core.operations import Call
from cloudml_sagemaker.mock.core.world import iso
from cloudml_sagemaker.mock.pipelines import records
from cloudml_sagemaker.mock.pipelines.definition import Definition, Resolver, Unresolved

_TRACKED = frozenset({"ProcessingJob", "TrainingJob", "TransformJob"})
"""Kinds of jobs whose requests take an ExperimentConfig (service model)."""


def attach(call: Call, definition: Definition, record: Document) -> None:
    """Put the execution's names into its record and make sure of what they name. Raises ValidationException."""
    resolver = _resolver(call, definition, record)
    arn = record["PipelineExecutionArn"]
    if definition.mlflow is not None:
        given = {"MlflowExperimentName": call.params.get("MlflowExperimentName")}
        told = {name: value for name, value in given.items() if value is not None}
        record["MLflowConfig"] = {**_resolved(resolver, "MlflowConfig", definition.mlflow), **told}
    if definition.experiment is not None:
        # The names that are used when none is given (developer guide).
        found = {
            "ExperimentName": records.pipeline_of(arn),
            "TrialName": records.execution_id(arn),
            **_resolved(resolver, "PipelineExperimentConfig", definition.experiment),
        }
        record["PipelineExperimentConfig"] = found
        _make(call, "CreateExperiment", {"ExperimentName": found["ExperimentName"]})
        _make(call, "CreateTrial", found)
        record["_trial"] = _there(call, "DescribeTrial", {"TrialName": found["TrialName"]})
    call.table(records.EXECUTIONS).put(arn, record)


def of_job(record: Document, kind: str, step: str) -> Document:
    """The ExperimentConfig of a step's job as members of its request: it becomes a component of the trial."""
    if kind not in _TRACKED or not record.get("_trial"):
        return {}
    shown = re.sub("[^A-Za-z0-9-]", "-", step).strip("-")
    named = {"TrialComponentDisplayName": shown} if shown else {}
    return {"ExperimentConfig": {**record["PipelineExperimentConfig"], **named}}


def _resolver(call: Call, definition: Definition, record: Document) -> Resolver:
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
    return Resolver(
        definition=definition, parameters=record["_parameters"], execution=variables, step=none, s3_text=no_text
    )


def _resolved(resolver: Resolver, name: str, config: Document) -> Document:
    try:
        return {member: str(resolver.resolve(value)) for member, value in config.items()}
    except Unresolved as missing:
        raise validation(f"{name}: {missing.reason}") from None


def _make(call: Call, name: str, params: Document) -> None:
    # One of that name is what is wanted; a refusal here does not keep the steps from running.
    with contextlib.suppress(AwsError):
        call.world.call(call.scope, name, params)


def _there(call: Call, name: str, params: Document) -> bool:
    try:
        call.world.call(call.scope, name, params)
    except AwsError:
        return False
    return True
