"""A tuning job goes on where it was after the mock was killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mock_clients import client
from tuning_lab import RULE, Tuning, config, definition

from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import start

PROGRAM = 'import time; time.sleep(0.8); print(f\'auc={len(h["x"]) + float(h["x"])};\')'
GRID = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6"]}]}


@pytest.mark.parametrize("strategy", ["Grid", "Bayesian"])
def test_a_killed_mock_goes_on_with_its_tuning_jobs(tmp_path: Path, strategy: str) -> None:
    command = [sys.executable, "-m", "cloudml", "mock", "sagemaker", "--state", str(tmp_path), "--output", "json"]
    process = subprocess.Popen([*command, "--image", RULE], stdout=subprocess.PIPE, text=True)
    told = config("Grid", most=6, ParameterRanges=GRID) if strategy == "Grid" else config("Bayesian", most=6)
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        client(url, "s3").create_bucket(Bucket="out")
        tuning = Tuning(client(url, "sagemaker"))
        tuning.create("on", told, definition(PROGRAM))
        tuning.wait("on", until=lambda job: job["TrainingJobStatusCounters"]["Completed"] >= 2)
        before = {trial["TrainingJobName"]: trial for trial in tuning.trials("on")}
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    again = start(Options(state=tmp_path, images=(RULE,)))
    try:
        tuning = Tuning(client(again.url, "sagemaker"))
        job = tuning.wait("on")
        after = {trial["TrainingJobName"]: trial for trial in tuning.trials("on")}
    finally:
        again.stop()
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"]["Completed"] == 6
    assert set(before) <= set(after)
    points = [trial["TunedHyperParameters"]["x"] for trial in after.values()]
    assert len(set(points)) == 6
    for name, trial in before.items():
        assert after[name]["TunedHyperParameters"] == trial["TunedHyperParameters"]
        if trial["TrainingJobStatus"] == "Completed":
            assert after[name]["TrainingEndTime"] == trial["TrainingEndTime"]  # it did not run again
