"""The SDK, boto3's waiters and the AWS CLI, unchanged, against a mock.

Run in the environment of build_definitions.py (and with `aws` on PATH for the CLI part):

    python tests/sagemaker_sdk/drive_mock.py --image-options      # prints the --image options that the mock needs
    cloudml mock sagemaker --port 5005 <those options> &
    AWS_ENDPOINT_URL=http://127.0.0.1:5005 python tests/sagemaker_sdk/drive_mock.py [NAME ...]

Every pipeline of build_definitions.py is made anew by the SDK in a session of the mock, brought there by
`Pipeline.upsert` (twice: create, then update), started by `Pipeline.start`, waited for by `PipelineExecution.wait` and
looked at by `list_steps`. The exit status is the number of things that were not as expected.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import harness
from playing import BUCKET, PROGRAMS, ROLE, TRUST, Player, compare, image_rules, names, read

TRAINER, SERVER = f"{harness.REGISTRY}/trainer:1", f"{harness.REGISTRY}/server:1"


def image_options() -> str:
    """`--image` options for everything that is run here."""
    rules: dict[str, None] = {}
    for case in (*(read(name) for name in names()), {"images": {TRAINER: "trainer.py", SERVER: "server.py"}}):
        rules |= dict.fromkeys(image_rules(case, sys.executable, sys.prefix)[:-1])
    return " ".join(f"--image {shlex.quote(rule)}" for rule in (*rules, f"*={sys.prefix}"))


def set_up() -> None:
    """The role and the bucket."""
    iam, s3 = boto3.client("iam"), boto3.client("s3")
    if not any(role["RoleName"] == "ml" for role in iam.list_roles()["Roles"]):
        iam.create_role(RoleName="ml", AssumeRolePolicyDocument=json.dumps(TRUST))
    s3.create_bucket(Bucket=BUCKET)


def bring(case: harness.Case, player: Player) -> None:
    """What the pipeline needs in the outside world; its code goes to S3 by the SDK itself."""
    for key, text in case.inputs.items():
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=text.encode())
    for queue in case.queues:
        boto3.client("sqs").create_queue(QueueName=queue)
    known = {one["FunctionName"] for one in boto3.client("lambda").list_functions()["Functions"]}
    for arn, place in case.functions.items():
        name = arn.rpartition(":")[2]
        if name not in known:
            player.add_function(name, *place.split(":"))
    groups = boto3.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]
    for group in set(case.groups) - {one["ModelPackageGroupName"] for one in groups}:
        boto3.client("sagemaker").create_model_package_group(ModelPackageGroupName=group)


def drive(make: Callable[[], harness.Case]) -> list[str]:
    """Play every run of one case through the SDK's Pipeline; what differs, in words."""
    case = make()
    player = Player({"queues": list(case.queues)}, boto3.client)
    bring(case, player)
    pipeline = case.pipeline
    parallelism = {"MaxParallelExecutionSteps": case.parallelism} if case.parallelism else None
    pipeline.upsert(role_arn=ROLE, description="first", parallelism_config=parallelism)
    pipeline.upsert(role_arn=ROLE, description="second", parallelism_config=parallelism)
    found = [] if pipeline.describe()["PipelineDescription"] == "second" else ["the second upsert did not update"]
    for run in case.runs:
        execution = pipeline.start(parameters=dict(run.parameters))
        if run.replies:
            player.finish(execution.arn, run.replies)
        found += [f"{run.name}: {difference}" for difference in watched(run, execution)]
    return found


def watched(run: harness.Run, execution: Any) -> list[str]:
    """Wait as the SDK does, then compare."""
    try:
        # The SDK's waiter knows Succeeded and Failed only.
        if run.status in ("Succeeded", "Failed"):
            execution.wait(delay=1, max_attempts=120)
        failed = False
    except botocore.exceptions.WaiterError:
        failed = True
    while execution.describe()["PipelineExecutionStatus"] == "Executing":
        time.sleep(0.2)
    steps = {step["StepName"]: step for step in execution.list_steps()}
    found = compare(harness.plain(run), execution.describe(), steps)
    if failed != (run.status == "Failed"):
        found.append("the SDK's waiter ended otherwise")
    return found


def other_calls() -> list[str]:
    """The rest of the SDK's Pipeline: versions, lists, parameters, selective execution, stop, triggers, delete."""
    from pipelines_flow import failing_branch
    from pipelines_jobs import churn_processing
    from sagemaker.mlops.workflow.pipeline import PipelineExecution
    from sagemaker.mlops.workflow.selective_execution_config import SelectiveExecutionConfig

    case, long = churn_processing(), failing_branch()
    bring(case, Player({}, boto3.client))
    pipeline = case.pipeline
    pipeline.name = "other-calls"
    pipeline.upsert(role_arn=ROLE)
    first = pipeline.start(parameters={"Region": "west"}, execution_display_name="first")
    first.wait(delay=1, max_attempts=120)
    given = pipeline.build_parameters_from_execution(first.arn, {"TestShare": 0.5})
    selected = SelectiveExecutionConfig(selected_steps=["Audit"], source_pipeline_execution_arn=first.arn)
    second = pipeline.start(parameters={"Region": "west"}, selective_execution_config=selected)
    second.wait(delay=1, max_attempts=120)
    long.pipeline.upsert(role_arn=ROLE)
    third: PipelineExecution = long.pipeline.start(parameters={"Code": 0})
    third.stop()
    while third.describe()["PipelineExecutionStatus"] in ("Executing", "Stopping"):
        time.sleep(0.2)
    seen = {
        "parameters": given,
        "selected": {step["StepName"]: step["StepStatus"] for step in second.list_steps()},
        "stopped": third.describe()["PipelineExecutionStatus"],
        "executions": [one["PipelineExecutionArn"] for one in pipeline.list_executions()["PipelineExecutionSummaries"]],
        "versions": [one["PipelineVersionId"] for one in pipeline.list_pipeline_versions()["PipelineVersionSummaries"]],
        "triggered": triggered(pipeline),
    }
    while pipeline.list_executions()["PipelineExecutionSummaries"][0]["PipelineExecutionStatus"] == "Executing":
        time.sleep(0.2)  # DeletePipeline refuses while one runs
    pipeline.delete()
    wanted = {
        "parameters": {"Region": "west", "TestShare": 0.5, "Instances": "1"},
        "selected": {"Prepare": "Succeeded", "Audit": "Succeeded"},
        "stopped": "Stopped",
        "executions": [second.arn, first.arn],  # the newest first
        "versions": [1],
        "triggered": 1,
    }
    return [f"{name} {seen[name]!r}, expected {wanted[name]!r}" for name in wanted if seen[name] != wanted[name]]


def triggered(pipeline: Any) -> int:
    """Executions that a schedule of the SDK's own `put_triggers` starts within ten seconds."""
    from sagemaker.mlops.workflow.triggers import PipelineSchedule

    before = len(pipeline.list_executions()["PipelineExecutionSummaries"])
    soon = datetime.now(UTC) + timedelta(seconds=2)
    pipeline.put_triggers([PipelineSchedule(name="soon", at=soon)], role_arn=ROLE)
    deadline = time.monotonic() + 10
    started = 0
    while not started and time.monotonic() < deadline:
        time.sleep(0.5)
        started = len(pipeline.list_executions()["PipelineExecutionSummaries"]) - before
    pipeline.delete_triggers(["soon"])
    return started


def wait(client: Any, waiter: str, **names: str) -> None:
    """A waiter of botocore, polling every second instead of every minute."""
    client.get_waiter(waiter).wait(**names, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def training_request(name: str) -> dict[str, Any]:
    """A training job of the image whose program is trainer.py."""
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/rows/", "S3DataDistributionType": "FullyReplicated"}
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": TRAINER, "TrainingInputMode": "File"},
        "HyperParameters": {"threshold": "50"},
        "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/waited"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "RoleArn": ROLE,
    }


def waiters() -> list[str]:
    """training -> model -> transform -> endpoint -> deleted, each awaited by botocore's own waiter."""
    sagemaker, runtime = boto3.client("sagemaker"), boto3.client("sagemaker-runtime")
    boto3.client("s3").put_object(Bucket=BUCKET, Key="rows/rows.csv", Body=b"10,0\n60,1\n90,1\n")
    sagemaker.create_training_job(**training_request("waited"))
    wait(sagemaker, "training_job_completed_or_stopped", TrainingJobName="waited")
    artifact = sagemaker.describe_training_job(TrainingJobName="waited")["ModelArtifacts"]["S3ModelArtifacts"]
    container = {"Image": SERVER, "ModelDataUrl": artifact}
    sagemaker.create_model(ModelName="waited", PrimaryContainer=container, ExecutionRoleArn=ROLE)
    sagemaker.create_transform_job(
        TransformJobName="waited",
        ModelName="waited",
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/rows/"}},
            "ContentType": "text/csv",
        },
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/waited-out"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    wait(sagemaker, "transform_job_completed_or_stopped", TransformJobName="waited")
    scored = boto3.client("s3").get_object(Bucket=BUCKET, Key="waited-out/rows.csv.out")["Body"].read()
    variant = {"VariantName": "one", "ModelName": "waited", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(EndpointConfigName="waited", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="waited", EndpointConfigName="waited")
    wait(sagemaker, "endpoint_in_service", EndpointName="waited")
    said = runtime.invoke_endpoint(EndpointName="waited", ContentType="text/csv", Body=b"60\n10\n")["Body"].read()
    sagemaker.delete_endpoint(EndpointName="waited")
    wait(sagemaker, "endpoint_deleted", EndpointName="waited")
    expected = (b"0\n1\n1\n", b"1\n0\n")
    return [] if (scored, said) == expected else [f"transform and endpoint said {(scored, said)}, expected {expected}"]


def failing_waiter() -> list[str]:
    """A job that fails makes the waiter raise."""
    sagemaker = boto3.client("sagemaker")
    request = training_request("broken")
    request["HyperParameters"] |= {"fail": "diverged"}
    sagemaker.create_training_job(**request)
    try:
        wait(sagemaker, "training_job_completed_or_stopped", TrainingJobName="broken")
    except botocore.exceptions.WaiterError:
        reason = sagemaker.describe_training_job(TrainingJobName="broken")["FailureReason"]
        return [] if "diverged" in reason else [f"failed with {reason!r}"]
    return ["the waiter did not raise"]


def cli(*words: str) -> Any:
    """`aws WORDS`, its JSON answer."""
    done = subprocess.run(["aws", *words, "--output", "json"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout) if done.stdout.strip() else None


def command_line() -> list[str]:
    """The AWS CLI: files to S3, a pipeline created, started, awaited and listed; a refusal with AWS's exit status."""
    case = read("churn_processing")
    with tempfile.TemporaryDirectory() as folder:
        definition = Path(folder) / "definition.json"
        definition.write_text(json.dumps(case["definition"]))
        code = case["definition"]["Steps"][0]["Arguments"]["ProcessingInputs"][1]["S3Input"]["S3Uri"]
        audit = case["definition"]["Steps"][1]["Arguments"]["ProcessingInputs"][1]["S3Input"]["S3Uri"]
        for name, uri in (("prepare.py", code), ("audit.py", audit)):
            subprocess.run(["aws", "s3", "cp", "--quiet", str(PROGRAMS / name), uri], check=True)
        raw = Path(folder) / "raw.csv"
        raw.write_text(harness.RAW)
        subprocess.run(["aws", "s3", "cp", "--quiet", str(raw), f"s3://{BUCKET}/raw/customers.csv"], check=True)
        words = ("--pipeline-name", "by-cli", "--role-arn", ROLE, "--pipeline-definition", f"file://{definition}")
        cli("sagemaker", "create-pipeline", *words)
        again = subprocess.run(
            ["aws", "sagemaker", "create-pipeline", *words], check=False, capture_output=True, text=True
        )
    given = "Name=Region,Value=west"
    started = cli("sagemaker", "start-pipeline-execution", "--pipeline-name", "by-cli", "--pipeline-parameters", given)
    arn = ("--pipeline-execution-arn", started["PipelineExecutionArn"])
    while cli("sagemaker", "describe-pipeline-execution", *arn)["PipelineExecutionStatus"] == "Executing":
        time.sleep(0.5)
    steps = cli("sagemaker", "list-pipeline-execution-steps", *arn, "--max-items", "10")["PipelineExecutionSteps"]
    job = next(step for step in steps if step["StepName"] == "Audit")["Metadata"]["ProcessingJob"]["Arn"]
    subprocess.run(
        [
            "aws",
            "sagemaker",
            "wait",
            "processing-job-completed-or-stopped",
            "--processing-job-name",
            job.split("/")[-1],
        ],
        check=True,
    )
    found = [] if {step["StepStatus"] for step in steps} == {"Succeeded"} else [f"{steps}"]
    if again.returncode not in (254, 255) or "by-cli" not in again.stderr:
        found.append(f"the second create ended with {again.returncode}: {again.stderr}")
    return found


def main(given: list[str]) -> int:
    """Number of failures."""
    import pipelines_checks
    import pipelines_conditions
    import pipelines_flow
    import pipelines_jobs
    import pipelines_models

    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    set_up()
    modules = (pipelines_jobs, pipelines_models, pipelines_conditions, pipelines_flow, pipelines_checks)
    acts: dict[str, Callable[[], list[str]]] = {
        make.__name__: partial(drive, make) for module in modules for make in module.CASES
    }
    acts |= {"other_calls": other_calls, "waiters": waiters, "failing_waiter": failing_waiter}
    if shutil.which("aws"):
        acts["command_line"] = command_line
    bad = 0
    for name, act in acts.items():
        if given and name not in given:
            continue
        began = time.monotonic()
        try:
            found = act()
        except Exception:
            found = [traceback.format_exc(limit=-3)]
        bad += bool(found)
        print(f"{name}: {'; '.join(found) if found else 'as expected'} ({time.monotonic() - began:.1f} s)", flush=True)
    return bad


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--image-options", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.image_options:
        print(image_options())
        sys.exit(0)
    if "AWS_ENDPOINT_URL" not in os.environ:
        parser.error("AWS_ENDPOINT_URL is not set")
    sys.exit(main(options.names))
