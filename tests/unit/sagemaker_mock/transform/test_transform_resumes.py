"""A transform job begins again after the mock was killed, and ends with whole outputs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from mock_clients import client
from transform_lab import RULE, Lab

from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import start


def lab_at(url: str) -> Lab:
    return Lab(client(url, "s3"), client(url, "sagemaker"), client(url, "logs"))


def test_a_killed_mock_runs_its_transform_jobs_again(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cloudml", "mock", "sagemaker", "--state", str(tmp_path), "--output", "json"]
    process = subprocess.Popen([*command, "--image", RULE], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lab = lab_at(json.loads(process.stdout.readline())["url"])
        lab.prepare()
        lab.put("in/a", "1,2")
        lab.put("in/b", "sleep:2")
        lab.create()
        limit = time.monotonic() + 30
        while "TransformStartTime" not in lab.seen() and time.monotonic() < limit:
            time.sleep(0.05)
        time.sleep(0.5)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    again = start(Options(state=tmp_path, images=(RULE,)))
    try:
        lab = lab_at(again.url)
        job = lab.wait()
        assert job["TransformJobStatus"] == "Completed"
        assert lab.outputs() == {"a.out": "3.0", "b.out": "slept"}
    finally:
        again.stop()
