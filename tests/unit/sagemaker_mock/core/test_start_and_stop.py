"""What a mock leaves behind when it is stopped or reset, and when the program ends without either: nothing."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from mock_clients import client

from cloudml.errors import MockError
from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import start

_SERVE = """
import os, sys, time
from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import start
import boto3
mock = start(Options(images=(f"*={sys.prefix}",)))
sagemaker = boto3.client("sagemaker", endpoint_url=mock.url, region_name="us-east-1", aws_access_key_id="a",
    aws_secret_access_key="b")
sagemaker.create_processing_job(
    ProcessingJobName="job", RoleArn="arn:aws:iam::123456789012:role/ml",
    AppSpecification={"ImageUri": "python:3", "ContainerEntrypoint": [
        "python3", "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"]},
    ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
)
logs = boto3.client("logs", endpoint_url=mock.url, region_name="us-east-1", aws_access_key_id="a",
    aws_secret_access_key="b")
while not logs.describe_log_groups()["logGroups"]:  # the job has said its first words
    time.sleep(0.05)
tasks = [f"/proc/self/task/{task}/children" for task in os.listdir("/proc/self/task")]
children = [pid for task in tasks for pid in open(task).read().split()]
print(mock.world.folder, *children, flush=True)
"""


def _used() -> tuple[list[str], int]:
    return sorted(thread.name for thread in threading.enumerate()), len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors by /proc")
def test_starts_and_stops_leave_no_thread_and_no_descriptor() -> None:
    start(Options()).stop()  # what moto and boto3 open once for the process
    gc.collect()  # what an earlier test left open would be closed in between
    before = _used()
    for number in range(6):
        mock = start(Options(hold=bool(number % 2)))
        mock.reset()
        mock.stop()
        mock.stop()
    end = time.monotonic() + 5  # a thread that was told to end may still be on its way out
    while _used() != before and time.monotonic() < end:
        time.sleep(0.01)
    assert _used() == before


def test_a_stopped_mock_is_not_reset() -> None:
    mock = start(Options())
    mock.stop()
    with pytest.raises(MockError, match="stopped"):
        mock.reset()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds children by /proc")
def test_a_program_that_forgets_its_mock_ends_at_once_and_leaves_nothing() -> None:
    begun = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", _SERVE], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert time.monotonic() - begun < 45  # the job sleeps for ten minutes
    folder, *children = ended.stdout.split()
    assert children
    assert not Path(folder).exists()
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(int(child), signal.SIG_DFL)


def test_a_fork_that_ends_does_not_take_the_mock_down() -> None:
    script = """
import os, sys
from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import start
mock = start(Options())
pid = os.fork()
if pid == 0:
    sys.exit(0)
os.waitpid(pid, 0)
print(mock.world.folder.exists())
mock.stop()
"""
    command = [sys.executable, "-W", "ignore", "-c", script]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout, ended.stderr) == ("True\n", "")


def test_fifty_threads_write_through_and_nothing_is_lost(tmp_path: Path) -> None:
    mock = start(Options(state=tmp_path))
    problems: list[Exception] = []

    def work(thread: int) -> None:
        try:
            sagemaker = client(mock.url, "sagemaker")
            for number in range(4):
                name = f"group-{thread}-{number}"
                sagemaker.create_model_package_group(ModelPackageGroupName=name, Tags=[{"Key": "n", "Value": name}])
                if number % 2:
                    sagemaker.delete_model_package_group(ModelPackageGroupName=name)
            sagemaker.close()
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    mock.stop()
    assert problems == []
    again = start(Options(state=tmp_path))
    try:
        sagemaker = client(again.url, "sagemaker")
        pages = sagemaker.get_paginator("list_model_package_groups").paginate(MaxResults=100)
        kept = [row for page in pages for row in page["ModelPackageGroupSummaryList"]]
        wanted = {f"group-{thread}-{number}" for thread in range(50) for number in (0, 2)}
        assert {row["ModelPackageGroupName"] for row in kept} == wanted
        assert len(kept) == 100
        for row in kept[::20]:
            told = sagemaker.list_tags(ResourceArn=row["ModelPackageGroupArn"])["Tags"]
            assert told == [{"Key": "n", "Value": row["ModelPackageGroupName"]}]
    finally:
        again.stop()
