"""A mock with a state folder is killed in the middle of an execution; started again, it goes on to the right end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline_lab import ROLE, client, condition, definition, equals, get, output, processing

SERVE = """
import sys, threading
from pathlib import Path
from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import start
mock = start(Options(state=Path(sys.argv[1]), images=("*=" + sys.prefix,)))
print(mock.url, flush=True)
threading.Event().wait()
"""


@contextmanager
def serving(state: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A mock in a process of its own, killed at the end."""
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(state)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()


def wait_for(holds: Any, seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.05)


def statuses(sagemaker: Any, arn: str) -> dict[str, str]:
    rows = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    return {row["StepName"]: row["StepStatus"] for row in rows}


def status(sagemaker: Any, arn: str) -> str:
    return str(sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"])


def test_an_execution_goes_on_where_it_was(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = processing(
        "First",
        "mkdir -p /opt/ml/processing/out; echo 1 > /opt/ml/processing/out/n",
        ProcessingOutputConfig=output("out", "s3://data/first"),
    )
    ends = {"LocalPath": "/opt/ml/processing/in", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    uri = get("Steps.First.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri")
    second = processing(
        "Second",
        "sleep 1; test $(cat /opt/ml/processing/in/n) = 1",
        ProcessingInputs=[{"InputName": "in", "S3Input": {"S3Uri": uri, **ends}}],
    )
    branch = condition("If", [equals(1, 1)], [processing("Then")], [processing("Else")], DependsOn=["Second"])
    asks = {"Name": "Ask", "Type": "Callback", "Arguments": {}, "OutputParameters": []}
    with serving(state) as (_, url):
        sagemaker, sqs = client(url, "sagemaker"), client(url, "sqs")
        client(url, "s3").create_bucket(Bucket="data")
        queue = sqs.create_queue(QueueName="q")["QueueUrl"]
        text = definition(first, second, branch, {**asks, "SqsQueueUrl": queue})
        sagemaker.create_pipeline(PipelineName="p", PipelineDefinition=text, RoleArn=ROLE)
        arn = sagemaker.start_pipeline_execution(PipelineName="p", ClientRequestToken="t" * 32)["PipelineExecutionArn"]
        wait_for(lambda: statuses(sagemaker, arn).get("Second") == "Executing")
        before = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        done = next(row for row in before if row["StepName"] == "First")
        token = json.loads(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"])["token"]
    with serving(state) as (_, url):
        sagemaker = client(url, "sagemaker")
        again = sagemaker.start_pipeline_execution(PipelineName="p", ClientRequestToken="t" * 32)
        assert again["PipelineExecutionArn"] == arn
        wait_for(lambda: statuses(sagemaker, arn).get("Then") == "Succeeded")
        assert status(sagemaker, arn) == "Executing"
        sagemaker.send_pipeline_execution_step_success(CallbackToken=token)
        wait_for(lambda: status(sagemaker, arn) != "Executing")
        assert status(sagemaker, arn) == "Succeeded"
        assert statuses(sagemaker, arn) == dict.fromkeys(("First", "Second", "If", "Then", "Ask"), "Succeeded")
        after = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        assert done in after
