"""Model packages over the API: versions, approval, updates, lists."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from mock_clients import IMAGE, client

from cloudml.mocks.bus import Change
from cloudml_sagemaker.mock.start import Mock

Clients = Callable[..., Any]
INFERENCE: dict[str, Any] = {
    "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://b/model.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}
ALONE = {
    **INFERENCE,
    "SupportedTransformInstanceTypes": ["ml.m5.large"],
    "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
}
PREFIX = "arn:aws:sagemaker:us-east-1:123456789012:model-package"


@pytest.fixture
def sagemaker(aws: Clients) -> Any:
    """A client, and the group "churn"."""
    made = aws("sagemaker")
    made.create_model_package_group(ModelPackageGroupName="churn")
    return made


def version(sagemaker: Any, group: str = "churn", **members: Any) -> str:
    params = {"ModelPackageGroupName": group, "InferenceSpecification": INFERENCE, **members}
    return str(sagemaker.create_model_package(**params)["ModelPackageArn"])


def describe(sagemaker: Any, name: str) -> dict[str, Any]:
    return dict(sagemaker.describe_model_package(ModelPackageName=name))


def test_versions_count_up_and_wait_for_approval(sagemaker: Any) -> None:
    assert [version(sagemaker) for _ in range(3)] == [f"{PREFIX}/churn/{number}" for number in (1, 2, 3)]
    found = describe(sagemaker, f"{PREFIX}/churn/2")
    assert found["ModelPackageVersion"] == 2
    assert found["ModelPackageGroupName"] == "churn"
    assert found["ModelPackageStatus"] == "Completed"
    assert found["ModelPackageStatusDetails"]["ValidationStatuses"] == []
    # Facts of the service: a version that says nothing waits for approval.
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert found["InferenceSpecification"] == INFERENCE


def test_a_deleted_number_is_not_given_again(sagemaker: Any) -> None:
    version(sagemaker)
    sagemaker.delete_model_package(ModelPackageName=version(sagemaker))
    assert version(sagemaker) == f"{PREFIX}/churn/3"
    with pytest.raises(ClientError, match=r"ModelPackage arn:\S+/churn/2 does not exist"):
        describe(sagemaker, f"{PREFIX}/churn/2")


def test_what_is_given_is_kept(sagemaker: Any) -> None:
    metrics = {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://b/m.json"}}}
    given = {
        "ModelPackageDescription": "first",
        "ModelApprovalStatus": "Approved",
        "ModelMetrics": metrics,
        "CustomerMetadataProperties": {"run": "r-1"},
        "Domain": "MACHINE_LEARNING",
        "ModelLifeCycle": {"Stage": "Development", "StageStatus": "Pending"},
        "MetadataProperties": {"CommitId": "abc"},
    }
    found = describe(sagemaker, version(sagemaker, **given))
    assert {name: found[name] for name in given} == given


def test_a_package_of_its_own(sagemaker: Any) -> None:
    tags = [{"Key": "a", "Value": "b"}]
    request = {"ModelPackageName": "alone", "InferenceSpecification": ALONE}
    arn = sagemaker.create_model_package(**request, Tags=tags)["ModelPackageArn"]
    assert arn == f"{PREFIX}/alone"
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == tags
    for name in ("alone", arn):
        found = describe(sagemaker, name)
        assert found["ModelPackageName"] == "alone"
        assert "ModelPackageVersion" not in found
        assert "ModelApprovalStatus" not in found
    with pytest.raises(ClientError, match="already exists"):
        sagemaker.create_model_package(ModelPackageName="alone", InferenceSpecification=ALONE)


REFUSED: list[tuple[dict[str, Any], str]] = [
    # The words of the first two are AWS's (getmoto/moto pull request 7165).
    ({"ModelPackageName": "a", "ModelPackageGroupName": "churn"}, "Cannot determine which one to use"),
    ({}, "Missing ARN"),
    ({"ModelPackageGroupName": "nope"}, "does not exist"),
    ({"ModelPackageGroupName": "churn", "InferenceSpecification": None}, "must be specified"),
    ({"ModelPackageName": "a"}, "SupportedTransformInstanceTypes"),
    ({"ModelPackageName": "a", "InferenceSpecification": ALONE, "ModelApprovalStatus": "Approved"}, "does not apply"),
    ({"ModelPackageGroupName": "churn", "CertifyForMarketplace": True}, "does not apply"),
    ({"ModelPackageGroupName": "churn", "Tags": [{"Key": "a", "Value": "b"}]}, "add them to the Model Package Group"),
    ({"ModelPackageGroupName": "churn", "SourceUri": f"{PREFIX}/churn/9"}, "does not exist"),
    (
        {"ModelPackageGroupName": "churn", "SourceUri": "arn:aws:sagemaker:us-east-1:123456789012:model/m"},
        "Could not find model",
    ),
    ({"ModelPackageGroupName": "churn", "ModelApprovalStatus": "Maybe"}, "enum value set"),
    ({"ModelPackageGroupName": "churn", "InferenceSpecification": {}}, "Member must not be null"),
    (
        {
            "ModelPackageGroupName": "churn",
            "SourceAlgorithmSpecification": {"SourceAlgorithms": [{"AlgorithmName": "x"}]},
        },
        "Only one of",
    ),
]


@pytest.mark.parametrize(("params", "words"), REFUSED)
def test_refused(sagemaker: Any, params: dict[str, Any], words: str) -> None:
    given = {"InferenceSpecification": INFERENCE, **params}
    with pytest.raises(ClientError, match=words) as refused:
        sagemaker.create_model_package(**{name: value for name, value in given.items() if value is not None})
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert sagemaker.list_model_packages(ModelPackageType="Both")["ModelPackageSummaryList"] == []
    assert version(sagemaker) == f"{PREFIX}/churn/1"


def test_a_client_token_makes_one_package(sagemaker: Any) -> None:
    first = version(sagemaker, ClientToken="token-1")
    assert version(sagemaker, ClientToken="token-1") == first
    with pytest.raises(ClientError, match="ClientToken") as refused:
        version(sagemaker, ClientToken="token-1", ModelPackageDescription="other")
    assert refused.value.response["Error"]["Code"] == "ConflictException"
    assert version(sagemaker, ClientToken="token-2") != first


def test_an_update_happens_once_a_client_token(sagemaker: Any) -> None:
    arn, extra = version(sagemaker), [{"Name": "neo", "Containers": [{"Image": IMAGE}]}]
    request = {"ModelPackageArn": arn, "AdditionalInferenceSpecificationsToAdd": extra, "ClientToken": "token-1"}
    assert [sagemaker.update_model_package(**request)["ModelPackageArn"] for _ in range(2)] == [arn, arn]
    assert describe(sagemaker, arn)["AdditionalInferenceSpecifications"] == extra
    with pytest.raises(ClientError, match="ClientToken") as refused:
        sagemaker.update_model_package(**{**request, "ApprovalDescription": "other"})
    assert refused.value.response["Error"]["Code"] == "ConflictException"


def test_a_clone_takes_over_what_it_does_not_say(sagemaker: Any) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="prod")
    source = version(
        sagemaker, CustomerMetadataProperties={"run": "r-1"}, Domain="OTHER", ModelApprovalStatus="Approved"
    )
    arn = sagemaker.create_model_package(
        ModelPackageGroupName="prod", SourceUri=source, Domain="NATURAL_LANGUAGE_PROCESSING"
    )
    found = describe(sagemaker, arn["ModelPackageArn"])
    assert found["InferenceSpecification"] == INFERENCE
    assert found["CustomerMetadataProperties"] == {"run": "r-1"}
    assert found["Domain"] == "NATURAL_LANGUAGE_PROCESSING"
    assert found["ModelApprovalStatus"] == "PendingManualApproval"


def test_an_update_changes_nothing_else(sagemaker: Any) -> None:
    arn = version(sagemaker, ModelApprovalStatus="Approved", CustomerMetadataProperties={"a": "1", "b": "2"})
    before = describe(sagemaker, arn)
    sagemaker.update_model_package(
        ModelPackageArn=arn,
        CustomerMetadataProperties={"b": "3", "c": "4"},
        CustomerMetadataPropertiesToRemove=["a", "b"],
    )
    found = describe(sagemaker, arn)
    assert found["CustomerMetadataProperties"] == {"b": "3", "c": "4"}
    assert found["ModelApprovalStatus"] == "Approved"
    assert found["LastModifiedTime"] >= found["CreationTime"]
    left_alone = set(before) - {"CustomerMetadataProperties", "ResponseMetadata"}
    assert {name: found[name] for name in left_alone} == {name: before[name] for name in left_alone}


def test_updates(sagemaker: Any) -> None:
    arn = version(sagemaker)
    life = {"Stage": "Production", "StageStatus": "Approved"}
    extra = {"Name": "neo", "Containers": [{"Image": IMAGE}]}
    answer = sagemaker.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Rejected",
        ApprovalDescription="too slow",
        ModelLifeCycle=life,
        AdditionalInferenceSpecificationsToAdd=[extra],
        SourceUri="s3://b/source",
    )
    assert answer["ModelPackageArn"] == arn
    found = describe(sagemaker, arn)
    assert (found["ModelApprovalStatus"], found["ApprovalDescription"]) == ("Rejected", "too slow")
    assert (found["ModelLifeCycle"], found["SourceUri"]) == (life, "s3://b/source")
    assert found["AdditionalInferenceSpecifications"] == [extra]
    with pytest.raises(ClientError, match="must be unique"):
        sagemaker.update_model_package(ModelPackageArn=arn, AdditionalInferenceSpecificationsToAdd=[extra])
    many = [{**extra, "Name": f"n{number}"} for number in range(15)]
    with pytest.raises(ClientError, match="at most 15"):
        sagemaker.update_model_package(ModelPackageArn=arn, AdditionalInferenceSpecificationsToAdd=many)
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={f"k{i}": "v" for i in range(50)})
    with pytest.raises(ClientError, match="at most 50"):
        sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"more": "v"})


def test_only_versions_are_approved(sagemaker: Any) -> None:
    arn = sagemaker.create_model_package(ModelPackageName="alone", InferenceSpecification=ALONE)["ModelPackageArn"]
    with pytest.raises(ClientError, match="does not apply to unversioned"):
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.update_model_package(ModelPackageArn=f"{PREFIX}/churn/7", ModelApprovalStatus="Approved")


def test_list(sagemaker: Any) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="other")
    first, second = version(sagemaker), version(sagemaker, ModelApprovalStatus="Approved")
    third = version(sagemaker, "other")
    alone = sagemaker.create_model_package(ModelPackageName="alone", InferenceSpecification=ALONE)["ModelPackageArn"]

    def arns(**params: Any) -> list[str]:
        return [one["ModelPackageArn"] for one in sagemaker.list_model_packages(**params)["ModelPackageSummaryList"]]

    # The API reference: unversioned packages are the default, the order is ascending by creation.
    assert arns() == [alone]
    assert arns(ModelPackageType="Versioned") == [first, second, third]
    assert arns(ModelPackageType="Both", SortOrder="Descending") == [alone, third, second, first]
    assert arns(ModelPackageGroupName="churn") == [first, second]
    assert arns(ModelPackageGroupName=f"{PREFIX}-group/churn", SortOrder="Descending", MaxResults=1) == [second]
    assert arns(ModelPackageGroupName="churn", ModelApprovalStatus="Approved") == [second]
    assert arns(ModelPackageType="Both", NameContains="oth") == [third]
    with pytest.raises(ClientError, match="does not exist"):
        arns(ModelPackageGroupName="nope")


def test_the_newest_version_is_first_when_the_clock_stands_still(held: Mock) -> None:
    sagemaker = client(held.url, "sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    made = [version(sagemaker) for _ in range(3)]
    for by in ("CreationTime", "Name"):
        found = sagemaker.list_model_packages(ModelPackageGroupName="churn", SortBy=by, SortOrder="Descending")
        assert [one["ModelPackageArn"] for one in found["ModelPackageSummaryList"]] == made[::-1]


def test_batch(sagemaker: Any) -> None:
    arn, missing = version(sagemaker), f"{PREFIX}/churn/9"
    abroad = arn.replace("us-east-1", "eu-west-1")
    found = sagemaker.batch_describe_model_package(ModelPackageArnList=[arn, missing, abroad])
    assert set(found["ModelPackageSummaries"]) == {arn}
    assert found["ModelPackageSummaries"][arn]["InferenceSpecification"] == INFERENCE
    assert {key: error["ErrorCode"] for key, error in found["BatchDescribeModelPackageErrorMap"].items()} == {
        missing: "ValidationException",
        abroad: "ValidationException",
    }


def test_metadata_only_leaves_the_card_out(sagemaker: Any) -> None:
    arn = version(sagemaker, ModelCard={"ModelCardContent": "{}", "ModelCardStatus": "Draft"})
    assert describe(sagemaker, arn)["ModelCard"]["ModelCardContent"] == "{}"
    card = sagemaker.describe_model_package(ModelPackageName=arn, IncludedData="MetadataOnly")["ModelCard"]
    assert card["ModelCardStatus"] == "Draft"
    assert not card.get("ModelCardContent")


def test_changes_are_told(mock: Mock, sagemaker: Any) -> None:
    """Creation, deletion and an update of what the developer guide lists make one change each; others make none."""
    seen: list[Change] = []
    done = threading.Event()

    def note(change: Change) -> None:
        seen.append(change)
        if change.after == "Deleting":
            done.set()

    mock.world.bus.subscribe(note, "ModelPackage")
    arn = version(sagemaker)
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="again")
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="again")
    sagemaker.delete_model_package(ModelPackageName=arn)
    assert done.wait(10)
    assert [(change.name, change.before, change.after, change.details.get("updated")) for change in seen] == [
        ("churn/1", "Pending", "Completed", None),
        ("churn/1", "Completed", "Completed", ["ModelApprovalStatus"]),
        ("churn/1", "Completed", "Completed", ["ApprovalDescription"]),
        ("churn/1", "Completed", "Deleting", None),
    ]


def test_versions_made_at_once_are_all_there(mock: Mock, sagemaker: Any) -> None:
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.append(version(client(mock.url, "sagemaker")))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [f"{PREFIX}/churn/{number}" for number in range(1, 9)]
