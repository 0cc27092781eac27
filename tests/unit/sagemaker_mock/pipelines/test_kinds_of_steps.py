"""Each kind of step leaves behind, shows and gives on what AWS's documents say of it."""

from __future__ import annotations

import io
import json
import zipfile
from types import SimpleNamespace
from typing import Any

import pytest
from pipeline_lab import (
    FUNCTION,
    IMAGE,
    ROLE,
    Lab,
    condition,
    container,
    definition,
    equals,
    function,
    get,
    on,
    parameter,
    processing,
    register,
)

from cloudml_sagemaker.mock.pipelines.kinds import KINDS


def test_lambda_outputs_are_typed_and_nested_ones_are_text(lab: Lab) -> None:
    lab.lambdas["give"] = lambda event: {"s": "x", "i": 3, "f": 0.5, "b": True, "n": {"a": [1]}, "other": 1}
    seen: dict[str, Any] = {}
    lab.lambdas["see"] = lambda event, context: seen.update(event) or {}
    outputs = ("s", "i:Integer", "f:Float", "b:Boolean", "n")
    values = {name[0]: get(f"Steps.Give.OutputParameters['{name[0]}']") for name in outputs}
    done = lab.run(definition(function("Give", "give", outputs=outputs), function("See", "see", **values)))
    assert done.status == "Succeeded", done
    assert seen == {"s": "x", "i": 3, "f": 0.5, "b": True, "n": '{"a": [1]}'}
    assert done.outputs("Give") == {"s": "x", "i": "3", "f": "0.5", "b": "true", "n": '{"a": [1]}'}
    assert done.steps["Give"]["Metadata"]["Lambda"]["Arn"] == FUNCTION + "give"


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (lambda event: 1 / 0, "ZeroDivisionError"),
        (lambda event: {"i": "many"}, "Integer"),
        (lambda event: "no dictionary", "dictionary"),
        (lambda event: {"i": {1, 2}}, "TypeError"),
    ],
)
def test_lambda_functions_that_fail(lab: Lab, handler: Any, words: str) -> None:
    lab.lambdas["bad"] = handler
    done = lab.run(definition(function("A", "bad", outputs=["i:Integer"])))
    assert done.status == "Failed"
    assert words in done.steps["A"]["FailureReason"]


def test_an_unknown_lambda_function(lab: Lab) -> None:
    done = lab.run(definition(function("A", "nobody")))
    assert "Function not found" in done.steps["A"]["FailureReason"]


def archive(**files: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as opened:
        for name, text in files.items():
            opened.writestr(name.replace("_py", ".py"), text)
    return data.getvalue()


def test_the_archive_of_a_function_in_lambda_runs_in_a_process(lab: Lab) -> None:
    from pipeline_lab import client

    iam, remote = client(lab.mock.url, "iam"), client(lab.mock.url, "lambda")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Service": ["lambda.amazonaws.com", "sagemaker.amazonaws.com"]},
            }
        ],
    }
    role = iam.create_role(RoleName="ml", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    assert role == ROLE
    code = (
        "import os\ndef go(event, context):\n    return {'sum': event['a'] + int(os.environ['B']), 'pid': os.getpid()}"
    )
    broken = "def go(event, context):\n    raise KeyError('nothing')"
    for name, text in (("adder", code), ("broken", broken)):
        remote.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=role,
            Handler="main.go",
            Code={"ZipFile": archive(main_py=text)},
            Environment={"Variables": {"B": "2"}},
        )
    done = lab.run(definition(function("A", "adder", outputs=["sum:Integer", "pid:Integer"], a=40)))
    assert done.status == "Succeeded", done
    assert done.outputs("A")["sum"] == "42"
    import os

    assert int(done.outputs("A")["pid"]) != os.getpid()
    done = lab.run(definition(function("A", "broken")))
    assert "KeyError" in done.steps["A"]["FailureReason"]


def loop(name: str, items: Any, *body: dict[str, Any], width: Any = 10, **more: Any) -> dict[str, Any]:
    arguments = {"IterableItems": items, "MaxConcurrency": width, "ForEachBody": list(body), **more}
    return {"Name": name, "Type": "ForEach", "Arguments": arguments}


def test_a_loop_runs_its_body_for_each_item(lab: Lab) -> None:
    lab.lambdas["double"] = lambda event: {"n": event["x"] * 2}
    lab.lambdas["more"] = lambda event: {"n": event["x"] + 1}
    seen: dict[str, Any] = {}
    lab.lambdas["see"] = lambda event: seen.update(event) or {}
    first = function("Double", "double", outputs=["n:Integer"], x=get("ForEach.CurrentItem"))
    second = function("More", "more", outputs=["n:Integer"], x=get("Steps.Double.OutputParameters['n']"))
    field = get("IterationOutput.More.OutputParameters['n']")
    use = function(
        "Use",
        "see",
        best=get("Steps.Loop.Selected.OutputParameters['n']"),
        middle=get("Steps.Loop.IterationOutputs[1].Double.OutputParameters['n']"),
        count=get("Steps.Loop.InputItemCount"),
        status=get("Steps.Loop.Status"),
    )
    done = lab.run(definition(loop("Loop", [3, 5, 4], first, second, Selector={"Pick": "MaxBy", "Field": field}), use))
    assert done.status == "Succeeded", done
    assert seen == {"best": 11, "middle": 10, "count": 3, "status": "Succeeded"}
    children = {f"{body}-{number}" for body in ("Double", "More") for number in range(3)}
    assert set(done.steps) == {"Loop", "Use"} | children
    assert done.steps["More-2"]["IterationContext"] == {"ParentStepName": "Loop", "Index": 2, "Item": "4"}
    assert done.outputs("More-2") == {"n": "9"}
    assert done.steps["Loop"]["Metadata"]["ForEach"] == {
        "Status": "Succeeded",
        "InputItemCount": 3,
        "TotalStepCount": 6,
        "SucceededStepCount": 6,
        "FailedStepCount": 0,
        "StoppedStepCount": 0,
        "Selector": {"StepName": "More", "Index": 1},
    }


def test_a_loop_over_the_text_of_a_list(lab: Lab) -> None:
    lab.lambdas["see"] = lambda event: {"name": event["name"]}
    body = function("Body", "see", outputs=["name"], name=get("ForEach.CurrentItem.name"))
    text = definition(loop("Loop", get("Parameters.Items"), body), parameters=[parameter("Items")])
    items = [json.dumps({"name": name}) for name in ("a", "b")]
    done = lab.run(text, {"Items": json.dumps(items)})
    assert [done.outputs(f"Body-{number}")["name"] for number in range(2)] == ["a", "b"]
    assert lab.run(text, {"Items": "[]"}).statuses == {"Loop": "Succeeded"}
    assert lab.run(text, {"Items": "no list"}).statuses == {"Loop": "Failed"}
    assert lab.run(text, {"Items": json.dumps(["{}"] * 101)}).statuses == {"Loop": "Failed"}


def test_a_loop_runs_so_many_children_at_once_and_fails_with_one(lab: Lab) -> None:
    order: list[int] = []

    def step(event: dict[str, Any]) -> dict[str, Any]:
        order.append(event["x"])
        if event["x"] == 2:
            raise ValueError("two")
        return {}

    lab.lambdas["step"] = step
    body = function("Body", "step", x=get("ForEach.CurrentItem"))
    done = lab.run(definition(loop("Loop", [0, 1, 2, 3, 4], body, width=1), processing("After", after=["Loop"])))
    assert order == [0, 1, 2]
    assert (done.status, done.statuses["Loop"], "After" in done.steps) == ("Failed", "Failed", False)
    told = done.steps["Loop"]["Metadata"]["ForEach"]
    assert (told["SucceededStepCount"], told["FailedStepCount"], told["TotalStepCount"]) == (2, 1, 5)


def test_a_stopped_loop(lab: Lab) -> None:
    lab.mock.world.faults.add(lab.mock.world.faults.parse("hang:ProcessingJob/*"))
    arn = lab.start(lab.create(definition(loop("Loop", ["a", "b", "c"], processing("Body"), width=2))))
    lab.settle()
    lab.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    lab.settle(200)
    done = lab.look(arn)
    assert done.status == "Stopped"
    assert done.statuses == {"Loop": "Stopped", "Body-0": "Stopped", "Body-1": "Stopped"}


def model(name: str) -> dict[str, Any]:
    arguments = {"ExecutionRoleArn": ROLE, "PrimaryContainer": container()}
    return {"Name": name, "Type": "Model", "Arguments": arguments}


def test_a_model_and_its_package(lab: Lab) -> None:
    lab.s3.put_object(Bucket="data", Key="model/model.tar.gz", Body=b"")
    seen: dict[str, Any] = {}
    lab.lambdas["see"] = lambda event: seen.update(event) or {}
    see = function("See", "see", name=get("Steps.Model.ModelName"), status=get("Steps.Register.ModelApprovalStatus"))
    done = lab.run(
        definition(model("Model"), register("Register", "churn", ModelApprovalStatus="PendingManualApproval"), see)
    )
    assert done.status == "Succeeded", done
    arn = done.steps["Model"]["Metadata"]["Model"]["Arn"]
    assert lab.sagemaker.describe_model(ModelName=seen["name"])["ModelArn"] == arn
    assert seen["status"] == "PendingManualApproval"
    package = done.steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    assert lab.sagemaker.describe_model_package(ModelPackageName=package)["ModelPackageVersion"] == 1
    again = lab.run(definition(register("Register", "churn")))
    assert again.steps["Register"]["Metadata"]["RegisterModel"]["Arn"].endswith("/churn/2")


def training(name: str, program: str = "true", **more: Any) -> dict[str, Any]:
    return {
        "Name": name,
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["sh", "-c", program],
            },
            "OutputDataConfig": {"S3OutputPath": "s3://data/models"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            "RoleArn": ROLE,
            **more,
        },
    }


def test_a_training_steps_artifacts(lab: Lab) -> None:
    seen: dict[str, Any] = {}
    lab.lambdas["see"] = lambda event: seen.update(event) or {}
    see = function("See", "see", model=get("Steps.Train.ModelArtifacts.S3ModelArtifacts"))
    done = lab.run(definition(training("Train", "echo weights > /opt/ml/model/w"), see))
    assert done.status == "Succeeded", done
    job = done.steps["Train"]["Metadata"]["TrainingJob"]["Arn"].partition("/")[2]
    assert seen["model"] == f"s3://data/models/{job}/output/model.tar.gz"
    failed = lab.run(definition(training("Train", "echo too bad > /opt/ml/output/failure; exit 1")))
    assert "too bad" in failed.steps["Train"]["FailureReason"]


def tuning(name: str, jobs: int = 2) -> dict[str, Any]:
    arguments = training("x")["Arguments"]
    del arguments["AlgorithmSpecification"]["ContainerEntrypoint"]
    arguments["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": "loss=([0-9.]+);"}]
    return {
        "Name": name,
        "Type": "Tuning",
        "Arguments": {
            "HyperParameterTuningJobConfig": {
                "Strategy": "Grid",
                "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
                "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": 2},
                "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "x", "Values": ["3.0", "1.0"]}]},
            },
            "TrainingJobDefinition": arguments,
        },
    }


@pytest.mark.parametrize(
    ("kind", "start", "exception"),
    [
        ("Processing", "InternalServerError", "SageMaker.JOB_INTERNAL_ERROR"),
        ("Training", "CapacityError", "SageMaker.CAPACITY_ERROR"),
        ("Transform", "ResourceLimitExceeded", "SageMaker.RESOURCE_LIMIT"),
        ("Training", "AlgorithmError", ""),
        ("Tuning", "CapacityError", "SageMaker.CAPACITY_ERROR"),
        ("Tuning", "InternalServerError", ""),
    ],
)
def test_the_exception_type_of_a_jobs_failure(kind: str, start: str, exception: str) -> None:
    # Developer guide, "pipelines-retry-policy": an internal error of a tuning job is not tried again.
    run: Any = SimpleNamespace(room=SimpleNamespace(waiting={}), scope=None)
    record = {"_job": {"name": "job"}}
    over = KINDS[kind].ended(run, record, {"FailureReason": f"{start}: it failed"}, "Failed")
    assert over is not None and (over.status, over.exception) == ("Failed", exception)
    assert over.reason.endswith(f"{start}: it failed")


def test_a_tuning_step_is_found_again_by_its_objective_and_not_by_its_checkpoints() -> None:
    # Developer guide, "pipelines-default-keys": the members of TrainingJobDefinition that make up the key.
    members = {member.removeprefix("TrainingJobDefinition.") for member in KINDS["Tuning"].cached or ()}
    assert members == {
        "HyperParameterTuningJobConfig",
        "AlgorithmSpecification",
        "HyperParameterRanges",
        "InputDataConfig",
        "StaticHyperParameters",
        "TuningObjective",
        "TrainingJobDefinitions",
    }


def test_names_of_tuning_jobs_have_at_most_32_characters(lab: Lab) -> None:
    arn = lab.start(lab.create(definition(tuning("A-rather-long_name-of_a-tuning_step"))))
    lab.settle(3600)
    told = lab.look(arn).steps["A-rather-long_name-of_a-tuning_step"]
    name = told["Metadata"]["TuningJob"]["Arn"].partition("/")[2]
    assert len(name) <= 32
    assert name.startswith(f"{arn.rpartition('/')[2]}-a-rather")


def test_a_condition_on_a_run_condition(lab: Lab) -> None:
    done = lab.run(
        definition(
            processing("Train", "false"),
            condition("If", [equals(1, 1)], [processing("Tell")], DependsOn=[on("Train", "Failed")]),
        )
    )
    assert (done.status, set(done.steps)) == ("CompletedWithFailures", {"Train", "If", "Tell"})
