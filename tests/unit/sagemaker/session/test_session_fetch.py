"""Outputs brought from S3: files, folders, parts of archives; checked; and nothing that leads out of the folder."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from fake_aws import FakeClient

from cloudml.backend.records import ArtifactRecord, TaskRecord
from cloudml.errors import CorruptArtifact, NotFound, Refused
from cloudml.runtime.digest import tree_digest
from cloudml_sagemaker.fetch import bring, fetch

CONTENT = b"hello"
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def record(name: str, digest: str, filename: str) -> bytes:
    about = {"name": name, "type": "str", "format": "text", "digest": digest, "size": 5, "filename": filename}
    return json.dumps({**about, "executable": []}).encode()


def task(path: str, digest: str = DIGEST) -> TaskRecord:
    return TaskRecord(
        "make", "processing", "succeeded", outputs=(ArtifactRecord("out", "str", "text", digest, 5, path),)
    )


def with_objects(**objects: bytes) -> FakeClient:
    client = FakeClient()
    client.objects = {f"s3://b/runs/x/make/out/{name.replace('__', '/')}": body for name, body in objects.items()}
    return client


def a_file(content: bytes = CONTENT) -> FakeClient:
    client = with_objects()
    base = "s3://b/runs/x/make/out"
    client.objects = {f"{base}/artifact.json": record("out", DIGEST, "t.txt"), f"{base}/t.txt": content}
    return client


PATH = "s3://b/runs/x/make/out/t.txt"


def test_a_file_comes_under_its_own_name_once(tmp_path: Path) -> None:
    found = fetch(a_file(), task(PATH), "out", tmp_path / "new")
    assert (found, found.read_bytes()) == (tmp_path / "new" / "t.txt", CONTENT)
    assert fetch(a_file(), task(PATH), "out", tmp_path / "new") == found
    assert [path.name for path in found.parent.iterdir()] == ["t.txt"], "no work is left behind"


def test_what_is_there_already_and_is_something_else_stays(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("mine")
    with pytest.raises(Refused, match="there already"):
        fetch(a_file(), task(PATH), "out", tmp_path)
    assert (tmp_path / "t.txt").read_text() == "mine"


def test_damage_is_seen(tmp_path: Path) -> None:
    with pytest.raises(CorruptArtifact, match="digest"):
        fetch(a_file(b"hellp"), task(PATH), "out", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_comes_whole(tmp_path: Path) -> None:
    local = tmp_path / "local"
    (local / "deep").mkdir(parents=True)
    (local / "a").write_bytes(b"A")
    (local / "deep" / "b").write_bytes(b"B")
    digest, base = tree_digest(local), "s3://b/runs/x/make/out"
    client = FakeClient()
    client.objects = {f"{base}/artifact.json": record("out", digest, "data"), f"{base}/data/a": b"A",
                      f"{base}/data/deep/b": b"B"}  # fmt: skip
    found = fetch(client, task(f"{base}/data", digest), "out", tmp_path / "to")
    assert tree_digest(found) == digest


def archive(**members: bytes) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def test_a_part_of_an_archive(tmp_path: Path) -> None:
    client = FakeClient()
    members = {"out/artifact.json": record("out", DIGEST, "t.txt"), "out/t.txt": CONTENT, "other/t.txt": b"no"}
    client.objects = {"s3://b/model.tar.gz": archive(**members)}
    found = fetch(client, task("s3://b/model.tar.gz#out/t.txt"), "out", tmp_path)
    assert found.read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["out/../../escape", "out//etc/passwd"])
def test_a_member_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    client = FakeClient()
    client.objects = {"s3://b/model.tar.gz": archive(**{name: b"x"})}
    with pytest.raises(CorruptArtifact, match="leads out"):
        fetch(client, task("s3://b/model.tar.gz#out/t.txt"), "out", tmp_path / "to")
    assert not (tmp_path / "escape").exists()


def test_a_key_that_leads_out_is_refused(tmp_path: Path) -> None:
    client = FakeClient()
    client.objects = {"s3://b/in/../../x": b"x"}
    with pytest.raises(CorruptArtifact, match="leads out"):
        bring(client, "s3://b/in/", tmp_path / "to")


def test_an_output_that_is_not_there_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        fetch(FakeClient(), task(PATH), "nothing", tmp_path)
    assert "out" in caught.value.hint


@pytest.mark.parametrize(
    ("uri", "names"),
    [("s3://b/in/set", ["a", "deep/b"]), ("s3://b/in/set/", ["a", "deep/b"]), ("s3://b/in/one.csv", ["one.csv"])],
)
def test_an_input_is_laid_out_as_sagemaker_does(tmp_path: Path, uri: str, names: list[str]) -> None:
    """Developer guide: an input of type S3Prefix puts what follows the prefix below LocalPath, one object as itself."""
    client = FakeClient()
    client.objects = {"s3://b/in/set/a": b"", "s3://b/in/set/deep/b": b"", "s3://b/in/one.csv": b""}
    bring(client, uri, tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == names
