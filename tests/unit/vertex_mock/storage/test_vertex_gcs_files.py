"""Objects are files: written by jobs, named awkwardly, kept over restarts."""

from __future__ import annotations

import io
import json
import os
import threading
from urllib.parse import quote

import pytest

from cloudml.mocks.store import Store
from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.storage import app, install

AWKWARD = [
    "a/", "a//b", "/a", "//", "..", "../x", "a/../b", "a/./b", "x" * 300, "y/" + "z" * 600, "é/ü", "a b+%2F?#",
    "nul\x01", "q" * 1024, "file", "file/below", "file/", "file/below/more",
    "\U0001f600/\U0001f601", "back\\slash", "-", "a/b/",
]  # fmt: skip


def put(ask, name, data=b"1"):
    return ask("POST", f"/upload/storage/v1/b/data/o?uploadType=media&name={quote(name, safe='')}", data)


def get(ask, name):
    return ask("GET", f"/storage/v1/b/data/o/{quote(name, safe='')}?alt=media")


def names(ask, query=""):
    return [item["name"] for item in ask("GET", f"/storage/v1/b/data/o?{query}").json.get("items", [])]


@pytest.mark.parametrize("order", [1, -1])
def test_awkward_names(ask, bucket, world, tmp_path, order):
    taken = [name for name in AWKWARD if name != ".."]
    for name in taken[::order]:
        assert put(ask, name, name.encode()).status == 200
    for name in taken:
        assert get(ask, name).body == name.encode()
    assert names(ask) == sorted(taken, key=lambda name: name.encode())
    outside = [
        path
        for path in tmp_path.rglob("*")
        if path.name in {"x", "b"} and "gcs" not in path.relative_to(tmp_path).parts[0]
    ]
    assert outside == []
    for name in taken:
        assert ask("DELETE", f"/storage/v1/b/data/o/{quote(name, safe='')}").status == 204
    assert names(ask) == []
    assert ask("DELETE", "/storage/v1/b/data").status == 204


@pytest.mark.parametrize("name", ["", ".", "..", "a\nb", "a\rb", "x" * 1025, "é" * 513])
def test_names_that_may_not_be(ask, bucket, name):
    assert put(ask, name).status == 400


def test_file_of_a_job_is_an_object(ask, bucket, world):
    file = world.gcs / "data/out/metrics.json"
    file.parent.mkdir()
    file.write_text("{}")
    here = "/storage/v1/b/data/o/out%2Fmetrics.json"
    first = ask("GET", here).json
    assert (first["contentType"], first["size"]) == ("application/json", "2")
    assert ask("GET", here).json["generation"] == first["generation"]
    ask("PATCH", here, {"metadata": {"a": "b"}})
    file.write_text('{"x": 1}')
    second = ask("GET", here).json
    assert int(second["generation"]) > int(first["generation"])
    assert second["metageneration"] == "1"
    assert "metadata" not in second
    assert second["md5Hash"] == put(ask, "same", b'{"x": 1}').json["md5Hash"]
    file.unlink()
    assert ask("GET", here).status == 404


def test_links_are_no_objects(ask, bucket, world, tmp_path):
    (tmp_path / "secret").write_text("s")
    (world.gcs / "data/link").symlink_to(tmp_path / "secret")
    (world.gcs / "data/folder").symlink_to(tmp_path)
    assert names(ask) == []
    assert get(ask, "link").status == get(ask, "folder/secret").status == 404
    assert put(ask, "folder/new", b"n").status == 200
    assert not (tmp_path / "new").exists()
    assert put(ask, "link", b"mine").status == 200
    assert (tmp_path / "secret").read_text() == "s"
    (world.gcs / "linked").symlink_to(tmp_path)
    assert ask("GET", "/storage/v1/b/linked").status == 404


def test_names_that_are_no_text_are_left_out(ask, bucket, world):
    with open(os.fsencode(world.gcs / "data") + b"/\xff", "wb") as file:
        file.write(b"1")
    (world.gcs / "data/line\nbreak").write_text("1")
    assert names(ask) == []


def test_metadata_outlives_the_process(ask, bucket, world):
    put(ask, "x", b"1")
    ask("PATCH", "/storage/v1/b/data/o/x", {"metadata": {"a": "b"}})
    before = ask("GET", "/storage/v1/b/data/o/x?fields=generation,metageneration,metadata,md5Hash").json
    world.store.close()
    world.store = Store(world.folder / "state.db")
    install(world)
    assert ask("GET", "/storage/v1/b/data/o/x?fields=generation,metageneration,metadata,md5Hash").json == before


def test_kill_between_record_and_file(ask, bucket, world, monkeypatch):
    """Whatever of the two was there at the end, the object is whole, with the metadata of its own generation."""
    first = put(ask, "x", b"old").json
    real = gcs.place

    def before(*_args):
        raise OSError("killed before the file was moved")

    monkeypatch.setattr(gcs, "place", before)
    assert put(ask, "x", b"new").status == 500
    assert ask("GET", "/storage/v1/b/data/o/x").json == first

    def after(*args):
        real(*args)
        raise OSError("killed after the file was moved")

    monkeypatch.setattr(gcs, "place", after)
    target = "/upload/storage/v1/b/data/o?uploadType=media&name=x"
    assert ask("POST", target, b"newer", {"Content-Type": "text/special"}).status == 500
    now = ask("GET", "/storage/v1/b/data/o/x").json
    assert (now["contentType"], now["size"], now["metageneration"]) == ("text/special", "5", "1")


def test_one_of_many_creators_wins(world, bucket):
    wsgi, statuses = app(world), []

    target = "/upload/storage/v1/b/data/o?uploadType=media&name=lock&ifGenerationMatch=0"

    def create(number):
        data = b"%d" % number
        environ = {
            "REQUEST_METHOD": "POST", "RAW_URI": target,
            "wsgi.input": io.BytesIO(data), "CONTENT_LENGTH": str(len(data)), "HTTP_HOST": "localhost",
        }  # fmt: skip
        statuses.append((json.loads(b"".join(wsgi(environ, lambda *_: None))).get("size"), data))

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [data for size, data in statuses if size]
    assert len(winners) == 1
    assert (world.gcs / "data/lock").read_bytes() == winners[0]


def test_helpers_of_the_rooms(world, bucket, ask):
    gcs.write(world, "gs://data/a/b", b"1")
    gcs.write(world, "gs://data/a", b"2")
    gcs.write(world, "gs://data/a//c", b"3")
    assert get(ask, "a").body == b"2"
    assert gcs.read(world, "gs://data/a//c") == b"3"
    assert gcs.walk(world, "gs://data/a") == ["gs://data/a", "gs://data/a//c", "gs://data/a/b"]
    assert gcs.path_of(world, "gs://data/a/b") == world.gcs / "data/a/b"
    assert gcs.path_of(world, "gs://data/new/folder/") == world.gcs / "data/new/folder"
    assert [gcs.exists(world, uri) for uri in ("gs://data/a/", "gs://data/b", "gs://none/b", "gs://data/../x")] == [
        True, False, False, False,
    ]  # fmt: skip
    for uri in ("gs://data/none", "gs://none/x", "s3://data/a", "gs://../a", "gs:///a"):
        with pytest.raises(gcs.GcsMissing):
            gcs.read(world, uri)
    with pytest.raises(gcs.GcsMissing):
        gcs.write(world, "gs://none/x", b"")
    assert gcs.path_of(world, "gs://data/../../etc/passwd").is_relative_to(world.folder)


def test_large_listing_is_paged_without_reading_it_all_again(world, bucket):
    folder = world.gcs / "data"
    for number in range(300):
        (folder / f"d{number:03}").mkdir()
        (folder / f"d{number:03}/f").touch()
    walk = gcs.Walk(world, "data")
    seen = []
    for name, _ in walk:
        seen.append(name)
        walk.skip_to("d298/")
    assert seen == ["d000/f", "d298/f", "d299/f"]
