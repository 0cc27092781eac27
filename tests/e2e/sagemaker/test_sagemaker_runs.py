"""Runs on the mock that no other backend has: left by the keyboard, stopped while a person is asked, retried code."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest
from sagemaker_runs import Sagemaker, states

from cloudml.authoring.pipelines import PipelineFunction
from cloudml.backend.port import RunOptions
from cloudml.backend.records import Event
from cloudml.code import SourceIndex, Sources
from cloudml.errors import NotFound, Refused
from cloudml.plan import Resource
from cloudml.testing.harness import build, sources_of


def compiled(sagemaker: Sagemaker, place: str) -> tuple[Resource, ...]:
    pipeline = build(place)
    return sagemaker.compile(pipeline, sources_of(pipeline))


def test_the_keyboard_leaves_a_run_going_and_a_stop_ends_it(sagemaker: Sagemaker) -> None:
    runs, resources = sagemaker.session.runs, compiled(sagemaker, "sample_models:expiring")
    resources = lasting(resources)

    def interrupt(event: Event) -> None:
        if event.status == "waiting":
            raise KeyboardInterrupt

    left = runs.start(resources, {}, RunOptions(wait=True), interrupt)
    assert left.status == "waiting"
    assert "goes on in SageMaker" in left.reason
    assert [(one.id, one.status) for one in runs.list()] == [(left.id, "waiting")]
    with pytest.raises(Refused, match="does not wait"):
        runs.approve(left.id, "nothing", "ada", "why not")
    stopped = runs.stop(left.id)
    assert stopped.status == "stopped", "the open question was answered: SageMaker would wait for it"
    assert runs.stop(left.id).status == "stopped"


def lasting(resources: Sequence[Resource]) -> tuple[Resource, ...]:
    """The same with a question that does not expire."""
    found = []
    for one in resources:
        document = one.document
        if one.kind == "pipeline":
            steps = [
                {**step, "Arguments": {key: text for key, text in step["Arguments"].items() if key != "expires"}}
                for step in document["definition"]["Steps"]
            ]
            document = {**document, "definition": {**document["definition"], "Steps": steps}}
        found.append(Resource.of(one.kind, one.name, document))
    return tuple(found)


FIRST = "import cloudml as ml\n\n@ml.processing\ndef one() -> int:\n    return 1\n\n"
BROKEN = FIRST + '@ml.processing\ndef two(n: int) -> int:\n    raise ValueError("a mistake")\n\n'
MENDED = FIRST + "@ml.processing\ndef two(n: int) -> int:\n    return n + 1\n\n"
PIPELINE = "@ml.pipeline\ndef mending() -> None:\n    two(one())\n"


def of(root: Path, sagemaker: Sagemaker) -> tuple[Resource, ...]:
    """The project in `root`, built in this process as a fresh module."""
    space: dict[str, object] = {"__name__": "mending"}
    source = root / "mending.py"
    exec(compile(source.read_text(), str(source), "exec"), space)
    function = space["mending"]
    assert isinstance(function, PipelineFunction)
    pipeline, _ = function.build_with_locations()
    found: Sources = SourceIndex(root).sources({("mending:one", ()): None, ("mending:two", ()): None})
    return sagemaker.compile(pipeline, found)


@pytest.mark.slow
def test_resume_runs_the_code_of_today(empty_account: object, tmp_path: Path) -> None:
    """SageMaker retries a run with its old code; with other code it becomes a run of its own, with the rest kept."""
    sagemaker = Sagemaker(tmp_path)
    runs = sagemaker.session.runs
    (tmp_path / "mending.py").write_text(BROKEN + PIPELINE)
    resources = of(tmp_path, sagemaker)
    failed = runs.start(resources, {})
    assert states(failed) == {"one": "succeeded", "two": "failed"}
    again = runs.resume(failed.id, resources=resources)
    assert (again.id, again.status) == (failed.id, "failed"), "the same code fails the same way"
    (tmp_path / "mending.py").write_text(MENDED + PIPELINE)
    mended = runs.resume(failed.id, resources=of(tmp_path, sagemaker))
    assert (mended.status, mended.parent) == ("succeeded", failed.id)
    assert states(mended) == {"one": "cached", "two": "succeeded"}
    [told] = [one for one in runs.why(mended.id) if one.task == "one"]
    assert told.verdict == f"reused from {failed.id}"
    with pytest.raises(NotFound):
        runs.get(dataclasses.replace(failed, id="aaaaaaaaaaaa").id)
