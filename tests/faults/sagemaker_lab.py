"""Small pipelines, an endpoint and clients for the fault tests of the SageMaker mock."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ACCOUNT, REGION = "123456789012", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ml"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/jobs:1"
SERVER_IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/server:1"
ONE_MACHINE = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
STATIC_SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply(b"")
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.reply(b"yes")
    def reply(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""

Json = dict[str, Any]


def client(url: str, service: str, attempts: int = 1) -> Any:
    """A boto3 client in standard retry mode."""
    config = Config(retries={"mode": "standard", "total_max_attempts": attempts}, connect_timeout=10, read_timeout=30)
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id="k",
        aws_secret_access_key="s",
        config=config,
    )


def definition(*steps: Json) -> str:
    """The text of a definition."""
    return json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": list(steps)})


def processing(name: str, shell: str, *after: str, **more: Any) -> Json:
    """A step that runs a shell program and keeps what it writes to `$OUT`."""
    out = "/opt/ml/processing/out"
    where = {"S3Uri": f"s3://data/out/{name}", "LocalPath": out, "S3UploadMode": "EndOfJob"}
    arguments = {
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["sh", "-c", f"OUT={out}; {shell}"]},
        "ProcessingResources": {"ClusterConfig": ONE_MACHINE},
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": where}]},
        "RoleArn": ROLE,
        **more.pop("Arguments", {}),
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, "DependsOn": list(after), **more}


def register(name: str, group: str, *after: str) -> Json:
    """A step that registers a package."""
    container = {"Image": SERVER_IMAGE}
    arguments = {
        "ModelPackageGroupName": group,
        "InferenceSpecification": {
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    }
    return {"Name": name, "Type": "RegisterModel", "Arguments": arguments, "DependsOn": list(after)}


def status(sagemaker: Any, arn: str) -> str:
    """Of an execution."""
    return str(sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"])


def steps(sagemaker: Any, arn: str) -> dict[str, Json]:
    """An execution's steps by name."""
    rows = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    return {row["StepName"]: row for row in rows}


def until(holds: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """What `holds` gives once it is true; a mock that is just starting may refuse connections."""
    limit = time.monotonic() + seconds
    while True:
        with suppress(BotoCoreError, ClientError):
            found = holds()
            if found:
                return found
        assert time.monotonic() < limit, f"{what} did not happen"
        time.sleep(0.1)


class Server:
    """`cloudml mock sagemaker --state DIR` in a process of its own; `mark` is in the argv or environment of all that
    comes of it."""

    def __init__(self, state: Path, port: int, server: Path, mark: str) -> None:
        self.state, self.port, self.server, self.mark = state, port, server, mark
        self.url = f"http://127.0.0.1:{port}"
        self._log = state.parent / "mock.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin, without waiting for an answer."""
        command = [sys.executable, "-m", "cloudml", "mock", "sagemaker", "--state", str(self.state)]
        command += ["--port", str(self.port), "--image", f"jobs={sys.prefix}"]
        command += ["--image", f"server={sys.executable} -S {self.server} {self.mark}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, "CLOUDML_FAULTS_MARK": self.mark}
            )

    def kill(self) -> None:
        """SIGKILL; whatever it started must end by itself."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
        limit = time.monotonic() + 10
        while strays := self.strays():
            assert time.monotonic() < limit, strays
            time.sleep(0.02)

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.terminate()
        code, self._process = self._process.wait(timeout=60), None
        return code

    def log(self) -> str:
        """What it has said."""
        return self._log.read_text()

    def strays(self) -> dict[int, str]:
        """Living processes that bear the mark."""
        return dict(self._marked())

    def _marked(self) -> Iterator[tuple[int, str]]:
        mark = self.mark.encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (folder / "cmdline").read_bytes()
                if words and (mark in words or mark in (folder / "environ").read_bytes()):
                    yield int(folder.name), words.replace(b"\0", b" ").decode("utf-8", "replace")
