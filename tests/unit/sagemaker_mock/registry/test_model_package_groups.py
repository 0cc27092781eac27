"""Model package groups over the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.start import Mock

Clients = Callable[..., Any]
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
            "Action": ["sagemaker:DescribeModelPackageGroup"],
            "Resource": "*",
        }
    ],
}


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_create_describe_delete(aws: Clients) -> None:
    sagemaker = aws("sagemaker")
    arn = sagemaker.create_model_package_group(
        ModelPackageGroupName="churn", ModelPackageGroupDescription="who leaves", Tags=[{"Key": "team", "Value": "ml"}]
    )["ModelPackageGroupArn"]
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:model-package-group/churn"
    found = sagemaker.describe_model_package_group(ModelPackageGroupName="churn")
    assert found["ModelPackageGroupStatus"] == "Completed"
    assert found["ModelPackageGroupDescription"] == "who leaves"
    assert sagemaker.describe_model_package_group(ModelPackageGroupName=arn)["ModelPackageGroupArn"] == arn
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "ml"}]
    sagemaker.delete_model_package_group(ModelPackageGroupName=arn)
    with pytest.raises(ClientError, match=r"ModelPackageGroup arn:\S+/churn does not exist") as missing:
        sagemaker.describe_model_package_group(ModelPackageGroupName="churn")
    assert code(missing) == "ValidationException"
    with pytest.raises(ClientError):
        sagemaker.list_tags(ResourceArn=arn)


def test_names_are_unique(aws: Clients) -> None:
    sagemaker = aws("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    with pytest.raises(ClientError, match="Model Package Group already exists: arn:aws") as refused:
        sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    assert code(refused) == "ValidationException"


def test_group_of_another_region_is_not_found(aws: Clients) -> None:
    sagemaker = aws("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    other = "arn:aws:sagemaker:eu-west-1:123456789012:model-package-group/churn"
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_model_package_group(ModelPackageGroupName=other)


def test_a_group_with_packages_stays(aws: Clients) -> None:
    sagemaker = aws("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    arn = sagemaker.create_model_package(ModelPackageGroupName="churn", SkipModelValidation="All")["ModelPackageArn"]
    with pytest.raises(ClientError, match="still contains 1") as refused:
        sagemaker.delete_model_package_group(ModelPackageGroupName="churn")
    assert code(refused) == "ConflictException"
    sagemaker.delete_model_package(ModelPackageName=arn)
    sagemaker.delete_model_package_group(ModelPackageGroupName="churn")


def test_policies(aws: Clients) -> None:
    sagemaker = aws("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    with pytest.raises(ClientError, match="Cannot find resource policy"):
        sagemaker.get_model_package_group_policy(ModelPackageGroupName="churn")
    text = json.dumps(POLICY)
    put = sagemaker.put_model_package_group_policy(ModelPackageGroupName="churn", ResourcePolicy=text)
    assert put["ModelPackageGroupArn"].endswith("model-package-group/churn")
    assert sagemaker.get_model_package_group_policy(ModelPackageGroupName="churn")["ResourcePolicy"] == text
    sagemaker.delete_model_package_group_policy(ModelPackageGroupName="churn")
    with pytest.raises(ClientError, match="Cannot find resource policy"):
        sagemaker.delete_model_package_group_policy(ModelPackageGroupName="churn")


@pytest.mark.parametrize("policy", ["{", "[]", "{}", '{"Statement": 5}'])
def test_policies_that_are_none(aws: Clients, policy: str) -> None:
    sagemaker = aws("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    with pytest.raises(ClientError, match="policy document"):
        sagemaker.put_model_package_group_policy(ModelPackageGroupName="churn", ResourcePolicy=policy)


def test_list(aws: Clients) -> None:
    sagemaker = aws("sagemaker")
    for name in ("b-one", "a-two", "c-one"):
        sagemaker.create_model_package_group(ModelPackageGroupName=name)

    def names(**params: Any) -> list[str]:
        found = sagemaker.list_model_package_groups(**params)["ModelPackageGroupSummaryList"]
        return [group["ModelPackageGroupName"] for group in found]

    assert names() == ["b-one", "a-two", "c-one"]
    assert names(SortBy="Name") == ["a-two", "b-one", "c-one"]
    assert names(SortBy="Name", SortOrder="Descending") == ["c-one", "b-one", "a-two"]
    assert names(NameContains="one") == ["b-one", "c-one"]
    pages = sagemaker.get_paginator("list_model_package_groups").paginate(PaginationConfig={"PageSize": 2})
    assert [len(page["ModelPackageGroupSummaryList"]) for page in pages] == [2, 1]


def test_groups_that_other_accounts_share(mock: Mock, aws: Clients) -> None:
    """Only groups whose policy names the caller's account are seen, and only when asked for."""
    other = Scope("999999999999", "us-east-1")
    for name in ("shared", "private"):
        mock.world.call(other, "CreateModelPackageGroup", {"ModelPackageGroupName": name})
    text = json.dumps(POLICY)
    params = {"ModelPackageGroupName": "shared", "ResourcePolicy": text}
    mock.world.call(other, "PutModelPackageGroupPolicy", params)
    sagemaker = aws("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="own")

    def names(**params: Any) -> list[str]:
        found = sagemaker.list_model_package_groups(**params)["ModelPackageGroupSummaryList"]
        return [group["ModelPackageGroupName"] for group in found]

    assert names() == names(CrossAccountFilterOption="SameAccount") == ["own"]
    assert names(CrossAccountFilterOption="CrossAccount") == ["shared"]
