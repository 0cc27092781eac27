"""`--state`: what was answered is there again after a kill; one mock a folder; the journal stays small."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mock_clients import client
from state_folders import journal, kept

from cloudml.errors import MockError
from cloudml.mocks.remote import MockControl
from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import start

NOW = int(time.time() * 1000)
"""CloudWatch Logs takes no events older than 14 days."""

ASSUME = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def test_a_kill_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cloudml", "mock", "sagemaker", "--state", str(tmp_path), "--output", "json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        s3, sqs, iam, logs = (client(url, service) for service in ("s3", "sqs", "iam", "logs"))
        s3.create_bucket(Bucket="data")
        s3.put_object(Bucket="data", Key="small", Body=b"one", Metadata={"who_is": "me"})
        s3.put_object(Bucket="data", Key="large/é", Body=b"x" * 100_000)
        role = iam.create_role(RoleName="ml", AssumeRolePolicyDocument=ASSUME)["Role"]
        queue = sqs.create_queue(QueueName="calls")["QueueUrl"]
        message = sqs.send_message(QueueUrl=queue, MessageBody="hello")["MessageId"]
        logs.create_log_group(logGroupName="g")
        logs.create_log_stream(logGroupName="g", logStreamName="s")
        logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=[{"timestamp": NOW, "message": "line"}])
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    with kept(tmp_path) as again:
        s3, sqs, iam, logs = (client(again.url, service) for service in ("s3", "sqs", "iam", "logs"))
        small = s3.get_object(Bucket="data", Key="small")
        assert small["Body"].read() == b"one"
        assert small["Metadata"] == {"who_is": "me"}
        assert s3.get_object(Bucket="data", Key="large/é")["Body"].read() == b"x" * 100_000
        assert iam.get_role(RoleName="ml")["Role"]["RoleId"] == role["RoleId"]
        queue = sqs.get_queue_url(QueueName="calls")["QueueUrl"]
        assert sqs.receive_message(QueueUrl=queue)["Messages"][0]["MessageId"] == message
        assert logs.get_log_events(logGroupName="g", logStreamName="s")["events"][0]["message"] == "line"


def test_ids_of_requests_at_the_same_time_come_out_the_same(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def role_id(iam: Any, name: str) -> str:
        return iam.get_role(RoleName=name)["Role"]["RoleId"]

    names = [f"role-{number}" for number in range(12)]
    with kept(tmp_path) as mock:
        iam = client(mock.url, "iam")

        def make(name: str) -> str:
            iam.list_roles()
            return iam.create_role(RoleName=name, AssumeRolePolicyDocument=ASSUME)["Role"]["RoleId"]

        with ThreadPoolExecutor(4) as pool:
            made = dict(zip(names, pool.map(make, names), strict=True))
    assert len(set(made.values())) == len(names)
    with kept(tmp_path) as mock:
        iam = client(mock.url, "iam")
        assert {name: role_id(iam, name) for name in names} == made


def test_the_journal_keeps_the_last_state_of_an_object_only(tmp_path: Path) -> None:
    with kept(tmp_path) as mock:
        s3 = client(mock.url, "s3")
        s3.create_bucket(Bucket="data")
        for number in range(20):
            s3.put_object(Bucket="data", Key="k", Body=b"%d" % number * 10_000)
        s3.put_object(Bucket="data", Key="gone", Body=b"g" * 10_000)
        s3.delete_object(Bucket="data", Key="gone")
        assert len(journal(tmp_path)) == 23
        assert len(list((tmp_path / "moto" / "bodies").iterdir())) == 21
    with kept(tmp_path) as mock:
        s3 = client(mock.url, "s3")
        assert [found["Key"] for found in s3.list_objects_v2(Bucket="data")["Contents"]] == ["k"]
        assert s3.get_object(Bucket="data", Key="k")["Body"].read() == b"19" * 10_000
        assert len(journal(tmp_path)) == 2
        assert len(list((tmp_path / "moto" / "bodies").iterdir())) == 1


def test_versions_and_copies_keep_their_history(tmp_path: Path) -> None:
    with kept(tmp_path) as mock:
        s3 = client(mock.url, "s3")
        s3.create_bucket(Bucket="versions")
        s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
        first = s3.put_object(Bucket="versions", Key="k", Body=b"1")["VersionId"]
        s3.put_object(Bucket="versions", Key="k", Body=b"2")
        s3.create_bucket(Bucket="plain")
        s3.put_object(Bucket="plain", Key="from", Body=b"old")
        s3.copy_object(Bucket="plain", Key="to", CopySource="plain/from")
        s3.put_object(Bucket="plain", Key="from", Body=b"new")
    with kept(tmp_path) as mock:
        s3 = client(mock.url, "s3")
        assert s3.get_object(Bucket="versions", Key="k", VersionId=first)["Body"].read() == b"1"
        assert s3.get_object(Bucket="plain", Key="to")["Body"].read() == b"old"
        assert s3.get_object(Bucket="plain", Key="from")["Body"].read() == b"new"


def test_multipart_uploads_finished_and_open(tmp_path: Path) -> None:
    part = b"p" * (5 * 1024 * 1024)
    with kept(tmp_path) as mock:
        s3 = client(mock.url, "s3")
        s3.create_bucket(Bucket="data")
        s3.put_object(Bucket="data", Key="done", Body=b"before")
        done = s3.create_multipart_upload(Bucket="data", Key="done")["UploadId"]
        tag = s3.upload_part(Bucket="data", Key="done", UploadId=done, PartNumber=1, Body=part)["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
        s3.complete_multipart_upload(Bucket="data", Key="done", UploadId=done, MultipartUpload=parts)
        half = s3.create_multipart_upload(Bucket="data", Key="half")["UploadId"]
        s3.upload_part(Bucket="data", Key="half", UploadId=half, PartNumber=1, Body=b"end")
    for _ in range(2):  # the second time from the shortened journal
        with kept(tmp_path) as mock:
            s3 = client(mock.url, "s3")
            assert s3.head_object(Bucket="data", Key="done")["ContentLength"] == len(part)
            listed = s3.list_parts(Bucket="data", Key="half", UploadId=half)["Parts"]
            assert [found["Size"] for found in listed] == [3]


def test_log_events_of_a_stream_become_one_request(tmp_path: Path) -> None:
    with kept(tmp_path) as mock:
        logs = client(mock.url, "logs")
        logs.create_log_group(logGroupName="g")
        logs.create_log_stream(logGroupName="g", logStreamName="s")
        for number in range(30):
            event = {"timestamp": NOW + number, "message": f"line {number}"}
            logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=[event])
    with kept(tmp_path) as mock:
        logs = client(mock.url, "logs")
        events = logs.get_log_events(logGroupName="g", logStreamName="s", startFromHead=True)["events"]
        assert [event["message"] for event in events] == [f"line {number}" for number in range(30)]
        assert len(journal(tmp_path)) == 3


def test_a_torn_last_line_is_dropped(tmp_path: Path) -> None:
    with kept(tmp_path) as mock:
        client(mock.url, "s3").create_bucket(Bucket="whole")
    path = tmp_path / "moto" / "journal.jsonl"
    with path.open("ab") as file:
        file.write(b'{"n": 2, "service": "s3", "meth')
    with kept(tmp_path) as mock:
        s3 = client(mock.url, "s3")
        assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["whole"]
        s3.create_bucket(Bucket="after")
    assert [entry["path"] for entry in journal(tmp_path)] == ["/whole", "/after"]


def test_another_version_of_moto_is_told_and_tried(tmp_path: Path) -> None:
    with kept(tmp_path) as mock:
        client(mock.url, "s3").create_bucket(Bucket="old")
    path = tmp_path / "moto" / "journal.jsonl"
    head, *lines = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps({**json.loads(head), "moto": "4.0.0"}), *lines, ""]))
    with kept(tmp_path) as mock:
        assert [bucket["Name"] for bucket in client(mock.url, "s3").list_buckets()["Buckets"]] == ["old"]
        assert "4.0.0" in mock.warnings[0]


def test_no_signature_and_no_session_token_is_written(tmp_path: Path) -> None:
    import boto3

    with kept(tmp_path) as mock:
        boto3.client(
            "s3",
            region_name="us-east-1",
            endpoint_url=mock.url,
            aws_access_key_id="AKIAEXAMPLE",
            aws_secret_access_key="the-secret",
            aws_session_token="the-token",
        ).create_bucket(Bucket="data")
    text = (tmp_path / "moto" / "journal.jsonl").read_text()
    assert "AKIAEXAMPLE" in text
    assert "the-secret" not in text
    assert "the-token" not in text
    assert "Signature=0" in text


def test_a_second_mock_on_the_folder_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    with kept(tmp_path), pytest.raises(MockError, match=f"process {os.getpid()}"):
        start(Options(state=tmp_path))
    with kept(tmp_path):
        pass


def test_a_held_clock_goes_on_from_where_it_was(tmp_path: Path) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    options = Options(state=tmp_path, hold=True)
    mock = start(replace(options, start=begin))
    MockControl(mock.url).advance(3600)
    mock.stop()
    mock = start(options)
    try:
        assert MockControl(mock.url).now() == begin + timedelta(hours=1)
    finally:
        mock.stop()


@pytest.mark.parametrize("name", ["state.sqlite", "moto/journal.jsonl"])
def test_a_damaged_state_is_told_and_left_alone(tmp_path: Path, name: str) -> None:
    with kept(tmp_path) as mock:
        client(mock.url, "s3").create_bucket(Bucket="data")
    damaged = b"this is no database and no journal\n" * 300
    (tmp_path / name).write_bytes(damaged)
    with pytest.raises(MockError, match="state cannot be read") as caught:
        start(Options(state=tmp_path))
    assert str(tmp_path) in caught.value.where
    assert (tmp_path / name).read_bytes() == damaged


def test_reset_empties_the_folder_too(tmp_path: Path) -> None:
    with kept(tmp_path) as mock:
        client(mock.url, "s3").create_bucket(Bucket="data")
        mock.reset()
        assert client(mock.url, "s3").list_buckets()["Buckets"] == []
        client(mock.url, "s3").create_bucket(Bucket="later")
    with kept(tmp_path) as mock:
        assert [bucket["Name"] for bucket in client(mock.url, "s3").list_buckets()["Buckets"]] == ["later"]
