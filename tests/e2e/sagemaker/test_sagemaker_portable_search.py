"""`tuning = "portable"`: one job on SageMaker searches as the local backend does, to the last digit."""

from __future__ import annotations

from pathlib import Path

import pytest
from sagemaker_runs import Sagemaker, results, run_locally, states

from cloudml import spec
from cloudml.code import Sources
from cloudml.operations.load import load_spec, sources_of
from cloudml.operations.project import load_project
from cloudml.testing import harness
from cloudml.testing.mocks import MockInUse

PORTABLE = {"tuning": "portable"}


def compare(tmp_path: Path, root: Path, pipeline: spec.Pipeline, sources: Sources, **parameters: object) -> Sagemaker:
    here = run_locally(tmp_path / "state", root, pipeline, sources, parameters)
    account = Sagemaker(root, PORTABLE)
    there = account.run(pipeline, sources, parameters)
    assert (there.status, states(there)) == (here.status, states(here)), {t.id: t.reason for t in there.tasks}
    assert results(there) == results(here)
    assert {t.id: t.kind for t in there.tasks} == {t.id: t.kind for t in here.tasks}
    return account


def of_sample(tmp_path: Path, place: str) -> Sagemaker:
    pipeline = harness.build(place)
    return compare(tmp_path, harness.SAMPLES, pipeline, harness.sources_of(pipeline))


def test_a_bayesian_search_finds_what_the_laptop_finds_in_one_job(empty_account: MockInUse, tmp_path: Path) -> None:
    client = of_sample(tmp_path, "sample_tuning:bayesian").client
    jobs = list(client.pages("sagemaker", "ListTrainingJobs", "TrainingJobSummaries"))
    assert [job["TrainingJobStatus"] for job in jobs] == ["Completed"]
    assert not list(client.pages("sagemaker", "ListProcessingJobs", "ProcessingJobSummaries"))
    told = client.call("sagemaker", "DescribeTrainingJob", TrainingJobName=jobs[0]["TrainingJobName"])
    last = {one["MetricName"]: one["Value"] for one in told["FinalMetricDataList"]}
    assert set(last) == {"objective", "scores.loss"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grid", "random", "pruned", "forgiving", "unforgiving"])
def test_every_strategy_finds_the_same(empty_account: MockInUse, tmp_path: Path, name: str) -> None:
    of_sample(tmp_path, f"sample_tuning:{name}")


@pytest.mark.slow
def test_the_churn_project_as_it_is_finds_the_same_model(
    empty_account: MockInUse, repository: Path, tmp_path: Path
) -> None:
    project = load_project(repository / "templates" / "cloudml_templates" / "churn")
    pipeline = load_spec(project)[0]
    searches = [step for step in pipeline.steps if isinstance(step, spec.TuningStep)]
    assert [step.strategy for step in searches] == ["bayesian"]
    compare(tmp_path, project.root, pipeline, sources_of(pipeline, project), customers=2000)
