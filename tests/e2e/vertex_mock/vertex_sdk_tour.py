"""The tour by Google's high-level SDK, as it is installed: `python vertex_sdk_tour.py ROUTE TRANSPORT`.

ROUTE is `endpoint` (the SDK is told `api_endpoint`) or `proxy` (it is told nothing and asks Google's hosts). The
environment is the mock's. Nothing of the SDK is replaced; only how long it waits between two looks is shortened.
Every step prints its name. Runs with google-cloud-aiplatform 1.165 and 2.7, without pytest.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import vertex_tour_parts as parts
from google.api_core.exceptions import FailedPrecondition, GoogleAPICallError, InvalidArgument, NotFound
from google.api_core.future import polling
from google.cloud import aiplatform, storage
from google.cloud.aiplatform import hyperparameter_tuning as search

LOOK = 0.05
"""Seconds between two looks at what is under way; the SDK's own are 5 and more."""


def hasten() -> None:
    """Shorten the SDK's waiting: constants of its modules, and nothing else."""
    for module in (aiplatform.jobs, aiplatform.pipeline_jobs):
        module._JOB_WAIT_TIME = LOOK
        module._WAIT_TIME_MULTIPLIER = 1
    polling.DEFAULT_POLLING._initial = polling.DEFAULT_POLLING._maximum = LOOK


def set_out(route: str, transport: str) -> None:
    """Tell the SDK where it is."""
    told: dict[str, Any] = {}
    if route == "endpoint":
        plain = os.environ["STORAGE_EMULATOR_HOST"]
        told["api_endpoint"] = plain if transport == "rest" else os.environ["CLOUDML_VERTEX_ENDPOINT"]
    aiplatform.init(
        project=parts.PROJECT,
        location=parts.LOCATION,
        staging_bucket=f"gs://{parts.BUCKET}",
        experiment_tensorboard=False,
        api_transport=transport,
        **told,
    )


@contextlib.contextmanager
def refused(*kinds: type[BaseException], says: str = "") -> Iterator[None]:
    """Something that must be refused. REST's exceptions are the parents of gRPC's."""
    try:
        yield
    except kinds as error:
        if says not in str(error):
            raise
    else:
        raise AssertionError("it was not refused")


def objects() -> None:
    bucket = storage.Client().create_bucket(parts.BUCKET, location=parts.LOCATION)
    for version, factor in parts.FACTORS.items():
        bucket.blob(parts.factor_object(version)).upload_from_string(str(factor))


def pipeline_job(value: float, seconds: float = 0) -> Any:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(parts.pipeline(seconds), file)
        file.flush()
        return aiplatform.PipelineJob(
            display_name="tour",
            template_path=file.name,
            job_id=f"tour-{time.time_ns()}",
            pipeline_root=parts.ROOT,
            parameter_values={"value": value},
            labels={"team": "tour"},
        )


def tasks(job: Any) -> dict[str, str]:
    # the pipeline itself is a task of its own, whose name is the run's
    found = {one.task_name: one.state.name for one in job.gca_resource.job_detail.task_details}
    return {name: state for name, state in found.items() if not name.startswith("tour")}


def pipelines() -> None:
    first = pipeline_job(0.9)
    first.submit()
    first.wait()
    assert first.state.name == "PIPELINE_STATE_SUCCEEDED"
    assert tasks(first) == parts.expected_tasks(0.9)
    again = pipeline_job(0.9)
    again.run()
    assert tasks(again) == parts.expected_tasks(0.9, cached=True)
    below = pipeline_job(0.2)
    below.run()
    assert tasks(below) == parts.expected_tasks(0.2)
    found = aiplatform.PipelineJob.list(filter='display_name="tour" AND labels.team=tour', order_by="create_time desc")
    assert [one.name for one in found] == [below.name, again.name, first.name]
    assert aiplatform.PipelineJob.get(first.resource_name).state == first.state
    below.delete()
    with refused(NotFound):
        aiplatform.PipelineJob.get(below.resource_name)


def cancelled_pipeline() -> None:
    job = pipeline_job(0.9, seconds=60)
    job.submit()
    with refused(GoogleAPICallError, says="cancelled"):
        job.delete()
    job.cancel()
    job.wait()
    assert job.state.name == "PIPELINE_STATE_CANCELLED"


def schedules() -> None:
    schedule = pipeline_job(0.9).create_schedule(
        cron=parts.YEARLY, display_name="yearly", max_concurrent_run_count=2, max_run_count=10
    )
    assert schedule.state.name == "ACTIVE"
    assert schedule.cron == parts.YEARLY
    schedule.pause()
    assert schedule.state.name == "PAUSED"
    schedule.resume(catch_up=False)
    assert schedule.state.name == "ACTIVE"
    schedule.update(display_name="monthly", cron="TZ=Europe/Berlin 0 3 1 * *", max_run_count=5)
    assert [one.display_name for one in aiplatform.PipelineJobSchedule.list()] == ["monthly"]
    assert (schedule.cron, schedule.max_run_count) == ("TZ=Europe/Berlin 0 3 1 * *", 5)
    with refused(InvalidArgument, GoogleAPICallError, says="cron"):
        schedule.update(cron="every day")
    schedule.delete()
    assert aiplatform.PipelineJobSchedule.list() == []


def custom_job(name: str, text: str) -> Any:
    specs = [parts.pool(parts.SHELL, parts.shell(text))]
    return aiplatform.CustomJob(display_name=name, worker_pool_specs=specs, staging_bucket=parts.ROOT)


def custom_jobs() -> None:
    good = custom_job("good", "echo said by the job")
    good.run()
    assert good.state.name == "JOB_STATE_SUCCEEDED"
    bad = custom_job("bad", "exit 3")
    with refused(RuntimeError, says="3"):
        bad.run()
    assert bad.state.name == "JOB_STATE_FAILED"
    long = custom_job("long", "sleep 60")
    long.submit()
    long.cancel()
    with refused(RuntimeError):
        long._block_until_complete()
    assert long.state.name == "JOB_STATE_CANCELLED"
    assert {one.display_name for one in aiplatform.CustomJob.list(filter="state=JOB_STATE_SUCCEEDED")} >= {"good"}
    long.delete()
    with refused(NotFound):
        aiplatform.CustomJob.get(long.resource_name)


def tuning() -> None:
    job = aiplatform.HyperparameterTuningJob(
        display_name="search",
        custom_job=aiplatform.CustomJob(
            display_name="trial",
            worker_pool_specs=[parts.pool(parts.TRIAL)],
            staging_bucket=parts.ROOT,
            base_output_dir=f"{parts.ROOT}/search",
        ),
        metric_spec={"score": "maximize"},
        parameter_spec={
            "rate": search.DoubleParameterSpec(min=0.1, max=0.9, scale="linear"),
            "depth": search.IntegerParameterSpec(min=1, max=5, scale="linear"),
        },
        max_trial_count=4,
        parallel_trial_count=2,
    )
    job.run()
    assert job.state.name == "JOB_STATE_SUCCEEDED"
    bucket = storage.Client().bucket(parts.BUCKET)
    for trial in job.trials:
        given = {one.parameter_id: one.value for one in trial.parameters}
        expected = parts.score(**given)
        assert abs(trial.final_measurement.metrics[0].value - expected) < 1e-9
        assert float(bucket.blob(f"root/search/{trial.id}/model/score").download_as_text()) == expected
    assert [trial.id for trial in job.trials] == ["1", "2", "3", "4"]
    job.delete()


def upload(version: str, parent: str | None = None) -> Any:
    return aiplatform.Model.upload(
        display_name="multiplier",
        model_id=None if parent else "multiplier",
        parent_model=parent,
        is_default_version=parent is None,
        artifact_uri=parts.artifacts(version),
        serving_container_image_uri=parts.SERVER,
        serving_container_predict_route=parts.ROUTES["predict"],
        serving_container_health_route=parts.ROUTES["health"],
        serving_container_ports=[8080],
    )


def models() -> dict[str, Any]:
    first = upload("1")
    second = upload("2", first.resource_name)
    assert (first.version_id, second.version_id) == ("1", "2")
    registry = aiplatform.models.ModelRegistry(first.resource_name)
    registry.add_version_aliases(["champion"], version="1")
    registry.add_version_aliases(["champion"], version="2")
    aliases = {one.version_id: sorted(one.version_aliases) for one in registry.list_versions()}
    assert aliases == {"1": ["default"], "2": ["champion"]}
    champion = aiplatform.Model(f"{first.resource_name}@champion")
    assert champion.version_id == "2"
    assert aiplatform.Model("multiplier").version_id == "1"
    registry.remove_version_aliases(["champion"], version="2")
    with refused(NotFound):
        aiplatform.Model(f"{first.resource_name}@champion")
    assert [one.name for one in aiplatform.Model.list(filter='display_name="multiplier"')] == ["multiplier"]
    return {"1": first, "2": second}


def endpoints(versions: dict[str, Any]) -> None:
    endpoint = aiplatform.Endpoint.create(display_name="multiplier")
    deploying = {"machine_type": "n1-standard-2", "min_replica_count": 1, "max_replica_count": 1}
    endpoint.deploy(versions["1"], deployed_model_display_name="old", traffic_percentage=100, **deploying)
    endpoint.deploy(versions["2"], deployed_model_display_name="new", traffic_percentage=10, **deploying)
    ids = {one.display_name: one.id for one in endpoint.list_models()}
    assert endpoint.traffic_split == {ids["old"]: 90, ids["new"]: 10}
    for split in ({ids["old"]: 90, ids["new"]: 20}, {ids["old"]: 50}, {ids["old"]: 50, "77": 50}):
        with refused(InvalidArgument, GoogleAPICallError, ValueError):
            endpoint.update(traffic_split=split)
    answers = Counter(endpoint.predict([1.0]).deployed_model_id for _ in range(20))
    assert set(answers) <= set(ids.values()) and answers[ids["old"]] > answers[ids["new"]]
    with refused(FailedPrecondition, GoogleAPICallError, ValueError, RuntimeError):
        endpoint.undeploy(ids["new"], traffic_split={ids["old"]: 90, ids["new"]: 10})
    endpoint.update(traffic_split={ids["old"]: 0, ids["new"]: 100})
    answer = endpoint.predict([1.0, 2.0])
    assert (list(answer.predictions), answer.model_version_id) == ([3.0, 6.0], "2")
    body, headers = json.dumps({"instances": [5]}).encode(), {"Content-Type": "application/json"}
    raw = endpoint.raw_predict(body, headers)
    assert (raw.status_code, raw.json()) == (200, {"predictions": [15.0]})
    assert raw.headers["X-Vertex-AI-Deployed-Model-Id"] == ids["new"]
    parted = b"".join(endpoint.stream_raw_predict(body, headers))
    assert json.loads(parted) == {"predictions": [15.0]}
    endpoint.undeploy(ids["old"])
    assert [one.display_name for one in endpoint.list_models()] == ["new"]
    with refused(GoogleAPICallError):
        endpoint.delete()
    endpoint.delete(force=True)
    assert aiplatform.Endpoint.list() == []


def dedicated(versions: dict[str, Any]) -> None:
    endpoint = aiplatform.Endpoint.create(display_name="own", dedicated_endpoint_enabled=True)
    assert endpoint.dedicated_endpoint_dns.endswith(".prediction.vertexai.goog")
    endpoint.deploy(versions["1"], machine_type="n1-standard-2")
    answer = endpoint.predict([4.0], use_dedicated_endpoint=True)
    assert list(answer.predictions) == [8.0]
    body, headers = json.dumps({"instances": [5]}).encode(), {"Content-Type": "application/json"}
    assert endpoint.raw_predict(body, headers, use_dedicated_endpoint=True).json() == {"predictions": [10.0]}
    endpoint.delete(force=True)


def model_ends(versions: dict[str, Any]) -> None:
    registry = versions["1"].versioning_registry
    registry.delete_version("2")
    assert [one.version_id for one in registry.list_versions()] == ["1"]
    versions["1"].delete()
    assert aiplatform.Model.list() == []


def experiments() -> None:
    aiplatform.init(experiment="tour-experiment", experiment_tensorboard=False)
    with aiplatform.start_run("first") as run:
        run.log_params({"rate": 0.1, "kind": "tree"})
        run.log_metrics({"auc": 0.75})
    with aiplatform.start_run("first", resume=True) as run:
        run.log_metrics({"auc": 0.8})
    job = pipeline_job(0.9)
    job.submit(experiment="tour-experiment")
    job.wait()
    table = aiplatform.get_experiment_df("tour-experiment").set_index("run_name")
    assert (table.loc["first", "metric.auc"], table.loc["first", "param.kind"]) == (0.8, "tree")
    assert table.loc["first", "state"] == "COMPLETE"
    assert (table.loc[job.name, "run_type"], table.loc[job.name, "param.value"]) == ("system.PipelineRun", 0.9)
    assert [one.name for one in aiplatform.Experiment.list()] == ["tour-experiment"]
    aiplatform.ExperimentRun("first", experiment="tour-experiment").delete()
    assert [one.name for one in aiplatform.ExperimentRun.list(experiment="tour-experiment")] == []
    aiplatform.Experiment("tour-experiment").delete()
    assert aiplatform.Experiment.list() == []


def lineage() -> None:
    kept = aiplatform.Artifact.create(
        schema_title="system.Dataset", display_name="rows", uri=f"gs://{parts.BUCKET}/rows.csv", metadata={"count": 3}
    )
    made = aiplatform.Artifact.create(schema_title="system.Model", display_name="fit")
    with aiplatform.start_execution(schema_title="system.ContainerExecution", display_name="fitting") as execution:
        execution.assign_input_artifacts([kept])
        execution.assign_output_artifacts([made])
    assert execution.state.name == "COMPLETE"
    assert [one.name for one in execution.get_input_artifacts()] == [kept.name]
    found = aiplatform.Artifact.list(filter='schema_title="system.Dataset" AND display_name="rows"')
    assert [(one.name, one.metadata["count"]) for one in found] == [(kept.name, 3)]
    assert made.lineage_console_uri


def logs() -> bool:
    """Whether the client of Cloud Logging is there."""
    try:
        from google.cloud import logging
    except ImportError:
        return False
    limit, found = time.monotonic() + 5, []
    while not found and time.monotonic() < limit:
        entries = logging.Client().list_entries(filter_='resource.type="ml_job" AND textPayload:"said by the job"')
        found = [entry.payload for entry in entries]
    assert found == ["said by the job"], found
    return True


def main(route: str, transport: str) -> None:
    """The whole tour."""
    hasten()
    set_out(route, transport)
    told: dict[str, Any] = {"sdk": aiplatform.__version__}
    versions: dict[str, Any] = {}
    steps: tuple[tuple[Any, ...], ...] = (
        (objects,),
        (pipelines,),
        (cancelled_pipeline,),
        (schedules,),
        (custom_jobs,),
        (logs,),
        (tuning,),
        (models,),
        (endpoints, versions),
        (dedicated, versions),
        (model_ends, versions),
        (lineage,),
        (experiments,),
    )
    for step, *given in steps:
        began = time.perf_counter()
        result = step(*given)
        if step is models:
            versions.update(result)
        told[step.__name__] = "skipped" if result is False else round(time.perf_counter() - began, 2)
        print(step.__name__, told[step.__name__], file=sys.stderr, flush=True)
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
