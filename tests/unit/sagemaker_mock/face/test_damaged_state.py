"""A state folder that is full or damaged: what is lost is told, what is not is served, nothing is half there."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from mock_clients import client
from state_folders import journal, kept

from cloudml.errors import MockError
from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import start

LARGE = b"x" * 300_000


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` bytes; a write takes what fits, as on a disk that gets full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def keys(url: str) -> list[str]:
    return [found["Key"] for found in client(url, "s3").list_objects_v2(Bucket="data").get("Contents", ())]


def test_a_body_that_the_disk_does_not_take_has_no_effect_and_leaves_nothing(tmp_path: Path) -> None:
    with kept(tmp_path) as mock:
        s3 = client(mock.url, "s3")
        s3.create_bucket(Bucket="data")
        with files_of_at_most(100_000):
            with pytest.raises(ClientError, match="state cannot be written") as refused:
                s3.put_object(Bucket="data", Key="large", Body=LARGE)
            s3.put_object(Bucket="data", Key="small", Body=b"s")
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        assert list((tmp_path / "moto" / "bodies").iterdir()) == []
        assert keys(mock.url) == ["small"]
        s3.put_object(Bucket="data", Key="large", Body=LARGE)
    with kept(tmp_path) as mock:
        assert keys(mock.url) == ["large", "small"]


def test_a_line_that_the_disk_does_not_take_leaves_the_journal_whole(tmp_path: Path) -> None:
    path = tmp_path / "moto" / "journal.jsonl"
    with kept(tmp_path) as mock:
        s3 = client(mock.url, "s3")
        s3.create_bucket(Bucket="data")
        before = path.read_bytes()
        for body in (b"s", LARGE):
            with files_of_at_most(len(before) + 20), pytest.raises(ClientError, match="state cannot be written"):
                s3.put_object(Bucket="data", Key="first", Body=body)
        assert path.read_bytes() == before
        assert list((tmp_path / "moto" / "bodies").iterdir()) == []
        s3.put_object(Bucket="data", Key="second", Body=b"2")
    with kept(tmp_path) as mock:
        assert keys(mock.url) == ["second"]


def test_what_moto_refused_is_struck_out_with_its_body(tmp_path: Path) -> None:
    with kept(tmp_path) as mock:
        s3 = client(mock.url, "s3")
        with pytest.raises(ClientError, match="NoSuchBucket"):
            s3.put_object(Bucket="nowhere", Key="k", Body=LARGE)
        s3.create_bucket(Bucket="data")
        assert [entry["path"] for entry in journal(tmp_path)] == ["/data"]
        assert list((tmp_path / "moto" / "bodies").iterdir()) == []


def test_a_refused_request_does_not_take_the_body_of_another(tmp_path: Path) -> None:
    with kept(tmp_path) as mock:
        s3 = client(mock.url, "s3")
        s3.create_bucket(Bucket="data")
        s3.put_object(Bucket="data", Key="k", Body=LARGE)
        with pytest.raises(ClientError, match="NoSuchBucket"):
            s3.put_object(Bucket="nowhere", Key="k", Body=LARGE)
    with kept(tmp_path) as mock:
        assert client(mock.url, "s3").get_object(Bucket="data", Key="k")["Body"].read() == LARGE


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"other"), Path.unlink], ids=["changed", "lost"])
def test_a_damaged_body_is_left_out_and_told(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    with kept(tmp_path) as mock:
        s3, logs = client(mock.url, "s3"), client(mock.url, "logs")
        s3.create_bucket(Bucket="data")
        s3.put_object(Bucket="data", Key="k", Body=LARGE)
        s3.put_object(Bucket="data", Key="other", Body=b"o")
        logs.create_log_group(logGroupName="g")
    [body] = (tmp_path / "moto" / "bodies").iterdir()
    damage(body)
    with kept(tmp_path) as mock:
        assert keys(mock.url) == ["other"]
        [warning] = mock.warnings
    assert "s3:PutObject /data/k" in warning
    assert body.name in warning


def test_log_events_whose_body_is_damaged_are_left_out_and_told(tmp_path: Path) -> None:
    import time

    now = int(time.time() * 1000)
    with kept(tmp_path) as mock:
        logs = client(mock.url, "logs")
        logs.create_log_group(logGroupName="g")
        logs.create_log_stream(logGroupName="g", logStreamName="s")
        for message in ("first", "l" * 20_000, "last"):
            events = [{"timestamp": now, "message": message}]
            logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)
    [body] = (tmp_path / "moto" / "bodies").iterdir()
    body.write_bytes(b"{}")
    with kept(tmp_path) as mock:
        events = client(mock.url, "logs").get_log_events(logGroupName="g", logStreamName="s")["events"]
        assert [event["message"] for event in events] == ["first", "last"]
        assert "logs:PutLogEvents" in mock.warnings[0]


def damaged(folder: Path, change: Callable[[list[str]], str]) -> bytes:
    """A journal with a bucket and an object, changed."""
    with kept(folder) as mock:
        s3 = client(mock.url, "s3")
        s3.create_bucket(Bucket="data")
        s3.put_object(Bucket="data", Key="k", Body=b"1")
    path = folder / "moto" / "journal.jsonl"
    path.write_text(change(path.read_text().splitlines()))
    return path.read_bytes()


def of_format(lines: list[str], number: object) -> str:
    return "\n".join([json.dumps(json.loads(lines[0]) | {"format": number}), *lines[1:], ""])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda lines: of_format(lines, 99), "journal.jsonl is of format 99, this mock reads format 1"),
        (lambda lines: of_format(lines, None), "is of format None"),
        (lambda lines: "\n".join([lines[0], lines[1][:30], lines[2], ""]), "journal.jsonl, line 2: "),
        (lambda lines: "\n".join([*lines, "[]", ""]), "journal.jsonl, line 4: this is no request"),
        (lambda lines: "\n".join([*lines, "{}", ""]), "journal.jsonl, line 4: this is no request"),
        (lambda lines: "\n".join([*lines[1:], ""]), "journal.jsonl, line 1: this is no head"),
        (lambda _lines: "garbage without an end of line", "journal.jsonl is no journal"),
    ],
)
def test_a_journal_that_cannot_be_read_is_refused_and_left_alone(
    tmp_path: Path, change: Callable[[list[str]], str], says: str
) -> None:
    left = damaged(tmp_path, change)
    with pytest.raises(MockError) as caught:
        start(Options(state=tmp_path))
    assert says in caught.value.message
    assert (tmp_path / "moto" / "journal.jsonl").read_bytes() == left


def test_a_journal_without_a_whole_line_is_begun_anew_and_that_is_told(tmp_path: Path) -> None:
    damaged(tmp_path, lambda lines: lines[0][:25])
    for told in (1, 0):
        with kept(tmp_path) as mock:
            assert client(mock.url, "s3").list_buckets()["Buckets"] == []
            assert len([text for text in mock.warnings if "begun anew" in text]) == told


def test_an_empty_journal_is_no_damage(tmp_path: Path) -> None:
    damaged(tmp_path, lambda _lines: "")
    with kept(tmp_path) as mock:
        assert mock.warnings == ()


def test_keys_with_line_feeds_are_there_again(tmp_path: Path) -> None:
    for _ in range(2):
        with kept(tmp_path) as mock:
            s3 = client(mock.url, "s3")
            s3.create_bucket(Bucket="data")
            s3.put_object(Bucket="data", Key="a\nb", Body=b"1")
    with kept(tmp_path) as mock:
        assert keys(mock.url) == ["a\nb"]
        assert [entry["operation"] for entry in journal(tmp_path)].count("PutObject") == 1
