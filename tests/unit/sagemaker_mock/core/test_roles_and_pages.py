"""Execution roles as IAM has them, and tokens of pages that nobody gave."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def _trust(action: str, service: str = "sagemaker.amazonaws.com") -> str:
    return json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": action}]})


def _create(sagemaker: Any, name: str, role: str) -> None:
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer={"Image": "image"})


def test_a_role_is_found_among_more_than_a_page_of_them(aws: Callable[..., Any]) -> None:
    """IAM lists 100 roles a page unless asked otherwise (API reference, ListRoles)."""
    iam, sagemaker = aws("iam"), aws("sagemaker")
    arns = [
        iam.create_role(RoleName=f"role-{number:03}", AssumeRolePolicyDocument=_trust("sts:AssumeRole"))["Role"]["Arn"]
        for number in range(102)
    ]
    _create(sagemaker, "first", arns[0])
    _create(sagemaker, "last", arns[-1])
    with pytest.raises(ClientError, match="Could not assume role"):
        _create(sagemaker, "none", arns[0] + "-not")


@pytest.mark.parametrize("action", ["STS:assumerole", "sts:Assume*", "sts:*", "*"])
def test_actions_of_a_trust_policy_have_any_case_and_wildcards(aws: Callable[..., Any], action: str) -> None:
    role = aws("iam").create_role(RoleName="trusting", AssumeRolePolicyDocument=_trust(action))["Role"]["Arn"]
    _create(aws("sagemaker"), "model", role)


@pytest.mark.parametrize("trust", [_trust("sts:TagSession"), _trust("sts:AssumeRole", "lambda.amazonaws.com")])
def test_a_role_that_does_not_trust_sagemaker_is_refused(aws: Callable[..., Any], trust: str) -> None:
    role = aws("iam").create_role(RoleName="other", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    with pytest.raises(ClientError, match="Could not assume role"):
        _create(aws("sagemaker"), "model", role)


@pytest.mark.parametrize("inside", [b"5", b"{}", b"[1, 2, 3]", b'"ab"', b"[" * 5000, b'["ListModels", -1]'])
def test_a_token_that_nobody_gave_is_refused(aws: Callable[..., Any], inside: bytes) -> None:
    with pytest.raises(ClientError) as refused:
        aws("sagemaker").list_models(NextToken=base64.urlsafe_b64encode(inside).decode())
    assert refused.value.response["Error"]["Code"] == "ValidationException"
