"""Data sources as the API reference describes S3DataSource and ProcessingS3Input; keys that would leave the folder."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import pytest
from job_lab import BUCKET, Lab
from mock_clients import SCOPE

from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.core import s3
from cloudml_sagemaker.mock.jobs.folders import tar
from cloudml_sagemaker.mock.options import Options


@pytest.fixture
def options() -> Options:
    """Nothing runs here, so nothing need be kept apart."""
    return Options(isolation="paths")


def tree(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_prefix_gives_paths_below_it(lab: Lab, tmp_path: Path) -> None:
    lab.put(**{"in/a.csv": "a", "in/deep/b.csv": "b", "in/": "", "other/c.csv": "c"})
    for uri in (f"s3://{BUCKET}/in", f"s3://{BUCKET}/in/"):
        folder = tmp_path / str(len(uri))
        s3.download(lab.world, SCOPE, uri, folder)
        assert tree(folder) == {"a.csv": "a", "deep/b.csv": "b"}


def test_one_object_keeps_its_name(lab: Lab, tmp_path: Path) -> None:
    lab.put(**{"in/run.py": "x"})
    s3.download(lab.world, SCOPE, f"s3://{BUCKET}/in/run.py", tmp_path)
    assert tree(tmp_path) == {"run.py": "x"}


@pytest.mark.parametrize(("choice", "name"), [("from-slash", "train-1.csv"), ("rest", "-1.csv")])
def test_a_prefix_inside_a_name_is_a_switch(lab: Lab, tmp_path: Path, choice: str, name: str) -> None:
    lab.put(**{"in/train-1.csv": "1"})
    lab.world.switches.set("prefix-inside-name", choice)
    s3.download(lab.world, SCOPE, f"s3://{BUCKET}/in/train", tmp_path)
    assert tree(tmp_path) == {name: "1"}


def test_a_manifest_names_keys_below_its_prefix(lab: Lab, tmp_path: Path) -> None:
    told = [{"prefix": f"s3://{BUCKET}/in/"}, "a.csv", "deep/b.csv"]
    lab.put(**{"in/a.csv": "a", "in/deep/b.csv": "b", "in/c.csv": "c", "m.json": json.dumps(told)})
    s3.download(lab.world, SCOPE, f"s3://{BUCKET}/m.json", tmp_path, kind="ManifestFile")
    assert tree(tmp_path) == {"a.csv": "a", "deep/b.csv": "b"}


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '["a"]', '[{"prefix": "s3://data/"}]', '[{"prefix": "s3://data/"}, 1]']
)
def test_a_manifest_that_is_none_is_an_error(lab: Lab, tmp_path: Path, text: str) -> None:
    lab.put(**{"m.json": text})
    with pytest.raises(s3.S3Error):
        s3.download(lab.world, SCOPE, f"s3://{BUCKET}/m.json", tmp_path, kind="ManifestFile")


@pytest.mark.parametrize("uri", ["s3://data/none", "s3://no-such-bucket/x", "s3://", "http://data/in", "data/in", ""])
def test_what_is_not_there_is_missing(lab: Lab, tmp_path: Path, uri: str) -> None:
    with pytest.raises(s3.S3Missing):
        s3.download(lab.world, SCOPE, uri, tmp_path / "x")
    assert s3.list_keys(lab.world, SCOPE, uri) == []
    assert not s3.exists(lab.world, SCOPE, uri)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "..", "a/./../x"])
def test_no_key_leads_out_of_the_folder(lab: Lab, tmp_path: Path, name: str) -> None:
    inner = tmp_path / "inner"
    with pytest.raises(s3.S3Unsafe):
        s3.fetch(lab.world, SCOPE, [s3.Entry(BUCKET, f"in/{name}", name)], inner)
    assert tree(tmp_path) == {}


def test_a_link_in_the_folder_is_not_followed(lab: Lab, tmp_path: Path) -> None:
    lab.put(**{"in/way/x": "new", "in/file": "new"})
    (tmp_path / "outside").mkdir()
    (tmp_path / "kept").write_text("old")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "way").symlink_to(tmp_path / "outside")
    (inner / "file").symlink_to(tmp_path / "kept")
    with pytest.raises(s3.S3Unsafe):
        s3.fetch(lab.world, SCOPE, [s3.Entry(BUCKET, "in/way/x", "way/x")], inner)
    with pytest.raises(OSError, match="symbolic links"):
        s3.fetch(lab.world, SCOPE, [s3.Entry(BUCKET, "in/file", "file")], inner)
    assert (tmp_path / "kept").read_text() == "old"
    assert not list((tmp_path / "outside").iterdir())


def test_an_object_that_is_also_a_folder_is_refused(lab: Lab, tmp_path: Path) -> None:
    lab.put(**{"in/a": "file", "in/a/b": "below"})
    with pytest.raises(s3.S3Unsafe, match="both a folder as well as a file"):
        s3.download(lab.world, SCOPE, f"s3://{BUCKET}/in", tmp_path)


def test_upload_leaves_links_out(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    folder = tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    (folder / "a").write_text("a")
    (folder / "deep/b").write_text("b")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "way").symlink_to(tmp_path)
    sent = s3.upload_folder(lab.world, SCOPE, folder, f"s3://{BUCKET}/up/")
    assert sent == [f"s3://{BUCKET}/up/a", f"s3://{BUCKET}/up/deep/b"]
    assert lab.keys("up/") == ["up/a", "up/deep/b"]


def test_a_large_file_goes_up_in_parts_and_comes_back_whole(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_PART", 5 << 20)  # the least that S3 takes as a part
    data = bytes(range(256)) * 4096 * 11
    (tmp_path / "big").write_bytes(data)
    s3.upload_file(lab.world, SCOPE, tmp_path / "big", f"s3://{BUCKET}/big")
    assert lab.s3.head_object(Bucket=BUCKET, Key="big")["ETag"].endswith('-3"')
    assert s3.read(lab.world, SCOPE, f"s3://{BUCKET}/big") == data


def test_listing_goes_on_over_pages(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    lab.put(**{f"in/{number}": "xx" for number in range(5)})
    assert s3.list_keys(lab.world, SCOPE, f"s3://{BUCKET}/in/") == [(f"in/{number}", 2) for number in range(5)]


def test_write_keeps_the_content_type(lab: Lab) -> None:
    s3.write(lab.world, SCOPE, f"s3://{BUCKET}/j.json", "{}", "application/json")
    assert lab.s3.get_object(Bucket=BUCKET, Key="j.json")["ContentType"] == "application/json"


def test_sending_to_no_bucket_is_told_in_s3s_words(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_PART", 5)
    with pytest.raises(s3.S3Missing, match="The specified bucket does not exist"):
        s3.write(lab.world, SCOPE, "s3://no-such-bucket/j.json", b"")
    for content in ("small", "in parts"):
        (tmp_path / "file").write_text(content)
        with pytest.raises(s3.S3Missing, match="The specified bucket does not exist"):
            s3.upload_file(lab.world, SCOPE, tmp_path / "file", "s3://no-such-bucket/f")


@pytest.mark.parametrize("key", ["a\nb", "\n", "a b+c%2F?x=1#y&z", "é/😀", "/lead", "a//b", "a/../b", "~'()*!"])
def test_any_key_comes_and_goes_as_boto3_has_it(lab: Lab, tmp_path: Path, key: str) -> None:
    (tmp_path / "file").write_text("up")
    s3.write(lab.world, SCOPE, f"s3://{BUCKET}/{key}", "one")
    assert lab.get(key) == b"one"
    s3.upload_file(lab.world, SCOPE, tmp_path / "file", f"s3://{BUCKET}/{key}")
    assert lab.get(key) == b"up"
    lab.put(**{key: "two"})
    assert s3.read(lab.world, SCOPE, f"s3://{BUCKET}/{key}") == b"two"
    assert lab.keys() == [key]


def test_a_bucket_is_no_object(lab: Lab) -> None:
    for uri in (f"s3://{BUCKET}", f"s3://{BUCKET}/"):
        with pytest.raises(s3.S3Missing):
            s3.read(lab.world, SCOPE, uri)
    with pytest.raises(s3.S3Missing):
        s3.write(lab.world, SCOPE, "s3://not-made-by-this/", b"")
    assert [bucket["Name"] for bucket in lab.s3.list_buckets()["Buckets"]] == [BUCKET]


def test_other_refusals_of_s3_keep_their_words(lab: Lab) -> None:
    lab.s3.put_object(Bucket=BUCKET, Key="cold", Body=b"x", StorageClass="GLACIER")
    with pytest.raises(
        s3.S3Error, match=r"storage class \(Service: .*Status Code: 403; Error Code: InvalidObjectState\)"
    ):
        s3.read(lab.world, SCOPE, f"s3://{BUCKET}/cold")


def test_objects_of_another_account_are_asked_for_by_that(lab: Lab) -> None:
    other = Scope("111122223333", "eu-west-1")
    lab.world.aws.client("s3", other).create_bucket(
        Bucket="theirs", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    s3.write(lab.world, other, "s3://theirs/k", b"t")
    assert s3.read(lab.world, other, "s3://theirs/k") == b"t"
    owner = lab.world.aws.client("s3", other).list_buckets()["Buckets"]
    assert [bucket["Name"] for bucket in owner] == ["theirs"]


def test_a_name_that_is_not_utf8_is_told(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (64, 1):  # whole and in parts
        monkeypatch.setattr(s3, "_PART", size)
        (tmp_path / os.fsdecode(b"n\xffx")).write_text("abc")
        with pytest.raises(s3.S3Error, match=r"name of the object s3://data/o/n\\xffx is not UTF-8") as caught:
            s3.upload_folder(lab.world, SCOPE, tmp_path, f"s3://{BUCKET}/o")
        assert caught.value.uri == r"s3://data/o/n\xffx"


def test_an_archive_holds_empty_folders_and_counts_files(tmp_path: Path) -> None:
    (tmp_path / "model" / "assets").mkdir(parents=True)
    (tmp_path / "model" / "weights").write_text("w")
    (tmp_path / "model" / "link").symlink_to("assets")
    assert tar([tmp_path / "model"], tmp_path / "model.tar.gz") == 1
    with tarfile.open(tmp_path / "model.tar.gz") as archive:
        assert {member.name: member.isdir() for member in archive} == {"assets": True, "weights": False}
