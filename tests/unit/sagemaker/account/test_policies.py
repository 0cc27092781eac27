"""The derived policies against botocore's model, moto's reading of them, IAM's limits, and the calls of our code."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from account_lab import NO_OPERATION, PREFIXES, actions_of, allowed, listed, operations, statements, written_calls
from hypothesis import given
from hypothesis import strategies as st
from moto.iam.policy_validation import IAMPolicyDocumentValidator

from cloudml.backend.port import Target
from cloudml.backend.records import Policy
from cloudml.plan import Resource
from cloudml.testing.harness import SAMPLES, build, sources_of
from cloudml_sagemaker import names
from cloudml_sagemaker.compile import compile_pipeline
from cloudml_sagemaker.permissions import permissions
from cloudml_sagemaker.policies.scope import Repository, Scope, stem
from cloudml_sagemaker.policies.statements import Statement, document, packed, size
from cloudml_sagemaker.target import Place

ROLE = "arn:aws:iam::123456789012:role/team/ml"
SETTINGS = {"region": "us-east-1", "role": ROLE, "bucket": "data", "requirements": ""}
EVERYTHING = {"kms": "alias/ml", "subnets": ["subnet-1"], "security_groups": ["sg-1"]}


def target(project: str = "samples", name: str = "aws", **settings: Any) -> Target:
    return Target(name, "sagemaker", project, SAMPLES, {**SETTINGS, **settings})


def documents(policies: tuple[Policy, ...], part: str) -> list[dict[str, Any]]:
    """The documents of a role, a deployer, a doctor or a builder."""
    return [one.document for one in policies if re.fullmatch(rf".*-{part}(-\d)?", one.name)]


def derived(pipeline: str, **settings: Any) -> tuple[Policy, ...]:
    made = build(pipeline)
    where = target(**settings)
    return permissions(where, compile_pipeline(made, where, sources_of(made)))


EVERY = permissions(target(**EVERYTHING), ())
ALL_DOCUMENTS = {one.name: one.document for one in EVERY}


@pytest.mark.parametrize("name", sorted(ALL_DOCUMENTS))
def test_iam_takes_the_documents(name: str) -> None:
    policy = ALL_DOCUMENTS[name]
    if name.endswith("-trust"):
        assert policy["Statement"][0]["Principal"]["Service"] == ["sagemaker.amazonaws.com", "scheduler.amazonaws.com"]
        return
    IAMPolicyDocumentValidator(json.dumps(policy)).validate()
    sids = [one["Sid"] for one in policy["Statement"]]
    assert len(sids) == len(set(sids)), "a Sid is unique within a policy"
    assert all(sid.isalnum() for sid in sids), "letters and digits only"


@pytest.mark.parametrize("name", sorted(ALL_DOCUMENTS))
def test_policies_fit(name: str) -> None:
    # IAM user guide, "IAM and AWS STS quotas": 6,144 managed, 10,240 for the inline policies of a role.
    assert size(ALL_DOCUMENTS[name]) <= (10_240 if name.endswith("-role") else 6_144)


def test_actions_are_operations_of_the_service() -> None:
    services = {prefix: service for service, prefix in PREFIXES.items() if prefix != "sagemaker"}
    for one in statements(ALL_DOCUMENTS.values()):
        for action in set(listed(one["Action"])) - NO_OPERATION:
            prefix, _, name = action.partition(":")
            known = operations(services.get(prefix, prefix))
            if prefix == "sagemaker":
                known |= operations("sagemaker-runtime")
            assert name in known, action


FALSE_ALARMS = {("ec2", "DescribeImages")}
"""Operations that the source names for another service than it names beside."""


@pytest.mark.parametrize(("jobs", "parts"), [(False, ("deployer", "doctor", "builder")), (True, ("role",))])
def test_every_call_in_the_source_is_allowed(jobs: bool, parts: tuple[str, ...]) -> None:
    mine = [one for part in parts for one in documents(EVERY, part)]
    calls = written_calls(jobs=jobs) - FALSE_ALARMS
    assert len(calls) > 20, "the source is read"
    lacking = [action for call in sorted(calls) for action in actions_of(*call) if not allowed(mine, action)]
    assert lacking == []


BY_SERVICE = {
    # What no line of ours calls, and why it is asked for nevertheless.
    "iam:PassRole": "checked when a role is named in a request",
    "iam:CreateServiceLinkedRole": "Application Auto Scaling, at the first scalable target of an account",
    "cloudwatch:PutMetricAlarm": "target tracking makes its alarms with the caller's permissions",
    "cloudwatch:DeleteAlarms": "the same, when the target is deregistered",
    "cloudwatch:PutMetricData": "SageMaker, for the jobs' metrics",
    "ecr:BatchCheckLayerAvailability": "the container engine, or SageMaker when it pulls",
    "ecr:BatchGetImage": "the same",
    "ecr:GetDownloadUrlForLayer": "the same",
    "ecr:GetAuthorizationToken": "the same",
    "ecr:InitiateLayerUpload": "the container engine, when it pushes",
    "ecr:UploadLayerPart": "the same",
    "ecr:CompleteLayerUpload": "the same",
    "ecr:PutImage": "the same",
    "ecr:TagResource": "checked when CreateRepository has tags",
    "s3:AbortMultipartUpload": "the SDK, when an upload in parts fails",
    "s3:DeleteObject": "SageMaker, for checkpoints",
    "s3:DeleteObjectVersion": "checked when DeleteObjects names versions",
    "s3:GetBucketLocation": "SageMaker, before it reads",
    "sagemaker:CreateModel": "hosting builds the operation's name",
    "sagemaker:CreateEndpointConfig": "the same",
    "sagemaker:ListMonitoringSchedules": "resources names it in a table",
    "sns:Publish": "the jobs' code names the service elsewhere",
    "sqs:SendMessage": "Pipelines, for a Callback step",
    **dict.fromkeys(("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"), "SageMaker, for the logs"),
    "logs:DescribeLogStreams": "the same",
}
_JOB_SERVICES = ("kms:", "ec2:")
_JOBS_OF_PIPELINES = tuple(
    f"sagemaker:{verb}{noun}Job" for verb in ("Create", "Describe", "Stop")
    for noun in ("Processing", "Training", "HyperParameterTuning")
)  # fmt: skip


def test_what_no_line_calls_has_a_reason() -> None:
    called = {action for jobs in (True, False) for call in written_calls(jobs=jobs) for action in actions_of(*call)}
    granted = {action for one in statements(ALL_DOCUMENTS.values()) for action in listed(one["Action"])} - {
        "sts:AssumeRole"
    }
    idle = {action for action in granted - called if not action.startswith(_JOB_SERVICES)}
    assert idle - set(_JOBS_OF_PIPELINES) <= set(BY_SERVICE)


def test_star_only_where_aws_has_nothing_narrower() -> None:
    """By the service authorization reference: lists, descriptions of EC2, Auto Scaling, metrics, tokens."""
    free = {
        action
        for name, policy in ALL_DOCUMENTS.items()
        if not name.endswith("-trust")
        for one in policy["Statement"]
        if "*" in one["Resource"]
        for action in one["Action"]
    }
    narrow = {
        action
        for action in free
        if not action.partition(":")[2].startswith(("List", "Describe")) and action not in _NO_ARN
    }
    assert narrow == set()


_NO_ARN = {
    "cloudwatch:PutMetricData", "cloudwatch:GetMetricStatistics", "ecr:GetAuthorizationToken", "sns:Unsubscribe",
}  # fmt: skip


def test_what_changes_things_is_bound_to_the_targets_tags() -> None:
    """Names alone do not tell targets apart: `a-b` of (a, b) also begins those of (a, b-c)."""
    taggable = ("Create", "Update", "Delete", "AddTags", "DeleteTags", "StartPipelineExecution")
    for policy in documents(permissions(target("a", "b"), ()), "deployer"):
        for one in policy["Statement"]:
            ours = [name for name in one["Action"] if name.startswith("sagemaker:")]
            changing = [name for name in ours if name.partition(":")[2].startswith(taggable)]
            if changing and not all("ModelPackage" in name and "Group" not in name for name in changing):
                conditions = one.get("Condition", {}).get("StringEquals", {})
                assert {key.partition("/")[2]: value for key, value in conditions.items()} == {
                    "cloudml:project": "a",
                    "cloudml:target": "b",
                }, one["Sid"]


def test_only_what_the_pipeline_needs() -> None:
    policies = derived("sample_jobs:tables")
    role, people = documents(policies, "role"), documents(policies, "deployer")
    for action in (
        "sagemaker:CreateEndpoint", "secretsmanager:GetSecretValue", "kms:Decrypt", "ec2:CreateNetworkInterface",
        "sagemaker:CreateTrainingJob", "sagemaker:CreateModelPackage", "sns:Publish", "sqs:SendMessage",
        "sagemaker:StartPipelineExecution",
    ):  # fmt: skip
        assert not allowed(role, action), action
    for action in ("sagemaker:CreateEndpoint", "sqs:CreateQueue", "scheduler:CreateSchedule", "sns:CreateTopic"):
        assert not allowed(people, action), action
    assert allowed(
        role, "sagemaker:CreateProcessingJob", "arn:aws:sagemaker:us-east-1:123456789012:processing-job/pipelines-a-b"
    )
    trust = next(one.document for one in policies if one.name.endswith("-trust"))
    assert trust["Statement"][0]["Principal"]["Service"] == ["sagemaker.amazonaws.com"]


def test_everything_of_a_deploying_pipeline_is_there() -> None:
    policies = derived("sample_models:served")
    role, people = documents(policies, "role"), documents(policies, "deployer")
    endpoint = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/samples-aws-scores"
    assert allowed(role, "sagemaker:UpdateEndpoint", endpoint)
    assert allowed(people, "sagemaker:InvokeEndpoint", endpoint)
    assert allowed(role, "iam:PassRole", ROLE)
    assert not allowed(role, "iam:PassRole", "arn:aws:iam::123456789012:role/admin")
    assert not allowed(role, "s3:GetObject", "arn:aws:s3:::data/other/aws/secret")
    assert allowed(role, "s3:GetObject", "arn:aws:s3:::data/samples/aws/runs/x")


def test_key_network_and_secret_are_named() -> None:
    policies = derived("sample_jobs:secretive", kms="0123-ab", subnets=["subnet-1"], security_groups=["sg-1"])
    role = documents(policies, "role")
    assert allowed(role, "kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:key/0123-ab")
    assert not allowed(role, "kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:key/other")
    assert allowed(role, "ec2:CreateNetworkInterface", "arn:aws:ec2:us-east-1:123456789012:subnet/subnet-1")
    assert not allowed(role, "ec2:CreateNetworkInterface", "arn:aws:ec2:us-east-1:123456789012:subnet/subnet-2")
    granted = [one["Resource"] for one in statements(role) if one["Sid"] == "Secrets"]
    assert granted
    assert all("secret:cloudml/samples/" in arn and arn.endswith("-??????") for arn in granted[0])


def test_alias_of_a_key_is_a_condition() -> None:
    key = next(one for one in statements(documents(EVERY, "role")) if one["Sid"] == "Key")
    assert key["Resource"] == ["arn:aws:kms:us-east-1:123456789012:key/*"]
    assert key["Condition"] == {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/ml"}}


def test_data_elsewhere_is_read_only() -> None:
    definition = {
        "Parameters": [{"Name": "p", "Type": "String", "DefaultValue": "s3://lake/raw/table.parquet"}],
        "Steps": [{"Name": "a", "Type": "Processing", "Arguments": {}}],
    }
    resources = [Resource.of("pipeline", "samples-aws-a", {"PipelineName": "samples-aws-a", "definition": definition})]
    role = documents(permissions(target(), resources), "role")
    assert allowed(role, "s3:GetObject", "arn:aws:s3:::lake/raw/table.parquet")
    assert not allowed(role, "s3:PutObject", "arn:aws:s3:::lake/raw/table.parquet")
    assert not allowed(role, "s3:GetObject", "arn:aws:s3:::lake/other")


def test_other_partitions() -> None:
    china = permissions(
        target(role="arn:aws-cn:iam::123456789012:role/ml", region="cn-north-1", image="x:1", serving_image="x:1"), ()
    )
    arns = [
        arn
        for one in china
        if not one.name.endswith("-trust")
        for part in one.document["Statement"]
        for arn in part["Resource"]
    ]
    assert all(arn == "*" or arn.startswith("arn:aws-cn:") for arn in arns)


def test_commands_fit_the_documents() -> None:
    for one in EVERY:
        assert f"file://{one.name}.json" in one.how
        assert "role/team" not in one.how.split("--role-name ")[-1].split()[0], (
            "IAM's commands take the name without path"
        )


@given(
    project=st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,62}", fullmatch=True),
    where=st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,62}", fullmatch=True),
    name=st.text(min_size=1, max_size=80),
)
def test_every_name_of_a_target_begins_as_the_policies_say(project: str, where: str, name: str) -> None:
    pattern = stem(project, where)
    documents = [{"Statement": [{"Action": "x:y", "Resource": pattern}]}]
    assert allowed(documents, "x:y", names.resource(project, where, name))
    assert allowed(documents, "x:y", names.pipeline(project, where, name))


@pytest.mark.parametrize(("project", "where"), [("a", "b"), ("a-b", "c"), ("Team", "prod")])
def test_the_schedule_group_is_the_compilers(project: str, where: str) -> None:
    place = Place.of(target(project, where))
    assert Scope.of(place).group == names.schedule_group(place.project, place.target)
    people = documents(permissions(target(project, where), ()), "deployer")
    arn = f"arn:aws:scheduler:us-east-1:123456789012:schedule/{names.schedule_group(place.project, place.target)}/x"
    assert allowed(people, "scheduler:CreateSchedule", arn)


def test_packing_splits_only_when_it_must() -> None:
    one = Statement("A", ("s3:GetObject",), ("arn:aws:s3:::b/*",), "")
    two = size(document([one, one]))
    assert [len(part) for part in packed([one, one, one], two)] == [2, 1]
    with pytest.raises(ValueError, match="statement A"):
        packed([one], 20)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/a/b:1", ("123456789012", "eu-west-1", "a/b", "1")),
        (
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a@sha256:ff",
            ("123456789012", "cn-north-1", "a", "sha256:ff"),
        ),
        ("python:3.11", None),
    ],
)
def test_images_of_ecr_are_known(image: str, expected: tuple[str, ...] | None) -> None:
    found = Repository.of(image)
    assert (None if found is None else (found.account, found.region, found.name, found.tag)) == expected
