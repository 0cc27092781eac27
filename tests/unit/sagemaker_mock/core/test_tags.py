"""Tags of what the mock owns: AWS's tag restrictions (AWS general reference, "Tag naming limits and requirements")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def tags(*keys: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": "v"} for key in keys]


@pytest.fixture
def sagemaker(aws: Callable[..., Any]) -> Any:
    return aws("sagemaker")


def test_tags_are_merged_and_removed(sagemaker: Any) -> None:
    made = sagemaker.create_model_package_group(ModelPackageGroupName="g", Tags=tags("a", "b"))
    arn = {"ResourceArn": made["ModelPackageGroupArn"]}
    sagemaker.add_tags(**arn, Tags=[{"Key": "b", "Value": "new"}, {"Key": "c", "Value": "v"}])
    told = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(**arn)["Tags"]}
    assert told == {"a": "v", "b": "new", "c": "v"}
    sagemaker.delete_tags(**arn, TagKeys=["a", "c", "none"])
    assert sagemaker.list_tags(**arn)["Tags"] == [{"Key": "b", "Value": "new"}]


@pytest.mark.parametrize("wrong", [tags("aws:mine"), tags("AWS:mine"), tags("a", "a")])
def test_reserved_and_repeated_keys_are_refused(sagemaker: Any, wrong: list[dict[str, str]]) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        sagemaker.create_model_package_group(ModelPackageGroupName="g", Tags=wrong)
    assert sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"] == []


def test_a_resource_has_fifty_tags_at_most(sagemaker: Any) -> None:
    fifty = tags(*(f"k{number}" for number in range(50)))
    made = sagemaker.create_model_package_group(ModelPackageGroupName="g", Tags=fifty)
    arn = {"ResourceArn": made["ModelPackageGroupArn"]}
    sagemaker.add_tags(**arn, Tags=tags("k7"))
    with pytest.raises(ClientError, match="50"):
        sagemaker.add_tags(**arn, Tags=tags("one-more"))


def test_what_is_gone_has_no_tags(sagemaker: Any) -> None:
    made = sagemaker.create_model_package_group(ModelPackageGroupName="g", Tags=tags("a"))
    sagemaker.delete_model_package_group(ModelPackageGroupName="g")
    with pytest.raises(ClientError, match="ValidationException"):
        sagemaker.add_tags(ResourceArn=made["ModelPackageGroupArn"], Tags=tags("a"))
