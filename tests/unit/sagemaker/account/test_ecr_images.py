"""The image of a target: what its Dockerfile says, and its repository on the mock's ECR."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from cloudml.backend.port import Target
from cloudml.errors import Refused
from cloudml.jobs.requirements import BAKED, ensure
from cloudml.testing.mocks import MockInUse
from cloudml_sagemaker.images import EcrImages
from cloudml_sagemaker.resources.kind import World
from cloudml_sagemaker.resources.repository import REPOSITORY
from cloudml_sagemaker.target import Place

IMAGES = EcrImages()
HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
SETTINGS = {"region": "us-east-1", "role": "arn:aws:iam::123456789012:role/ml", "bucket": "data"}
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "requirements.txt").write_text("polars==1.9.0\n")
    return tmp_path


def target(root: Path, name: str = "aws", **settings: Any) -> Target:
    return Target(name, "sagemaker", "churn", root, {**SETTINGS, **settings})


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    for line in dockerfile.splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            yield word, rest


def test_the_dockerfile(root: Path) -> None:
    plan = IMAGES.plan(target(root))
    said = dict(instructions(plan.dockerfile))
    assert said["FROM"] == Place.of(target(root)).image or said["FROM"].startswith("763104351884.dkr.ecr.us-east-1.")
    assert said["USER"] == "root", "SageMaker mounts /opt/ml for root"
    assert said["ENV"] == f"{BAKED}={hashlib.sha256(b'polars==1.9.0' + bytes([10])).hexdigest()}"
    assert plan.files == {"requirements.txt": b"polars==1.9.0\n"}
    assert plan.uri.startswith(f"{HOST}/churn-aws-images:jobs-")
    assert "--require-hashes" not in plan.dockerfile
    assert plan.platform == "linux/amd64"


def test_hashes_are_required_where_they_are_given(root: Path) -> None:
    (root / "requirements.txt").write_text("polars==1.9.0 --hash=sha256:00\n")
    assert "--require-hashes" in IMAGES.plan(target(root)).dockerfile


def test_the_tag_is_of_the_content(root: Path) -> None:
    first = IMAGES.plan(target(root))
    assert IMAGES.plan(target(root)).tag == first.tag
    assert IMAGES.plan(target(root), "python:3.11-slim").tag != first.tag
    (root / "requirements.txt").write_text("polars==1.9.1\n")
    assert IMAGES.plan(target(root)).tag != first.tag


def test_an_image_is_not_baked_on_its_like(root: Path) -> None:
    stock = IMAGES.plan(target(root)).base
    assert IMAGES.plan(target(root, image=f"{HOST}/churn-aws-images@sha256:ff")).base == stock
    assert IMAGES.plan(target(root, image=f"{HOST}/ours:1")).base == f"{HOST}/ours:1"
    serving = IMAGES.plan(target(root), serving=True)
    assert "inference" in serving.base
    assert serving.setting == "serving_image"


def test_what_cannot_be_baked(root: Path) -> None:
    (root / "requirements.txt").write_text("# pins\n-r other.txt\n")
    with pytest.raises(Refused, match=r"line 2, needs another file: -r other\.txt"):
        IMAGES.plan(target(root))
    with pytest.raises(Refused, match="nothing to bake"):
        IMAGES.plan(target(root, requirements=""))


def test_a_job_in_its_image_installs_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = root / "requirements.txt"
    file.write_text("no-such-package==9\n")
    monkeypatch.setenv(BAKED, hashlib.sha256(file.read_bytes()).hexdigest())
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("pip was called"))
    ensure(file)


def test_the_repository_is_made_once_and_found_by_destroy(sagemaker_mock: MockInUse, root: Path) -> None:
    where = target(root)
    plan = IMAGES.plan(where)
    assert IMAGES.find(where, plan) is None
    IMAGES.prepare(where, plan)
    IMAGES.prepare(where, plan)
    client = boto3.client("ecr")
    (made,) = client.describe_repositories()["repositories"]
    assert made["imageTagMutability"] == "IMMUTABLE"
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    digest = put(client, plan.tag, DOCKER)
    assert IMAGES.find(where, plan) == f"{HOST}/churn-aws-images@{digest}"
    assert IMAGES.resolve(where, plan.uri) == f"{HOST}/churn-aws-images@{digest}"

    from cloudml_sagemaker.client import Client

    world = World(Client(Place.of(where)), Place.of(where), root)
    assert [one.name for one in REPOSITORY.owned(world)] == ["churn-aws-images"]
    other = Place.of(target(root, "other"))
    assert list(REPOSITORY.owned(World(Client(other), other, root))) == []
    REPOSITORY.delete(world, "churn-aws-images")
    REPOSITORY.delete(world, "churn-aws-images")
    assert client.describe_repositories()["repositories"] == []


def put(client: Any, tag: str, kind: str) -> str:
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": {}, "layers": []}
    told = client.put_image(
        repositoryName="churn-aws-images", imageManifest=json.dumps(manifest), imageManifestMediaType=kind, imageTag=tag
    )
    return str(told["image"]["imageId"]["imageDigest"])


def test_a_foreign_repository_is_left_alone(sagemaker_mock: MockInUse, root: Path) -> None:
    boto3.client("ecr").create_repository(repositoryName="churn-aws-images")
    with pytest.raises(Refused, match="not this target's"):
        IMAGES.prepare(target(root), IMAGES.plan(target(root)))


def test_an_index_of_manifests_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SageMaker takes no index ("Unsupported manifest media type"), as engines make it with attestations."""
    told = {"imageDetails": [{"imageDigest": "sha256:ff", "imageManifestMediaType": INDEX}]}
    registry = SimpleNamespace(find=lambda *_, **__: told)
    monkeypatch.setattr("cloudml_sagemaker.images._registry", lambda target, region: registry)
    with pytest.raises(Refused, match="does not take") as refused:
        IMAGES.find(target(root), IMAGES.plan(target(root)))
    assert "batch-delete-image" in refused.value.hint


def test_logins_are_for_both_registries_and_hide_the_password(sagemaker_mock: MockInUse, root: Path) -> None:
    plan = IMAGES.plan(target(root))
    logins = IMAGES.logins(target(root), plan)
    assert [one.host for one in logins] == [plan.base.partition("/")[0], HOST]
    told = boto3.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    assert f"{logins[0].user}:{logins[0].password}" == base64.b64decode(told).decode()
    assert logins[0].password not in repr(logins)
