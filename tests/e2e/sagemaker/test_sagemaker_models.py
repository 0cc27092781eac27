"""A registered version is told alike by the local backend and by SageMaker's registry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sagemaker_runs import Sagemaker

from cloudml.backend.port import RunOptions, Target
from cloudml.backend.records import ModelVersion
from cloudml.discovery import load_backend
from cloudml.testing.harness import SAMPLES, build, sources_of


def comparable(version: ModelVersion, run: str) -> ModelVersion:
    """Without what is another on every backend and at every time: the run's name, the place, the moment."""
    assert version.run == run
    decided = tuple({**one, "at": "", "reason": one["reason"].replace(run, "RUN")} for one in version.decisions)
    return replace(version, run="", path="", created_at="", decisions=decided)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["sample_models:registered", "sample_models:gated", "sample_models:served"])
def test_versions_are_equal_on_both_backends(sagemaker: Sagemaker, tmp_path: Path, place: str) -> None:
    pipeline = build(place)
    sources = sources_of(pipeline)
    backend = load_backend("local")
    target = Target("local", "local", "samples", SAMPLES, {"state": str(tmp_path / "state")})
    session = backend.connect(target)
    try:
        run = session.runs.start(backend.compile(pipeline, target, sources), {}, RunOptions())
        here = [comparable(one, run.id) for one in session.models.list()]
        for endpoint in session.endpoints.list():
            session.endpoints.stop(endpoint.name)
    finally:
        session.close()
    record = sagemaker.run(pipeline, sources)
    there = [comparable(one, record.id) for one in sagemaker.session.models.list()]
    assert record.status == "succeeded", record.reason
    assert here
    assert there == here
    if place == "sample_models:served":
        assert there[0].aliases == ("champion",)
        assert [one["action"] for one in there[0].decisions] == ["promoted to champion"]
