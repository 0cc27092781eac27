"""Jobs that are stopped, reach a limit, are struck by a fault, or outlive their mock."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tarfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from job_lab import BUCKET, Lab, target
from mock_clients import SCOPE

from cloudml.mocks import processes
from cloudml.mocks.faults import Fault
from cloudml_sagemaker.mock.jobs import life
from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import start

POLITE = """
import signal, sys, time
def end(*_):
    open("/opt/ml/model/last", "w").write("saved")
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(600)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""
TRAINING, PROCESSING = "/aws/sagemaker/TrainingJobs", "/aws/sagemaker/ProcessingJobs"


def strike(lab: Lab, kind: str, **more: Any) -> None:
    lab.world.faults.add(Fault(kind, more.pop("pattern", "*"), count=1, **more))


def statuses(found: dict[str, Any]) -> list[str]:
    return [one["Status"] for one in found["SecondaryStatusTransitions"]]


def model(lab: Lab, job: str) -> dict[str, str]:
    data = lab.get(f"models/{job}/output/model.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as packed:
        found = [(member.name, packed.extractfile(member)) for member in packed.getmembers()]
        return {name: file.read().decode() for name, file in found if file is not None}


def test_a_stopped_training_job_may_save_its_model(lab: Lab) -> None:
    lab.sm.create_training_job(**lab.training("polite", POLITE))
    lab.wait(lambda: lab.log(TRAINING) == ["ready"])
    lab.sm.stop_training_job(TrainingJobName="polite")
    found = lab.trained("polite")
    assert (found["TrainingJobStatus"], found["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert statuses(found)[-2:] == ["Stopping", "Stopped"]
    assert "FailureReason" not in found
    assert model(lab, "polite") == {"last": "saved"}
    with pytest.raises(lab.sm.exceptions.ClientError, match="the training job is in status Stopped"):
        lab.sm.stop_training_job(TrainingJobName="polite")


def test_who_ignores_sigterm_is_killed_after_the_grace(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.3)
    lab.sm.create_processing_job(**lab.processing("stubborn", STUBBORN))
    lab.wait(lambda: lab.log(PROCESSING) == ["ready"])
    begun = time.monotonic()
    lab.sm.stop_processing_job(ProcessingJobName="stubborn")
    assert lab.of("processing", "stubborn")["ProcessingJobStatus"] == "Stopping"
    with pytest.raises(lab.sm.exceptions.ClientError, match="in status Stopping"):
        lab.sm.stop_processing_job(ProcessingJobName="stubborn")
    assert lab.ended("stubborn")["ProcessingJobStatus"] == "Stopped"
    assert time.monotonic() - begun >= 0.3


def test_a_job_in_the_queue_can_be_stopped(mock: Any) -> None:
    mock.stop()
    lab = Lab(start(replace(Options(), images=(f"*={sys.prefix}",), jobs=1)))
    try:
        lab.sm.create_processing_job(**lab.processing("first", "import time; time.sleep(600)"))
        lab.sm.create_training_job(**lab.training("second", "pass"))
        lab.sm.stop_training_job(TrainingJobName="second")
        assert lab.of("training", "second")["TrainingJobStatus"] == "Stopping"
        lab.sm.stop_processing_job(ProcessingJobName="first")
        found = lab.trained("second")
        assert found["TrainingJobStatus"] == "Stopped"
        assert "TrainingStartTime" not in found
        assert lab.keys("models/") == []
    finally:
        lab.mock.stop()


def test_a_running_job_cannot_be_deleted(lab: Lab) -> None:
    lab.sm.create_training_job(**lab.training("runs", "import time; time.sleep(600)"))
    with pytest.raises(lab.sm.exceptions.ClientError) as refusal:
        lab.sm.delete_training_job(TrainingJobName="runs")
    assert refusal.value.response["Error"]["Code"] == "ResourceInUse"


def test_max_runtime_stops_a_hanging_training_job_by_the_clock(held_lab: Lab) -> None:
    lab = held_lab
    strike(lab, "hang")
    lab.sm.create_training_job(**lab.training("hangs", "pass", StoppingCondition={"MaxRuntimeInSeconds": 86_400}))
    lab.mock.world.clock.advance(86_399)
    assert lab.of("training", "hangs")["TrainingJobStatus"] == "InProgress"
    begun = time.monotonic()
    lab.mock.world.clock.advance(1)
    lab.mock.world.clock.settle()
    assert time.monotonic() - begun < 5
    found = lab.of("training", "hangs")
    assert (found["TrainingJobStatus"], found["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert found["TrainingTimeInSeconds"] == 86_400


def test_max_runtime_ends_a_real_process(lab: Lab) -> None:
    found = lab.train("slow", POLITE, StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert (found["TrainingJobStatus"], found["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert model(lab, "slow") == {"last": "saved"}


@pytest.mark.parametrize("choice", ["stopped", "failed"])
def test_the_end_of_a_processing_job_in_time_trouble_is_a_switch(held_lab: Lab, choice: str) -> None:
    lab = held_lab
    lab.world.switches.set("processing-timeout", choice)
    strike(lab, "hang")
    lab.sm.create_processing_job(**lab.processing("hangs", "pass", StoppingCondition={"MaxRuntimeInSeconds": 60}))
    lab.mock.world.clock.advance(60)
    lab.mock.world.clock.settle()
    found = lab.of("processing", "hangs")
    assert found["ProcessingJobStatus"] == choice.capitalize()
    assert ("FailureReason" in found) == (choice == "failed")


def test_a_hanging_job_can_be_stopped(lab: Lab) -> None:
    strike(lab, "hang", pattern="ProcessingJob/hangs")
    lab.sm.create_processing_job(**lab.processing("hangs", "pass"))
    lab.wait(lambda: "ProcessingStartTime" in lab.of("processing", "hangs"))
    lab.sm.stop_processing_job(ProcessingJobName="hangs")
    assert lab.ended("hangs")["ProcessingJobStatus"] == "Stopped"


def test_a_slow_job_takes_the_clocks_time(held_lab: Lab) -> None:
    lab = held_lab
    strike(lab, "slow", seconds=3600.0)
    lab.sm.create_processing_job(**lab.processing("slow", "pass"))
    lab.mock.world.clock.advance(3599)
    assert lab.of("processing", "slow")["ProcessingJobStatus"] == "InProgress"
    lab.mock.world.clock.advance(1)
    lab.mock.world.clock.settle()
    found = lab.of("processing", "slow")
    assert found["ProcessingJobStatus"] == "Completed"
    assert (found["ProcessingEndTime"] - found["ProcessingStartTime"]).total_seconds() == 3600


@pytest.mark.parametrize(
    ("kind", "beginning"),
    [
        ("capacity", "CapacityError: Unable to provision requested ML compute capacity."),
        ("internal", "InternalServerError: "),
        ("die", "AlgorithmError: , exit code: 137"),
    ],
)
def test_faults_fail_the_job_in_awss_words_once(lab: Lab, kind: str, beginning: str) -> None:
    strike(lab, kind, pattern="ProcessingJob/struck*")
    first = lab.process("struck-1", "import time; time.sleep(600)")
    assert (first["ProcessingJobStatus"], first["FailureReason"][: len(beginning)]) == ("Failed", beginning)
    assert lab.process("struck-2", "pass")["ProcessingJobStatus"] == "Completed"


def test_a_fault_can_name_the_step_of_a_pipeline(lab: Lab) -> None:
    strike(lab, "capacity", pattern="step/Train-it")
    assert lab.process("pipelines-ab12cd34ef56-Prep-x1Y2z3A4b5", "pass")["ProcessingJobStatus"] == "Completed"
    assert lab.process("pipelines-ab12cd34ef56-Train-it-x1Y2z3A4b5", "pass")["ProcessingJobStatus"] == "Failed"


CHECKPOINTING = """
import os, signal, sys, time
place = "/opt/ml/checkpoints/epoch"
if os.path.exists(place):
    open("/opt/ml/model/m", "w").write("from " + open(place).read())
    sys.exit(0)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
open(place, "w").write("epoch 3")
time.sleep(600)
"""
SPOT = {
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
    "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/ck"},
}


def test_a_spot_interruption_goes_on_from_the_checkpoints(lab: Lab) -> None:
    strike(lab, "interrupt")
    found = lab.train("spot", CHECKPOINTING, **SPOT)
    assert found["TrainingJobStatus"] == "Completed", found.get("FailureReason")
    life_of_it = ["Starting", "Downloading", "Training", "Interrupted"]
    assert statuses(found) == [*life_of_it, *life_of_it[:3], "Uploading", "Completed"]
    assert model(lab, "spot") == {"m": "from epoch 3"}


def test_time_between_interruption_and_restart_is_not_billed(held_lab: Lab) -> None:
    lab = held_lab
    strike(lab, "interrupt", seconds=600.0)
    lab.sm.create_training_job(**lab.training("spot", CHECKPOINTING, **SPOT))
    lab.wait(lambda: lab.of("training", "spot")["SecondaryStatus"] == "Interrupted")
    lab.mock.world.clock.advance(600)
    lab.mock.world.clock.settle()
    found = lab.of("training", "spot")
    assert found["TrainingJobStatus"] == "Completed", found.get("FailureReason")
    assert (found["TrainingTimeInSeconds"], found["BillableTimeInSeconds"]) == (600, 0)


def test_waiting_too_long_for_spot_ends_the_job(held_lab: Lab) -> None:
    lab = held_lab
    strike(lab, "interrupt", seconds=1e6)
    stopping = {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600}
    more = {"EnableManagedSpotTraining": True, "StoppingCondition": {**stopping, "MaxRuntimeInSeconds": 3000}}
    lab.sm.create_training_job(**lab.training("spot", "import time; time.sleep(600)", **more))
    lab.wait(lambda: lab.of("training", "spot")["SecondaryStatus"] == "Interrupted")
    lab.mock.world.clock.advance(3600)
    lab.mock.world.clock.settle()
    assert lab.of("training", "spot")["TrainingJobStatus"] == "Stopped"


def test_jobs_that_are_no_spot_are_not_interrupted(lab: Lab) -> None:
    strike(lab, "interrupt")
    assert statuses(lab.train("plain", "pass"))[-1] == "Completed"
    assert lab.world.faults.rules()[0][1] == 0


def test_jobs_under_way_begin_again_when_the_mock_does(tmp_path: Path) -> None:
    options = Options(images=(f"*={sys.prefix}",), state=tmp_path / "state")
    flag = tmp_path / "flag"
    code = f"import os, time\nwhile not os.path.exists({str(flag)!r}): time.sleep(0.02)"
    lab = Lab(start(options))
    try:
        lab.sm.create_processing_job(**lab.processing("p", code))
        lab.sm.create_training_job(**lab.training("t", code))
        lab.wait(lambda: lab.of("training", "t")["SecondaryStatus"] == "Training")
        lab.wait(lambda: "ProcessingStartTime" in lab.of("processing", "p"))
    finally:
        lab.mock.stop()
    again = start(options)
    try:
        table = again.world.table("ProcessingJob", SCOPE)
        assert table["p"]["ProcessingJobStatus"] == "InProgress", table["p"]
        flag.touch()
        Lab.wait(lambda: table["p"]["ProcessingJobStatus"] == "Completed")
        trained = again.world.table("TrainingJob", SCOPE)["t"]
        Lab.wait(lambda: trained["TrainingJobStatus"] == "Completed")
    finally:
        again.stop()


def runs_somewhere(program: Path) -> bool:
    """Whether a process of this machine has the program's path among its words."""
    for words in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if os.fsencode(program) in words.read_bytes().split(b"\0"):
                return True
    return False


def test_no_process_and_no_thread_outlives_the_mock(mock: Any) -> None:
    lab = Lab(mock)
    outputs = {"Outputs": [target(f"s3://{BUCKET}/o", mode="Continuous")]}
    code = "import time; print('ready', flush=True); time.sleep(600)"
    lab.sm.create_processing_job(**lab.processing("left", code, ProcessingOutputConfig=outputs))
    lab.wait(lambda: lab.log(PROCESSING))
    (program,) = (lab.world.folder / "programs").iterdir()
    assert runs_somewhere(program)
    mock.stop()
    Lab.wait(lambda: not runs_somewhere(program))
    Lab.wait(
        lambda: not [one for one in threading.enumerate() if one.name in {"mock-mirror", "mock-logs", "mock-pipe"}]
    )


def test_many_jobs_at_once_all_end(lab: Lab) -> None:
    for number in range(20):
        lab.sm.create_processing_job(**lab.processing(f"many-{number}", f"print({number})"))
    assert {lab.ended(f"many-{number}")["ProcessingJobStatus"] for number in range(20)} == {"Completed"}
    assert sorted(map(int, lab.log(PROCESSING))) == list(range(20))
    assert json.dumps(life.runs(lab.world), default=str) == "{}"
