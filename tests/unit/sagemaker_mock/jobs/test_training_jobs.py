"""Training jobs run under the developer guide's contract ("How Amazon SageMaker Provides Training Information")."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import tarfile
from typing import Any

import pytest
from job_lab import BUCKET, IMAGE, Lab, channel
from mock_clients import SCOPE

GROUP = "/aws/sagemaker/TrainingJobs"
LOOK = """
import json, os
def tree(base):
    found = {}
    for place, _, names in os.walk(base):
        for name in names:
            path = os.path.join(place, name)
            found[path] = open(path).read()
    return found
seen = {"files": tree("/opt/ml"), "env": dict(os.environ), "folders": sorted(os.listdir("/opt/ml"))}
host = json.load(open("/opt/ml/input/config/resourceconfig.json"))["current_host"]
json.dump(seen, open("/opt/ml/model/" + host, "w"))
"""


def archive(lab: Lab, key: str) -> dict[str, str]:
    """Names and texts of a gzipped archive in the bucket."""
    with tarfile.open(fileobj=io.BytesIO(lab.get(key)), mode="r:gz") as packed:
        members = [(member.name, packed.extractfile(member)) for member in packed.getmembers()]
        return {name: file.read().decode() for name, file in members if file is not None}


def statuses(found: dict[str, Any]) -> list[str]:
    return [one["Status"] for one in found["SecondaryStatusTransitions"]]


def test_the_container_finds_what_the_guide_says(lab: Lab) -> None:
    lab.put(**{"train/a.csv": "1", "test/b.csv": "2"})
    channels = [
        channel("train", f"s3://{BUCKET}/train", ContentType="text/csv"),
        channel("test", f"s3://{BUCKET}/test/b.csv", InputMode="FastFile"),
    ]
    hyper = {"depth": "6", "name": '"quoted"', "rate": "0.1"}
    found = lab.train("look", LOOK, HyperParameters=hyper, InputDataConfig=channels, Environment={"LEVEL": "7"})
    assert found["TrainingJobStatus"] == "Completed", found.get("FailureReason")
    seen = json.loads(archive(lab, "models/look/output/model.tar.gz")["algo-1"])
    files = seen["files"]
    config = "/opt/ml/input/config"
    assert json.loads(files[f"{config}/hyperparameters.json"]) == hyper
    common = {"S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
    assert json.loads(files[f"{config}/inputdataconfig.json"]) == {
        "train": {"ContentType": "text/csv", "TrainingInputMode": "File", **common},
        "test": {"TrainingInputMode": "FastFile", **common},
    }
    resources = json.loads(files[f"{config}/resourceconfig.json"])
    assert resources.pop("network_interface_name")
    assert resources == {
        "current_host": "algo-1",
        "current_instance_type": "ml.m5.large",
        "current_group_name": "homogeneousCluster",
        "hosts": ["algo-1"],
        "instance_groups": [
            {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large", "hosts": ["algo-1"]}
        ],
    }
    assert files["/opt/ml/input/data/train/a.csv"] == "1"
    assert files["/opt/ml/input/data/test/b.csv"] == "2"
    assert seen["env"]["TRAINING_JOB_NAME"] == "look"
    assert seen["env"]["TRAINING_JOB_ARN"] == found["TrainingJobArn"]
    assert seen["env"]["LEVEL"] == "7"
    assert not [name for name in seen["env"] if name.startswith("SM_")]
    assert seen["folders"] == ["input", "model", "output"]


def test_without_an_entrypoint_the_image_is_run_with_train(lab: Lab) -> None:
    lab.world.images = type(lab.world.images)(("*=sh -c 'printf %s \"$0 $*\" > /opt/ml/model/argv'",))
    request = lab.training("plain", "")
    del request["AlgorithmSpecification"]["ContainerEntrypoint"]
    lab.sm.create_training_job(**request)
    assert lab.trained("plain")["TrainingJobStatus"] == "Completed"
    assert archive(lab, "models/plain/output/model.tar.gz") == {"argv": "train "}


def test_a_completed_job_tells_its_life(lab: Lab) -> None:
    found = lab.train("life", "open('/opt/ml/model/m', 'w').write('m')")
    assert statuses(found) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert found["SecondaryStatus"] == "Completed"
    assert found["ModelArtifacts"] == {"S3ModelArtifacts": f"s3://{BUCKET}/models/life/output/model.tar.gz"}
    steps = found["SecondaryStatusTransitions"]
    assert all(one["EndTime"] <= two["StartTime"] for one, two in itertools.pairwise(steps))
    assert found["CreationTime"] <= found["TrainingStartTime"] <= found["TrainingEndTime"]
    seconds = int((found["TrainingEndTime"] - found["TrainingStartTime"]).total_seconds())
    assert found["BillableTimeInSeconds"] == found["TrainingTimeInSeconds"] == seconds
    assert lab.keys("models/") == ["models/life/output/model.tar.gz"]


def test_output_data_goes_into_its_own_archive(lab: Lab) -> None:
    lab.train(
        "data", "import os; os.makedirs('/opt/ml/output/data/d'); open('/opt/ml/output/data/d/x', 'w').write('1')"
    )
    assert archive(lab, "models/data/output/output.tar.gz") == {"d/x": "1"}
    assert archive(lab, "models/data/output/model.tar.gz") == {}


def test_without_compression_the_files_are_there_as_they_are(lab: Lab) -> None:
    output = {"S3OutputPath": f"s3://{BUCKET}/raw/", "CompressionType": "NONE"}
    found = lab.train("raw", "open('/opt/ml/model/m', 'w').write('m')", OutputDataConfig=output)
    assert found["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/raw/raw/output/model/"
    assert lab.keys("raw/") == ["raw/raw/output/model/m"]


def test_a_link_out_of_the_model_is_not_packed(lab: Lab) -> None:
    code = """
import os
open("/opt/ml/model/m", "w").write("m")
os.symlink("m", "/opt/ml/model/same")
os.symlink("/etc/hostname", "/opt/ml/model/host")
"""
    lab.train("links", code)
    assert archive(lab, "models/links/output/model.tar.gz") == {"m": "m", "same": "m"}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("exit(2)", "AlgorithmError: , exit code: 2"),
        ("open('/opt/ml/output/failure', 'w').write('no data'); exit(1)", "AlgorithmError: no data, exit code: 1"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "AlgorithmError: , exit code: 137"),
    ],
)
def test_the_failure_file_and_the_exit_code_are_the_reason(lab: Lab, code: str, reason: str) -> None:
    found = lab.train("fails", code)
    assert (found["TrainingJobStatus"], found["SecondaryStatus"]) == ("Failed", "Failed")
    assert found["FailureReason"] == reason
    assert lab.keys("models/") == []


def test_a_long_failure_is_cut_to_1024_and_keeps_the_exit_code(lab: Lab) -> None:
    found = lab.train("long", "open('/opt/ml/output/failure', 'w').write('f' * 5000); exit(9)")
    assert len(found["FailureReason"]) == 1024
    assert found["FailureReason"].endswith("f, exit code: 9")


def test_metrics_are_read_from_the_log(lab: Lab) -> None:
    definitions = [
        {"Name": "valid:auc", "Regex": "auc=([0-9\\.]+)"},
        {"Name": "loss", "Regex": "loss: (\\S+)"},
        {"Name": "never", "Regex": "never=(.+)"},
    ]
    code = """
import sys
print("auc=0.5 loss: 2.5")
print("loss: nothing", file=sys.stderr)
print("auc=0.75 loss: 1e-1", file=sys.stderr)
"""
    found = lab.train("metrics", code, algorithm={"MetricDefinitions": definitions})
    final = {one["MetricName"]: one["Value"] for one in found["FinalMetricDataList"]}
    assert final == {"valid:auc": 0.75, "loss": pytest.approx(0.1)}
    cloudwatch = lab.client("cloudwatch")
    kept = cloudwatch.get_metric_statistics(
        Namespace=GROUP,
        MetricName="valid:auc",
        Dimensions=[{"Name": "TrainingJobName", "Value": "metrics"}],
        StartTime=found["TrainingStartTime"].timestamp() - 3600,
        EndTime=found["TrainingEndTime"].timestamp() + 3600,
        Period=86400,
        Statistics=["Maximum", "SampleCount"],
    )["Datapoints"]
    assert [(one["Maximum"], one["SampleCount"]) for one in kept] == [(0.75, 2.0)]
    assert lab.log(GROUP)[0] == "auc=0.5 loss: 2.5"


def test_checkpoints_are_brought_and_kept(lab: Lab) -> None:
    lab.put(**{"ck/job/old": "1"})
    code = """
import os
folder = "/opt/ml/checkpoints/"
open("/opt/ml/model/seen", "w").write(str(os.listdir(folder)))
open(folder + "new", "w").write("2")
"""
    lab.train("keeps", code, CheckpointConfig={"S3Uri": f"s3://{BUCKET}/ck/job"})
    assert archive(lab, "models/keeps/output/model.tar.gz") == {"seen": "['old']"}
    assert lab.get("ck/job/new") == b"2"


def test_checkpoints_can_stand_outside_of_opt_ml(lab: Lab) -> None:
    code = "open('/checks/here/c', 'w').write('c')"
    found = lab.train("other", code, CheckpointConfig={"S3Uri": f"s3://{BUCKET}/ck", "LocalPath": "/checks/here"})
    assert found["TrainingJobStatus"] == "Completed", found.get("FailureReason")
    assert lab.get("ck/c") == b"c"


def test_hosts_have_their_shards_and_one_model(lab: Lab) -> None:
    lab.put(**{f"in/{number}": "x" for number in range(3)})
    data = {"S3DataDistributionType": "ShardedByS3Key"}
    lab.train("hosts", LOOK, count=2, InputDataConfig=[channel("train", f"s3://{BUCKET}/in", data)])
    told = {name: json.loads(text) for name, text in archive(lab, "models/hosts/output/model.tar.gz").items()}
    assert sorted(told) == ["algo-1", "algo-2"]
    base = "/opt/ml/input/data/train/"
    shards = [[path for path in seen["files"] if path.startswith(base)] for seen in told.values()]
    assert sorted(itertools.chain(*shards)) == [base + str(number) for number in range(3)]
    assert sorted(map(len, shards)) == [1, 2]
    config = json.loads(told["algo-2"]["files"]["/opt/ml/input/config/inputdataconfig.json"])
    assert config["train"]["S3DistributionType"] == "ShardedByS3Key"


def test_instance_groups_get_their_channels(lab: Lab) -> None:
    lab.put(**{"in/x": "x"})
    groups = [
        {"InstanceGroupName": "big", "InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
        {"InstanceGroupName": "small", "InstanceType": "ml.m5.large", "InstanceCount": 1},
    ]
    channels = [channel("train", f"s3://{BUCKET}/in", {"InstanceGroupNames": ["small"]})]
    resources = {"InstanceGroups": groups, "VolumeSizeInGB": 1}
    lab.train("groups", LOOK, ResourceConfig=resources, InputDataConfig=channels)
    told = {name: json.loads(text) for name, text in archive(lab, "models/groups/output/model.tar.gz").items()}
    has = {name: "/opt/ml/input/data/train/x" in seen["files"] for name, seen in told.items()}
    assert has == {"algo-1": False, "algo-2": True}
    resources = json.loads(told["algo-2"]["files"]["/opt/ml/input/config/resourceconfig.json"])
    assert (resources["current_group_name"], resources["current_instance_type"]) == ("small", "ml.m5.large")


def test_pipe_mode_feeds_each_epoch(lab: Lab) -> None:
    lab.put(**{"in/a": gzip.compress(b"one "), "in/b": gzip.compress(b"two ")})
    code = """
base = "/opt/ml/input/data/train_"
read = [open(base + str(epoch)).read() for epoch in range(3)]
open("/opt/ml/model/read", "w").write("|".join(read))
"""
    channels = [channel("train", f"s3://{BUCKET}/in", InputMode="Pipe", CompressionType="Gzip")]
    found = lab.train("pipes", code, InputDataConfig=channels)
    assert found["TrainingJobStatus"] == "Completed", found.get("FailureReason")
    assert archive(lab, "models/pipes/output/model.tar.gz") == {"read": "one two |one two |one two "}


def test_a_pipe_that_nobody_reads_or_reads_in_part_ends_with_the_job(lab: Lab) -> None:
    lab.put(**{"in/big": b"x" * (1 << 20)})
    code = "open('/opt/ml/input/data/some_0', 'rb').read(10)"
    channels = [channel(name, f"s3://{BUCKET}/in", InputMode="Pipe") for name in ("some", "none")]
    assert lab.train("unread", code, InputDataConfig=channels)["TrainingJobStatus"] == "Completed"


def test_lists_show_what_aws_documents(lab: Lab) -> None:
    for name, code in (("one", "pass"), ("two", "exit(1)"), ("three", "pass")):
        lab.train(name, code)

    def names(**given: Any) -> list[str]:
        return [one["TrainingJobName"] for one in lab.sm.list_training_jobs(**given)["TrainingJobSummaries"]]

    assert names() == ["three", "two", "one"]
    assert names(StatusEquals="Completed") == ["three", "one"]
    # The API reference: with MaxResults the page is cut first, and filtered then.
    assert names(StatusEquals="Completed", MaxResults=2) == ["three"]
    assert names(SortBy="Status", SortOrder="Ascending")[-1] == "two"
    assert names(WarmPoolStatusEquals="Available") == []


def test_update_changes_a_job_that_runs_only(lab: Lab) -> None:
    profiler = {"S3OutputPath": f"s3://{BUCKET}/prof"}
    lab.sm.create_training_job(**lab.training("runs", "import time; time.sleep(600)"))
    lab.sm.update_training_job(TrainingJobName="runs", ProfilerConfig=profiler)
    assert lab.of("training", "runs")["ProfilerConfig"] == profiler
    with pytest.raises(lab.sm.exceptions.ClientError, match="warm pool"):
        lab.sm.update_training_job(TrainingJobName="runs", ResourceConfig={"KeepAlivePeriodInSeconds": 60})
    lab.sm.stop_training_job(TrainingJobName="runs")
    lab.trained("runs")
    with pytest.raises(lab.sm.exceptions.ClientError, match="in status Stopped"):
        lab.sm.update_training_job(TrainingJobName="runs", ProfilerConfig=profiler)


def test_every_secondary_status_is_told_on_the_bus(lab: Lab) -> None:
    told: list[str] = []
    lab.world.bus.subscribe(lambda change: told.append(change.document["SecondaryStatus"]), "TrainingJob")
    lab.train("bus", "pass")
    lab.wait(lambda: "Completed" in told)
    assert lab.world.table("TrainingJob", SCOPE)["bus"]["AlgorithmSpecification"]["TrainingImage"] == IMAGE


def test_a_model_file_whose_name_is_not_utf8_is_the_clients_mistake(lab: Lab) -> None:
    code = "import os; open(os.fsencode('/opt/ml/model/') + bytes([255]), 'w').close()"
    output = {"S3OutputPath": f"s3://{BUCKET}/models", "CompressionType": "NONE"}
    found = lab.train("odd", code, OutputDataConfig=output)
    assert found["FailureReason"].startswith("ClientError: Artifact upload failed:")
    assert r"model/\xff is not UTF-8" in found["FailureReason"]
