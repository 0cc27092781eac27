"""Model cards over the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Clients = Callable[..., Any]


@pytest.fixture
def sagemaker(aws: Clients) -> Any:
    """A client, and the card "churn"."""
    made = aws("sagemaker")
    made.create_model_card(ModelCardName="churn", Content='{"a": 1}', ModelCardStatus="Draft")
    return made


def test_content_makes_versions_and_status_does_not(sagemaker: Any) -> None:
    sagemaker.update_model_card(ModelCardName="churn", ModelCardStatus="Approved")
    sagemaker.update_model_card(ModelCardName="churn", Content='{"a": 2}')
    found = sagemaker.describe_model_card(ModelCardName="churn")
    assert (found["ModelCardVersion"], found["Content"]) == (2, '{"a": 2}')
    first = sagemaker.describe_model_card(ModelCardName=found["ModelCardArn"], ModelCardVersion=1)
    assert (first["ModelCardVersion"], first["Content"], first["ModelCardStatus"]) == (1, '{"a": 1}', "Approved")
    hidden = sagemaker.describe_model_card(ModelCardName="churn", IncludedData="MetadataOnly")
    assert hidden["Content"] == ""


def test_lists(sagemaker: Any) -> None:
    sagemaker.update_model_card(ModelCardName="churn", Content='{"a": 2}')
    sagemaker.create_model_card(ModelCardName="fraud", Content="{}", ModelCardStatus="Approved")
    found = sagemaker.list_model_cards(SortBy="Name")["ModelCardSummaries"]
    assert [card["ModelCardName"] for card in found] == ["churn", "fraud"]
    assert [
        card["ModelCardName"] for card in sagemaker.list_model_cards(ModelCardStatus="Approved")["ModelCardSummaries"]
    ] == ["fraud"]
    versions = sagemaker.list_model_card_versions(ModelCardName="churn", SortBy="Version", SortOrder="Descending")
    assert [one["ModelCardVersion"] for one in versions["ModelCardVersionSummaryList"]] == [2, 1]


@pytest.mark.parametrize(
    ("call", "params", "code"),
    [
        ("create_model_card", {"Content": "{}", "ModelCardStatus": "Draft"}, "ConflictException"),
        ("update_model_card", {"Content": "[]"}, "ValidationException"),
        ("update_model_card", {"Content": "{}", "ModelCardStatus": "Draft"}, "ValidationException"),
        ("update_model_card", {}, "ValidationException"),
        ("describe_model_card", {"ModelCardVersion": 2}, "ResourceNotFound"),
        ("describe_model_card", {"ModelCardName": "nope"}, "ResourceNotFound"),
        ("delete_model_card", {"ModelCardName": "nope"}, "ResourceNotFound"),
    ],
)
def test_refused(sagemaker: Any, call: str, params: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(sagemaker, call)(**{"ModelCardName": "churn", **params})
    assert refused.value.response["Error"]["Code"] == code


def test_an_archived_card_takes_no_more_content(sagemaker: Any) -> None:
    sagemaker.update_model_card(ModelCardName="churn", ModelCardStatus="Archived")
    with pytest.raises(ClientError, match="archived"):
        sagemaker.update_model_card(ModelCardName="churn", Content="{}")
    sagemaker.delete_model_card(ModelCardName="churn")
    assert sagemaker.list_model_cards()["ModelCardSummaries"] == []
