"""The Vertex AI mock against floors: its start, its calls, a custom job, and a pipeline of tasks.

    python benchmarks/vertex_mock.py [--rounds N] [--tasks N] [--json]

Start: from the command to the first answer of ListModels over HTTP, against a program that only imports the client
whose messages the mock answers with. Calls: over gRPC in the clear, against a bare gRPC server in the same place that
answers with the same bytes. A job and a pipeline's tasks (`true`, one after the other): against the bare processes,
from the request to the end that the API tells. Needs the extra `mock-vertex`.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from measuring import CLOUDML, Claim, parser, table, tell

from cloudml.mocks.port import MockOptions
from cloudml_vertex.mock.start import Mock, start

BATCH = 100
"""Calls of one turn."""
PARENT = "projects/bench-project/locations/us-central1"
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
IMPORT = [sys.executable, "-c", "import google.cloud.aiplatform_v1, grpc; print('{}')"]


def client(endpoint: str, service: str) -> Any:
    """A GAPIC client as anybody makes it of a channel in the clear."""
    import grpc
    from google.cloud import aiplatform_v1

    kind = getattr(aiplatform_v1, f"{service}Client")
    return kind(transport=kind.get_transport_class("grpc")(channel=grpc.insecure_channel(endpoint)))


def seconds(work: Callable[[], Any]) -> float:
    """How long it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def come_up() -> None:
    """`cloudml mock vertex` until ListModels is answered, and then its end."""
    command = [*CLOUDML, "mock", "vertex", "--output", "json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        url = f"{told['url']}/v1/{PARENT}/models"
        with urllib.request.urlopen(url, timeout=60) as answer:
            json.load(answer)
    finally:
        process.terminate()
        process.communicate(timeout=60)


def bare_server(answer: bytes) -> tuple[Any, str]:
    """A gRPC server that answers every call with these bytes, and its endpoint."""
    import grpc

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, _: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(lambda request, context: answer)

    server = grpc.server(ThreadPoolExecutor(8), handlers=(Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"


def calls(mock: Mock, rounds: int) -> dict[str, float]:
    """Microseconds of GetEndpoint: the mock's and the bare server's medians, taking turns."""
    ours = client(mock.endpoint, "EndpointService")
    made = ours.create_endpoint(parent=PARENT, endpoint={"display_name": "bench"}).result()
    server, address = bare_server(type(made).serialize(made))
    try:
        asked = {"mock": ours, "bare": client(address, "EndpointService")}
        seen: dict[str, list[float]] = {name: [] for name in asked}
        for one in asked.values():
            one.get_endpoint(name=made.name)
        for turn in range(rounds):
            for name in sorted(asked, reverse=bool(turn % 2)):
                get = asked[name].get_endpoint
                seen[name].append(seconds(lambda get=get: [get(name=made.name) for _ in range(BATCH)]) / BATCH)  # type: ignore[misc]
    finally:
        server.stop(None)
    return {name: 1e6 * statistics.median(times) for name, times in seen.items()}


def ended(get: Callable[..., Any], name: str) -> None:
    """Wait for a job's end. Raises RuntimeError when it did not succeed."""
    while not (state := get(name=name).state.name).endswith(ENDED):
        time.sleep(0.005)
    if not state.endswith("SUCCEEDED"):
        raise RuntimeError(f"{name} ended as {state}")


def custom_job(mock: Mock) -> Callable[[], None]:
    """One CustomJob of `true`, from the request to its end."""
    jobs = client(mock.endpoint, "JobService")
    pool = {
        "machine_spec": {"machine_type": "n1-standard-4"},
        "replica_count": 1,
        "container_spec": {"image_uri": "bench", "command": ["true"]},
    }
    document = {"display_name": "bench", "job_spec": {"worker_pool_specs": [pool]}}

    def run() -> None:
        ended(jobs.get_custom_job, jobs.create_custom_job(parent=PARENT, custom_job=document).name)

    return run


def chain(tasks: int) -> dict[str, Any]:
    """A pipeline of as many tasks, one after the other."""
    found = {
        f"task-{number}": {
            "taskInfo": {"name": f"task-{number}"},
            "componentRef": {"name": "comp-true"},
            "cachingOptions": {},
            **({"dependentTasks": [f"task-{number - 1}"]} if number else {}),
        }
        for number in range(tasks)
    }
    return {
        "schemaVersion": "2.1.0",
        "sdkVersion": "bench-1",
        "pipelineInfo": {"name": "chain"},
        "root": {"dag": {"tasks": found}},
        "components": {"comp-true": {"executorLabel": "exec-true"}},
        "deploymentSpec": {"executors": {"exec-true": {"container": {"image": "bench", "command": ["true"]}}}},
    }


def pipeline(mock: Mock, tasks: int) -> Callable[[], None]:
    """One run of the chain, from the request to its end."""
    bucket = urllib.request.Request(
        f"{mock.url}/storage/v1/b?project=bench-project", json.dumps({"name": "bench"}).encode(),
        {"Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(bucket, timeout=60):
        runs = client(mock.endpoint, "PipelineService")
    document = {"pipeline_spec": chain(tasks), "runtime_config": {"gcs_output_directory": "gs://bench/root"}}

    def run() -> None:
        ended(runs.get_pipeline_job, runs.create_pipeline_job(parent=PARENT, pipeline_job=document).name)

    return run


def bare(times: int) -> None:
    """The processes alone, one after the other."""
    for _ in range(times):
        subprocess.run(["true"], check=True)


def turns(contestants: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds, taking turns; the first of each is not counted."""
    for work in contestants.values():
        work()
    seen: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            seen[name].append(seconds(work))
    return {name: statistics.median(times) for name, times in seen.items()}


def main() -> int:
    """Read the command line, measure, print."""
    options = parser(__doc__, rounds=5)
    options.add_argument("--tasks", type=int, default=20, help="tasks of the pipeline (default 20)")
    given = options.parse_args()
    up = turns(
        {"import": lambda: subprocess.run(IMPORT, check=True, capture_output=True), "mock": come_up}, given.rounds
    )
    mock = start(MockOptions(images=("*=/usr",)))
    try:
        answers = calls(mock, 4 * given.rounds)
        jobs = turns({"bare": lambda: bare(1), "job": custom_job(mock)}, 4 * given.rounds)
        whole = turns({"bare": lambda: bare(given.tasks), "run": pipeline(mock, given.tasks)}, given.rounds)
    finally:
        mock.stop()
    task = 1000 * (whole["run"] - whole["bare"]) / given.tasks
    rows = [
        ("start, s", up["mock"], up["import"], up["mock"] / up["import"]),
        ("GetEndpoint, us", answers["mock"], answers["bare"], answers["mock"] / answers["bare"]),
        ("custom job, ms", 1000 * jobs["job"], 1000 * jobs["bare"], jobs["job"] / jobs["bare"]),
        (f"pipeline of {given.tasks}, ms", 1000 * whole["run"], 1000 * whole["bare"], whole["run"] / whole["bare"]),
    ]
    claims = [
        Claim("start / import of the client", up["mock"] / up["import"], 2),
        Claim("GetEndpoint / bare gRPC server", answers["mock"] / answers["bare"], 2),
        Claim("overhead of a custom job", 1000 * (jobs["job"] - jobs["bare"]), 60, " ms"),
        Claim("overhead of a task", task, 60, " ms"),
    ]
    kind, reason = mock.isolation
    text = f"isolation: {kind} ({reason})\n" + table(rows, ("", "mock", "floor", "ratio"))
    return tell(given.json, text, claims, isolation=kind)


if __name__ == "__main__":
    sys.exit(main())
