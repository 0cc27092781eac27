"""The registry: models, versions, aliases. Rules: docstrings of google.cloud.aiplatform_v1."""

from __future__ import annotations

import pytest

from cloudml_vertex.mock.core import gcs
from tests.unit.vertex_mock.hosting.vertex_hosting_bench import PARENT, SPEC, HostingBench, mode
from tests.unit.vertex_mock.jobs.vertex_bench import HERE


def name(model: str) -> str:
    return f"{PARENT}/models/{model}"


def test_a_first_upload_is_version_1_and_the_default(bench: HostingBench) -> None:
    made = bench.upload("first", version_aliases=["golden"], labels={"team": "ml"}, version_description="one")
    assert (made["model"], made["model_version_id"]) == (name("first"), "1")
    model = bench.model("GetModel", name=name("first"))
    assert model["name"] == name("first")
    assert sorted(model["version_aliases"]) == ["default", "golden"]
    assert (model["version_id"], model["version_description"]) == ("1", "one")
    assert model["labels"] == {"team": "ml"}
    assert model["container_spec"] == SPEC
    assert {"create_time", "update_time", "version_create_time", "version_update_time", "etag"} <= set(model)


def test_an_upload_without_an_id_gets_digits(bench: HostingBench) -> None:
    identifier = bench.upload()["model"].rpartition("/")[2]
    assert identifier.isdigit()


def test_the_next_version_of_a_parent_is_not_the_default_unless_asked(bench: HostingBench) -> None:
    bench.upload("many")
    assert bench.upload(parent="many")["model_version_id"] == "2"
    assert bench.model("GetModel", name=name("many"))["version_id"] == "1"
    assert bench.upload(parent="many", version_aliases=["default", "candidate"])["model_version_id"] == "3"
    assert bench.model("GetModel", name=name("many"))["version_id"] == "3"
    aliases = {
        row["version_id"]: row.get("version_aliases", [])
        for row in bench.model("ListModelVersions", name=name("many"))["models"]
    }
    assert [sorted(aliases[key]) for key in "123"] == [[], [], ["candidate", "default"]]
    for wanted, found in (("2", "2"), ("candidate", "3"), ("default", "3"), ("1", "1")):
        assert bench.model("GetModel", name=f"{name('many')}@{wanted}")["version_id"] == found
    assert bench.refused("ModelService.GetModel", name=f"{name('many')}@none") == "NOT_FOUND"


def test_numbers_of_versions_are_not_given_again(bench: HostingBench) -> None:
    bench.upload("again")
    bench.upload(parent="again")
    bench.done(bench.model("DeleteModelVersion", name=f"{name('again')}@2"))
    assert bench.upload(parent="again")["model_version_id"] == "3"


@pytest.mark.parametrize("wrong", ["9a", "-a", "Upper", "a.b", "a/b", "x" * 64, "ä"])
def test_ids_that_are_refused(bench: HostingBench, wrong: str) -> None:
    model = {"display_name": "m", "container_spec": SPEC}
    assert bench.refused("ModelService.UploadModel", parent=PARENT, model=model, model_id=wrong) == "INVALID_ARGUMENT"


def test_the_longest_id_and_one_with_an_underscore(bench: HostingBench) -> None:
    for good in ("x" * 63, "_under-score_9"):
        assert bench.upload(good)["model"] == name(good)


@pytest.mark.parametrize("alias", ["a", "7", "9lives", "Golden", "trailing-", "traiLinG", "under_score", "a" * 129, ""])
def test_aliases_that_are_refused(bench: HostingBench, alias: str) -> None:
    model = {"display_name": "m", "container_spec": SPEC, "version_aliases": [alias]}
    assert bench.refused("ModelService.UploadModel", parent=PARENT, model=model) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("alias", ["ab", "a-B-c", "v1", "a" * 128])
def test_aliases_that_are_taken(bench: HostingBench, alias: str) -> None:
    made = bench.upload(version_aliases=[alias])
    assert alias in bench.model("GetModel", name=f"{made['model']}@{alias}")["version_aliases"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"display_name": None}, "display_name"),
        ({"display_name": "x" * 129}, "display_name"),
        ({"container_spec": None}, "container_spec"),
        ({"container_spec": {**SPEC, "image_uri": ""}}, "image_uri"),
        ({"container_spec": {**SPEC, "image_uri": "docker.io/library/python:3"}}, "image_uri"),
        ({"container_spec": {**SPEC, "predict_route": "predict"}}, "predict_route"),
        ({"container_spec": {**SPEC, "health_route": "health"}}, "health_route"),
        ({"container_spec": {**SPEC, "ports": [{"container_port": 70000}]}}, "container_port"),
        ({"container_spec": {**SPEC, "deployment_timeout": "7201s"}}, "deployment_timeout"),
        ({"container_spec": {**SPEC, "invoke_route_prefix": "/*"}}, "invoke_route_prefix"),
        ({"container_spec": {**SPEC, "env": [{"name": "1X", "value": "y"}]}}, "env"),
        ({"container_spec": {**SPEC, "env": [{"name": "X"}]}}, "env"),
        ({"labels": {"Team": "ml"}}, "labels"),
        ({"artifact_uri": "/local/folder"}, "artifact_uri"),
    ],
)
def test_models_that_are_refused(bench: HostingBench, change: dict[str, object], field: str) -> None:
    model = {"display_name": "m", "container_spec": SPEC, **change}
    given = {key: value for key, value in model.items() if value is not None}
    with pytest.raises(Exception, match=field) as caught:
        bench.model("UploadModel", parent=PARENT, model=given)
    assert getattr(caught.value, "code", "") == "INVALID_ARGUMENT"


def test_an_id_that_exists_and_a_parent_that_does_not(bench: HostingBench) -> None:
    bench.upload("taken")
    model = {"display_name": "m", "container_spec": SPEC}
    asked = {"parent": PARENT, "model": model}
    upload = "ModelService.UploadModel"
    assert bench.refused(upload, **asked, model_id="taken") == "ALREADY_EXISTS"
    assert bench.refused(upload, **asked, parent_model=name("nobody")) == "NOT_FOUND"
    assert bench.refused(upload, **asked, parent_model=f"{name('taken')}@1") == "INVALID_ARGUMENT"


def test_two_uploads_of_one_id_make_one_model(bench: HostingBench) -> None:
    model = {"display_name": "m", "container_spec": SPEC}
    with bench.world.lock:  # both are accepted before either begins
        begun = [bench.model("UploadModel", parent=PARENT, model=model, model_id="twice") for _ in range(2)]
    ended = [bench.ended(one) for one in begun]
    assert sorted(one.get("error", {}).get("code", 0) for one in ended) == [0, 6]
    assert len(bench.model("ListModelVersions", name=name("twice"))["models"]) == 1


def test_artifacts_are_taken_at_the_upload(bench: HostingBench) -> None:
    gcs.write(bench.world, "gs://bucket/art/model.bin", b"old")
    made = bench.upload(artifact_uri="gs://bucket/art")
    gcs.write(bench.world, "gs://bucket/art/model.bin", b"new")
    model = bench.model("GetModel", name=made["model"])
    assert model["artifact_uri"] == "gs://bucket/art"
    held = bench.world.table("ModelVersion", HERE).get(f"{made['model']}@1")["_artifacts"]
    assert gcs.read(bench.world, f"{held}/model.bin") == b"old"
    bench.done(bench.model("DeleteModel", name=made["model"]))
    assert not gcs.exists(bench.world, f"{held}/model.bin")


def test_artifacts_that_are_not_there_fail_the_operation(bench: HostingBench) -> None:
    model = {"display_name": "m", "container_spec": SPEC, "artifact_uri": "gs://bucket/nothing"}
    code, text = bench.failed(bench.model("UploadModel", parent=PARENT, model=model))
    assert code == 9
    assert "gs://bucket/nothing" in text


def test_lists_filter_order_and_page(bench: HostingBench) -> None:
    for number in range(3):
        labels = {"kind": "listed", "number": str(number), **({"odd": ""} if number == 1 else {})}
        bench.upload(f"listed-{number}", display_name=f"listed {2 - number}", labels=labels)

    def listed(**asked: object) -> list[str]:
        found = bench.model("ListModels", parent=PARENT, **asked).get("models", [])
        return [row["name"].rpartition("/")[2] for row in found]

    assert listed(filter="model=listed-1") == ["listed-1"]
    assert listed(filter='displayName="listed 2"') == ["listed-0"]
    assert listed(filter='display_name="listed 2"') == ["listed-0"]
    assert listed(filter="labels.odd:*") == ["listed-1"]
    assert listed(filter="labels:odd") == ["listed-1"]
    assert listed(filter="labels.number=2") == ["listed-2"]
    assert listed(filter="labels.kind=listed AND model!=listed-0", order_by="display_name") == ["listed-2", "listed-1"]
    assert listed(filter="labels.kind=listed", order_by="display_name desc") == ["listed-0", "listed-1", "listed-2"]
    page = bench.model("ListModels", parent=PARENT, filter="labels.kind=listed", order_by="create_time", page_size=2)
    assert len(page["models"]) == 2
    assert len(listed(filter="labels.kind=listed", order_by="create_time", page_token=page["next_page_token"])) == 1
    for wrong in ("nonsense=1", "display_name=", "labels.", 'display_name:"listed"', "model>a", "base_model_name!=x"):
        assert bench.refused("ModelService.ListModels", parent=PARENT, filter=wrong) == "INVALID_ARGUMENT"


def test_versions_are_listed_with_their_ids_and_labels(bench: HostingBench) -> None:
    bench.upload("labelled", labels={"of": "model"})
    bench.upload(parent="labelled", labels={"stage": "challenger"})
    found = bench.model("ListModelVersions", name=name("labelled"), filter="labels.stage=challenger")["models"]
    assert [row["name"] for row in found] == [f"{name('labelled')}@2"]
    assert found[0]["labels"] == {"of": "model", "stage": "challenger"}  # both are merged, says UpdateModelRequest
    assert bench.model("GetModel", name=name("labelled"))["labels"] == {"of": "model"}


def test_updates_of_model_and_of_version(bench: HostingBench) -> None:
    bench.upload("changing")
    bench.upload(parent="changing")
    update = "ModelService.UpdateModel"

    def changed(at: str, mask: list[str], **fields: object) -> dict[str, object]:
        found = bench.ask(update, model={"name": name(at), **fields}, update_mask=mask)
        assert isinstance(found, dict)
        return found

    assert changed("changing", ["display_name"], display_name="new", description="not in the mask")["display_name"] == (
        "new"
    )
    assert "description" not in bench.model("GetModel", name=name("changing"))
    changed("changing@-", ["description"], description="said")
    assert bench.model("GetModel", name=f"{name('changing')}@2")["description"] == "said"
    changed("changing@2", ["version_description", "labels"], version_description="second", labels={"a": "b"})
    second = bench.model("GetModel", name=f"{name('changing')}@2")
    assert (second["version_description"], second["labels"]) == ("second", {"a": "b"})
    assert "version_description" not in bench.model("GetModel", name=name("changing"))
    for at, mask in (("changing@2", "display_name"), ("changing", "version_description")):
        asked = {"model": {"name": name(at), mask: "x"}, "update_mask": [mask]}
        assert bench.refused(update, **asked) == "FAILED_PRECONDITION"
    for mask in ("container_spec", "artifact_uri", "version_aliases", "nonsense"):
        asked = {"model": {"name": name("changing")}, "update_mask": [mask]}
        assert bench.refused(update, **asked) == "INVALID_ARGUMENT", mask


def test_an_old_etag_is_refused_and_none_is_blind(bench: HostingBench) -> None:
    bench.upload("tagged")
    old = bench.model("GetModel", name=name("tagged"))["etag"]
    asked = {"name": name("tagged"), "description": "a"}
    new = bench.model("UpdateModel", model={**asked, "etag": old}, update_mask=["description"])["etag"]
    assert new != old
    assert (
        bench.refused("ModelService.UpdateModel", model={**asked, "etag": old}, update_mask=["description"])
        == "ABORTED"
    )
    bench.model("UpdateModel", model={"name": name("tagged"), "description": "b"}, update_mask=["description"])


def test_aliases_move_and_go(bench: HostingBench) -> None:
    bench.upload("aliased", version_aliases=["champion", "stable"])
    bench.upload(parent="aliased")
    merge, second = "ModelService.MergeVersionAliases", f"{name('aliased')}@2"

    def holds(version: str) -> list[str]:
        found = bench.model("GetModel", name=f"{name('aliased')}@{version}")
        return sorted(found.get("version_aliases", []))

    answer = bench.ask(merge, name=second, version_aliases=["champion", "fresh"])
    assert sorted(answer["version_aliases"]) == ["champion", "fresh"]
    assert (holds("1"), holds("2")) == (["default", "stable"], ["champion", "fresh"])
    bench.ask(merge, name=second, version_aliases=["-fresh", "-never-there"])
    assert holds("2") == ["champion"]
    bench.ask(merge, name=second, version_aliases=["both", "-both"])  # cancelled out, says the docstring
    assert holds("2") == ["champion"]
    bench.ask(merge, name=second, version_aliases=["default"])
    assert (holds("1"), holds("2")) == (["stable"], ["champion", "default"])
    assert bench.model("GetModel", name=name("aliased"))["version_id"] == "2"


@pytest.mark.parametrize(
    ("at", "aliases"),
    [("@1", ["-default"]), ("", ["x1"]), ("@default", ["x1"]), ("@1", ["Bad"]), ("@1", ["-"]), ("@1", [])],
)
def test_merges_that_are_refused(bench: HostingBench, at: str, aliases: list[str]) -> None:
    if f"{PARENT}/models/merged" not in bench.world.table("Model", HERE):
        bench.upload("merged")
    asked = {"name": f"{name('merged')}{at}", "version_aliases": aliases}
    assert bench.refused("ModelService.MergeVersionAliases", **asked) == "INVALID_ARGUMENT"
    assert bench.model("GetModel", name=name("merged"))["version_aliases"] == ["default"]


def test_which_versions_can_be_deleted(bench: HostingBench) -> None:
    bench.upload("shrinking")
    delete = "ModelService.DeleteModelVersion"
    assert bench.refused(delete, name=f"{name('shrinking')}@1") == "FAILED_PRECONDITION"  # the only one
    bench.upload(parent="shrinking")
    assert bench.refused(delete, name=f"{name('shrinking')}@1") == "FAILED_PRECONDITION"  # the default one
    assert bench.refused(delete, name=f"{name('shrinking')}@default") == "INVALID_ARGUMENT"
    assert bench.refused(delete, name=f"{name('shrinking')}@3") == "NOT_FOUND"
    bench.model("MergeVersionAliases", name=f"{name('shrinking')}@2", version_aliases=["default"])
    bench.done(bench.ask(delete, name=f"{name('shrinking')}@1"))
    assert bench.refused("ModelService.GetModel", name=f"{name('shrinking')}@1") == "NOT_FOUND"
    assert bench.refused("ModelService.DeleteModel", name=f"{name('shrinking')}@2") == "INVALID_ARGUMENT"
    bench.done(bench.model("DeleteModel", name=name("shrinking")))
    assert bench.refused("ModelService.GetModel", name=name("shrinking")) == "NOT_FOUND"
    assert bench.upload("shrinking")["model_version_id"] == "1"


def test_what_is_deployed_cannot_be_deleted(bench: HostingBench) -> None:
    bench.upload("used")
    bench.upload(parent="used")
    endpoint = bench.new()
    deployed = {"model": f"{name('used')}@2", "dedicated_resources": {"machine_spec": {}, "min_replica_count": 1}}
    operation = bench.endpoint("DeployModel", endpoint=endpoint, deployed_model=deployed)
    # On its way already counts.
    assert bench.refused("ModelService.DeleteModel", name=name("used")) == "FAILED_PRECONDITION"
    identifier = bench.done(operation)["deployed_model"]["id"]
    assert bench.refused("ModelService.DeleteModel", name=name("used")) == "FAILED_PRECONDITION"
    assert bench.refused("ModelService.DeleteModelVersion", name=f"{name('used')}@2") == "FAILED_PRECONDITION"
    refs = bench.model("GetModel", name=f"{name('used')}@2")["deployed_models"]
    assert refs == [{"endpoint": endpoint, "deployed_model_id": identifier}]
    assert "deployed_models" not in bench.model("GetModel", name=name("used"))
    bench.done(bench.endpoint("UndeployModel", endpoint=endpoint, deployed_model_id=identifier))
    bench.done(bench.model("DeleteModelVersion", name=f"{name('used')}@2"))
    bench.done(bench.model("DeleteModel", name=name("used")))


def test_a_copy_is_a_model_of_its_own(bench: HostingBench) -> None:
    bench.upload("original", container_spec=mode("copied"))
    bench.done(bench.model("CopyModel", parent=PARENT, source_model=name("original"), model_id="copied"))
    copied = bench.model("GetModel", name=name("copied"))
    assert copied["container_spec"] == mode("copied")
    assert (copied["version_id"], copied["model_source_info"]["copy"]) == ("1", True)
    assert copied["version_aliases"] == ["default"]
