"""The churn template on SageMaker's mock: what the local backend finds, to the last digit."""

from __future__ import annotations

from pathlib import Path

import pytest
from sagemaker_runs import Sagemaker, results, run_locally, states

from cloudml import spec
from cloudml.operations.load import load_spec, sources_of
from cloudml.operations.project import load_project
from cloudml.testing.mocks import MockInUse

SMALL = {"customers": 2000}


def with_random_search(pipeline: spec.Pipeline, trials: int) -> spec.Pipeline:
    """The same pipeline with a search that every backend does alike.

    The template searches by strategy bayesian, for which SageMaker has an algorithm of its own: there the points, and
    with them the model, are rightly others than on the laptop.
    """
    steps = tuple(
        step.model_copy(update={"strategy": "random", "trials": trials}) if isinstance(step, spec.TuningStep) else step
        for step in pipeline.steps
    )
    return pipeline.model_copy(update={"steps": steps})


@pytest.mark.slow
def test_the_churn_project_finds_the_same_model(empty_account: MockInUse, repository: Path, tmp_path: Path) -> None:
    project = load_project(repository / "templates" / "cloudml_templates" / "churn")
    pipeline = with_random_search(load_spec(project)[0], trials=4)
    sources = sources_of(pipeline, project)
    here = run_locally(tmp_path / "state", project.root, pipeline, sources, SMALL)
    there = Sagemaker(project.root).run(pipeline, sources, SMALL)
    assert (there.status, states(there)) == (here.status, states(here)), {t.id: t.reason for t in there.tasks}
    assert (there.status, states(there)["verify_churn"]) == ("succeeded", "succeeded"), "it serves, and answers right"
    assert results(there) == results(here)
    judged = there.task("evaluate")
    assert judged is not None
    assert judged.metrics["auc"] > 0.7
