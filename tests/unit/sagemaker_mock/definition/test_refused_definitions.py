"""What CreatePipeline refuses: one damage at a time, each refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.sagemaker_mock.definition.building import (
    ROLE,
    callback,
    check,
    condition,
    each,
    endpoint,
    endpoint_config,
    fail,
    function,
    get,
    join,
    json_get,
    metrics,
    model,
    pipeline,
    processing,
    read,
    refusal,
    register,
    training,
    transform,
    tuning,
)

EVERY = (
    processing("Prepare"),
    training("Train"),
    tuning("Tune"),
    model("Model"),
    register("Register"),
    transform("Score"),
    endpoint_config("Config"),
    endpoint("Serve"),
    check("Check"),
    function("Call"),
    callback("Ask"),
    each("Loop"),
    condition("Gate", yes=[fail("Stop")]),
)


def test_every_type_is_read() -> None:
    assert [step.type for step in read(*EVERY).steps] == [step["Type"] for step in EVERY]


TEXTS = {
    "": "0 bytes",
    "{": "valid JSON",
    "[]": "Expecting start of Json Object",
    '"text"': "Expecting start of Json Object",
    '{"Version": NaN}': "valid JSON",
    "[" * 200_000: "valid JSON",
    '{"Version": "2020-12-01", "Metadata": ' + "[" * 500 + "]" * 500 + "}": "levels",
    '{"Version": ' + "1" * 5000 + "}": "valid JSON",
    '{"Version": "2020-12-01"}': "Steps",
    '{"Version": "2020-12-01", "Steps": []}': "Steps",
    '{"Version": "2020-12-01", "Steps": {}}': "Steps",
    '{"Version": "\\ud800", "Steps": []}': "Version",
    "\ud800": "valid JSON",
    " " * 1_048_577: "1048577 bytes",
}


@pytest.mark.parametrize(("text", "words"), TEXTS.items(), ids=range(len(TEXTS)))
def test_text(text: str, words: str) -> None:
    assert words in refusal(text)


def test_bytes_that_are_no_text() -> None:
    assert "valid JSON" in refusal(b"\xff\xfe{}")


TOP = [
    ({"Version": "2019-01-01"}, "Version"),
    ({"Banana": 1}, "Banana"),
    ({"Metadata": []}, "Metadata"),
    ({"PipelineExperimentConfig": {"Nope": "x"}}, "PipelineExperimentConfig"),
    ({"PipelineExperimentConfig": {"TrialName": {"On": "-", "Values": ["a"]}}}, "neither a string nor an expression"),
    ({"MlflowConfig": {"Nope": "x"}}, "MlflowConfig"),
    ({"MlflowConfig": {"MlflowResourceArn": 5}}, "neither a string nor an expression"),
    ({"MlflowConfig": {"MlflowExperimentName": get("Parameters.Nope")}}, "Nope"),
    ({"PipelineExperimentConfig": {"ExperimentName": get("Parameters.Nope")}}, "Nope"),
    ({"PipelineExperimentConfig": {"ExperimentName": get("Steps.Prepare.ProcessingJobName")}}, "when an execution"),
    ({"Parameters": {}}, "Parameters"),
    ({"Parameters": ["x"]}, "Parameters[0]"),
    ({"Parameters": [{"Name": "a b", "Type": "String"}]}, "a b"),
    ({"Parameters": [{"Name": "x" * 65, "Type": "String"}]}, "must match"),
    ({"Parameters": [{"Name": "p", "Type": "Text"}]}, "Text"),
    ({"Parameters": [{"Name": "p", "Type": ["String"]}]}, "Type"),
    ({"Parameters": [{"Name": "p", "Type": "String", "Min": 1}]}, "Min"),
    ({"Parameters": [{"Name": "p", "Type": "String"}] * 2}, "duplicate parameter name 'p'"),
    ({"Parameters": [{"Name": "p", "Type": "Integer", "DefaultValue": "1"}]}, "not a valid Integer"),
    ({"Parameters": [{"Name": "p", "Type": "Integer", "DefaultValue": True}]}, "not a valid Integer"),
    ({"Parameters": [{"Name": "p", "Type": "Float", "DefaultValue": "x"}]}, "not a valid Float"),
    ({"Parameters": [{"Name": "p", "Type": "Boolean", "DefaultValue": 0}]}, "not a valid Boolean"),
    ({"Parameters": [{"Name": "p", "Type": "String", "DefaultValue": "x" * 4097}]}, "not a valid String"),
    ({"Parameters": [{"Name": "p", "Type": "String", "DefaultValue": "c", "EnumValues": ["a"]}]}, "EnumValues"),
    ({"Parameters": [{"Name": "p", "Type": "String", "EnumValues": []}]}, "EnumValues"),
    ({"Parameters": [{"Name": "p", "Type": "Integer", "EnumValues": [1, "2"]}]}, "EnumValues"),
    ({"Parameters": [{"Name": "p", "Type": "Integer", "EnumValues": list(range(17))}]}, "1 to 16"),
    ({"Parameters": [{"Name": f"p{i}", "Type": "String"} for i in range(201)]}, "at most 200"),
]


@pytest.mark.parametrize(("members", "words"), TOP)
def test_top_level(members: dict[str, Any], words: str) -> None:
    assert words in refusal({**pipeline(processing()), **members})


def arguments(step: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """The step with members of its Arguments replaced."""
    return {**step, "Arguments": {**step["Arguments"], **changed}}


def without(step: dict[str, Any], member: str) -> dict[str, Any]:
    """The step without a member of its Arguments."""
    return {**step, "Arguments": {name: value for name, value in step["Arguments"].items() if name != member}}


ONE_STEP: list[tuple[Any, str]] = [
    ("Prepare", "a step must be an object"),
    (processing("a b!"), "a b!"),
    (processing("x" * 65), "must match"),
    (processing(""), "must match"),
    ({**processing(), "Name": 5}, "must match"),
    ({**processing(), "Type": "BatchTransform"}, "BatchTransform"),
    ({**processing(), "Type": "EMR"}, "not served by this mock"),
    ({**processing(), "Type": {"Get": "x"}}, "Type"),
    ({"Name": "P", "Type": "Processing"}, "Arguments must be an object"),
    (processing(Banana=1), "Banana"),
    (processing(FunctionArn="x"), "FunctionArn"),
    (processing(DisplayName=5), "DisplayName"),
    (processing(Description="x" * 3073), "Description"),
    (without(processing(), "RoleArn"), "roleArn"),
    (arguments(processing(), Banana=1), "Banana"),
    (arguments(processing(), RoleArn=5), "Member must be a string"),
    (arguments(training(), StoppingCondition={"MaxRuntimeInSeconds": -1}), "greater than or equal to 1"),
    (arguments(training(), HyperParameters={"depth": 3}), "Member must be a string"),
    (arguments(tuning(), HyperParameterTuningJobConfig={"Strategy": "Luck"}), "Luck"),
    (arguments(processing(), ProcessingJobName="x" * 64), "less than or equal to 63"),
    (arguments(endpoint(), DeploymentConfig={"AutoRollbackConfiguration": {}}), "DeploymentConfig"),
    (without(endpoint(), "EndpointName"), "endpointName"),
    ({**function(), "FunctionArn": None}, "FunctionArn must not be null"),
    ({**function(), "FunctionArn": 5}, "FunctionArn"),
    ({**function(), "OutputParameters": [{"OutputName": "a"}]}, "OutputParameters"),
    (function(outputs={"a": "Text"}), "Text"),
    ({**function(), "OutputParameters": function()["OutputParameters"] * 2}, "unique"),
    (function(outputs={f"o{i}": "String" for i in range(51)}), "at most 50"),
    ({**callback(), "SqsQueueUrl": None}, "SqsQueueUrl must not be null"),
    (arguments(register(), ModelPackageName="alone"), "Unknown Argument member 'ModelPackageName'"),
    (check(CheckType="LUCK"), "LUCK"),
    (check(SkipCheck="yes"), "SkipCheck"),
    (without(check(), "ProcessingOutputConfig"), "take a processing output"),
    (arguments(check(), ProcessingOutputConfig={"Outputs": []}), "take a processing output"),
    (fail(message=5), "ErrorMessage"),
    ({**fail(), "Arguments": {}}, "ErrorMessage"),
    ({**fail(), "CacheConfig": {"Enabled": False}}, "CacheConfig"),
    (function(RetryPolicies=[]), "RetryPolicies"),
    (endpoint(RetryPolicies=[]), "RetryPolicies"),
    (model(CacheConfig={"Enabled": True, "ExpireAfter": "P1D"}), "CacheConfig"),
    (processing(CacheConfig={"Enabled": "yes"}), "CacheConfig.Enabled"),
    (processing(CacheConfig={"Enabled": True}), "ExpireAfter"),
    (processing(CacheConfig={"Enabled": True, "ExpireAfter": "soon"}), "soon"),
    (processing(CacheConfig={"Enabled": True, "ExpireAfter": "PT"}), "PT"),
    (processing(CacheConfig={"Enabled": True, "ExpireAfter": 30}), "30"),
    (processing(DependsOn="Prepare"), "DependsOn must be a list"),
    (processing(DependsOn=["Nope"]), "Nope"),
    (processing(DependsOn=[5]), "DependsOn"),
    (processing(DependsOn=["Prepare"]), "cycle"),
    (arguments(processing(), Environment={"A": get("Parameters.Nope")}), "Nope"),
    (arguments(processing(), Environment={"A": get("Execution.Weather")}), "Weather"),
    (arguments(processing(), Environment={"A": get("Secrets.Mine")}), "Secrets"),
    (arguments(processing(), Environment={"A": {"Get": 5}}), "Get takes a reference"),
    (arguments(processing(), Environment={"A": get("Steps.Prepare.ProcessingJobName")}), "cycle"),
    (arguments(processing(), Environment={"A": get("Steps.Nope.ProcessingJobName")}), "Nope"),
    (arguments(processing(), Environment={"A": get("ForEach.CurrentItem")}), "CurrentItem"),
    (arguments(processing(), Environment={"A": get("IterationOutput.Prepare.X")}), "IterationOutput"),
    (arguments(processing(), Environment={"A": {"Std:Split": {}}}), "Std:Split"),
    (arguments(processing(), Environment={"A": {"Std:Join": []}}), "Std:Join"),
    (arguments(processing(), Environment={"A": join(None)}), "Values[0]"),
    (arguments(processing(), Environment={"A": join([1])}), "Values[0]"),
    (arguments(processing(), Environment={"A": {"Std:Join": {"On": 1, "Values": ["a"]}}}), "On"),
    (function(arguments={"a": {"Std:JsonGet": {"Path": "x"}}}), "exactly one"),
    (function(arguments={"a": {"Std:JsonGet": {"S3Uri": "s3://b/k"}}}), "Path"),
    (function(arguments={"a": {"Std:JsonGet": {"S3Uri": "/tmp/x", "Path": "x"}}}), "S3 URI"),
    (function(arguments={"a": {"Std:JsonGet": {"PropertyFile": "Metrics", "Path": "x"}}}), "PropertyFiles"),
]


@pytest.mark.parametrize(("step", "words"), ONE_STEP)
def test_one_step(step: Any, words: str) -> None:
    assert words in refusal(pipeline(step))


FILE = {"PropertyFileName": "M", "OutputName": "train", "FilePath": "m.json"}
FILES = [
    ([{**FILE, "OutputName": "test"}], "test"),
    ([{**FILE, "PropertyFileName": "a b"}], "a b"),
    ([FILE, FILE], "duplicate property file 'M'"),
    ([{**FILE, "FilePath": ""}], "FilePath"),
    ([{"PropertyFileName": "M"}], "PropertyFiles"),
    (["M"], "PropertyFiles"),
]


@pytest.mark.parametrize(("files", "words"), FILES)
def test_property_files(files: list[Any], words: str) -> None:
    assert words in refusal(pipeline(processing(PropertyFiles=files)))


def policy(**members: Any) -> dict[str, Any]:
    return {"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 3, **members}


RETRIES = [
    ({}, "RetryPolicies must be a list"),
    ([5], "RetryPolicies[0]"),
    ([policy(ExceptionType=[])], "ExceptionType"),
    ([policy(ExceptionType=["Step.BAD_LUCK"])], "Step.BAD_LUCK"),
    ([policy(ExceptionType=[["Step.THROTTLING"]])], "ExceptionType"),
    ([policy(MaxAttempts=21)], "MaxAttempts"),
    ([policy(MaxAttempts=0)], "MaxAttempts"),
    ([policy(MaxAttempts=True)], "MaxAttempts"),
    ([policy(IntervalSeconds=43_201)], "IntervalSeconds"),
    ([policy(IntervalSeconds="1")], "IntervalSeconds"),
    ([policy(BackoffRate=-1)], "BackoffRate"),
    ([policy(ExpireAfterMin=5)], "not both"),
    ([{"ExceptionType": ["Step.THROTTLING"], "ExpireAfterMin": 14_401}], "ExpireAfterMin"),
    ([policy(Jitter=1)], "RetryPolicies[0]"),
]


@pytest.mark.parametrize(("policies", "words"), RETRIES)
def test_retry_policies(policies: Any, words: str) -> None:
    assert words in refusal(pipeline(training(RetryPolicies=policies)))


def test_a_number_that_is_not_finite() -> None:
    text = json.dumps(pipeline(training(RetryPolicies=[policy(BackoffRate=7)]))).replace(": 7", ": 1e999")
    assert "BackoffRate" in refusal(text)


PROPERTIES = [
    ("Steps.Prepare", "no property"),
    ("Steps.Prepare.Banana", "no property 'Banana'"),
    ("Steps.Prepare.ProcessingOutputConfig.Outputs['test'].S3Output.S3Uri", "['test']"),
    ("Steps.Prepare.ProcessingOutputConfig.Outputs[1].S3Output.S3Uri", "[1]"),
    ("Steps.Prepare.ProcessingOutputConfig.Outputs.train", "cannot be found by"),
    ("Steps.Prepare.ProcessingOutputConfig.Outputs['train'].S3Output.Nope", "Nope"),
    ("Steps.Prepare.ProcessingJobName.Deeper", "plain value"),
    ("Steps.Prepare.ProcessingInputs['raw'].S3Input.S3Uri", "'ProcessingInputs'"),
    ("Steps.Prepare.PropertyFiles.Metrics", "PropertyFiles"),
    ("Steps.Train.ModelArtifacts['S3ModelArtifacts']", "ModelArtifacts"),
    ("Steps.Train.HyperParameters[0]", "is a map"),
    ("Steps.Tune.TrainingJobSummaries[50].TrainingJobName", "first 50"),
    ("Steps.Call.Outputs.text", "no property 'Outputs'"),
    ("Steps.Call.OutputParameters['nope']", "nope"),
    ("Steps.Call.OutputParameters", "OutputParameters"),
    ("Steps.Check.ProcessingJobName", "ProcessingJobName"),
    ("Steps.Gate.Answer", "Answer"),
    ("Steps.Gate.Outcome.Deep", "plain value"),
    ("Steps.Loop.IterationOutputs.Body.OutputParameters['text']", "IterationOutputs"),
    ("Steps.Loop.IterationOutputs[0].Other.OutputParameters['text']", "IterationOutputs"),
    ("Steps.Loop.IterationOutputs[0].Body.OutputParameters['nope']", "nope"),
    ("Steps.Loop.Selected.OutputParameters['text']", "no Selector"),
    ("Steps.Body.OutputParameters['text']", "stands in the body of ForEach step 'Loop'"),
    ("Steps.Stop.ErrorMessage", "Fail step has no properties"),
    ("Steps.Prepare.Outputs[", "Get takes a reference"),
]


@pytest.mark.parametrize(("reference", "words"), PROPERTIES)
def test_properties(reference: str, words: str) -> None:
    assert words in refusal(pipeline(*EVERY, function("Reader", {"a": get(reference)})))


FINE = [
    "Steps.Prepare.ProcessingJobName",
    "Steps.Prepare.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri",
    'Steps.Prepare.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri',
    "Steps.Prepare.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri",
    "Steps.Prepare.ExitMessage",
    "Steps.Train.ModelArtifacts.S3ModelArtifacts",
    "Steps.Train.HyperParameters['depth']",
    "Steps.Train.FinalMetricDataList['auc'].Value",
    "Steps.Tune.BestTrainingJob.TrainingJobName",
    "Steps.Tune.TrainingJobSummaries[49].TrainingJobName",
    "Steps.Model.ModelName",
    "Steps.Register.ModelPackageArn",
    "Steps.Score.TransformOutput.S3OutputPath",
    "Steps.Config.EndpointConfigName",
    "Steps.Serve.EndpointArn",
    "Steps.Check.CalculatedBaselineStatistics",
    "Steps.Call.OutputParameters['text']",
    "Steps.Ask.OutputParameters['answer']",
    "Steps.Gate.Outcome",
    "Steps.Loop.Status",
    "Steps.Loop.InputItemCount",
    "Steps.Loop.IterationOutputs[1].Body.OutputParameters['text']",
    "Execution.PipelineExecutionId",
    "Execution.CurrentDateTime",
]


@pytest.mark.parametrize("reference", FINE)
def test_properties_that_are_there(reference: str) -> None:
    found = read(*EVERY, function("Reader", {"a": get(reference)})).every["Reader"]
    parts = reference.split(".")
    assert found.references == ({parts[1]} if parts[0] == "Steps" else set())


GRAPHS: list[tuple[list[Any], str]] = [
    ([processing("A"), processing("A")], "Duplicate step name 'A'"),
    ([condition(yes=[processing("A")], no=[processing("A")])], "Duplicate step name 'A'"),
    ([processing("A"), each(body=[function("A")])], "Duplicate step name 'A'"),
    ([processing("A", DependsOn=["B"]), processing("B", DependsOn=["A"])], "cycle: A -> B -> A"),
    ([processing("A", DependsOn=["B"]), condition("G", yes=[processing("B", DependsOn=["A"])])], "cycle"),
    ([processing("A", DependsOn=["B"]), condition("G", yes=[processing("B")], DependsOn=["A"])], "cycle"),
    ([condition("G", conditions=[{"Type": "Equals", "LeftValue": get("Steps.G.Outcome"), "RightValue": 1}])], "cycle"),
    ([each("L", body=[function("B", {"a": get("Steps.L.Status")})])], "cycle"),
    ([each("L", body=[function("B", DependsOn=["C"]), function("C", DependsOn=["B"])])], "cycle"),
    ([each("L", body=[function("B", DependsOn=["A"])]), processing("A", DependsOn=["L"])], "cycle"),
    ([processing("A", DependsOn=["Stop"]), condition(yes=[fail("Stop")])], "Fail step 'Stop'"),
    ([processing("A", DependsOn=["Gate"]), condition()], "Condition step 'Gate'"),
    ([processing("A"), processing("B", DependsOn=["A", "A"])], "twice"),
    ([processing("A"), processing("B", DependsOn=[{"Step": "A", "Trigger": "Bored"}])], "Bored"),
    ([processing("A"), processing("B", DependsOn=[{"Step": "A", "When": "Failed"}])], "DependsOn"),
    ([processing("A", DependsOn=["Body"]), each()], "stands in the body"),
    ([condition(conditions="x")], "list of conditions"),
    ([condition(conditions=[{"Type": "Between"}])], "Between"),
    ([condition(conditions=[{"Type": "Equals", "LeftValue": 1}])], "RightValue"),
    ([condition(conditions=[{"Type": "Equals", "LeftValue": 1, "RightValue": None}])], "RightValue"),
    ([condition(conditions=[{"Type": "In", "QueryValue": 1, "Values": []}])], "at least one"),
    ([condition(conditions=[{"Type": "In", "Value": 1, "In": [1]}])], "QueryValue"),
    ([condition(conditions=[{"Type": "Or", "Conditions": []}])], "at least one"),
    ([condition(conditions=[{"Type": "Not", "Condition": {"Type": "And"}}])], "And"),
    ([condition(conditions=[{"Type": "Not", "Condition": [1]}])], "condition Type"),
    ([{**condition(), "Arguments": {"Conditions": [], "Then": []}}], "Then"),
    ([{**condition(), "Arguments": {"Conditions": [], "IfSteps": {"a": 1}}}], "list of steps"),
    ([metrics("E"), function(arguments={"a": json_get("E", "Nope", "x")})], "undeclared property file"),
    ([training("T"), function(arguments={"a": json_get("T", "Nope", "x")})], "only a Processing step"),
    ([each(items=[])], "1 to 100"),
    ([each(items=["x"] * 101)], "1 to 100"),
    ([each(items=[{"a": 1}])], "scalars"),
    ([each(items="x")], "IterableItems"),
    ([each(MaxConcurrency=0)], "MaxConcurrency"),
    ([each(MaxConcurrency=51)], "MaxConcurrency"),
    ([each(MaxConcurrency=True)], "MaxConcurrency"),
    ([each(Banana=1)], "Banana"),
    ([each(body=[])], "at least one step"),
    ([each(body=[fail()])], "may not stand in a ForEachBody"),
    ([each(body=[condition()])], "may not stand in a ForEachBody"),
    ([each(body=[each("Inner", body=[function("B")])])], "may not stand in a ForEachBody"),
    ([each(Selector={"Pick": "Best", "Field": get("IterationOutput.Body.OutputParameters['text']")})], "Best"),
    ([each(Selector={"Pick": "MaxBy", "Field": get("Steps.Body.OutputParameters['text']")})], "Selector.Field"),
    ([each(Selector={"Pick": "MaxBy", "Field": get("IterationOutput.Other.X")})], "Selector.Field"),
    ([each(Selector={"Pick": "MaxBy", "Field": get("IterationOutput.Body")})], "no property"),
    ([each(Selector={"Pick": "MaxBy", "Field": get("IterationOutput.Body.OutputParameters['no']")})], "'no'"),
    ([each(Selector={"Pick": "MaxBy"})], "Selector"),
    ([each(), processing("Body-7")], "Body-7"),
]


@pytest.mark.parametrize(("steps", "words"), GRAPHS)
def test_graphs(steps: list[Any], words: str) -> None:
    assert words in refusal(pipeline(*steps))


def test_all_problems_are_named_at_once() -> None:
    message = refusal(pipeline(processing("A", DependsOn=["X"]), training("T", DependsOn=["Y"]), Banana=1))
    assert all(word in message for word in ("'X'", "'Y'", "Banana"))


def test_a_long_list_of_problems_is_cut() -> None:
    message = refusal(pipeline(*(processing(f"S{i}", DependsOn=["X"]) for i in range(30))))
    assert message.endswith("and 10 more")


def test_dynamic_values_are_not_held_against_the_request() -> None:
    count = [{"Name": "N", "Type": "Integer", "DefaultValue": 1}]
    step = processing()
    step["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = get("Parameters.N")
    step["Arguments"]["RoleArn"] = join("arn", ROLE, on=":")
    assert read(step, parameters=count).every["Prepare"].arguments == step["Arguments"]
