"""A version from one target to another: exported, adopted, cut off, tampered with."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from registry_lab import IMAGE, ROLE, Account, Killed, Make, Mortal

from cloudml.backend.port import Target
from cloudml.errors import CorruptArtifact, Refused
from cloudml.testing.mocks import MockInUse
from cloudml_sagemaker import transfer
from cloudml_sagemaker.client import Client
from cloudml_sagemaker.resources.kind import World
from cloudml_sagemaker.target import Place

ORIGIN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/shop-dev-m/1"


@pytest.fixture
def laid(dev: Account, tmp_path: Path) -> Path:
    """An export of an approved version with a decision."""
    dev.register(approval="pending")
    dev.models.decide("m", 1, True, "ada", "good")
    dev.models.export("m", 1, tmp_path / "out")
    return tmp_path / "out"


_MADE: list[Path] = []


@pytest.fixture
def sent(request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, for tests that ask no more where it comes from: registered and exported once, and copied."""
    if not _MADE:
        made = tmp_path_factory.mktemp("made") / "out"
        _MADE.append(Path(shutil.copytree(request.getfixturevalue("laid"), made)))
    return Path(shutil.copytree(_MADE[0], tmp_path / "sent"))


@pytest.fixture
def prod(account: Make) -> Account:
    """Another target, another bucket, another region."""
    return account("prod", region="eu-west-1")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (IMAGE, IMAGE.replace("763104351884", "692866216735").replace("us-east-1", "eu-south-1")),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/own:1", "123456789012.dkr.ecr.us-east-1.amazonaws.com/own:1"),
        ("python:3.11", "python:3.11"),
    ],
)
def test_only_the_providers_own_image_becomes_that_of_the_region(image: str, expected: str, tmp_path: Path) -> None:
    """In eu-south-1 AWS keeps its containers in another account (AWS Deep Learning Containers, available images)."""
    settings = {"region": "eu-south-1", "role": ROLE, "bucket": "data", "requirements": ""}
    place = Place.of(Target("prod", "sagemaker", "shop", tmp_path, settings))
    assert transfer._image(World(Client(place), place, tmp_path), image) == expected


def actions(found: Any) -> list[tuple[str, str, str]]:
    return [(one["action"], one["who"], one["reason"]) for one in found.decisions]


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    found = manifest(folder)
    edit(found)
    (folder / "manifest.json").write_text(json.dumps(found))


def test_an_export_is_three_files_with_the_archives_own_digest(dev: Account, laid: Path) -> None:
    assert sorted(one.name for one in laid.iterdir()) == ["manifest.json", "model.tar.gz", "sample.json"]
    told, content = manifest(laid), (laid / "model.tar.gz").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert told["files"]["model.tar.gz"] == {"sha256": digest, "size": len(content)}
    assert dev.models.get("m").path.endswith(f"/{digest}/model.tar.gz")
    assert (told["origin"], told["version"]["version"], told["container"]["Image"]) == (ORIGIN, 1, IMAGE)
    with pytest.raises(Refused, match="the folder is not empty"):
        dev.models.export("m", 1, laid)


def test_an_archive_that_was_damaged_is_not_exported(dev: Account, tmp_path: Path) -> None:
    dev.register()
    key = dev.models.get("m").path.removeprefix("s3://data-dev/")
    dev.client.call("s3", "PutObject", Bucket="data-dev", Key=key, Body=b"other")
    with pytest.raises(CorruptArtifact, match="the archive of m/1 is not what was registered"):
        dev.models.export("m", 1, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_what_is_adopted_is_the_same_model_with_its_history(dev: Account, laid: Path, prod: Account) -> None:
    made = prod.models.adopt(laid, "grace", "for the customers")
    there, here = prod.models.get("m", 1), dev.models.get("m", 1)
    assert made == there
    for name in ("digest", "metrics", "run", "step", "code", "data", "parameters", "summary", "sample"):
        assert getattr(there, name) == getattr(here, name), name
    assert there.approval == "approved"
    assert actions(there) == [("approved", "ada", "good"), (f"adopted from {ORIGIN}", "grace", "for the customers")]
    assert there.decisions[0] == here.decisions[0], "with the time of then"
    assert there.path.startswith("s3://data-prod/shop/prod/models/m/")
    assert prod.client.read(there.path) == dev.client.read(here.path)
    told = prod.described(1)
    assert told["CustomerMetadataProperties"]["cloudml:adopted-from"] == ORIGIN
    container = told["InferenceSpecification"]["Containers"][0]
    assert container["Image"] == IMAGE.replace("us-east-1", "eu-west-1"), "AWS's own image, of this region"
    assert container["Environment"]["SAGEMAKER_PROGRAM"] == "inference.py"
    assert prod.tags() == {"cloudml:project": "shop", "cloudml:target": "prod"}
    assert prod.models.promote("m", 1, "champion", "grace", "go").aliases == ("champion",)
    assert dev.models.get("m", 1).aliases == ()


def test_the_same_is_adopted_once(sent: Path, prod: Account) -> None:
    first = prod.models.adopt(sent, "grace", "go")
    objects = prod.objects()
    assert prod.models.adopt(sent, "heidi", "go again") == first
    assert prod.objects() == objects


def test_what_a_run_registered_there_already_is_that_version(sent: Path, prod: Account) -> None:
    prod.make_group()
    prod.register(approval="pending")
    found = prod.models.adopt(sent, "grace", "go")
    assert (found.version, found.approval, len(prod.models.list())) == (1, "approved", 1)
    assert actions(found)[-1] == (f"adopted from {ORIGIN}", "grace", "go")


def test_a_version_that_was_rejected_after_it_was_adopted_is_approved_by_adopting_again(
    sent: Path, prod: Account
) -> None:
    prod.models.adopt(sent, "grace", "go")
    prod.models.decide("m", 1, False, "bob", "it fails")
    found = prod.models.adopt(sent, "grace", "it does not")
    assert (found.approval, [one[1] for one in actions(found)]) == ("approved", ["ada", "grace", "bob", "grace"])


def test_an_adoption_that_is_cut_off_anywhere_is_ended_by_the_next(
    sent: Path, account: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudml_sagemaker.objects.PART", 5 << 20)
    whole = account("whole")
    counted = Mortal(whole.place)
    whole.opened(counted).adopt(sent, "grace", "go")
    assert counted.writes.count("CreateModelPackage") == 1
    for at, operation in enumerate(counted.writes):  # to die before the next one is the same
        there = account(f"cut{at}")
        with pytest.raises(Killed):
            there.opened(Mortal(there.place, at, sent=True)).adopt(sent, "grace", "go")
        found = there.models.adopt(sent, "grace", "go")
        assert (found.version, found.approval) == (1, "approved"), operation
        assert [one[1] for one in actions(found)] == ["ada", "grace"], operation
        assert len(there.models.list()) == 1
        assert len(there.objects()) == len(whole.objects()), operation


def test_answers_that_are_lost_make_nothing_twice(sent: Path, prod: Account, sagemaker_mock: MockInUse) -> None:
    rules = ("lost-response:CreateModelPackage*,count=2", "throttle:*,probability=0.1,seed=4", "stale:*,count=2")
    for rule in rules:
        sagemaker_mock.add_fault(rule)
    found = prod.models.adopt(sent, "grace", "go")
    assert (found.version, [one[1] for one in actions(found)]) == (1, ["ada", "grace"])
    assert [one.version for one in prod.models.list()] == [1]


def test_a_large_archive_goes_in_parts(sent: Path, prod: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(256)) * (6 << 12)  # 6 MiB in parts of 5 MiB, the least that S3 takes
    (sent / "model.tar.gz").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    change(sent, lambda one: one["files"].update({"model.tar.gz": {"sha256": digest, "size": len(content)}}))
    monkeypatch.setattr("cloudml_sagemaker.objects.PART", 5 << 20)
    client = Mortal(prod.place)
    found = prod.opened(client).adopt(sent, "grace", "go")
    assert client.writes.count("UploadPart") == 2
    assert hashlib.sha256(prod.client.read(found.path)).hexdigest() == digest


def test_a_version_that_was_not_approved_is_not_adopted(dev: Account, prod: Account, tmp_path: Path) -> None:
    dev.register(approval="pending")
    dev.models.export("m", 1, tmp_path / "out")
    with pytest.raises(Refused, match="m/1 is pending where it comes from: only an approved version is adopted"):
        prod.models.adopt(tmp_path / "out", "grace", "go")
    assert (prod.models.list(), prod.objects()) == ([], {})


def test_a_tampered_archive_is_refused_before_anything_is_sent(sent: Path, prod: Account) -> None:
    archive = sent / "model.tar.gz"
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(bytes(content))
    with pytest.raises(CorruptArtifact, match=r"model\.tar\.gz is not what the manifest says"):
        prod.models.adopt(sent, "grace", "go")
    assert prod.objects() == {}


def _escape(folder: Path) -> None:
    (folder / "model.tar.gz").rename(folder.parent / "elsewhere")
    (folder / "model.tar.gz").symlink_to(folder.parent / "elsewhere")


TAMPERED: dict[str, Callable[[Path], object]] = {
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "no JSON": lambda folder: (folder / "manifest.json").write_text("{"),
    "deep JSON": lambda folder: (folder / "manifest.json").write_text("[" * 100_000),
    "a list": lambda folder: (folder / "manifest.json").write_text("[]"),
    "another backend": lambda folder: change(folder, lambda one: one.update(backend="local")),
    "another format": lambda folder: change(folder, lambda one: one.update(format=2)),
    "a model's name that leads out": lambda folder: change(folder, lambda one: one.update(model="../other/m")),
    "a file's name that leads out": lambda folder: change(folder, lambda one: one["facts"].update(filename="../x")),
    "an identity that leads out": lambda folder: change(folder, lambda one: one["facts"].update(origin="../" * 9)),
    "an archive's digest that leads out": lambda folder: change(
        folder, lambda one: one["files"]["model.tar.gz"].update(sha256="../x")
    ),
    "an origin that is no ARN": lambda folder: change(folder, lambda one: one.update(origin="x\n")),
    "a metric that is none": lambda folder: change(folder, lambda one: one["facts"].update(metrics={"auc": "high"})),
    "an environment that is none": lambda folder: change(
        folder, lambda one: one["container"].update(Environment={"A": 1})
    ),
    "a decision without a time": lambda folder: change(folder, lambda one: one["decisions"][0].pop("at")),
    "no sample": lambda folder: (folder / "sample.json").unlink(),
    "the identity of another version": lambda folder: change(folder, lambda one: one["facts"].update(origin="0" * 64)),
    "a metric that was raised": lambda folder: change(folder, lambda one: one["facts"]["metrics"].update(auc=0.99)),
    "a link": _escape,
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_folder_that_is_no_export_is_refused(sent: Path, prod: Account, how: str) -> None:
    TAMPERED[how](sent)
    with pytest.raises(Refused) as told:
        prod.models.adopt(sent, "grace", "go")
    assert told.value.code == "CML539"
    assert prod.objects() == {}


def test_a_group_of_that_name_that_is_somebody_elses_is_left_alone(sent: Path, prod: Account) -> None:
    prod.client.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=prod.group())
    with pytest.raises(Refused, match="does not belong to project shop, target prod"):
        prod.models.adopt(sent, "grace", "go")
    assert prod.tags() == {}
