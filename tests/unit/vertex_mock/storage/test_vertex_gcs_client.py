"""Google's own storage client, unmodified, found by STORAGE_EMULATOR_HOST."""

from __future__ import annotations

import io
import os

import pytest
from google.api_core.exceptions import Conflict, NotFound, PreconditionFailed
from google.auth.credentials import AnonymousCredentials

MIB = 1024 * 1024


@pytest.fixture
def client(server, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server)
    from google.cloud import storage

    made = storage.Client(project="acme-data", credentials=AnonymousCredentials())
    yield made
    made._http.close()


@pytest.fixture
def place(client):
    return client.create_bucket("data", location="europe-west4")


def test_buckets(client, place):
    assert [one.name for one in client.list_buckets()] == ["data"]
    assert (place.location, place.location_type) == ("EUROPE-WEST4", "region")
    place.labels = {"team": "ml"}
    place.patch()
    assert client.get_bucket("data").labels == {"team": "ml"}
    with pytest.raises(Conflict):
        client.create_bucket("data")
    place.blob("x").upload_from_string(b"1")
    with pytest.raises(Conflict):
        place.delete()
    place.delete(force=True)
    assert client.lookup_bucket("data") is None


def test_objects(place, world):
    blob = place.blob("models/ünï code+%2F.json")
    blob.metadata = {"run": "7"}
    blob.upload_from_string('{"a": 1}', content_type="application/json", if_generation_match=0)
    assert (world.gcs / "data/models/ünï code+%2F.json").read_text() == '{"a": 1}'
    with pytest.raises(PreconditionFailed):
        blob.upload_from_string("other", if_generation_match=0)
    again = place.get_blob(blob.name)
    assert (again.metadata, again.content_type, again.size) == ({"run": "7"}, "application/json", 8)
    assert again.download_as_text() == '{"a": 1}'
    assert again.download_as_bytes(start=2, end=4) == b'a":'
    with again.open("rt") as file:
        assert file.read() == '{"a": 1}'
    again.cache_control = "no-store"
    again.patch(if_metageneration_match=1)
    place.copy_blob(again, place, "copy")
    assert place.get_blob("copy").cache_control == "no-store"
    with pytest.raises(PreconditionFailed):
        again.delete(if_generation_match=1)
    again.delete(if_generation_match=again.generation)
    assert not again.exists()
    with pytest.raises(NotFound):
        again.download_as_bytes()


@pytest.mark.parametrize("checksum", ["md5", "crc32c"])
def test_resumable_upload_in_chunks(place, checksum):
    data = os.urandom(MIB + 77)
    blob = place.blob("big", chunk_size=512 * 1024)
    blob.upload_from_file(io.BytesIO(data), size=len(data), checksum=checksum)
    assert blob.size == len(data)
    assert place.blob("big", chunk_size=256 * 1024).download_as_bytes() == data
    with place.blob("stream").open("wb", chunk_size=256 * 1024) as file:
        file.write(data)
    assert place.blob("stream").download_as_bytes(raw_download=True) == data


def test_empty_object(place):
    place.blob("empty").upload_from_string(b"")
    assert place.blob("empty").download_as_bytes() == b""


def test_compose_and_rewrite(place):
    parts = [place.blob(f"part{number}") for number in range(2)]
    for blob in parts:
        blob.upload_from_string(blob.name)
    whole = place.blob("whole")
    whole.compose(parts, if_generation_match=0)
    assert (whole.component_count, whole.download_as_bytes()) == (2, b"part0part1")
    moved = place.blob("moved")
    assert moved.rewrite(whole)[0] is None
    assert moved.download_as_bytes() == b"part0part1"
    assert place.rename_blob(moved, "renamed").name == "renamed"
    assert place.get_blob("moved") is None


def test_listing_and_batch(client, place):
    for name in ("a/1", "a/2", "b", "c/d/e"):
        place.blob(name).upload_from_string(name)
    pages = client.list_blobs("data", delimiter="/", page_size=1)
    assert [blob.name for blob in pages] == ["b"]
    assert pages.prefixes == {"a/", "c/"}
    assert [blob.name for blob in client.list_blobs("data", match_glob="**/?")] == ["a/1", "a/2", "c/d/e"]
    below = list(client.list_blobs("data", prefix="a/"))
    with client.batch():
        for blob in below:
            blob.delete()
    assert [blob.name for blob in client.list_blobs("data")] == ["b", "c/d/e"]
    place.delete_blobs(["b", "no"], on_error=lambda blob: None)
    assert [blob.name for blob in client.list_blobs("data")] == ["c/d/e"]


def test_transfer_manager(place, tmp_path):
    from google.cloud.storage import transfer_manager as transfer

    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    for number in range(4):
        (source / f"below/{number}").write_text(str(number))
    names = [f"below/{number}" for number in range(4)]
    settings = {"worker_type": transfer.THREAD, "max_workers": 2}
    assert transfer.upload_many_from_filenames(place, names, str(source), **settings) == [None] * 4
    target = tmp_path / "target"
    assert transfer.download_many_to_path(place, names, str(target), **settings) == [None] * 4
    assert [(target / name).read_text() for name in names] == ["0", "1", "2", "3"]
    data = os.urandom(700_000)
    place.blob("big").upload_from_string(data)
    transfer.download_chunks_concurrently(place.blob("big"), str(tmp_path / "big"), chunk_size=256 * 1024, **settings)
    assert (tmp_path / "big").read_bytes() == data


def test_iam(place):
    policy = place.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": {"allUsers"}})
    place.set_iam_policy(policy)
    assert place.get_iam_policy().bindings[0]["role"] == "roles/storage.objectViewer"
    assert place.test_iam_permissions(["storage.objects.get"]) == ["storage.objects.get"]
