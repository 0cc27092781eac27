"""The registry as the command line sees it, of versions that the code of a register job has made on the mock."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from registry_lab import Account, Killed, Make, Mortal

from cloudml.errors import NotFound, Refused
from cloudml_sagemaker.container.control.registration import record_of
from cloudml_sagemaker.resources.kind import World


def said(decisions: tuple[dict[str, Any], ...]) -> list[tuple[str, str, str]]:
    return [(one["action"], one["who"], one["reason"]) for one in decisions]


def test_a_version_tells_what_it_is_and_where_it_comes_from(dev: Account) -> None:
    made = dev.register()
    found = dev.models.get("m")
    assert (found.model, found.version, found.digest) == ("m", 1, made["digest"])
    assert (found.run, found.step, found.code) == ("run-1", "fit", "d" * 64)
    assert found.metrics == {"auc": 0.75, "rows": 4.0}
    assert (found.data, found.parameters) == ({"rows": "sha256:" + "a" * 64}, {"slope": 3})
    assert (found.approval, found.aliases, found.decisions, found.summary) == ("approved", (), (), "a line")
    assert found.path.startswith("s3://data-dev/shop/dev/models/m/")
    assert found.path.endswith("/model.tar.gz")
    assert found.created_at.endswith("+00:00")


def test_the_record_is_found_however_long_its_address_is(account: Make) -> None:
    """Metadata has room for 256 characters, and bucket, project, target and model for more."""
    long = account("t" * 40, project="p" * 40)
    model = "m" * 50
    long.make_group(model)
    version = long.register(model=model, approval="pending", kms="alias/k")
    found = long.models.decide(model, version["version"], True, "ada", "good")
    assert len(record_of(long.described(1, model))) > 256
    assert (found.data, found.code, said(found.decisions)) == (
        {"rows": "sha256:" + "a" * 64}, "d" * 64, [("approved", "ada", "good")],
    )  # fmt: skip
    key = found.path.removeprefix(f"s3://{long.place.bucket}/")
    kept = long.client.call("s3", "HeadObject", Bucket=long.place.bucket, Key=key)
    assert (kept["ServerSideEncryption"], kept["SSEKMSKeyId"]) == ("aws:kms", "alias/k"), "by the target's key"


def test_versions_are_listed_newest_first_by_model(dev: Account) -> None:
    dev.make_group("a")
    dev.make_group("empty")
    for model, slope in (("m", 1), ("m", 2), ("a", 3)):
        dev.register(slope, model=model)
    assert [(one.model, one.version) for one in dev.models.list()] == [("a", 1), ("m", 2), ("m", 1)]
    assert [one.version for one in dev.models.list("m")] == [2, 1]
    assert dev.models.list("nobody") == []
    assert dev.models.get("m").version == 2


def test_what_is_not_there_is_told_with_what_is(dev: Account) -> None:
    with pytest.raises(NotFound) as told:
        dev.models.get("m")
    assert (told.value.message, told.value.hint) == ("there is no model 'm'", "no model is registered yet")
    dev.make_group("churn")
    dev.register(model="churn")
    with pytest.raises(NotFound, match="there is no model 'chrun'") as told:
        dev.models.get("chrun")
    assert told.value.hint == "did you mean churn? the registered models are churn"
    with pytest.raises(NotFound, match="there is no version 7 of model 'churn'") as told:
        dev.models.get("churn", 7)
    assert told.value.hint == "its versions are 1"
    with pytest.raises(NotFound, match="no version of model 'churn' bears the alias 'champion'"):
        dev.models.get("churn", alias="champion")


def test_a_group_of_that_name_without_our_tags_is_not_seen(dev: Account, account: Make) -> None:
    """Targets may be named so that names look alike, and anybody may make a group of any name."""
    dev.register()
    other = account("dev-2")
    other.make_group()
    other.register(slope=9)
    dev.client.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="shop-dev-theirs")
    dev.register(slope=8, model="theirs")
    assert [(one.model, one.parameters) for one in dev.models.list()] == [("m", {"slope": 3})]
    assert [one.parameters for one in other.models.list()] == [{"slope": 9}]
    with pytest.raises(NotFound):
        dev.models.decide("theirs", 1, False, "ada", "mine now")


def test_a_decision_is_the_services_own_with_who_and_why(dev: Account) -> None:
    dev.register(approval="pending")
    assert dev.models.get("m").approval == "pending"
    approved = dev.models.decide("m", 1, True, "ada", "looks right\nto me")
    assert (approved.approval, said(approved.decisions)) == ("approved", [("approved", "ada", "looks right\nto me")])
    told = dev.described(1)
    assert (told["ModelApprovalStatus"], told["ApprovalDescription"]) == ("Approved", "ada: looks right to me")
    rejected = dev.models.decide("m", 1, False, "bob", "x" * 5000)
    assert (rejected.approval, [one["who"] for one in rejected.decisions]) == ("rejected", ["ada", "bob"])
    assert rejected.decisions[1]["reason"] == "x" * 5000, "longer than what SageMaker keeps"
    again = dev.models.decide("m", 1, False, "bob", "x" * 5000)
    assert again == rejected, "the same decision once more is the same one"


def test_decisions_at_once_are_all_kept(dev: Account) -> None:
    dev.register(approval="pending")
    people = [f"p{number}" for number in range(8)]
    threads = [
        threading.Thread(target=dev.models.decide, args=("m", 1, index % 2 == 0, who, "why"))
        for index, who in enumerate(people)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = dev.models.get("m")
    assert {one["who"] for one in found.decisions} >= set(people)
    assert found.decisions[-1]["action"] == found.approval, "what is told last is what holds"


def test_a_decision_made_elsewhere_is_told_and_kept(dev: Account) -> None:
    dev.register(approval="pending")
    arn = dev.described(1)["ModelPackageArn"]
    update = {"ModelPackageArn": arn, "ModelApprovalStatus": "Rejected", "ApprovalDescription": "in Studio"}
    dev.client.call("sagemaker", "UpdateModelPackage", **update)
    found = dev.models.get("m")
    assert [(one["action"], one["reason"]) for one in found.decisions] == [("rejected", "in Studio")]
    later = dev.models.decide("m", 1, True, "ada", "no, it is good")
    assert [(one["action"], one["reason"]) for one in later.decisions] == [
        ("rejected", "in Studio"), ("approved", "no, it is good"),
    ]  # fmt: skip
    assert dev.models.decide("m", 1, False, "bob", "x").decisions[:2] == later.decisions


@pytest.mark.parametrize(("at", "sent"), [(0, False), (0, True), (1, False), (1, True)])
def test_a_decision_that_was_cut_off_is_ended_by_the_next(dev: Account, at: int, sent: bool) -> None:
    dev.register(approval="pending")
    with pytest.raises(Killed):
        dev.opened(Mortal(dev.place, at, sent)).decide("m", 1, True, "ada", "good")
    before = dev.models.get("m")
    done = (at, sent) == (1, True)
    assert (before.approval, len(before.decisions)) == (("approved", 1) if done else ("pending", 0))
    after = dev.models.decide("m", 1, True, "ada", "good")
    assert (after.approval, said(after.decisions)) == ("approved", [("approved", "ada", "good")])


def test_an_alias_moves_with_who_and_why(dev: Account) -> None:
    dev.register(1)
    dev.register(2)
    first = dev.models.promote("m", 1, "champion", "ada", "the first")
    assert (first.aliases, said(first.decisions)) == (("champion",), [("promoted to champion", "ada", "the first")])
    dev.models.promote("m", 2, "champion", "bob", "better")
    dev.models.promote("m", 2, "blue", "bob", "also")
    assert [one.aliases for one in dev.models.list("m")] == [("blue", "champion"), ()]
    assert dev.models.get("m", alias="champion").version == 2
    assert dev.tags()["cloudml:alias:champion"] == "2"
    assert dev.models.promote("m", 2, "champion", "eve", "again").decisions == dev.models.get("m", 2).decisions
    assert len(dev.models.get("m", 2).decisions) == 2, "nothing moved, nothing was decided"


def test_an_alias_that_comes_back_leaves_a_trace_each_time(dev: Account) -> None:
    """The same words, said again after the alias was elsewhere, are another decision."""
    dev.register(1)
    dev.register(2)
    for version in (1, 2, 1):
        dev.models.promote("m", version, "champion", "ada", "")
    assert len(dev.models.get("m", 1).decisions) == 2
    assert len(dev.models.get("m", 2).decisions) == 1


@pytest.mark.parametrize("approved", [None, False])
def test_only_an_approved_version_may_bear_an_alias(dev: Account, approved: bool | None) -> None:
    dev.register(approval="pending")
    if approved is False:
        dev.models.decide("m", 1, False, "ada", "no")
    word = "pending" if approved is None else "rejected"
    with pytest.raises(Refused, match=f"m/1 is {word}: only an approved version may bear an alias") as told:
        dev.models.promote("m", 1, "champion", "ada", "too early")
    assert told.value.hint == "cloudml approve m/1 --reason …"
    assert not any("alias" in key for key in dev.tags())


def test_an_alias_must_fit_into_a_tag(dev: Account) -> None:
    dev.register()
    for alias in ("", "a,b", "x" * 200):
        with pytest.raises(Refused, match="cannot be an alias"):
            dev.models.promote("m", 1, alias, "ada", "why")


@pytest.mark.parametrize(("at", "sent"), [(0, False), (0, True), (1, False), (1, True)])
def test_a_promotion_that_was_cut_off_is_ended_by_the_next(dev: Account, at: int, sent: bool) -> None:
    dev.register()
    with pytest.raises(Killed):
        dev.opened(Mortal(dev.place, at, sent)).promote("m", 1, "champion", "ada", "good")
    after = dev.models.promote("m", 1, "champion", "ada", "good")
    assert (after.aliases, said(after.decisions)) == (("champion",), [("promoted to champion", "ada", "good")])


def test_a_group_made_anew_does_not_inherit_decisions(dev: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudml_sagemaker.container.control.register.PAUSES", (0.0,))
    dev.register(approval="pending")
    dev.models.decide("m", 1, True, "ada", "good")
    dev.client.call("sagemaker", "DeleteModelPackage", ModelPackageName=dev.described(1)["ModelPackageArn"])
    dev.client.call("sagemaker", "DeleteModelPackageGroup", ModelPackageGroupName=dev.group())
    time.sleep(1.01 - time.time() % 1)  # another second: versions are told apart by the time of their making
    dev.make_group()
    assert dev.register(approval="pending")["version"] == 1, "the token of the lost version is not in the way"
    found = dev.models.get("m")
    assert (found.approval, found.decisions) == ("pending", ())


def test_a_version_that_somebody_else_registered_is_listed_with_what_is_known(dev: Account) -> None:
    container = {"Image": "i", "ModelDataUrl": "s3://elsewhere/model.tar.gz"}
    types = {"SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    dev.client.call(
        "sagemaker", "CreateModelPackage", ModelPackageGroupName=dev.group(), ModelPackageDescription="by hand",
        InferenceSpecification={"Containers": [container], **types},
        CustomerMetadataProperties={"cloudml:metric:auc": "0.5", "cloudml:metric:name": "none"},
    )  # fmt: skip
    found = dev.models.get("m")
    assert (found.digest, found.metrics, found.summary) == ("", {"auc": 0.5}, "by hand")
    assert said(dev.models.decide("m", 1, True, "ada", "good").decisions) == [("approved", "ada", "good")]
    with pytest.raises(Refused, match="was not registered by cloudml") as told:
        dev.models.export("m", 1, dev.folder / "out")
    assert told.value.code == "CML538"


def test_a_version_that_says_nothing_of_its_serving_hides_no_other(dev: Account) -> None:
    """AWS takes a package without an inference specification (SourceUri)."""
    from cloudml_sagemaker.container.control import models
    from cloudml_sagemaker.hosting import Failed
    from cloudml_sagemaker.hosting.content import Served

    dev.register()
    dev.client.call("sagemaker", "CreateModelPackage", ModelPackageGroupName=dev.group(), SourceUri="s3://elsewhere/m")
    assert [(one.version, one.path == "") for one in dev.models.list("m")] == [(2, True), (1, False)]
    assert models.Package("m", dev.group(), dev.described(2)).container == {}
    with pytest.raises(Failed, match="it has no image"):
        Served.of(dev.described(2), "m", dev.group())


def test_an_alias_of_a_deleted_version_is_no_champion(dev: Account) -> None:
    from cloudml.jobs.conditions import NoChampion
    from cloudml_sagemaker.container.control.models import champion

    dev.register()
    dev.models.promote("m", 1, "champion", "ada", "x")
    dev.client.call("sagemaker", "DeleteModelPackage", ModelPackageName=dev.described(1)["ModelPackageArn"])
    wanted = {"model": "m", "group": dev.group(), "alias": "champion", "metric": "auc", "missing": "pass"}
    with pytest.raises(NoChampion):
        champion(wanted)


def test_more_metrics_than_the_metadata_has_room_for_are_all_told(dev: Account) -> None:
    from cloudml_sagemaker.container.control.models import champion

    many = {f"m{number:03}": {"literal": number / 8} for number in range(80)}
    dev.register(metrics=[{"name": name, "value": value} for name, value in many.items()])
    assert len(dev.described(1)["CustomerMetadataProperties"]) == 50, "as many as SageMaker takes"
    assert dev.models.get("m").metrics == {f"m{number:03}": number / 8 for number in range(80)}
    dev.models.promote("m", 1, "champion", "ada", "x")
    wanted = {"model": "m", "group": dev.group(), "alias": "champion", "missing": "fail"}
    assert champion({**wanted, "metric": "m079"}) == 79 / 8


def test_metadata_keeps_to_the_alphabet_of_the_service(dev: Account) -> None:
    from cloudml_sagemaker.container.control import registration

    facts = {"digest": "d", "filename": 'a(1)"\n.bin', "tags": {"team,": "a{b}"}, "metrics": {"auc": 0.5}}
    found = registration.metadata(facts, "s3://b/p/x.json")
    assert found["cloudml:filename"] == "a_1___.bin"
    assert found["cloudml:tag:team_"] == "a_b_"
    assert found["cloudml:metric:auc"] == "0.5"


def test_the_run_moves_an_alias_with_the_same_trace(dev: Account) -> None:
    from cloudml_sagemaker.container.control import models

    version = dev.register()
    package = models.find(version)
    models.promote(package, "champion", "cloudml", "deployed to churn by run-1")
    models.promote(package, "champion", "cloudml", "deployed to churn by run-2")
    assert models.bearer(dev.group(), "champion") == 1
    found = dev.models.get("m", alias="champion")
    assert said(found.decisions) == [("promoted to champion", "cloudml", "deployed to churn by run-1")]


def test_a_package_that_failed_is_no_version(dev: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mock makes every package; AWS may fail to (ModelPackageStatus), and says why in the details."""
    dev.register(1)
    dev.register(2)
    real = dev.client.call

    def call(service: str, operation: str, /, **request: Any) -> dict[str, Any]:
        answer = real(service, operation, **request)
        if operation == "DescribeModelPackage" and answer["ModelPackageVersion"] == 2:
            details = {"ImageScanStatuses": [{"Name": "x", "Status": "Failed", "FailureReason": "no such image"}]}
            return {**answer, "ModelPackageStatus": "Failed", "ModelPackageStatusDetails": details}
        return answer

    monkeypatch.setattr(dev.client, "call", call)
    real_pages = dev.client.pages

    def pages(service: str, operation: str, member: str, /, **request: Any) -> Any:
        for one in real_pages(service, operation, member, **request):
            failed = operation == "ListModelPackages" and one["ModelPackageVersion"] == 2
            yield {**one, "ModelPackageStatus": "Failed"} if failed else one

    monkeypatch.setattr(dev.client, "pages", pages)
    assert [one.version for one in dev.models.list("m")] == [1]
    assert dev.models.get("m").version == 1
    with pytest.raises(Refused, match="m/2 cannot be used, it is Failed: no such image") as told:
        dev.models.decide("m", 2, True, "ada", "good")
    assert told.value.code == "CML538"


def test_a_damaged_record_or_decision_hides_nothing_else(dev: Account) -> None:
    dev.register()
    dev.models.decide("m", 1, False, "ada", "no")
    record = record_of(dev.described(1))
    folder = next(key for key in dev.objects() if "/decisions/" in key).rpartition("/")[0]
    for key in (record.removeprefix("s3://data-dev/"), f"{folder}/1-junk.json", f"{folder}/2-junk.json"):
        dev.client.call("s3", "PutObject", Bucket="data-dev", Key=key, Body=b"{")
    dev.client.call(
        "s3", "PutObject", Bucket="data-dev", Key=f"{folder}/3.json", Body=json.dumps({"format": 2}).encode()
    )
    found = dev.models.get("m")
    assert (found.digest != "", found.metrics["auc"], found.data) == (True, 0.75, {})
    assert said(found.decisions) == [("rejected", "ada", "no")]


def test_an_alias_is_no_drift_of_the_group(dev: Account) -> None:
    from cloudml.plan import Resource
    from cloudml_sagemaker.resources.model_group import MODEL_GROUP

    dev.register()
    dev.models.promote("m", 1, "champion", "ada", "x")
    tags = [{"Key": "cloudml:project", "Value": "shop"}, {"Key": "cloudml:target", "Value": "dev"}]
    document = {"ModelPackageGroupName": dev.group(), "ModelPackageGroupDescription": "m", "Tags": tags}
    live = MODEL_GROUP.read(World(dev.client, dev.place, dev.folder), Resource.of("model_group", dev.group(), document))
    assert live is not None
    assert live.document == document
