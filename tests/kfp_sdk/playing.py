"""Play the data files against a running Vertex AI (here: the mock), by Google's own client, and tell what differs.

Everything is done through the API: CreatePipelineJob, GetPipelineJob, the jobs it made, Cloud Storage. `Cloud` says how
to reach them. Needs no kfp.
"""

from __future__ import annotations

import collections
import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent / "data" / "kfp"
PROGRAMS = Path(__file__).parent / "programs"
BUCKET = "team-data"
ROOT = f"gs://{BUCKET}/root"
OVER = {"PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED"}
ENDED = {"SUCCEEDED", "FAILED", "SKIPPED", "NOT_TRIGGERED", "CANCELLED"}
NEVER, ANYHOW = "-", "*"

Json = dict[str, Any]


def names() -> list[str]:
    """Of all cases."""
    return sorted(path.stem for path in DATA.glob("*.json") if path.stem != "local")


def read(name: str) -> Json:
    """A case."""
    return dict(json.loads((DATA / f"{name}.json").read_text()))


def task_paths(spec: Json) -> dict[str, Json]:
    """Every task of a PipelineSpec by its path from the root, names joined with full stops."""

    def walk(component: Json, prefix: str) -> Iterator[tuple[str, Json]]:
        for name, task in component.get("dag", {}).get("tasks", {}).items():
            yield prefix + name, task
            yield from walk(spec["components"][task["componentRef"]["name"]], f"{prefix}{name}.")

    return dict(walk(spec["root"], ""))


@dataclass(frozen=True)
class Cloud:
    """What the player needs of a Vertex AI. `client` makes GAPIC clients by name; `pass_time` lets everything end that
    runs (it is called again and again); `gcs` is the folder of all buckets."""

    project: str
    client: Callable[[str], Any]
    pass_time: Callable[[], None]
    gcs: Path
    location: str = "us-central1"

    @property
    def parent(self) -> str:
        """Where everything is made."""
        return f"projects/{self.project}/locations/{self.location}"


@dataclass
class Player:
    """One case on one cloud."""

    cloud: Cloud
    case: Json

    @property
    def spec(self) -> Json:
        """The document as it is submitted: with caching off where the case says so, as the SDK does it."""
        made: Json = copy.deepcopy(self.case["spec"])
        for component in () if self.case["caching"] else (made["root"], *made["components"].values()):
            for task in component.get("dag", {}).get("tasks", {}).values():
                task["cachingOptions"] = {"enableCache": False}
        return made

    def prepare(self) -> None:
        """Put the case's objects where they belong."""
        (self.cloud.gcs / BUCKET).mkdir(parents=True, exist_ok=True)
        for uri, text in self.case["files"].items():
            path = self.path(uri)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def path(self, uri: str) -> Path:
        """The file of an object."""
        return self.cloud.gcs / uri.removeprefix("gs://")

    def said(self) -> list[str]:
        """What containers wrote down."""
        path = self.cloud.gcs / BUCKET / "said"
        return path.read_text().splitlines() if path.exists() else []

    def request(self, job_id: str, run: Mapping[str, Any], spec: Json | None = None) -> Json:
        """CreatePipelineJob's request."""
        runtime: Json = {"gcs_output_directory": ROOT, "parameter_values": run.get("parameters", {})}
        if run.get("policy"):
            runtime["failure_policy"] = run["policy"]
        body = {"display_name": job_id, "pipeline_spec": spec or self.spec, "runtime_config": runtime}
        return {"parent": self.cloud.parent, "pipeline_job": body, "pipeline_job_id": job_id}

    def create(self, job_id: str, run: Mapping[str, Any], spec: Json | None = None) -> Any:
        """Create a job; what the client raises is raised."""
        request = self.request(job_id, run, spec)
        return self.cloud.client("PipelineServiceClient").create_pipeline_job(created(request))

    def play(self, job_id: str, run: Json) -> list[str]:
        """Create a job, see it through; what differs from the expectation, as sentences."""
        before = self.said()
        name = self.create(job_id, run).name
        job = self.finish(name)
        lines = self.said()[len(before) :]
        return [*self.judge(job, run, job_id), *_said(lines, run, job_id, self.cloud.project)]

    def finish(self, name: str) -> Any:
        """The job at its end."""
        pipelines = self.cloud.client("PipelineServiceClient")
        for _ in range(200):
            self.cloud.pass_time()
            job = pipelines.get_pipeline_job(name=name)
            if job.state.name in OVER:
                return job
        raise AssertionError(f"{name} does not end: {job.state.name}")

    def judge(self, job: Any, run: Json, job_id: str) -> list[str]:
        """What differs in the finished job."""
        found = []
        if job.state.name != f"PIPELINE_STATE_{run['state']}":
            found.append(f"the job is {job.state.name}, not {run['state']}: {job.error.message}")
        details = paths(job, self.case["spec"])
        found += _tasks(details, run["tasks"])
        found += _order(details, self.case["spec"], run["tasks"])
        for about, check in _CHECKS.items():
            for path, expected in run.get(about, {}).items():
                found += check(self, details.get(path, []), path, expected)
        if (run["state"] == "FAILED") != bool(job.error.message):
            found.append(f"the job's error is {job.error.message!r}")
        return found


def created(request: Json) -> Any:
    """The message of a CreatePipelineJob request."""
    from google.cloud.aiplatform_v1.types import CreatePipelineJobRequest
    from google.protobuf.json_format import ParseDict

    message = CreatePipelineJobRequest()
    ParseDict(request, CreatePipelineJobRequest.pb(message))
    return message


def paths(job: Any, spec: Json) -> dict[str, list[Any]]:
    """The task details by path; iterations of a loop are left out of it, so that a path may have several."""
    known = task_paths(spec)
    by_id = {detail.task_id: detail for detail in job.job_detail.task_details}
    found: dict[str, list[Any]] = collections.defaultdict(list)

    def path(detail: Any) -> str:
        above = by_id.get(detail.parent_task_id)
        head = path(above) if above is not None else ""
        mine = f"{head}.{detail.task_name}" if head else detail.task_name
        return mine if mine in known else head

    for detail in job.job_detail.task_details:
        above = by_id.get(detail.parent_task_id)
        mine = path(detail)
        if mine and (above is None or path(above) != mine):
            found[mine].append(detail)
    return dict(found)


def _tasks(details: Mapping[str, list[Any]], expected: Mapping[str, Any]) -> list[str]:
    found = []
    for path in sorted(details.keys() | expected.keys()):
        states = sorted(one.state.name for one in details.get(path, []))
        wanted = expected.get(path, NEVER)
        right = (
            set(states) <= {"NOT_TRIGGERED"} if wanted == NEVER
            else set(states) <= ENDED if wanted == ANYHOW
            else states == sorted(wanted if isinstance(wanted, list) else [wanted])
        )  # fmt: skip
        if not right:
            errors = [one.error.message for one in details.get(path, []) if one.error.message]
            found.append(f"{path}: {states}, not {wanted} {errors or ''}")
    return found


def _order(details: Mapping[str, list[Any]], spec: Json, expected: Mapping[str, Any]) -> list[str]:
    """No task that ran began before what it depends on had ended (of loops' bodies nothing is said here)."""
    found = []
    for path, task in task_paths(spec).items():
        mine = details.get(path, [])
        for name in task.get("dependentTasks", []):
            other = details.get(".".join([*path.split(".")[:-1], name]), [])
            if len(mine) == len(other) == 1 and mine[0].state.name in {"SUCCEEDED", "FAILED"}:
                if not other[0].end_time or mine[0].start_time < other[0].end_time:
                    found.append(f"{path} began before {name} had ended")
    return found


def _said(lines: list[str], run: Json, job_id: str, project: str) -> list[str]:
    wanted = [line.replace("{job}", job_id) for line in run.get("said", [])]
    same = lines == wanted if run.get("ordered") else sorted(lines) == sorted(wanted)
    return (
        [] if same or ("{project}" in "".join(wanted) and _starts(lines, wanted)) else [f"said {lines}, not {wanted}"]
    )


def _starts(lines: list[str], wanted: list[str]) -> bool:
    """Whether the lines are the wanted ones, where {project} stands for one word (an id or a number)."""
    heads = sorted(line.partition("{project}")[0] for line in wanted)
    told = sorted(lines)
    return len(told) == len(heads) and all(
        line.startswith(head) and len(line.split()) >= len(head.split()) for line, head in zip(told, heads, strict=True)
    )


def _errors(_player: Player, details: list[Any], path: str, words: list[str]) -> list[str]:
    texts = [one.error.message for one in details]
    return [f"{path}: no {word!r} in {texts}" for word in words if not all(word in text for text in texts)]


def _values(_player: Player, details: list[Any], path: str, expected: Json) -> list[str]:
    """Output parameters: members `output:NAME` of the execution in Vertex ML Metadata."""
    found = []
    for detail in details:
        metadata = plain(detail.execution.metadata) or {}
        for name, value in expected.items():
            got = metadata.get(f"output:{name}")
            if _loose(got) != _loose(value):
                found.append(f"{path}: output:{name} is {got!r}, not {value!r} ({sorted(metadata)})")
    return found


def _loose(value: Any) -> Any:
    """Lists and structures may be kept as their JSON."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        return json.loads(value)
    return value


def plain(value: Any) -> Any:
    """A Struct of proto-plus as JSON; whole numbers as int."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple) or type(value).__name__ == "RepeatedComposite":
        return [plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _artifacts(player: Player, details: list[Any], path: str, expected: Json) -> list[str]:
    found = []
    for name, wanted in expected.items():
        artifacts = [one for detail in details if name in detail.outputs for one in detail.outputs[name].artifacts]
        if len(artifacts) != 1:
            found.append(f"{path}: {len(artifacts)} artifacts {name}")
            continue
        [one] = artifacts
        metadata = plain(one.metadata) or {}
        if one.schema_title != wanted["type"]:
            found.append(f"{path}.{name} is a {one.schema_title!r}")
        differing = {
            key: metadata.get(key) for key, value in wanted.get("metadata", {}).items() if metadata.get(key) != value
        }
        if differing:
            found.append(f"{path}.{name} has the metadata {differing}")
        if "text" in wanted and player.path(one.uri).read_text() != wanted["text"]:
            found.append(f"{path}.{name} at {one.uri} holds {player.path(one.uri).read_text()!r}")
    return found


def _jobs(player: Player, details: list[Any], path: str, expected: Json) -> list[str]:
    """The machine of the CustomJob that a task ran as."""
    jobs = player.cloud.client("JobServiceClient")
    found = []
    for detail in details:
        job = jobs.get_custom_job(name=detail.executor_detail.container_detail.main_job)
        machine = job.job_spec.worker_pool_specs[0].machine_spec
        for name, value in expected.items():
            got = getattr(machine, name)
            if getattr(got, "name", got) != value:
                found.append(f"{path}: {name} is {got!r}, not {value!r}")
    return found


def _at_once(_player: Player, details: list[Any], path: str, limit: int) -> list[str]:
    """How many ran at a time. A task that has ended no later than another begins is not at the same time."""
    moments = [(one.start_time, 1) for one in details] + [(one.end_time, -1) for one in details]
    running, most = 0, 0
    for _, step in sorted(moments):
        running += step
        most = max(most, running)
    return [f"{path}: {most} at a time, not {limit}"] if most > limit else []


def _predictions(player: Player, _details: list[Any], where: str, expected: Any) -> list[str]:
    """Of an endpoint by display name, or of a folder of a batch prediction."""
    if where.startswith("gs://"):
        lines = [
            json.loads(line)
            for path in sorted(player.path(where).rglob("prediction.results*"))
            for line in path.read_text().splitlines()
        ]
        got = sorted(line["prediction"] for line in lines)
        return [] if got == expected else [f"{where} holds {got}, not {expected}"]
    endpoints = player.cloud.client("EndpointServiceClient").list_endpoints(parent=player.cloud.parent)
    [endpoint] = [one for one in endpoints if one.display_name == where]
    from google.protobuf.json_format import ParseDict
    from google.protobuf.struct_pb2 import Value

    instances = [ParseDict(one, Value()) for one in expected["instances"]]
    answer = player.cloud.client("PredictionServiceClient").predict(endpoint=endpoint.name, instances=instances)
    got = list(answer.predictions)
    return [] if got == expected["predictions"] else [f"{where} answers {got}"]


def _objects(player: Player, _details: list[Any], prefix: str, number: int) -> list[str]:
    bucket = player.cloud.gcs / BUCKET
    found = [path for path in bucket.rglob("*") if path.is_file() and str(path.relative_to(bucket)).startswith(prefix)]
    return [] if len(found) == number else [f"{prefix}: {len(found)} objects, not {number}"]


_CHECKS: Mapping[str, Callable[[Player, list[Any], str, Any], list[str]]] = {
    "errors": _errors,
    "values": _values,
    "artifacts": _artifacts,
    "jobs": _jobs,
    "at_once": _at_once,
    "predictions": _predictions,
    "objects": _objects,
}
