"""The sample pipelines, on the local backend and compiled to the mock: the same states, values, metrics, artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sagemaker_runs import Sagemaker, results, run_locally, states

from cloudml.testing.harness import SAMPLES, build, sources_of

QUICK: list[tuple[str, dict[str, Any]]] = [
    ("sample_flow:grouped", {}),
    ("sample_jobs:tables", {"rows": 10}),
]
"""What the quick half of the conformance suite has not: several steps in one job, artifacts that are no JSON."""
MORE: list[tuple[str, dict[str, Any]]] = [
    ("sample_flow:chain", {"count": 4}),
    ("sample_flow:branches", {"limit": 5}),
    ("sample_flow:branches", {"limit": 6}),
    ("sample_flow:mapped", {"count": 3}),
    ("sample_flow:diamond", {}),
    ("sample_flow:arithmetic", {"offset": 2}),
    ("sample_flow:arithmetic", {"offset": 3}),
    ("sample_flow:mapped", {"count": 0}),
    ("sample_flow:mapped_literal", {}),
    ("sample_flow:mapped_failure", {}),
    ("sample_flow:mapped_branches", {}),
    ("sample_flow:with_exit", {"fails": False}),
    ("sample_flow:with_exit", {"fails": True}),
    ("sample_flow:messages", {}),
    ("sample_jobs:arrays", {}),
    ("sample_jobs:folders", {}),
    ("sample_jobs:broken", {}),
    ("sample_tuning:grid", {}),
    ("sample_tuning:random", {}),
    ("sample_tuning:forgiving", {}),
    ("sample_tuning:unforgiving", {}),
    ("sample_models:registered", {}),
    ("sample_models:gated", {}),
    ("sample_models:demanding", {}),
    ("sample_models:batch", {}),
    ("sample_models:served", {}),
]

RACING = {"sample_flow:with_exit": frozenset({"add", "refuse"}), "sample_flow:mapped_failure": frozenset({"double"})}
"""What runs beside a step that ends the run as failed: how far it came then is a matter of speed, on every backend."""


def compare(sagemaker: Sagemaker, tmp_path: Path, place: str, parameters: dict[str, Any]) -> None:
    pipeline = build(place)
    sources = sources_of(pipeline)
    here = run_locally(tmp_path / "state", SAMPLES, pipeline, sources, parameters)
    there = sagemaker.run(pipeline, sources, parameters)
    loose = RACING.get(place, frozenset()) if parameters.get("fails", True) else frozenset()
    reasons = {task.id: task.reason for task in there.tasks}
    assert (there.status, without(states(there), loose)) == (here.status, without(states(here), loose)), reasons
    assert without(results(there), loose) == without(results(here), loose)
    assert there.pipeline == here.pipeline
    assert there.parameters == here.parameters


def without(found: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name.partition("[")[0] not in names}


@pytest.mark.parametrize(("place", "parameters"), QUICK)
def test_a_sample_runs_alike(sagemaker: Sagemaker, tmp_path: Path, place: str, parameters: dict[str, Any]) -> None:
    compare(sagemaker, tmp_path, place, parameters)


@pytest.mark.slow
@pytest.mark.parametrize(("place", "parameters"), MORE)
def test_every_sample_runs_alike(sagemaker: Sagemaker, tmp_path: Path, place: str, parameters: dict[str, Any]) -> None:
    compare(sagemaker, tmp_path, place, parameters)
