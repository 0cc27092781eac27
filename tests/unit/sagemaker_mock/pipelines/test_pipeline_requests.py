"""Requests about pipelines and executions. Codes: the service model's errors of each operation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pipeline_lab import ROLE, Lab, definition, fail, function, get, parameter, processing

TEXT = definition(function("A", "ok"))


@pytest.fixture(autouse=True)
def _handlers(lab: Lab) -> None:
    lab.lambdas["ok"] = lambda event, context: {}


def make(lab: Lab, name: str, **more: Any) -> dict[str, Any]:
    request = {
        "PipelineName": name,
        "PipelineDefinition": TEXT,
        "RoleArn": ROLE,
        "ClientRequestToken": (name * 32)[:32],
    }
    answer: dict[str, Any] = lab.sagemaker.create_pipeline(**{**request, **more})
    return answer


def test_a_pipeline_is_described_by_name_and_arn(lab: Lab) -> None:
    arn = make(lab, "d", PipelineDisplayName="shown", PipelineDescription="about", Tags=[{"Key": "k", "Value": "v"}])[
        "PipelineArn"
    ]
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:pipeline/d"
    for name in ("d", arn):
        told = lab.sagemaker.describe_pipeline(PipelineName=name)
        assert (told["PipelineArn"], told["PipelineStatus"], told["RoleArn"]) == (arn, "Active", ROLE)
        assert (told["PipelineDisplayName"], told["PipelineDescription"]) == ("shown", "about")
        assert json.loads(told["PipelineDefinition"]) == json.loads(TEXT)
    assert lab.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]


def test_names_are_unique_and_tokens_make_a_request_happen_once(lab: Lab) -> None:
    first = make(lab, "u")
    assert make(lab, "u")["PipelineArn"] == first["PipelineArn"]
    code, message = lab.refused("create_pipeline", **_request("u", ClientRequestToken="n" * 32))
    # The SDK's Pipeline.upsert looks for this code and these words.
    assert code == "ValidationException" and "already exists" in message
    other = definition(function("B", "ok"))
    code, _ = lab.refused("create_pipeline", **_request("u", PipelineDefinition=other, ClientRequestToken="u" * 32))
    assert code == "ConflictException"


def _request(name: str, **more: Any) -> dict[str, Any]:
    return {"PipelineName": name, "PipelineDefinition": TEXT, "RoleArn": ROLE, **more}


@pytest.mark.parametrize(
    "more",
    [
        {"PipelineDefinition": "{}"},
        {"PipelineDefinition": None},
        {"PipelineDefinitionS3Location": {"Bucket": "data", "ObjectKey": "x.json"}},
        {"PipelineDefinition": None, "PipelineDefinitionS3Location": {"Bucket": "data", "ObjectKey": "no.json"}},
        {"PipelineName": "under_score"},
        {"RoleArn": "role"},
        {"ParallelismConfiguration": {"MaxParallelExecutionSteps": 0}},
        {"ClientRequestToken": "short"},
        {"PipelineVersionAliases": ["12"]},
        {"PipelineVersionAliases": ["a", "a"]},
    ],
)
def test_wrong_pipelines_are_refused(lab: Lab, more: dict[str, Any]) -> None:
    request = {key: value for key, value in _request("w", **more).items() if value is not None}
    assert lab.refused("create_pipeline", **{"ClientRequestToken": "t" * 32, **request})[0] == "ValidationException"
    assert lab.refused("describe_pipeline", PipelineName="w")[0] == "ResourceNotFound"


def test_a_definition_in_s3_runs(lab: Lab) -> None:
    lab.s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    first = lab.s3.put_object(Bucket="data", Key="p.json", Body=TEXT.encode())["VersionId"]
    lab.s3.put_object(Bucket="data", Key="p.json", Body=b"something else")
    place = {"Bucket": "data", "ObjectKey": "p.json", "VersionId": first}
    lab.sagemaker.create_pipeline(PipelineName="s3", PipelineDefinitionS3Location=place, RoleArn=ROLE)
    assert json.loads(lab.sagemaker.describe_pipeline(PipelineName="s3")["PipelineDefinition"]) == json.loads(TEXT)
    assert lab.again("s3").statuses == {"A": "Succeeded"}


def test_versions_and_aliases(lab: Lab) -> None:
    make(lab, "v", PipelineVersionAliases=["prod"])
    second = definition(function("B", "ok"))
    update = lab.sagemaker.update_pipeline
    assert update(PipelineName="v", PipelineDescription="same definition")["PipelineVersionId"] == 1
    assert (
        update(PipelineName="v", PipelineDefinition=second, PipelineVersionAliases=["next"])["PipelineVersionId"] == 2
    )
    listed = lab.sagemaker.list_pipeline_versions(PipelineName="v")["PipelineVersionSummaries"]
    assert [(row["PipelineVersionId"], row["PipelineVersionAliases"]) for row in listed] == [
        (2, ["next"]),
        (1, ["prod"]),
    ]
    assert lab.again("v").statuses == {"B": "Succeeded"}
    assert lab.again("v", PipelineVersionAlias="prod").statuses == {"A": "Succeeded"}
    assert lab.again("v", PipelineVersionId=1).statuses == {"A": "Succeeded"}
    told = lab.sagemaker.describe_pipeline(PipelineName="v", PipelineVersionAlias="prod")
    assert json.loads(told["PipelineDefinition"]) == json.loads(TEXT)
    code, _ = lab.refused("start_pipeline_execution", PipelineName="v", ClientRequestToken="t" * 32,
                          PipelineVersionId=1, PipelineVersionAlias="prod")  # fmt: skip
    assert code == "ValidationException"
    code, _ = lab.refused(
        "start_pipeline_execution", PipelineName="v", ClientRequestToken="t" * 32, PipelineVersionAlias="none"
    )
    assert code == "ResourceNotFound"
    arn = told["PipelineArn"]
    move = {"PipelineArn": arn, "PipelineVersionId": 2, "PipelineVersionAliasOperations": {"Add": ["prod"]}}
    assert lab.refused("update_pipeline_version", **move)[0] == "ConflictException"
    lab.sagemaker.update_pipeline_version(
        PipelineArn=arn, PipelineVersionId=1, PipelineVersionAliasOperations={"Remove": ["prod"]}
    )
    lab.sagemaker.update_pipeline_version(**move, PipelineVersionDisplayName="two")
    top = lab.sagemaker.list_pipeline_versions(PipelineName="v")["PipelineVersionSummaries"][0]
    assert (top["PipelineVersionAliases"], top["PipelineVersionDisplayName"]) == (["next", "prod"], "two")
    rows = lab.sagemaker.list_pipeline_executions(PipelineName="v", PipelineVersionAlias="prod")
    assert [row["PipelineVersionAliases"] for row in rows["PipelineExecutionSummaries"]] == [["next", "prod"]]


def test_a_running_execution_keeps_its_version(lab: Lab) -> None:
    make(lab, "k")
    arn = lab.start("k")
    lab.sagemaker.update_pipeline(PipelineName="k", PipelineDefinition=definition(function("B", "ok")))
    lab.settle()
    assert lab.look(arn).statuses == {"A": "Succeeded"}
    told = lab.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    assert json.loads(told["PipelineDefinition"]) == json.loads(TEXT)


def test_pipelines_are_listed_by_prefix(lab: Lab) -> None:
    for name in ("list-a", "list-b", "list-c"):
        lab.settle(1)
        make(lab, name)
    rows = lab.sagemaker.list_pipelines(PipelineNamePrefix="list", SortBy="Name", SortOrder="Ascending", MaxResults=2)
    assert [row["PipelineName"] for row in rows["PipelineSummaries"]] == ["list-a", "list-b"]
    rows = lab.sagemaker.list_pipelines(PipelineNamePrefix="list", NextToken=rows["NextToken"],
                                        SortBy="Name", SortOrder="Ascending", MaxResults=2)  # fmt: skip
    assert [row["PipelineName"] for row in rows["PipelineSummaries"]] == ["list-c"]
    assert "NextToken" not in rows


def test_deleting_a_pipeline_deletes_its_executions_but_not_while_one_runs(lab: Lab) -> None:
    lab.mock.world.faults.add(lab.mock.world.faults.parse("hang:ProcessingJob/*"))
    name = lab.create(definition(processing("A")))
    arn = lab.start(name)
    lab.settle()
    assert lab.refused("delete_pipeline", PipelineName=name, ClientRequestToken="t" * 32)[0] == "ConflictException"
    lab.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    lab.settle(200)
    lab.sagemaker.delete_pipeline(PipelineName=name)
    assert lab.refused("describe_pipeline", PipelineName=name)[0] == "ResourceNotFound"
    assert lab.refused("describe_pipeline_execution", PipelineExecutionArn=arn)[0] == "ResourceNotFound"
    assert lab.refused("list_pipeline_execution_steps", PipelineExecutionArn=arn)[0] == "ResourceNotFound"
    lab.sagemaker.create_pipeline(**_request(name))


def test_a_repeated_deletion_is_answered_again_and_spares_a_namesake(lab: Lab) -> None:
    """A client whose connection broke sends the same request, and token, once more."""
    request = {"PipelineName": "gone", "ClientRequestToken": "d" * 32}
    arn = make(lab, "gone")["PipelineArn"]
    assert [lab.sagemaker.delete_pipeline(**request)["PipelineArn"] for _ in range(2)] == [arn, arn]
    assert lab.refused("delete_pipeline", **{**request, "ClientRequestToken": "e" * 32})[0] == "ResourceNotFound"
    make(lab, "gone")
    lab.sagemaker.delete_pipeline(**request)
    assert lab.refused("describe_pipeline", PipelineName="gone")[0] == "ResourceNotFound"


def test_starting_by_name_and_arn_happens_once_a_token(lab: Lab) -> None:
    arn = make(lab, "once")["PipelineArn"]
    first = lab.start("once", ClientRequestToken="x" * 32)
    assert lab.start("once", ClientRequestToken="x" * 32) == first
    assert lab.start(arn) != first
    code, _ = lab.refused(
        "start_pipeline_execution",
        PipelineName="once",
        ClientRequestToken="x" * 32,
        PipelineExecutionDisplayName="other",
    )
    assert code == "ConflictException"
    lab.settle()
    rows = lab.sagemaker.list_pipeline_executions(PipelineName="once")["PipelineExecutionSummaries"]
    assert len(rows) == 2
    assert {row["PipelineExecutionStatus"] for row in rows} == {"Succeeded"}
    assert lab.refused("start_pipeline_execution", PipelineName="never", ClientRequestToken="t" * 32)[0] == (
        "ResourceNotFound"
    )


START = {"ClientRequestToken": "t" * 32}

PARAMETERS = [
    parameter("S", default="s"),
    parameter("I", "Integer", 3),
    parameter("F", "Float", 0.5),
    parameter("B", "Boolean", True),
    parameter("Needed", EnumValues=["a", "b"]),
]


def test_parameters_are_strings_on_the_wire_and_typed_inside(lab: Lab) -> None:
    seen = {}
    lab.lambdas["see"] = lambda event, context: seen.update(event) or {}
    values = {row["Name"]: {"Get": f"Parameters.{row['Name']}"} for row in PARAMETERS}
    text = definition(function("A", "see", **values), parameters=PARAMETERS)
    done = lab.run(text, {"Needed": "b", "I": "7", "B": "false"})
    assert seen == {"S": "s", "I": 7, "F": 0.5, "B": False, "Needed": "b"}
    rows = lab.sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=done.arn)["PipelineParameters"]
    assert {row["Name"]: row["Value"] for row in rows} == {"S": "s", "I": "7", "F": "0.5", "B": "false", "Needed": "b"}


@pytest.mark.parametrize("given", [{}, {"Needed": "c"}, {"Needed": "a", "I": "x"}, {"Needed": "a", "Unknown": "1"}])
def test_wrong_parameters_are_refused(lab: Lab, given: dict[str, str]) -> None:
    name = lab.create(definition(function("A", "ok"), parameters=PARAMETERS))
    values = [{"Name": key, "Value": value} for key, value in given.items()]
    code, _ = lab.refused(
        "start_pipeline_execution", PipelineName=name, PipelineParameters=values, ClientRequestToken="t" * 32
    )
    assert code == "ValidationException"
    assert lab.sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"] == []


def test_steps_are_paged_and_the_latest_comes_first(lab: Lab) -> None:
    steps = [function(f"S{number}", "ok", [f"S{number - 1}"] if number else []) for number in range(5)]
    arn = lab.run(definition(*steps)).arn
    first = lab.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, MaxResults=2)
    assert [row["StepName"] for row in first["PipelineExecutionSteps"]] == ["S4", "S3"]
    rest = lab.sagemaker.list_pipeline_execution_steps(
        PipelineExecutionArn=arn, MaxResults=10, NextToken=first["NextToken"]
    )
    assert [row["StepName"] for row in rest["PipelineExecutionSteps"]] == ["S2", "S1", "S0"]


def test_empty_values_of_parameters_are_refused(lab: Lab) -> None:
    """sagemaker-python-sdk issue 4016, with AWS's words."""
    name = lab.create(definition(function("A", "ok"), parameters=[parameter("S", default="s")]))
    given = [{"Name": "S", "Value": ""}]
    code, message = lab.refused(
        "start_pipeline_execution", **{**START, "PipelineName": name, "PipelineParameters": given}
    )
    assert (code, message) == ("ValidationException", '[string "" is too short (length: 0, required minimum: 1)]')


def test_an_execution_can_be_renamed(lab: Lab) -> None:
    done = lab.run(TEXT, PipelineExecutionDisplayName="first", PipelineExecutionDescription="about")
    lab.sagemaker.update_pipeline_execution(PipelineExecutionArn=done.arn, PipelineExecutionDisplayName="second")
    told = lab.sagemaker.describe_pipeline_execution(PipelineExecutionArn=done.arn)
    assert (told["PipelineExecutionDisplayName"], told["PipelineExecutionDescription"]) == ("second", "about")


def test_the_experiment_of_an_execution(lab: Lab) -> None:
    config = {
        "ExperimentName": {"Get": "Execution.PipelineName"},
        "TrialName": {"Get": "Execution.PipelineExecutionId"},
    }
    name = lab.create(definition(function("A", "ok"), PipelineExperimentConfig=config))
    arn = lab.again(name).arn
    told = lab.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExperimentConfig"]
    assert told == {"ExperimentName": name, "TrialName": arn.rpartition("/")[2]}


def test_names_that_the_experiment_config_leaves_out(lab: Lab) -> None:
    """Developer guide, "pipelines-experiments": the pipeline's name and the execution's id."""
    name = lab.create(definition(function("A", "ok"), PipelineExperimentConfig={"TrialName": None}))
    arn = lab.again(name).arn
    trial = lab.sagemaker.describe_trial(TrialName=arn.rpartition("/")[2])
    assert trial["ExperimentName"] == name


def test_the_job_of_a_step_is_a_component_of_the_executions_trial(lab: Lab) -> None:
    """Developer guide, "pipelines-experiments": a run for each job created in a pipeline execution step."""
    name = lab.create(definition(processing("Prepare_it"), PipelineExperimentConfig={}))
    done = lab.again(name)
    assert done.status == "Succeeded"
    found = lab.sagemaker.list_trial_components(TrialName=done.arn.rpartition("/")[2])["TrialComponentSummaries"]
    assert [(row["DisplayName"], row["TrialComponentSource"]["SourceArn"]) for row in found] == [
        ("Prepare-it", done.steps["Prepare_it"]["Metadata"]["ProcessingJob"]["Arn"])
    ]


def test_a_trial_that_cannot_be_does_not_keep_the_steps_from_running(lab: Lab) -> None:
    done = lab.run(definition(processing("A"), PipelineExperimentConfig={"TrialName": "no trial's name"}))
    assert done.status == "Succeeded"


def test_the_mlflow_names_of_an_execution(lab: Lab) -> None:
    config = {
        "MlflowResourceArn": get("Parameters.Server"),
        "MlflowExperimentName": {"Std:Join": {"On": "-", "Values": ["of", get("Execution.PipelineName")]}},
    }
    server = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-tracking-server/one"
    name = lab.create(
        definition(function("A", "ok"), MlflowConfig=config, parameters=[parameter("Server", default=server)])
    )
    for given, experiment in (({}, f"of-{name}"), ({"MlflowExperimentName": "other"}, "other")):
        told = lab.sagemaker.describe_pipeline_execution(PipelineExecutionArn=lab.again(name, **given).arn)
        assert told["MLflowConfig"] == {"MlflowResourceArn": server, "MlflowExperimentName": experiment}


def test_the_role_of_an_execution_is_not_told(lab: Lab) -> None:
    """Service model, DescribePipelineExecutionResponse: only of pipelines that AWS manages."""
    assert "RoleArn" not in lab.sagemaker.describe_pipeline_execution(PipelineExecutionArn=lab.run(TEXT).arn)


def test_quotas_are_held_when_asked_for(lab: Lab) -> None:
    lab.mock.world.switches.set("pipeline-quotas", "default")
    lab.mock.world.faults.add(lab.mock.world.faults.parse("hang:ProcessingJob/*"))
    name = lab.create(definition(processing("A")))
    arns = [lab.start(name) for _ in range(20)]
    code, _ = lab.refused("start_pipeline_execution", PipelineName=name, ClientRequestToken="t" * 32)
    assert code == "ResourceLimitExceeded"
    for arn in arns:
        lab.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    lab.settle(200)
    assert {lab.look(arn).status for arn in arns} == {"Stopped"}


def test_types_that_the_mock_does_not_run_are_refused_by_name(lab: Lab) -> None:
    step = {"Name": "E", "Type": "EMR", "Arguments": {"ClusterId": "j-1", "StepConfig": {"HadoopJarStep": {}}}}
    code, message = lab.refused("create_pipeline", **_request("emr", PipelineDefinition=definition(step)))
    assert code == "ValidationException" and "EMR" in message


def test_what_ended_cannot_be_stopped_and_a_fail_step_cannot_be_retried(lab: Lab) -> None:
    done = lab.run(TEXT)
    assert lab.refused("stop_pipeline_execution", PipelineExecutionArn=done.arn)[0] == "ConflictException"
    assert lab.refused("retry_pipeline_execution", PipelineExecutionArn=done.arn)[0] == "ConflictException"
    failed = lab.run(definition(fail("F", "no")))
    assert lab.refused("retry_pipeline_execution", PipelineExecutionArn=failed.arn)[0] == "ValidationException"
