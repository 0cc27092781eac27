"""The template in infra/ is what the policies of today make, and fits IAM's limits with the longest names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from account_lab import allowed
from moto.iam.policy_validation import IAMPolicyDocumentValidator

from cloudml_sagemaker.policies.statements import size
from cloudml_sagemaker.policies.template import LONGEST, render, template

FILE = Path(__file__).parents[4] / "infra" / "sagemaker" / "account.yaml"
RESOURCES: dict[str, Any] = template()["Resources"]
VALUES = {
    "AWS::Partition": "aws",
    "AWS::Region": "ap-southeast-2",
    "AWS::AccountId": "123456789012",
    "BucketName": "b" * 63,
    "RoleName": "r" * 64,
    "Project": "p" * LONGEST,
    "Target": "t" * LONGEST,
}


def filled(value: Any) -> Any:
    """As CloudFormation substitutes parameters."""
    if isinstance(value, Mapping):
        if set(value) == {"Fn::Sub"}:
            text = value["Fn::Sub"]
            for name, given in VALUES.items():
                text = text.replace(f"${{{name}}}", given)
            return text
        return {key: filled(item) for key, item in value.items()}
    return [filled(item) for item in value] if isinstance(value, list) else value


MANAGED = {
    name: filled(one["Properties"]["PolicyDocument"])
    for name, one in RESOURCES.items()
    if one["Type"] == "AWS::IAM::ManagedPolicy"
}
ROLE = filled(RESOURCES["Role"]["Properties"])


def test_the_file_is_what_the_code_makes() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert text == render(), "python -m cloudml_sagemaker.policies.template > infra/sagemaker/account.yaml"
    assert yaml.safe_load(text) == template()


@pytest.mark.parametrize("name", sorted(MANAGED))
def test_managed_policies_fit_and_are_taken(name: str) -> None:
    assert size(MANAGED[name]) <= 6_144
    IAMPolicyDocumentValidator(json.dumps(MANAGED[name])).validate()


def test_the_role() -> None:
    (policy,) = ROLE["Policies"]
    assert size(policy["PolicyDocument"]) <= 10_240
    arn = f"arn:aws:iam::123456789012:role/{'r' * 64}"
    assert allowed([policy["PolicyDocument"]], "iam:PassRole", arn)
    assert allowed(MANAGED.values(), "iam:PassRole", arn)
    conditions = ROLE["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]
    assert conditions == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_nothing_is_left_to_substitute() -> None:
    assert "${" not in json.dumps([ROLE, MANAGED])


def test_the_bucket_is_closed_and_stays() -> None:
    bucket = RESOURCES["Bucket"]
    assert bucket["DeletionPolicy"] == "Retain"
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    (rule,) = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] in ("AES256", "aws:kms")
