"""One task of an old run again, on this machine: today's code on the inputs that its job really had.

The folder is laid out as the container's /opt/ml (SAGEMAKER_BASE_DIR names it): the inputs come from S3, the code from
what is compiled now, and the same program runs that runs in SageMaker.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cloudml.backend.records import TaskRecord
from cloudml.errors import Refused
from cloudml.plan import Resource
from cloudml_sagemaker.compile.expressions import every
from cloudml_sagemaker.describe import Execution
from cloudml_sagemaker.fetch import bring
from cloudml_sagemaker.outline import Part, outline
from cloudml_sagemaker.resources.kind import World
from cloudml_sagemaker.results import JobResult
from cloudml_sagemaker.tasks import Step, Steps, task_records
from cloudml_sagemaker.upload import builder

_KINDS = frozenset({"job", "group", "search"})
"""Of step.json: what computes. A control step would act on AWS once more."""
LOG = "output.log"


@dataclass(frozen=True)
class Given:
    """What the old job was given: the addresses of its inputs, its `--set` values, its hyperparameters."""

    uris: Mapping[str, str]
    sets: Mapping[str, str]
    hyperparameters: Mapping[str, str]
    environment: Mapping[str, str]


def rehearse(world: World, found: Execution, task: str, resources: Sequence[Resource], folder: Path) -> TaskRecord:
    """Compute a task of a run again; its record. Inputs, outputs and the log (`output.log`) lie in `folder`.

    Raises Refused when it never started, acts on more than its inputs, or reads today what it did not read then.
    """
    part, step, name = _job(found, task)
    code = next((one.document for one in resources if one.kind == "job_code" and one.name == part.name), None)
    if code is None:
        raise Refused(f"the pipeline of today has no step {part.name!r}", hint=f"cloudml show {found.record.id}")
    document = code["files"]["step.json"]
    if document["kind"] not in _KINDS:
        raise Refused(f"{task} acts on more than its inputs, and is not rehearsed", hint=_rerun(found, task))
    kind = step.job[0] if step.job is not None else ""
    training = kind != "ProcessingJob"
    given = (_training if training else _processing)(world, name)
    today = _today(resources, part.name)
    uris = _inputs(found, part, today, given, task)
    base = (folder / "ml").resolve()
    place = base / ("input/data" if training else "processing/input")
    for input_name, uri in uris.items():
        bring(world.client, uri, place / input_name)
    for file, content in builder(world.source, world.place.root).build(code).items():
        (place / "cloudml").mkdir(parents=True, exist_ok=True)
        (place / "cloudml" / file).write_bytes(content)
    _configure(base, training, given)
    began = time.monotonic()
    code_of_exit = _run(base, place / "cloudml", training, name, given, folder / LOG)
    return _record(found, task, part, resources, base, training, code_of_exit, time.monotonic() - began)


def _job(found: Execution, task: str) -> tuple[Part, Step, str]:
    """The part of the task that computes, its step, and the name of its job."""
    for part, step in found.started.get(task, ()):
        if part.role == "main" and step.job is not None:
            return part, step, step.job[1]
    message = f"{task} had no job in {found.record.id}, so that its inputs are not known"
    raise Refused(message, hint=f"cloudml resume {found.record.id} lets it start")


def _rerun(found: Execution, task: str) -> str:
    return f"cloudml rerun {found.record.id} --from {task.partition('[')[0]}"


def _processing(world: World, name: str) -> Given:
    told = world.client.call("sagemaker", "DescribeProcessingJob", ProcessingJobName=name)
    uris = {one["InputName"]: one["S3Input"]["S3Uri"] for one in told.get("ProcessingInputs", ())}
    sets = _sets(told["AppSpecification"].get("ContainerArguments", ()))
    return Given(uris, sets, {}, told.get("Environment", {}))


def _training(world: World, name: str) -> Given:
    """Of a training job; of a tuning job its best trial, or the first when none was good."""
    if world.client.find("sagemaker", "DescribeTrainingJob", TrainingJobName=name) is None:
        told = world.client.call("sagemaker", "DescribeHyperParameterTuningJob", HyperParameterTuningJobName=name)
        best = told.get("BestTrainingJob", {}).get("TrainingJobName")
        name = best or next(_trials(world, name))
    told = world.client.call("sagemaker", "DescribeTrainingJob", TrainingJobName=name)
    channels = told.get("InputDataConfig", ())
    uris = {one["ChannelName"]: one["DataSource"]["S3DataSource"]["S3Uri"] for one in channels}
    sets = _sets(told["AlgorithmSpecification"].get("ContainerArguments", ()))
    return Given(uris, sets, told.get("HyperParameters", {}), told.get("Environment", {}))


def _trials(world: World, name: str) -> Any:
    operation = "ListTrainingJobsForHyperParameterTuningJob"
    about: dict[str, Any] = {"HyperParameterTuningJobName": name, "SortBy": "CreationTime", "SortOrder": "Ascending"}
    rows = world.client.pages("sagemaker", operation, "TrainingJobSummaries", **about)
    return (str(one["TrainingJobName"]) for one in rows)


def _sets(words: Sequence[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words if "=" in word]
    return {name: value for name, _, value in pairs}


def _today(resources: Sequence[Resource], name: str) -> Mapping[str, Any]:
    """The step of today's definition."""
    steps = (
        step
        for one in resources
        if one.kind == "pipeline"
        for step in every(list(one.document["definition"]["Steps"]))
        if step["Name"] == name
    )
    return next(steps)


def _expressions(step: Mapping[str, Any]) -> dict[str, Any]:
    """The addresses of a step's inputs as the definition has them, without the code."""
    arguments = step["Arguments"]
    found = {one["InputName"]: one["S3Input"]["S3Uri"] for one in arguments.get("ProcessingInputs", ())}
    for one in arguments.get("TrainingJobDefinition", arguments).get("InputDataConfig", ()):
        found[one["ChannelName"]] = one["DataSource"]["S3DataSource"]["S3Uri"]
    found.pop("cloudml", None)
    return found


def _inputs(found: Execution, part: Part, today: Mapping[str, Any], given: Given, task: str) -> dict[str, str]:
    """Today's inputs with the addresses that the same expressions had in the old run."""
    steps = {one["Name"]: one for one in every(list(found.definition["Steps"]))}
    known = {json.dumps(uri): given.uris[name] for name, uri in _expressions(steps[part.name]).items()
             if name in given.uris}  # fmt: skip
    resolved: dict[str, str] = {}
    for name, uri in _expressions(today).items():
        if isinstance(uri, str):
            resolved[name] = uri
        elif json.dumps(uri) in known:
            resolved[name] = known[json.dumps(uri)]
        else:
            message = f"{task} reads something today that it did not read in {found.record.id}"
            raise Refused(message, hint=_rerun(found, task))
    return resolved


def _configure(base: Path, training: bool, given: Given) -> None:
    folder = base / ("input/config" if training else "config")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("output", "model" if training else "processing/output"):
        (base / name).mkdir(parents=True, exist_ok=True)
    (folder / "resourceconfig.json").write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]}))
    if training:
        (folder / "hyperparameters.json").write_text(json.dumps(dict(given.hyperparameters)))


def _run(base: Path, code: Path, training: bool, name: str, given: Given, log: Path) -> int:
    words = [text for key, value in sorted(given.sets.items()) for text in ("--set", f"{key}={value}")]
    own = {"SAGEMAKER_BASE_DIR": str(base), **({"TRAINING_JOB_NAME": name} if training else {})}
    environment = {**os.environ, **given.environment, **own}
    with log.open("wb") as file:
        done = subprocess.run(  # noqa: S603 - our own program, no shell
            [sys.executable, str(code / "start.py"), *words],
            env=environment, cwd=base, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    return done.returncode


def _record(
    found: Execution, task: str, part: Part, resources: Sequence[Resource], base: Path, training: bool, code: int,
    seconds: float,
) -> TaskRecord:  # fmt: skip
    """The record of the task as its result tells it, with the outputs' places on this machine."""
    outputs = base / ("model" if training else "processing/output")
    written = outputs / "result" / "result.json"
    document = json.loads(written.read_bytes()) if written.is_file() else {}
    message = base / "output" / ("failure" if training else "message")
    result = JobResult(
        message=message.read_text(encoding="utf-8") if code and message.is_file() else "",
        document=document,
        outputs={path.name: str(path) for path in outputs.iterdir() if path.is_dir()},
    )
    step = Step(
        part.name, "Failed" if code else "Succeeded", result=result, failure_reason=f"exit code {code}" if code else ""
    )
    documents = {one.document["prefix"]: one.document["files"]["step.json"] for one in resources
                 if one.kind == "job_code"}  # fmt: skip
    pipeline = next(one for one in resources if one.kind == "pipeline" and _has(one, part.name))
    tasks = [replace(one, parts=[replace(part, loop=None, branch=None)], within=None, parent=None)
             for one in outline(pipeline.document["definition"], lambda prefix: documents[prefix])
             if one.name == task.partition("[")[0]]  # fmt: skip
    [record] = task_records(tasks, Steps([step]), over=True)
    return replace(record, id=task, duration=seconds)


def _has(pipeline: Resource, name: str) -> bool:
    return any(step["Name"] == name for step in every(list(pipeline.document["definition"]["Steps"])))
