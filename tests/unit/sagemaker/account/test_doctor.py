"""The doctor on the SageMaker mock, and with an AWS that is played where the mock has no such service."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from cloudml.backend.port import Target
from cloudml.backend.records import Finding
from cloudml.plan import Resource
from cloudml.testing.mocks import MockInUse
from cloudml_sagemaker.checkups import around, roles
from cloudml_sagemaker.checkups.patient import Patient, guarded
from cloudml_sagemaker.doctor import doctor
from cloudml_sagemaker.policies.needs import Needs, needs_of
from cloudml_sagemaker.policies.scope import Scope
from cloudml_sagemaker.refusals import Call, refusal
from cloudml_sagemaker.target import Place

ROLE = "arn:aws:iam::123456789012:role/ml"
SETTINGS = {"region": "us-east-1", "role": ROLE, "bucket": "data"}


def target(**settings: Any) -> Target:
    return Target("aws", "sagemaker", "churn", Path(), {**SETTINGS, **settings})


def examined(*resources: Resource, **settings: Any) -> dict[str, Finding]:
    return {one.check: one for one in doctor(target(**settings), resources)}


def trust(*services: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


QUEUE = Resource.of("queue", "churn-aws-approvals", {})


def test_an_empty_account_is_told_what_to_make(sagemaker_mock: MockInUse) -> None:
    found = examined(QUEUE)
    assert found["bucket"].status == "missing"
    assert found["bucket"].fix == "aws s3api create-bucket --bucket data --region us-east-1"
    assert found["role"].status == "missing"
    assert "cloudml permissions --target aws --to ." in found["role"].fix
    assert found["address"].status == "warning", "a mock is not AWS"
    assert found["role permissions"].status == "unknown", "the mock has no simulation"


def test_a_prepared_account_lacks_nothing(sagemaker_mock: MockInUse) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="data")
    s3.put_public_access_block(Bucket="data", PublicAccessBlockConfiguration=dict.fromkeys(around_public(), True))
    encryption = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    s3.put_bucket_encryption(Bucket="data", ServerSideEncryptionConfiguration=encryption)
    boto3.client("iam").create_role(RoleName="ml", AssumeRolePolicyDocument=trust("sagemaker.amazonaws.com"))
    found = examined(QUEUE)
    assert {one.check for one in found.values() if one.status == "missing"} == set()
    for check in ("bucket", "bucket access", "bucket encryption", "prefix", "role", "role trust", "images"):
        assert found[check].status == "ok", found[check]


def around_public() -> list[str]:
    return ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]


def test_an_open_bucket_and_a_foreign_prefix(sagemaker_mock: MockInUse) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="data")
    mark = json.dumps({"project": "other", "target": "aws"}).encode()
    s3.put_object(Bucket="data", Key="churn/aws/cloudml.json", Body=mark)
    found = examined(QUEUE)
    assert found["bucket access"].status == "warning"
    assert "put-public-access-block" in found["bucket access"].fix
    assert found["prefix"].status == "missing"
    assert "project other" in found["prefix"].message


def test_a_bucket_of_another_region(sagemaker_mock: MockInUse) -> None:
    where = {"LocationConstraint": "eu-west-1"}
    boto3.client("s3").create_bucket(Bucket="data", CreateBucketConfiguration=where)
    found = examined(QUEUE)["bucket"]
    assert found.status == "missing"
    assert "lies in eu-west-1" in found.message


def test_another_account(sagemaker_mock: MockInUse) -> None:
    found = examined(QUEUE, role="arn:aws:iam::999999999999:role/ml")
    assert found["account"].status == "missing"
    assert "123456789012" in found["account"].message


def test_wrong_settings_and_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = list(doctor(Target("aws", "sagemaker", "churn", tmp_path, {}), ()))
    assert [one.check for one in found if one.status == "missing"] == ["target"] * 3
    assert found[-1].fix
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    last = list(doctor(target(), ()))[-1]
    assert (last.check, last.status) == ("identity", "missing")
    assert "aws configure" in last.fix


# -- with an AWS that is played --------------------------------------------------------------------------------------


PLAIN = Needs(frozenset({"kind:pipeline"}))


class Played:
    """Answers by operation; what it is asked is kept."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def call(self, service: str, operation: str, /, **request: Any) -> Any:
        self.asked.append((operation, request))
        answer = self.answers[operation]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    find = call

    def pages(self, service: str, operation: str, member: str, /, **request: Any) -> Iterator[Any]:
        yield from self.call(service, operation, **request)[member]


def played(services: dict[str, Any], needs: Needs, check: Any, **settings: Any) -> dict[str, str]:
    """Messages and states that a check finds."""
    place = Place.of(target(**settings))
    asks = Patient(place, Scope.of(place), needs, Played(**services), "")  # type: ignore[arg-type]
    return {one.message: one.status for one in check(asks)}


@pytest.mark.parametrize(
    ("needs", "status"),
    [
        (Needs(frozenset({"kind:queue"})), "ok"),
        (Needs(frozenset({"kind:schedule"})), "missing"),
        (Needs(any=True), "warning"),
    ],
)
def test_a_schedule_needs_the_trust_of_scheduler(needs: Needs, status: str) -> None:
    role = {"Role": {"Arn": ROLE, "AssumeRolePolicyDocument": json.loads(trust("sagemaker.amazonaws.com"))}}
    found = played({"GetRole": role}, needs, roles.role)
    assert list(found.values()) == ["ok", status]


def test_secrets_are_looked_up_and_never_read() -> None:
    known = {"cloudml/churn/api": {"Name": "cloudml/churn/api"}, "cloudml/churn/old": {"DeletedDate": 1}}
    client = {"DescribeSecret": lambda request: known.get(request["SecretId"])}
    found = played(client, Needs(secrets=frozenset({"api", "database", "old"})), around.secrets)
    assert found == {
        "cloudml/churn/api": "ok",
        "there is no secret cloudml/churn/database": "missing",
        "the secret cloudml/churn/old is about to be deleted": "missing",
    }


@pytest.mark.parametrize(("state", "status"), [("Enabled", "ok"), ("Disabled", "missing"), (None, "missing")])
def test_the_key(state: str | None, status: str) -> None:
    told = None if state is None else {"KeyMetadata": {"KeyState": state, "KeyId": "k", "Arn": "arn:k"}}
    assert list(played({"DescribeKey": told}, PLAIN, around.key, kms="alias/ml").values()) == [status]
    assert played({}, PLAIN, around.key) == {}


@pytest.mark.parametrize(
    ("networks", "free", "status"),
    [(("vpc-1", "vpc-1"), 200, "ok"), (("vpc-1", "vpc-2"), 200, "missing"), (("vpc-1", "vpc-1"), 3, "warning")],
)
def test_the_network(networks: tuple[str, str], free: int, status: str) -> None:
    nets = {"Subnets": [{"SubnetId": "subnet-1", "VpcId": networks[0], "AvailableIpAddressCount": free}]}
    groups = {"SecurityGroups": [{"VpcId": networks[1]}]}
    services = {"DescribeSubnets": nets, "DescribeSecurityGroups": groups}
    given = {"subnets": ["subnet-1"], "security_groups": ["sg-1"]}
    assert list(played(services, PLAIN, around.network, **given).values()) == [status]
    gone = {**services, "DescribeSubnets": None}
    assert list(played(gone, PLAIN, around.network, **given).values()) == ["missing"]


HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("image", "known", "status"),
    [
        (f"{HOST}/mine@sha256:ff", {"imageDetails": [{}]}, "ok"),
        (f"{HOST}/mine:1", {"imageDetails": [{}]}, "warning"),
        (f"{HOST}/mine:1", None, "missing"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/mine:1", None, "missing"),
        ("763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2", None, "ok"),
        ("python:3.11", None, "warning"),
    ],
)
def test_images(image: str, known: Any, status: str) -> None:
    assert list(played({"DescribeImages": known}, PLAIN, around.images, image=image).values()) == [status]


def patient(client: Played, needs: Needs = PLAIN, caller: str = "") -> Patient:
    place = Place.of(target())
    return Patient(place, Scope.of(place), needs, client, caller)  # type: ignore[arg-type]


def simulation(*denied: str) -> Any:
    def answer(request: Mapping[str, Any]) -> Any:
        results = [
            {"EvalActionName": name, "EvalDecision": "implicitDeny" if name in denied else "allowed"}
            for name in request["ActionNames"]
        ]
        return {"EvaluationResults": results}

    return answer


def test_denied_actions_are_named() -> None:
    client = Played(SimulatePrincipalPolicy=simulation("s3:PutObject", "logs:PutLogEvents"))
    (found,) = roles.allowed(patient(client))
    assert found.status == "missing"
    assert "s3:PutObject on arn:aws:s3:::data/churn/aws/x" in found.message
    assert "logs:PutLogEvents" in found.message
    assert all(request["PolicySourceArn"] == ROLE for _, request in client.asked)


def test_nothing_denied() -> None:
    (found,) = roles.allowed(patient(Played(SimulatePrincipalPolicy=simulation())))
    assert found.status == "ok"


def test_a_session_is_simulated_as_its_role() -> None:
    arn = "arn:aws:iam::123456789012:role/team/dev"
    client = Played(SimulatePrincipalPolicy=simulation("iam:PassRole"), GetRole={"Role": {"Arn": arn}})
    (found,) = roles.may(patient(client, caller="arn:aws:sts::123456789012:assumed-role/dev/me"))
    assert arn in found.message
    assert f"iam:PassRole on {ROLE}" in found.message
    context = next(one["ContextEntries"] for name, one in client.asked if "iam:PassRole" in one.get("ActionNames", ()))
    assert context[0]["ContextKeyName"] == "iam:PassedToService"


def test_what_may_not_be_looked_at_is_unknown() -> None:
    words = "User: me is not authorized to perform: iam:SimulatePrincipalPolicy on resource: x"
    error = refusal(Call("iam", "SimulatePrincipalPolicy", "us-east-1", "AccessDenied", words, 403))
    (found,) = guarded("role permissions", roles.allowed, patient(Played(SimulatePrincipalPolicy=error)))
    assert found.status == "unknown"
    assert "iam:SimulatePrincipalPolicy" in found.fix


def test_a_check_that_breaks_is_a_finding() -> None:
    (found,) = guarded(
        "quota", around.quotas, patient(Played(), Needs(machines=frozenset({("ml.m5.large", "training")})))
    )
    assert (found.status, found.check) == ("unknown", "quota")


def test_quotas() -> None:
    machines = frozenset({("ml.m5.large", "processing"), ("ml.p3.2xlarge", "training"), ("ml.g5.xlarge", "endpoint")})
    listed = [
        {"QuotaName": "ml.m5.large for processing job usage", "Value": 20.0, "QuotaCode": "L-1"},
        {"QuotaName": "ml.p3.2xlarge for training job usage", "Value": 0.0, "QuotaCode": "L-2"},
    ]
    found = {
        one.message: one
        for one in around.quotas(patient(Played(ListServiceQuotas={"Quotas": listed}), Needs(machines=machines)))
    }
    assert found["ml.m5.large for processing job usage: 20"].status == "ok"
    lacking = found["ml.p3.2xlarge for training job usage: 0 allowed"]
    assert lacking.status == "missing"
    assert "--quota-code L-2 --desired-value 1 --region us-east-1" in lacking.fix
    assert [one.status for one in found.values() if "g5" in one.message] == ["unknown"]


def test_machines_and_secrets_are_read_from_the_documents() -> None:
    cluster = {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}}
    inner = {"Name": "b", "Type": "Training", "Arguments": {"ResourceConfig": {"InstanceType": "ml.p3.2xlarge"}}}
    steps = [
        {"Name": "a", "Type": "Processing", "Arguments": {"ProcessingResources": cluster}},
        {"Name": "c", "Type": "Condition", "Arguments": {"Conditions": [], "IfSteps": [inner], "ElseSteps": []}},
    ]
    needs = needs_of([Resource.of("pipeline", "p", {"definition": {"Steps": steps}})], "s3://data/churn/aws")
    assert needs.machines == {("ml.m5.large", "processing"), ("ml.p3.2xlarge", "training")}
    assert needs.has("step:Training")
    assert not needs.has("step:Tuning")
