"""Warm start: what a tuning job takes from earlier ones, and when it may (developer guide, "Run a Warm Start
Hyperparameter Tuning Job")."""

from __future__ import annotations

from cloudml.mocks.store import Document, Table
from cloudml_sagemaker.mock.core.errors import validation
from cloudml_sagemaker.mock.tuning import record
from cloudml_sagemaker.mock.tuning.rules import KINDS, definitions, objective, ranges

_MOST_TRIALS = 500
"""Training jobs of the parents and the new job together."""


def parents(table: Table, request: Document) -> list[Document]:
    """The parent jobs. Raises AwsError for one that is missing, still runs, or does not fit the new job."""
    config = request.get("WarmStartConfig") or {}
    names = [one["HyperParameterTuningJobName"] for one in config.get("ParentHyperParameterTuningJobs") or []]
    found = [_parent(table, name) for name in names]
    for parent in found:
        _check(request, parent, identical=config["WarmStartType"] == "IdenticalDataAndAlgorithm")
    own = request["HyperParameterTuningJobConfig"]["ResourceLimits"].get("MaxNumberOfTrainingJobs") or 0
    if found and own + sum(len(parent["_trials"]) for parent in found) > _MOST_TRIALS:
        raise validation(f"The training jobs of the parents and of this job together exceed {_MOST_TRIALS}.")
    return found


def inherit(job: Document, found: list[Document]) -> None:
    """Keep what the parents found out in the new job's document: they may be deleted while it runs."""
    job["_inherited"] = [
        {"point": {**_static(parent), **trial["point"]}, "value": trial["value"]}
        for parent in found
        for trial in parent["_trials"]
        if trial.get("value") is not None
    ]
    tops = [(parent, record.best(parent)) for parent in found]
    job["_parents_best"] = [
        {**record.summary(parent, top), "TuningJobName": parent["HyperParameterTuningJobName"]}
        for parent, top in tops
        if top is not None
    ]


def _parent(table: Table, name: str) -> Document:
    parent = table.get(name)
    if parent is None:
        raise validation(f"The parent tuning job {name} does not exist.")
    if parent["HyperParameterTuningJobStatus"] not in record.ENDED:
        raise validation(f"The parent tuning job {name} is still running.")
    return parent


def _check(request: Document, parent: Document, *, identical: bool) -> None:
    name = parent["HyperParameterTuningJobName"]
    if parent.get("TrainingJobDefinitions"):
        raise validation(f"The parent tuning job {name} has several training job definitions.")
    mine, theirs = definitions(request)[0], definitions(parent)[0]
    if objective(request, mine) != objective(parent, theirs):
        raise validation(f"The objective metric must be the same as that of the parent tuning job {name}.")
    own, before = _kinds(request, mine), _kinds(parent, theirs)
    if set(own) != set(before):
        raise validation(
            "The static and tunable hyperparameters together must remain the same as those of the parent tuning job "
            f"{name}: {', '.join(sorted(set(own) ^ set(before)))}."
        )
    changed = sorted(key for key in own if own[key] and before[key] and own[key] != before[key])
    if changed:
        raise validation(f"The type of a hyperparameter must not change from the parent job: {', '.join(changed)}.")
    if identical:
        for part, there, here in (
            ("training image", _image(theirs), _image(mine)),
            ("input data", theirs.get("InputDataConfig"), mine.get("InputDataConfig")),
        ):
            if there != here:
                raise validation(f"With IdenticalDataAndAlgorithm the {part} must be that of the parent job {name}.")


def _image(definition: Document) -> object:
    algorithm = definition["AlgorithmSpecification"]
    return algorithm.get("TrainingImage") or algorithm.get("AlgorithmName")


def _kinds(request: Document, definition: Document) -> dict[str, str]:
    """Every hyperparameter with the kind of its range; "" for a static one."""
    found = dict.fromkeys(definition.get("StaticHyperParameters") or {}, "")
    found.pop(record.OBJECTIVE, None)
    given = ranges(request, definition)
    found.update({one["Name"]: kind for kind in KINDS for one in given.get(kind) or []})
    return found


def _static(parent: Document) -> dict[str, str]:
    static: dict[str, str] = definitions(parent)[0].get("StaticHyperParameters") or {}
    return static
