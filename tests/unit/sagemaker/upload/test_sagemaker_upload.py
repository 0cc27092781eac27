"""What jobs need, in S3: the bytes are a function of the content, what is there stays, what is missing comes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudml.errors import Refused
from cloudml.plan.resource import Resource
from cloudml.remote.packing import archive
from cloudml.testing.mocks import MockInUse, running_sagemaker
from cloudml_sagemaker import library
from cloudml_sagemaker.client import Client, Patience
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.upload import builder, upload


class Place:
    region = "us-east-1"


@pytest.fixture(scope="module")
def server() -> Iterator[MockInUse]:
    with running_sagemaker(images=(f"*={sys.prefix}",)) as running:
        yield running


@pytest.fixture
def client(server: MockInUse, monkeypatch: pytest.MonkeyPatch) -> Client:
    server.reset()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    found = Client(Place(), patience=Patience(first=0.01, longest=0.05))
    found.call("s3", "CreateBucket", Bucket="data")
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "__init__.py").write_text("")
    (tmp_path / "steps" / "work.py").write_text("def work() -> int:\n    return 1\n")
    (tmp_path / "requirements.txt").write_text("polars\n")
    return tmp_path


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def job(project: Path, step: str = "train", **more: Any) -> Resource:
    files = {name: sha(project / name) for name in ("steps/__init__.py", "steps/work.py")}
    document = {
        "prefix": f"s3://data/p/jobs/{step}/",
        "files": {
            "start.py": library.start_digest(),
            "step.json": {"version": 1, "step": step},
            "bundle.tar.gz": {"project": files, "library": library.digest(), **more},
        },
    }
    return Resource.of("job_code", step, document)


def keys(client: Client) -> list[str]:
    return [one["Key"] for one in client.pages("s3", "ListObjectsV2", "Contents", Bucket="data")]


def test_a_job_gets_its_entry_its_document_and_its_code(client: Client, project: Path) -> None:
    needed = {"path": "requirements.txt", "sha256": sha(project / "requirements.txt")}
    made = upload(client, [job(project, requirements=needed), Resource.of("pipeline", "p", {})], project)
    assert keys(client) == [f"p/jobs/train/{name}" for name in ("bundle.tar.gz", "start.py", "step.json")]
    assert [one.new for one in made] == [True] * 3
    assert made[-1].uri.endswith("step.json"), "the last to come: where it lies, all lies"
    assert json.loads(client.read("s3://data/p/jobs/train/step.json")) == {"version": 1, "step": "train"}
    with tarfile.open(fileobj=io.BytesIO(client.read("s3://data/p/jobs/train/bundle.tar.gz"))) as tar:
        members = {member.name: member for member in tar}
        assert tar.extractfile("project/steps/work.py").read().startswith(b"def work()")  # type: ignore[union-attr]
        assert tar.extractfile("requirements.txt").read() == b"polars\n"  # type: ignore[union-attr]
        packed = tar.extractfile("library.zip").read()  # type: ignore[union-attr]
    mine = set(zipfile.ZipFile(io.BytesIO(packed)).namelist())
    assert {"cloudml/runtime/main.py", "cloudml/runtime/main.pyc", "cloudml_sagemaker/container/__init__.py"} <= mine
    assert not [name for name in mine if "/mock/" in name or "/cli/" in name or "/testing/" in name]
    assert {(one.mtime, one.uid, one.gid, one.uname, one.mode) for one in members.values()} == {(0, 0, 0, "", 0o644)}


def test_what_is_there_is_left_alone_and_what_is_gone_comes_back(client: Client, project: Path) -> None:
    resource = job(project)
    upload(client, [resource], project)
    client.call("s3", "DeleteObject", Bucket="data", Key="p/jobs/train/start.py")
    again = upload(client, [resource], project)
    assert {one.uri.rpartition("/")[2]: one.new for one in again} == {
        "bundle.tar.gz": False,
        "start.py": True,
        "step.json": False,
    }


def test_what_somebody_else_put_there_is_replaced(client: Client, project: Path) -> None:
    client.call("s3", "PutObject", Bucket="data", Key="p/jobs/train/step.json", Body=b"{}")
    upload(client, [job(project)], project)
    assert client.read("s3://data/p/jobs/train/step.json") != b"{}"


def test_jobs_with_one_prefix_are_one(client: Client, project: Path) -> None:
    assert len(upload(client, [job(project), job(project)], project)) == 3


@pytest.mark.parametrize("kind", ["throttle", "internal-error", "unavailable", "lost-response"])
def test_a_bad_line_delays_and_changes_nothing(server: MockInUse, client: Client, project: Path, kind: str) -> None:
    server.add_fault(f"{kind}:s3:PutObject,count=3")
    upload(client, [job(project)], project)
    assert [rule["struck"] for rule in server.faults()] == [3]
    assert len(keys(client)) == 3
    assert client.read("s3://data/p/jobs/train/start.py") == library.start_file().read_bytes()


def test_the_bytes_do_not_depend_on_order_or_time(project: Path) -> None:
    one = archive({"b": b"2", "a": b"1"})
    os.utime(project / "steps" / "work.py", (1, 1))
    assert one == archive({"a": b"1", "b": b"2"})
    assert one[4:8] == b"\0\0\0\0", "RFC 1952: MTIME 0, no time stamp is available"
    first, second = (builder(project, project).build(job(project).document) for _ in range(2))
    assert first == second
    assert gzip.decompress(first["bundle.tar.gz"])


@pytest.mark.parametrize("change", ["edit", "remove"])
def test_code_that_is_no_longer_what_was_compiled_is_not_sent(client: Client, project: Path, change: str) -> None:
    resource = job(project)
    path = project / "steps" / "work.py"
    if change == "edit":
        path.write_text("def work() -> int:\n    return 2\n")
    else:
        path.unlink()
    with pytest.raises(Refused, match=r"steps/work\.py"):
        upload(client, [resource], project)
    assert keys(client) == []


def test_another_library_is_not_sent_under_this_name(client: Client, project: Path) -> None:
    resource = job(project)
    resource.document["files"]["bundle.tar.gz"]["library"] = "0" * 64
    with pytest.raises(Refused, match="cloudml is no longer"):
        upload(client, [resource], project)


def test_no_file_of_elsewhere_travels(client: Client, project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("other") / "secret.txt"
    secret.write_text("s")
    name = os.path.relpath(secret, project)
    resource = job(project)
    resource.document["files"]["bundle.tar.gz"]["project"] = {name: sha(secret)}
    with pytest.raises(Refused, match="outside"):
        upload(client, [resource], project)


def test_a_bucket_that_is_not_there_is_told(client: Client, project: Path) -> None:
    client.call("s3", "DeleteBucket", Bucket="data")
    with pytest.raises(AwsError) as caught:
        upload(client, [job(project)], project)
    assert caught.value.provider_code == "NoSuchBucket"
