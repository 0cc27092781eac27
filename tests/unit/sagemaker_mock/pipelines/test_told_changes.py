"""What others are told of executions and steps: everything that AWS's events of them carry.

Developer guide, "automating-sagemaker-with-eventbridge".
"""

from __future__ import annotations

from typing import Any

from pipeline_lab import Lab, definition, processing

from cloudml.mocks.bus import Change


def test_every_change_of_an_execution_and_its_steps_is_told(lab: Lab) -> None:
    told: list[Change] = []
    lab.mock.world.bus.subscribe(told.append, "PipelineExecution", "PipelineExecutionStep")
    cached: dict[str, Any] = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}
    name = lab.create(definition(processing("A", **cached), processing("B", "exit 2", ["A"])))
    lab.again(name)
    told.clear()
    done = lab.again(name)
    mine = [change for change in told if change.name.startswith(done.arn)]
    steps = [
        (change.details["step"], change.before, change.after)
        for change in mine
        if change.kind == "PipelineExecutionStep"
    ]
    assert steps == [
        ("A", "", "Starting"),
        ("A", "Starting", "Succeeded"),
        ("B", "", "Starting"),
        ("B", "Starting", "Executing"),
        ("B", "Executing", "Failed"),
    ]
    executions = [(change.before, change.after) for change in mine if change.kind == "PipelineExecution"]
    assert executions == [("", "Executing"), ("Executing", "Failed")]
    cache, failure = mine[2].details, mine[-2].details
    assert cache["cacheHitResult"]["SourcePipelineExecutionArn"] != done.arn
    assert failure["failureReason"] == done.steps["B"]["FailureReason"]
    assert failure["pipeline"] == f"arn:aws:sagemaker:us-east-1:123456789012:pipeline/{name}"
    assert (failure["execution"], failure["stepType"]) == (done.arn, "Processing")
    assert failure["startTime"] <= failure["endTime"]
    assert failure["metadata"] == done.steps["B"]["Metadata"]
