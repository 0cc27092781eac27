"""Small pipelines, a model server and clients for the fault tests of the Vertex AI mock."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from google.api_core.exceptions import GoogleAPICallError, RetryError

PROJECT, LOCATION = "fault-lab", "us-central1"
PARENT = f"projects/{PROJECT}/locations/{LOCATION}"
REGISTRY = "europe-docker.pkg.dev/lab/tools"
SHELL, SERVER = f"{REGISTRY}/shell:1", f"{REGISTRY}/server:1"
SHELL_RULE = "lab/tools/shell=/usr"
BUCKET = "lab-data"
STATIC_SERVER = """
import os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply(b"{}")
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.reply(b'{"predictions": ["yes"]}')
    def reply(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
ThreadingHTTPServer(("127.0.0.1", int(os.environ["AIP_HTTP_PORT"])), Handler).serve_forever()
"""

Json = dict[str, Any]


def spec(name: str, programs: Mapping[str, str], after: Mapping[str, list[str]] | None = None) -> Json:
    """A PipelineSpec of shell tasks; `after` names what each waits for."""
    tasks, components, executors = {}, {}, {}
    for task, program in programs.items():
        waits = (after or {}).get(task, [])
        tasks[task] = {
            "taskInfo": {"name": task},
            "componentRef": {"name": f"comp-{task}"},
            "cachingOptions": {"enableCache": False},
            **({"dependentTasks": waits} if waits else {}),
        }
        components[f"comp-{task}"] = {"executorLabel": f"exec-{task}"}
        executors[f"exec-{task}"] = {"container": {"image": SHELL, "command": ["sh", "-ec", program]}}
    return {
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
        "pipelineInfo": {"name": name},
        "root": {"dag": {"tasks": tasks}},
        "components": components,
        "deploymentSpec": {"executors": executors},
    }


def note(word: str, before: str = "") -> str:
    """A program that writes down that it ran, after what it does before."""
    return f"{before or ':'}; mkdir -p /gcs/{BUCKET}; echo {word} >> /gcs/{BUCKET}/said"


def job_request(identifier: str, pipeline: Json, **runtime: Any) -> Any:
    """CreatePipelineJob's request."""
    from google.cloud.aiplatform_v1.types import CreatePipelineJobRequest
    from google.protobuf.json_format import ParseDict

    body = {
        "display_name": identifier,
        "pipeline_spec": pipeline,
        "runtime_config": {"gcs_output_directory": f"gs://{BUCKET}/root", **runtime},
    }
    message = CreatePipelineJobRequest()
    request = {"parent": PARENT, "pipeline_job": body, "pipeline_job_id": identifier}
    ParseDict(request, CreatePipelineJobRequest.pb(message))
    return message


def job_name(identifier: str) -> str:
    """Of a pipeline job."""
    return f"{PARENT}/pipelineJobs/{identifier}"


def until(holds: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """What `holds` gives once it is true; a mock that is just starting may refuse connections."""
    limit = time.monotonic() + seconds
    while True:
        with suppress(GoogleAPICallError, RetryError, grpc.RpcError):
            found = holds()
            if found:
                return found
        assert time.monotonic() < limit, f"{what} did not happen"
        time.sleep(0.05)


class Clients:
    """GAPIC clients over one channel, each made once."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._made: dict[str, Any] = {}

    def __getitem__(self, service: str) -> Any:
        """`clients["Pipeline"]` is a PipelineServiceClient."""
        if service not in self._made:
            kind = getattr(importlib.import_module("google.cloud.aiplatform_v1"), f"{service}ServiceClient")
            self._made[service] = kind(transport=kind.get_transport_class("grpc")(channel=self._channel))
        return self._made[service]

    def close(self) -> None:
        """Hang up."""
        self._channel.close()


class Server:
    """`cloudml mock vertex --state DIR` in a process of its own; `mark` is in the argv or environment of all that comes
    of it."""

    def __init__(self, state: Path, server: Path, mark: str, *options: str) -> None:
        self.state, self.server, self.mark = state, server, mark
        self.url = ""
        self._options = options
        self._log = state.parent / "mock.log"
        self._process: subprocess.Popen[str] | None = None
        self._clients: Clients | None = None

    def start(self) -> None:
        """Begin, and wait until it says where it answers."""
        command = [sys.executable, "-m", "cloudml", "mock", "vertex", "--state", str(self.state), "--output", "json"]
        command += ["--image", SHELL_RULE, *self._options]
        command += ["--image", f"lab/tools/server={sys.executable} -S {self.server} {self.mark}"]
        environment = {**os.environ, "CLOUDML_FAULTS_MARK": self.mark}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else every start compiles Google's clients anew: seconds
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        assert self._process.stdout is not None
        text = ""
        while True:  # the answer is one JSON object, of one line or of many
            line = self._process.stdout.readline()
            assert line, self.log()
            text += line
            with suppress(ValueError):
                told = json.loads(text)
                break
        self.url = told["url"]
        told = told["environment"]
        authority = Path(told["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"]).read_bytes()
        credentials = grpc.ssl_channel_credentials(root_certificates=authority)
        self._clients = Clients(grpc.secure_channel(told["CLOUDML_VERTEX_ENDPOINT"], credentials))

    @property
    def clients(self) -> Clients:
        """Of the server as it runs now."""
        assert self._clients is not None
        return self._clients

    def kill(self) -> None:
        """SIGKILL; whatever it started must end by itself."""
        if self._clients is not None:
            self._clients.close()
            self._clients = None
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.communicate()
            self._process = None
        limit = time.monotonic() + 10
        while strays := self.strays():
            assert time.monotonic() < limit, strays
            time.sleep(0.02)

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self.clients.close()
        self._clients = None
        self._process.terminate()
        self._process.communicate(timeout=60)
        code, self._process = self._process.returncode, None
        return code

    def log(self) -> str:
        """What it has said on stderr."""
        return self._log.read_text()

    def said(self) -> list[str]:
        """What tasks wrote down."""
        path = self.state / "gcs" / BUCKET / "said"
        return path.read_text().splitlines() if path.exists() else []

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
