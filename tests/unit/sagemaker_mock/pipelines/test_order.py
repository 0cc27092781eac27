"""Who runs, when, and how it ends. Semantics: developer guide, "Pipelines steps"; AWS's SDK, StepDependency."""

from __future__ import annotations

import json

import pytest
from pipeline_lab import (
    Lab,
    condition,
    definition,
    equals,
    fail,
    function,
    get,
    on,
    output,
    parameter,
    processing,
)


def test_a_step_waits_for_what_it_depends_on_and_for_what_it_reads(lab: Lab) -> None:
    done = lab.run(
        definition(
            processing("Last", "true", after=["Middle"]),
            processing("Middle", "echo $FROM", Environment={"FROM": get("Steps.First.ProcessingJobArn")}),
            processing("First"),
        )
    )
    assert done.status == "Succeeded"
    assert list(done.statuses.items()) == [(name, "Succeeded") for name in ("First", "Middle", "Last")]
    assert done.steps["First"]["EndTime"] <= done.steps["Middle"]["StartTime"]
    assert done.steps["Middle"]["EndTime"] <= done.steps["Last"]["StartTime"]


def test_properties_are_the_describe_response(lab: Lab) -> None:
    seen = {}
    lab.lambdas["note"] = lambda event, context: seen.update(event) or {}
    done = lab.run(
        definition(
            processing("Prep", "true", ProcessingOutputConfig=output("train", "s3://data/prep/train")),
            function(
                "Note",
                "note",
                uri=get("Steps.Prep.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"),
                first=get("Steps.Prep.ProcessingOutputConfig.Outputs[0].OutputName"),
                count=get("Steps.Prep.ProcessingResources.ClusterConfig.InstanceCount"),
                job=get("Steps.Prep.ProcessingJobName"),
            ),
        )
    )
    assert done.status == "Succeeded"
    arn = done.steps["Prep"]["Metadata"]["ProcessingJob"]["Arn"]
    assert seen == {"uri": "s3://data/prep/train", "first": "train", "count": 1, "job": arn.partition("/")[2]}


def test_execution_variables(lab: Lab) -> None:
    seen = {}
    lab.lambdas["note"] = lambda event, context: seen.update(event) or {}
    names = ("PipelineName", "PipelineArn", "PipelineExecutionId", "PipelineExecutionArn", "StartDateTime")
    pipeline = lab.create(definition(function("Note", "note", **{name: get(f"Execution.{name}") for name in names})))
    done = lab.again(pipeline)
    assert seen["PipelineName"] == pipeline
    assert seen["PipelineArn"] == f"arn:aws:sagemaker:us-east-1:123456789012:pipeline/{pipeline}"
    assert seen["PipelineExecutionArn"] == done.arn
    assert seen["PipelineExecutionId"] == done.arn.rpartition("/")[2]
    assert seen["StartDateTime"].startswith(lab.mock.world.clock.now().strftime("%Y-%m-%dT%H:%M"))


def test_a_job_is_named_after_execution_and_step(lab: Lab) -> None:
    long = "A_step-with_a_name-that_is_as_long-as_a_name_of_a_step_may_be_64"
    done = lab.run(definition(processing(long, 'test "$JOB" = "$WANTED"', Environment={
        "JOB": get("Execution.ProcessingJobName")})))  # fmt: skip
    name = done.steps[long]["Metadata"]["ProcessingJob"]["Arn"].partition("/")[2]
    assert name.startswith(f"pipelines-{done.arn.rpartition('/')[2]}-A-step-with-a-name-that-is")
    assert len(name) <= 63
    job = lab.sagemaker.describe_processing_job(ProcessingJobName=name)
    assert job["Environment"]["JOB"] == name


@pytest.mark.parametrize(("value", "taken", "other"), [("yes", "Then", "Else"), ("no", "Else", "Then")])
def test_only_the_branch_that_is_taken_is_listed(lab: Lab, value: str, taken: str, other: str) -> None:
    text = definition(
        condition("If", [equals(get("Parameters.P"), "yes")], [processing("Then")], [processing("Else")]),
        processing("After", after=[taken]),
        processing("Never", after=[other]),
        parameters=[parameter("P")],
    )
    done = lab.run(text, {"P": value})
    assert done.statuses == {"If": "Succeeded", taken: "Succeeded", "After": "Succeeded"}
    assert done.steps["If"]["Metadata"]["Condition"]["Outcome"] == str(value == "yes")


def test_a_step_after_both_branches_never_runs(lab: Lab) -> None:
    # sagemaker-python-sdk issue 3565
    done = lab.run(
        definition(
            condition("If", [equals(1, 1)], [processing("Then")], [processing("Else")]),
            processing("Join", after=["Then", "Else"]),
        )
    )
    assert done.status == "Succeeded"
    assert set(done.steps) == {"If", "Then"}


def test_nested_conditions(lab: Lab) -> None:
    inner = condition("Inner", [equals(1, 2)], [processing("A")], [processing("B")])
    done = lab.run(definition(condition("Outer", [equals(1, 1)], [inner, processing("C")])))
    assert set(done.steps) == {"Outer", "Inner", "B", "C"}


def test_a_condition_reads_a_property_file(lab: Lab) -> None:
    evaluate = processing(
        "Eval",
        """mkdir -p /opt/ml/processing/metrics; echo '{"a": [{"rmse": 0.25}]}' > /opt/ml/processing/metrics/m.json""",
        ProcessingOutputConfig=output("metrics", "s3://data/eval"),
        PropertyFiles=[{"PropertyFileName": "Report", "OutputName": "metrics", "FilePath": "m.json"}],
    )
    value = {"Std:JsonGet": {"PropertyFile": get("Steps.Eval.PropertyFiles.Report"), "Path": "a[0].rmse"}}
    check = {"Type": "LessThan", "LeftValue": value, "RightValue": 0.3}
    done = lab.run(definition(evaluate, condition("Good", [check], [processing("Register")], [processing("Reject")])))
    assert done.status == "Succeeded", done
    assert set(done.steps) == {"Eval", "Good", "Register"}
    missing = json.loads(json.dumps(check).replace("rmse", "mae"))
    done = lab.run(definition(evaluate, condition("Good", [missing])))
    assert done.statuses == {"Eval": "Succeeded", "Good": "Failed"}
    assert "mae" in done.steps["Good"]["FailureReason"]


def test_a_fail_step_fails_the_execution_with_its_message(lab: Lab) -> None:
    message = {"Std:Join": {"On": " ", "Values": ["accuracy below", get("Parameters.Least")]}}
    done = lab.run(definition(fail("Stop", message), parameters=[parameter("Least", "Float", 0.5)]))
    assert (done.status, done.reason) == ("Failed", "Step failure: One or multiple steps failed.")
    assert done.steps["Stop"]["FailureReason"] == "accuracy below 0.5"
    assert done.steps["Stop"]["Metadata"]["Fail"]["ErrorMessage"] == "accuracy below 0.5"


def test_a_failed_job_is_the_steps_failure(lab: Lab) -> None:
    done = lab.run(definition(processing("Bad", "exit 3"), processing("Next", after=["Bad"])))
    assert (done.status, done.statuses) == ("Failed", {"Bad": "Failed"})
    job = lab.sagemaker.describe_processing_job(
        ProcessingJobName=done.steps["Bad"]["Metadata"]["ProcessingJob"]["Arn"].partition("/")[2]
    )
    # AWS's SDK, integration tests of steps: "ClientError: AlgorithmError: ...".
    assert done.steps["Bad"]["FailureReason"] == f"ClientError: {job['FailureReason']}"


def test_a_refused_request_is_the_steps_failure(lab: Lab) -> None:
    ends = {"S3Uri": get("Parameters.Uri"), "LocalPath": "/opt/ml/processing/in", "S3DataType": "S3Prefix"}
    step = processing("Bad", ProcessingInputs=[{"InputName": "in", "S3Input": {**ends, "S3InputMode": "File"}}])
    done = lab.run(definition(step, parameters=[parameter("Uri", default="no uri")]))
    assert done.status == "Failed"
    assert "ValidationException" in done.steps["Bad"]["FailureReason"]
    assert "ProcessingJob" not in done.steps["Bad"].get("Metadata", {})


@pytest.mark.parametrize(("choice", "ran"), [("hold", {"Bad", "Slow"}), ("start", {"Bad", "Slow", "After"})])
def test_independent_steps_after_a_failure_are_a_switch(lab: Lab, choice: str, ran: set[str]) -> None:
    lab.mock.world.switches.set("branches-after-failure", choice)
    gate = _Gate(lab)
    arn = lab.start(
        lab.create(
            definition(processing("Bad", "false"), function("Slow", "gate"), processing("After", after=["Slow"]))
        )
    )
    gate.wait_for(lambda: lab.look(arn).statuses.get("Bad") == "Failed")
    gate.open()
    lab.settle()
    done = lab.look(arn)
    assert (done.status, set(done.steps)) == ("Failed", ran)
    assert done.statuses["Slow"] == "Succeeded"


class _Gate:
    """A Lambda function `gate` that ends when the test says so."""

    def __init__(self, lab: Lab) -> None:
        import threading

        self._open = threading.Event()
        lab.lambdas["gate"] = lambda event, context: {"opened": self._open.wait(30)}

    def open(self) -> None:
        self._open.set()

    def wait_for(self, holds: object) -> None:
        import time

        limit = time.monotonic() + 20
        while not holds():  # type: ignore[operator]
            assert time.monotonic() < limit
            time.sleep(0.01)


@pytest.mark.parametrize(
    ("program", "trigger", "ran", "status"),
    [
        ("true", "Failed", False, "Succeeded"),
        ("true", "Stopped", False, "Succeeded"),
        ("true", "Any", True, "Succeeded"),
        ("false", "Failed", True, "CompletedWithFailures"),
        ("false", "Stopped", False, "Failed"),
        ("false", "Any", True, "CompletedWithFailures"),
    ],
)
def test_run_conditions(lab: Lab, program: str, trigger: str, ran: bool, status: str) -> None:
    done = lab.run(definition(processing("Train", program), processing("Notify", after=[on("Train", trigger)])))
    assert ("Notify" in done.steps, done.status) == (ran, status)


def test_steps_after_a_handler_run_and_those_after_the_failure_do_not(lab: Lab) -> None:
    done = lab.run(
        definition(
            processing("Train", "false"),
            processing("Use", after=["Train"]),
            processing("Notify", after=[on("Train", "Failed")]),
            processing("Audit", after=["Notify"]),
        )
    )
    assert done.status == "CompletedWithFailures"
    assert set(done.steps) == {"Train", "Notify", "Audit"}


def test_a_handler_that_fails_itself_fails_the_execution(lab: Lab) -> None:
    done = lab.run(definition(processing("Train", "false"), processing("Notify", "false", [on("Train", "Failed")])))
    assert done.status == "Failed"


@pytest.mark.parametrize(("choice", "ran", "status"), [("skip", False, "Failed"), ("run", True, "Failed")])
def test_any_on_a_step_that_never_ran_is_a_switch(lab: Lab, choice: str, ran: bool, status: str) -> None:
    lab.mock.world.switches.set("trigger-any-on-never-run", choice)
    done = lab.run(
        definition(
            processing("Train", "false"),
            processing("Eval", after=["Train"]),
            processing("Clean", after=[on("Eval", "Any")]),
        )
    )
    assert ("Clean" in done.steps, done.status) == (ran, status)


@pytest.mark.parametrize("where", ["pipeline", "start"])
def test_no_more_steps_at_once_than_allowed(lab: Lab, where: str) -> None:
    now, most = [0], [0]
    import threading
    import time

    lock = threading.Lock()

    def count(event: object, context: object) -> dict[str, object]:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return {}

    lab.lambdas["count"] = count
    text = definition(*(function(f"S{number}", "count") for number in range(8)))
    limit = {"MaxParallelExecutionSteps": 3}
    pipeline = lab.create(
        text, ParallelismConfiguration=limit if where == "pipeline" else {"MaxParallelExecutionSteps": 1}
    )
    done = lab.again(pipeline, **({"ParallelismConfiguration": limit} if where == "start" else {}))
    assert done.status == "Succeeded"
    assert most[0] == 3


def test_a_job_stopped_by_somebody_else(lab: Lab) -> None:
    lab.mock.world.faults.add(lab.mock.world.faults.parse("hang:ProcessingJob/*"))
    text = definition(processing("Train"), processing("Notify", after=[on("Train", "Stopped")]))
    for pipeline, ends in ((text, "CompletedWithFailures"), (definition(processing("Train")), "Stopped")):
        arn = lab.start(lab.create(pipeline))
        lab.settle()
        lab.mock.world.faults.clear()
        job = lab.look(arn).steps["Train"]["Metadata"]["ProcessingJob"]["Arn"].partition("/")[2]
        lab.sagemaker.stop_processing_job(ProcessingJobName=job)
        lab.settle(200)
        assert lab.look(arn).statuses["Train"] == "Stopped"
        assert lab.look(arn).status == ends
        lab.mock.world.faults.add(lab.mock.world.faults.parse("hang:ProcessingJob/*"))
