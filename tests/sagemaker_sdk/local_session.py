"""The container contract judged by a second program: the SDK's own LocalSession, with real containers.

The same processing, training and hosting requests are run by `LocalSession` over a Docker engine and by the mock. What
the jobs saw (arguments, environment, every file below /opt/ml) and what they left in S3 must be the same, but for the
rows of DIFFERENCES, each with its reason; a row that explains nothing any more is reported too.

Run in the environment of build_definitions.py, with an engine (DOCKER_HOST) and docker-compose on PATH:

    mmdebstrap --variant=extract --include=python3,bash,coreutils,dash,sed,grep,libc-bin,base-files,passwd \\
        bookworm rootfs.tar
    cloudml mock sagemaker --image "$(python tests/sagemaker_sdk/local_session.py --image-rule)" -- \\
        python tests/sagemaker_sdk/local_session.py --rootfs rootfs.tar

`--only-local` runs the containers alone (any S3, such as moto's, is enough) and prints what they saw.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import harness  # noqa: F401  (sets the SDK's environment)
from botocore.config import Config
from playing import PROGRAMS, ROLE, TRUST

BUCKET = "spy-bucket"
IMAGE = "spy:1"
URI = f"s3://{BUCKET}"

# (job, pattern of what differs, side that has it or "value" when both have and differ, why)
DIFFERENCES: tuple[tuple[str, str, str, str], ...] = (
    (".*", r"environment/(AWS_.*|S3_ENDPOINT_URL)", ".*", "how credentials, region and endpoint reach a container"),
    (".*", r"environment/(PATH|HOME|HOSTNAME|TERM|LANG|LC_.*|TMPDIR|LD_LIBRARY_PATH)", ".*", "the image's own"),
    (".*", r"environment/PYTHONUNBUFFERED", "mock", "logs are shipped while a job runs"),
    (
        ".*",
        r"environment/SAGEMAKER_(BASE_DIR|BIND_TO_PORT|REGION)",
        "mock",
        "for toolkits that can be told their place",
    ),
    (".*", r"files/opt/ml/shared", "local", "a folder of local mode, not of SageMaker"),
    (".*", r".*/resourceconfig.json/(current_host|hosts/0)", "value", "local mode adds random letters to algo-1"),
    (
        ".*",
        r".*/resourceconfig.json/current_instance_type",
        "value|local",
        "local mode says `local`, and says it always",
    ),
    (".*", r".*/resourceconfig.json/network_interface_name", "local", "documented for training only"),
    (".*", r".*/resourceconfig.json/(current_group_name|instance_groups.*)", "mock", "newer than local mode"),
    ("processing", r".*/processingjobconfig.json/.*", ".*", "local mode invents role, ARN, resources and members"),
    ("training", r".*/resourceconfig.json/network_interface_name", "value", "the mock's hosts meet on loopback: lo"),
    ("training", r"environment/TRAINING_JOB_ARN", "mock", "local mode has no ARN"),
    ("training", r".*/inputdataconfig.json/.*/(S3DistributionType|RecordWrapperType)", "mock", "local mode drops them"),
    ("training", r"left/output.tar.gz/.*", ".*", "SageMaker packs what is in output/data, local mode output itself"),
    ("hosting", r"environment/SAGEMAKER_SAFE_PORT_RANGE", "mock", "set by SageMaker for inference pipelines"),
    ("hosting", r"files/opt/ml/model/model.tar.gz", "local", "local mode leaves the archive beside what it unpacks"),
)


def build_image(rootfs: Path) -> None:
    """A container image of the root file system whose entry point is the spy."""
    spy = (PROGRAMS / "spy.py").read_bytes()
    with tempfile.NamedTemporaryFile(suffix=".tar") as made:
        made.write(rootfs.read_bytes())
        made.flush()
        with tarfile.open(made.name, "a") as tar:
            member = tarfile.TarInfo("./spy/spy.py")
            member.size, member.mode = len(spy), 0o755
            tar.addfile(member, io.BytesIO(spy))
        entry = 'ENTRYPOINT ["python3", "/spy/spy.py"]'
        subprocess.run(["docker", "import", "--change", entry, made.name, IMAGE], check=True, stdout=subprocess.DEVNULL)


def client(service: str) -> Any:
    """A plain client of the endpoint in AWS_ENDPOINT_URL."""
    return boto3.client(service, config=Config(retries={"total_max_attempts": 2}))


def set_up() -> None:
    """Bucket, data, code and a model archive in S3, and the role."""
    iam = client("iam")
    if not any(role["RoleName"] == "ml" for role in iam.list_roles()["Roles"]):
        iam.create_role(RoleName="ml", AssumeRolePolicyDocument=json.dumps(TRUST))
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for key in ("data/a.csv", "data/nested/b.csv"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=f"{key}\n".encode())
    s3.put_object(Bucket=BUCKET, Key="code/spy.py", Body=(PROGRAMS / "spy.py").read_bytes())
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("code/inference.txt")
        member.size = 3
        tar.addfile(member, io.BytesIO(b"hi\n"))
    s3.put_object(Bucket=BUCKET, Key="model/model.tar.gz", Body=packed.getvalue())


def processing(side: str) -> dict[str, Any]:
    """CreateProcessingJob."""

    def given(name: str, uri: str) -> dict[str, Any]:
        where = {
            "S3Uri": uri,
            "LocalPath": f"/opt/ml/processing/input/{name}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        }
        return {"InputName": name, "S3Input": where}

    report = {
        "S3Uri": f"{URI}/{side}/processing",
        "LocalPath": "/opt/ml/processing/output/report",
        "S3UploadMode": "EndOfJob",
    }
    return {
        "ProcessingJobName": "spy-processing",
        "ProcessingInputs": [given("data", f"{URI}/data"), given("code", f"{URI}/code")],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "report", "S3Output": report}]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
        },
        "AppSpecification": {
            "ImageUri": IMAGE,
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/spy.py"],
            "ContainerArguments": ["process", "--rate", "0.5", "two words"],
        },
        "Environment": {"STAGE": "test", "QUOTED": 'a "b" c'},
        "RoleArn": ROLE,
    }


def training(side: str) -> dict[str, Any]:
    """CreateTrainingJob with two channels; hyperparameters are strings."""

    def channel(name: str, **more: str) -> dict[str, Any]:
        where = {"S3DataType": "S3Prefix", "S3Uri": f"{URI}/data", "S3DataDistributionType": "FullyReplicated"}
        return {"ChannelName": name, "DataSource": {"S3DataSource": where}, **more}

    return {
        "TrainingJobName": "spy-training",
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "HyperParameters": {"epochs": "3", "rate": "0.5", "name": "two words", "list": "[1, 2]"},
        "InputDataConfig": [channel("train", ContentType="text/csv"), channel("validation")],
        "OutputDataConfig": {"S3OutputPath": f"{URI}/{side}/training"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "Environment": {"STAGE": "test"},
        "RoleArn": ROLE,
    }


CONTAINER = {"Image": IMAGE, "ModelDataUrl": f"{URI}/model/model.tar.gz", "Environment": {"STAGE": "test"}}
VARIANT = {"VariantName": "one", "ModelName": "spy", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
QUESTION = {"EndpointName": "spy", "Body": b"1,2\n", "ContentType": "text/csv", "Accept": "application/json"}


def objects(prefix: str) -> dict[str, bytes]:
    """Everything below a prefix of the bucket."""
    s3 = client("s3")
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return {
        one["Key"].removeprefix(prefix): s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in found
    }


def unpacked(left: dict[str, bytes]) -> dict[str, str]:
    """Names and texts of what was left, archives opened; the report itself only by name."""
    found = {}
    for name, body in left.items():
        if not name.endswith(".tar.gz"):
            found[name] = body.decode()
            continue
        with tarfile.open(fileobj=io.BytesIO(body)) as tar:
            for member in tar.getmembers():
                held = tar.extractfile(member) if member.isfile() else None
                found[f"{name}/{member.name.removeprefix('./')}"] = held.read().decode() if held else "(folder)"
    return {
        name: "(report)" if name.endswith("seen.json") else text
        for name, text in found.items()
        if not name.endswith("/.")
    }


def seen_in(left: dict[str, bytes]) -> dict[str, Any]:
    """The report among what was left."""
    for name, body in left.items():
        if name.endswith("seen.json"):
            return dict(json.loads(body))
        if name.endswith("model.tar.gz"):
            with tarfile.open(fileobj=io.BytesIO(body)) as tar:
                member = next(one for one in tar.getmembers() if one.name.endswith("seen.json"))
                held = tar.extractfile(member)
                assert held is not None
                return dict(json.load(held))
    raise SystemExit(f"no report among {sorted(left)}")


def run_local() -> dict[str, dict[str, Any]]:
    """The three requests in containers of LocalSession."""
    from sagemaker.core.local.local_session import LocalSession

    session = LocalSession(boto_session=boto3.Session(region_name="us-east-1"))
    local, runtime = session.sagemaker_client, session.sagemaker_runtime_client
    found = {}
    request = processing("local")
    request["ProcessingResources"]["ClusterConfig"]["InstanceType"] = "local"
    local.create_processing_job(**request)
    left = objects("local/processing")
    found["processing"] = {**seen_in(left), "left": unpacked(left)}
    request = training("local")
    request["ResourceConfig"]["InstanceType"] = "local"
    local.create_training_job(**request)
    left = objects("local/training/spy-training/output/") or objects("local/training/")
    found["training"] = {**seen_in(left), "left": unpacked(left)}
    local.create_model("spy", CONTAINER)
    local.create_endpoint_config("spy", [VARIANT | {"InstanceType": "local"}])
    local.create_endpoint("spy", "spy")
    try:
        found["hosting"] = json.loads(runtime.invoke_endpoint(**QUESTION)["Body"].read())
    finally:
        local.describe_endpoint("spy")
        local.delete_endpoint("spy")
    return found


def run_mock() -> dict[str, dict[str, Any]]:
    """The same requests at the mock."""
    sagemaker, runtime = client("sagemaker"), client("sagemaker-runtime")
    found = {}
    sagemaker.create_processing_job(**processing("mock"))
    settle(
        lambda: sagemaker.describe_processing_job(ProcessingJobName="spy-processing"),
        "ProcessingJobStatus",
        "Completed",
    )
    left = objects("mock/processing")
    found["processing"] = {**seen_in(left), "left": unpacked(left)}
    sagemaker.create_training_job(**training("mock"))
    settle(lambda: sagemaker.describe_training_job(TrainingJobName="spy-training"), "TrainingJobStatus", "Completed")
    left = objects("mock/training/spy-training/output/")
    found["training"] = {**seen_in(left), "left": unpacked(left)}
    sagemaker.create_model(ModelName="spy", PrimaryContainer=CONTAINER, ExecutionRoleArn=ROLE)
    sagemaker.create_endpoint_config(EndpointConfigName="spy", ProductionVariants=[VARIANT])
    sagemaker.create_endpoint(EndpointName="spy", EndpointConfigName="spy")
    settle(lambda: sagemaker.describe_endpoint(EndpointName="spy"), "EndpointStatus", "InService")
    found["hosting"] = json.loads(runtime.invoke_endpoint(**QUESTION)["Body"].read())
    return found


def settle(describe: Any, member: str, wanted: str) -> None:
    """Wait for a status; SystemExit when it becomes another final one."""
    for _ in range(600):
        described = describe()
        if described[member] == wanted:
            return
        if described[member] in ("Failed", "Stopped"):
            raise SystemExit(f"{described[member]}: {described.get('FailureReason') or described.get('ExitMessage')}")
        time.sleep(0.1)
    raise SystemExit(f"never {wanted}")


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves by path; texts that are JSON documents are opened."""
    if isinstance(value, str) and path.endswith(".json"):
        with contextlib.suppress(json.JSONDecodeError):
            value = json.loads(value)
    if isinstance(value, dict | list) and value:
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from flat(member, f"{path}/{str(key).lstrip('/')}".lstrip("/"))
    else:
        yield path, value


def differences(local: dict[str, dict[str, Any]], mock: dict[str, dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    """(job, path, side or "value", the two values) of everything that is not the same."""
    found = []
    for job in local:
        here, there = dict(flat(local[job])), dict(flat(mock[job]))
        for path in sorted(here.keys() | there.keys()):
            if path not in there:
                found.append((job, path, "local", f"{here[path]!r}"))
            elif path not in here:
                found.append((job, path, "mock", f"{there[path]!r}"))
            elif here[path] != there[path]:
                found.append((job, path, "value", f"{here[path]!r} / {there[path]!r}"))
    return found


def explained(found: list[tuple[str, str, str, str]]) -> int:
    """Print what no row explains, and rows that explain nothing; their number."""
    used = set()
    bad = 0
    for job, path, side, values in found:
        rows = [
            number
            for number, (jobs, pattern, sides, _) in enumerate(DIFFERENCES)
            if re.fullmatch(jobs, job) and re.fullmatch(pattern, path) and re.fullmatch(sides, side)
        ]
        used.update(rows)
        if not rows:
            bad += 1
            print(f"{job}: {path} ({side}): {values}")
    for number in set(range(len(DIFFERENCES))) - used:
        bad += 1
        print(f"explains nothing: {DIFFERENCES[number]}")
    return bad


def main() -> int:
    """0 when everything is the same or explained."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--rootfs", type=Path, help="tar of a root file system with python3; the image spy:1 is built of it"
    )
    parser.add_argument("--only-local", action="store_true")
    parser.add_argument("--image-rule", action="store_true", help="print the mock's --image rule for spy:1")
    given = parser.parse_args()
    if given.image_rule:
        print(f"*spy*={sys.executable} {PROGRAMS / 'spy.py'}")
        return 0
    if "AWS_ENDPOINT_URL" not in os.environ:
        parser.error("AWS_ENDPOINT_URL is not set")
    if given.rootfs:
        build_image(given.rootfs)
    set_up()
    local = run_local()
    if given.only_local:
        print(json.dumps(local, indent=1))
        return 0
    found = differences(local, run_mock())
    bad = explained(found)
    print(f"{len(found)} differences, {bad} without a reason")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
