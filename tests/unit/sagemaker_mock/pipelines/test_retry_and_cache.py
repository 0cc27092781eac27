"""Retry policies and step caching on a held clock; developer guide, "pipelines-retry-policy", "pipelines-caching"."""

from __future__ import annotations

from typing import Any

import pytest
from pipeline_lab import Done, Lab, definition, function, get, output, parameter, processing

HOUR = 3600
DAY = 24 * HOUR


def policy(*exceptions: str, **more: Any) -> dict[str, Any]:
    return {"ExceptionType": list(exceptions), "IntervalSeconds": 10, "BackoffRate": 2.0, **more}


def fault(lab: Lab, rule: str) -> None:
    lab.mock.world.faults.add(lab.mock.world.faults.parse(rule))


@pytest.mark.parametrize(
    ("kind", "exception"),
    [("internal", "SageMaker.JOB_INTERNAL_ERROR"), ("capacity", "SageMaker.CAPACITY_ERROR")],
)
def test_a_retryable_failure_is_tried_again_after_growing_intervals(lab: Lab, kind: str, exception: str) -> None:
    fault(lab, f"{kind}:ProcessingJob/*,count=2")
    arn = lab.start(lab.create(definition(processing("A", RetryPolicies=[policy(exception, MaxAttempts=3)]))))
    lab.settle()
    first = lab.look(arn).steps["A"]
    assert (first["StepStatus"], first["AttemptCount"]) == ("Starting", 2)
    lab.settle(9)
    assert lab.look(arn).steps["A"]["AttemptCount"] == 2
    lab.settle(1)
    assert lab.look(arn).steps["A"]["AttemptCount"] == 3
    lab.settle(19)
    assert lab.look(arn).status == "Executing"
    lab.settle(1)
    done = lab.look(arn)
    assert (done.status, done.steps["A"]["AttemptCount"]) == ("Succeeded", 3)
    assert "FailureReason" not in done.steps["A"]
    # Each attempt is a job of its own name.
    assert len(_jobs(lab, arn)) == 3


def _jobs(lab: Lab, arn: str) -> list[str]:
    rows = lab.sagemaker.list_processing_jobs(NameContains=arn.rpartition("/")[2], MaxResults=100)
    return [row["ProcessingJobName"] for row in rows["ProcessingJobSummaries"]]


def test_attempts_end(lab: Lab) -> None:
    fault(lab, "capacity:ProcessingJob/*")
    arn = lab.start(
        lab.create(definition(processing("A", RetryPolicies=[policy("SageMaker.CAPACITY_ERROR", MaxAttempts=2)])))
    )
    lab.settle(HOUR)
    done = lab.look(arn)
    assert (done.status, done.steps["A"]["AttemptCount"], len(_jobs(lab, arn))) == ("Failed", 3, 3)
    assert done.steps["A"]["FailureReason"].startswith("CapacityError")


def test_a_policy_that_expires(lab: Lab) -> None:
    fault(lab, "capacity:ProcessingJob/*")
    # Attempts after 10, 30 and 70 seconds; the one after 150 would be later than two minutes.
    step = processing("A", RetryPolicies=[policy("SageMaker.CAPACITY_ERROR", ExpireAfterMin=2)])
    arn = lab.start(lab.create(definition(step)))
    lab.settle(HOUR)
    assert (lab.look(arn).status, len(_jobs(lab, arn))) == ("Failed", 4)


def test_other_failures_are_not_tried_again(lab: Lab) -> None:
    everything = policy("SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT")
    done = lab.run(definition(processing("A", "exit 1", RetryPolicies=[everything])))
    assert (done.status, done.steps["A"]["AttemptCount"]) == ("Failed", 1)
    fault(lab, "capacity:ProcessingJob/*,count=1")
    done = lab.run(definition(processing("A", RetryPolicies=[policy("SageMaker.JOB_INTERNAL_ERROR")])))
    assert (done.status, done.steps["A"]["AttemptCount"]) == ("Failed", 1)


@pytest.mark.parametrize("kind", ["throttle", "internal-error", "unavailable"])
def test_faults_of_the_service_are_tried_again_without_a_policy(lab: Lab, kind: str) -> None:
    fault(lab, f"{kind}:step/A,count=2")
    arn = lab.start(lab.create(definition(processing("A"), processing("B"))))
    lab.settle(60)
    done = lab.look(arn)
    assert done.status == "Succeeded"
    assert (done.steps["A"]["AttemptCount"], done.steps["B"]["AttemptCount"]) == (3, 1)


def test_a_step_that_waits_for_its_retry_is_stopped(lab: Lab) -> None:
    fault(lab, "capacity:ProcessingJob/*")
    arn = lab.start(lab.create(definition(processing("A", RetryPolicies=[policy("SageMaker.CAPACITY_ERROR")]))))
    lab.settle()
    lab.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    lab.settle(HOUR)
    done = lab.look(arn)
    assert (done.status, done.statuses, len(_jobs(lab, arn))) == ("Stopped", {"A": "Stopped"}, 1)


CACHED = {"Enabled": True, "ExpireAfter": "P30D"}


def source(done: Done, step: str = "A") -> str | None:
    found: str | None = done.steps[step].get("CacheHitResult", {}).get("SourcePipelineExecutionArn")
    return found


def cached(**more: Any) -> str:
    return definition(
        processing("A", CacheConfig=CACHED, Environment={"E": get("Parameters.E")}, **more),
        parameters=[
            parameter("E", default="1"),
            parameter("Type", default="ml.m5.large"),
            parameter("Out", default="o"),
        ],
    )


def test_an_equal_step_is_taken_from_the_cache(lab: Lab) -> None:
    name = lab.create(cached())
    first, second = lab.again(name), lab.again(name)
    assert (source(first), source(second), second.status) == (None, first.arn, "Succeeded")
    assert second.steps["A"]["Metadata"] == first.steps["A"]["Metadata"]
    third = lab.again(name)
    assert source(third) == first.arn
    other = lab.again(name, {"E": "2"})
    assert (source(other), source(lab.again(name, {"E": "2"})), source(lab.again(name))) == (None, other.arn, first.arn)


def test_instance_type_and_outputs_are_not_in_the_key_and_inputs_are(lab: Lab) -> None:
    lab.s3.put_object(Bucket="data", Key="in/x", Body=b"1")
    ends = {"LocalPath": "/opt/ml/processing/in", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    step = processing(
        "A",
        CacheConfig=CACHED,
        ProcessingInputs=[{"InputName": "in", "S3Input": {"S3Uri": get("Parameters.In"), **ends}}],
        ProcessingOutputConfig=output("o", {"Std:Join": {"On": "/", "Values": ["s3://data", get("Parameters.Out")]}}),
    )
    step["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceType"] = get("Parameters.Type")
    wanted = [
        parameter("Type", default="ml.m5.large"),
        parameter("Out", default="a"),
        parameter("In", default="s3://data/in"),
    ]
    name = lab.create(definition(step, parameters=wanted))
    first = lab.again(name)
    lab.s3.put_object(Bucket="data", Key="in/x", Body=b"other content")
    assert source(lab.again(name, {"Type": "ml.m5.xlarge", "Out": "b"})) == first.arn
    assert source(lab.again(name, {"In": "s3://data/in/"})) is None


def test_a_hit_grows_too_old(lab: Lab) -> None:
    name = lab.create(cached())
    first = lab.again(name)
    lab.settle(30 * DAY - 60)
    assert source(lab.again(name)) == first.arn
    lab.settle(120)
    fresh = lab.again(name)
    assert source(fresh) is None
    assert source(lab.again(name)) == fresh.arn


def test_failures_other_pipelines_and_steps_without_cache_do_not_hit(lab: Lab) -> None:
    failing = lab.create(cached().replace('"true"', '"false"'))
    assert [lab.again(failing).status for _ in range(2)] == ["Failed", "Failed"]
    first = lab.create(cached())
    lab.again(first)
    assert source(lab.again(lab.create(cached()))) is None
    plain = lab.create(definition(processing("A")))
    lab.again(plain)
    assert source(lab.again(plain)) is None


def test_lambda_steps_are_cached_by_their_arguments(lab: Lab) -> None:
    calls: list[Any] = []

    def count(event: Any) -> dict[str, int]:
        calls.append(event)
        return {"n": len(calls)}

    lab.lambdas["count"] = count
    step = {**function("A", "count", outputs=["n:Integer"], x=get("Parameters.X")), "CacheConfig": CACHED}
    name = lab.create(definition(step, function("B", "count", y=get("Steps.A.OutputParameters['n']")),
                                 parameters=[parameter("X", default="1")]))  # fmt: skip
    first = lab.again(name)
    second = lab.again(name)
    assert (source(second), second.outputs("A")) == (first.arn, {"n": "1"})
    assert [call for call in calls if "x" in call] == [{"x": "1"}]
    assert [call for call in calls if "y" in call] == [{"y": 1}, {"y": 1}]


def test_properties_of_a_cached_step_are_the_former_jobs(lab: Lab) -> None:
    seen: list[Any] = []
    lab.lambdas["see"] = lambda event: {"length": seen.append(event["job"])}  # type: ignore[func-returns-value]
    name = lab.create(
        definition(processing("A", CacheConfig=CACHED), function("B", "see", job=get("Steps.A.ProcessingJobArn")))
    )
    lab.again(name)
    lab.again(name)
    assert seen[0] == seen[1]
