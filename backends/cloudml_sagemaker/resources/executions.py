"""Runs that must end before their pipeline can go."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cloudml.errors import StateError
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.resources.kind import World

LIVE = frozenset({"Executing", "Stopping"})
"""PipelineExecutionStatus of runs that have not ended (service model)."""
_SAGEMAKER = "sagemaker"


@dataclass(frozen=True)
class Patience:
    """How long a stop is waited for: a job has 120 s to end (developer guide, "stop signal"), its steps then follow."""

    seconds: float = 900.0
    first: float = 0.2
    longest: float = 10.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


def of(world: World, pipeline: str) -> list[dict[str, Any]]:
    """Summaries of the runs of a pipeline; none when there is no such pipeline. Raises AwsError."""
    listing = ("ListPipelineExecutions", "PipelineExecutionSummaries")
    try:
        return list(world.client.pages(_SAGEMAKER, *listing, PipelineName=pipeline))
    except AwsError as error:
        if error.kind == "missing":
            return []
        raise


def live(world: World, pipeline: str) -> list[str]:
    """ARNs of the runs that have not ended."""
    found = of(world, pipeline)
    return [one["PipelineExecutionArn"] for one in found if one["PipelineExecutionStatus"] in LIVE]


def stop_all(world: World, pipeline: str, patience: Patience = Patience()) -> None:
    """Stop every run of a pipeline and wait for the end of each. Raises AwsError, StateError when one does not end."""
    for arn in live(world, pipeline):
        stop_one(world, arn, patience)


def stop_one(world: World, arn: str, patience: Patience = Patience()) -> None:
    """Stop a run and wait for its end. Raises AwsError, StateError when it does not end."""
    deadline, pause = patience.clock() + patience.seconds, patience.first
    _stop(world, arn)
    while _lives(world, arn):
        _answer_for_people(world, arn)
        if patience.clock() > deadline:
            raise StateError(
                f"the run {arn} did not stop within {patience.seconds:g} s",
                hint="look at it in the console, then do this again",
            )
        patience.sleep(pause)
        pause = min(patience.longest, pause * 2)


def _lives(world: World, arn: str) -> bool:
    found = world.client.find(_SAGEMAKER, "DescribePipelineExecution", PipelineExecutionArn=arn)
    return found is not None and found["PipelineExecutionStatus"] in LIVE


def _stop(world: World, arn: str) -> None:
    """A run that ended meanwhile is refused to be stopped; that is as good."""
    try:
        world.client.call(_SAGEMAKER, "StopPipelineExecution", PipelineExecutionArn=arn)
    except AwsError as error:
        if error.kind not in ("conflict", "missing", "invalid"):
            raise


def _answer_for_people(world: World, arn: str) -> None:
    """A run that waits for a person stops only when the question is answered (developer guide, Callback step)."""
    listing = ("ListPipelineExecutionSteps", "PipelineExecutionSteps")
    try:
        steps = list(world.client.pages(_SAGEMAKER, *listing, PipelineExecutionArn=arn))
        for step in steps:
            token = step.get("Metadata", {}).get("Callback", {}).get("CallbackToken")
            if token and step.get("StepStatus") in ("Executing", "Stopping"):
                world.client.call(
                    _SAGEMAKER,
                    "SendPipelineExecutionStepFailure",
                    CallbackToken=token,
                    FailureReason="the pipeline is being removed",
                )
    except AwsError as error:
        if error.kind not in ("conflict", "missing", "invalid"):
            raise
