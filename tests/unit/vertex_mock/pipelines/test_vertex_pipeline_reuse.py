"""Caching (configure-caching), reruns (v1beta1 PipelineJob.pipeline_task_rerun_configs) and restarts of the mock."""

from __future__ import annotations

import time
from typing import Any

import pytest
from vertex_pipeline_bench import HERE, Bench, Spec, task

from cloudml_vertex.mock import metadata


def states(job: dict[str, Any]) -> dict[str, str]:
    return {one["task_unique_name"]: one["state"] for one in job["job_detail"]["task_details"]}


def chain(text: str = "7", name: str = "pipe", cache: bool = True) -> Spec:
    spec = Spec(name)
    spec.writer("first", text, "NUMBER_INTEGER")
    spec.container("second", "read", "{{$.inputs.parameters['x']}}", inputs={"x": "NUMBER_INTEGER"})
    return spec.main({"a": task("first", cache=cache), "b": task("second", given={"x": ("a", "out")}, cache=cache)})


@pytest.fixture(autouse=True)
def _reads(bench: Bench) -> None:
    bench.images["read"] = lambda *_: 0


def test_the_same_task_of_the_same_pipeline_is_skipped(bench: Bench) -> None:
    bench.run(chain())
    job = bench.run(chain())
    assert states(job) == {"a": "SKIPPED", "b": "SKIPPED"} and job["state"] == "PIPELINE_STATE_SUCCEEDED"
    assert len(bench.jobs) == 2
    first = job["job_detail"]["task_details"][0]
    assert first["execution"]["state"] == "CACHED" and first["execution"]["metadata"]["output:out"] == 7


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (chain("8"), ["SUCCEEDED", "SUCCEEDED"]),
        (chain(name="other"), ["SUCCEEDED", "SUCCEEDED"]),
        (chain(cache=False), ["SUCCEEDED", "SUCCEEDED"]),
    ],
)
def test_what_differs_is_run(bench: Bench, spec: Spec, expected: list[str]) -> None:
    bench.run(chain())
    assert list(states(bench.run(spec)).values()) == expected


def test_resources_and_retries_are_not_in_the_key(bench: Bench) -> None:
    bench.run(chain())
    spec = chain()
    spec.executors["exec-first"]["container"]["resources"] = {"cpuLimit": 8, "memoryLimit": 32}
    spec.root["dag"]["tasks"]["a"]["retryPolicy"] = {"maxRetryCount": 3}
    assert states(bench.run(spec)) == {"a": "SKIPPED", "b": "SKIPPED"}


def test_environment_is_in_the_key(bench: Bench) -> None:
    bench.run(chain())
    spec = chain()
    spec.executors["exec-first"]["container"]["env"] = [{"name": "A", "value": "1"}]
    # The output is equal, so that the second task has the same inputs as before.
    assert states(bench.run(spec)) == {"a": "SUCCEEDED", "b": "SKIPPED"}


def test_a_failure_is_not_cached(bench: Bench) -> None:
    code = [1]
    bench.images["read"] = lambda *_: code[0]
    bench.run(chain())
    code[0] = 0
    assert states(bench.run(chain())) == {"a": "SKIPPED", "b": "SUCCEEDED"}


def test_an_execution_deleted_from_ml_metadata_is_no_hit(bench: Bench) -> None:
    metadata.install(bench.world)
    first = bench.run(chain())
    assert states(bench.run(chain())) == {"a": "SKIPPED", "b": "SKIPPED"}
    gone = next(one for one in first["job_detail"]["task_details"] if one["task_name"] == "b")["execution"]["name"]
    bench.world.call(HERE, "MetadataService.DeleteExecution", {"name": gone})
    bench.settle()
    assert states(bench.run(chain())) == {"a": "SKIPPED", "b": "SUCCEEDED"}


def test_the_answer_to_a_create_tells_the_context(bench: Bench) -> None:
    """From it the SDK's `submit(experiment=...)` knows the context of a job that is over before it looks again."""
    metadata.install(bench.world)
    spec = chain().document()
    job = {"pipeline_spec": spec, "runtime_config": {"gcs_output_directory": "gs://bucket/root"}}
    made = bench.call("CreatePipelineJob", pipeline_job=job, pipeline_job_id="told")
    assert made["job_detail"]["pipeline_run_context"]["name"].endswith("/contexts/told")


def test_a_run_leaves_its_lineage_in_ml_metadata(bench: Bench) -> None:
    metadata.install(bench.world)
    spec = Spec()
    spec.importer("get", "gs://bucket/data.csv")
    spec.container("use", "read", "x", inputs={"d": "artifact"})
    job = bench.run(spec.main({"get": task("get"), "use": task("use", artifacts={"d": ("get", "artifact")})}))
    run = job["job_detail"]["pipeline_run_context"]["name"]
    found = bench.world.call(HERE, "MetadataService.QueryContextLineageSubgraph", {"context": run})
    assert [one["uri"] for one in found["artifacts"]] == ["gs://bucket/data.csv"]
    runs = [one for one in found["executions"] if one["schema_title"] == "system.Run"]
    assert [(one["display_name"], one["state"]) for one in runs] == [(job["name"].rpartition("/")[2], "COMPLETE")]
    assert {one["display_name"] for one in found["executions"] if one not in runs} == {"get", "use"}
    assert sorted(one["type_"] for one in found["events"]) == ["INPUT", "OUTPUT"]


def test_a_job_that_is_called_like_its_pipeline_leaves_its_lineage_too(bench: Bench) -> None:
    metadata.install(bench.world)
    job = bench.run(chain(), "pipe")
    detail = job["job_detail"]
    run, pipeline = detail["pipeline_run_context"]["name"], detail["pipeline_context"]["name"]
    assert run.endswith("/contexts/pipe")
    assert bench.world.call(HERE, "MetadataService.GetContext", {"name": run})["parent_contexts"] == [pipeline]
    found = bench.world.call(HERE, "MetadataService.QueryContextLineageSubgraph", {"context": run})
    assert {one["display_name"] for one in found["executions"]} == {"pipe", "a", "b"}


def failed_once(bench: Bench) -> dict[str, Any]:
    code = [1]
    bench.images["read"] = lambda *_: code[0]
    job = bench.run(chain(cache=False))
    assert states(job) == {"a": "SUCCEEDED", "b": "FAILED"}
    code[0] = 0
    bench.ran.clear()
    return job


def again(bench: Bench, job: dict[str, Any], **more: Any) -> dict[str, Any]:
    number = int(job["labels"]["vertex-ai-pipelines-run-billing-id"])
    return bench.run(None, version="v1beta1", original_pipeline_job_id=number, **more)


def test_a_rerun_skips_what_succeeded(bench: Bench) -> None:
    job = again(bench, failed_once(bench))
    assert states(job) == {"a": "SKIPPED", "b": "SUCCEEDED"}
    assert [image for image, _ in bench.ran] == ["read"] and bench.ran[0][1] == ["7"]


def test_a_rerun_with_other_inputs_of_a_task(bench: Bench) -> None:
    config = {"task_name": "b", "inputs": {"parameter_values": {"x": 9}}}
    job = again(bench, failed_once(bench), pipeline_task_rerun_configs=[config])
    assert states(job) == {"a": "SKIPPED", "b": "SUCCEEDED"} and bench.ran == [("read", ["9"])]


@pytest.mark.parametrize(("keep", "expected"), [(False, "SUCCEEDED"), (True, "SKIPPED")])
def test_a_rerun_of_a_task_runs_what_follows_unless_told(bench: Bench, keep: bool, expected: str) -> None:
    done = bench.run(chain(cache=False))
    config = {"task_name": "a", "skip_downstream_tasks": keep}
    job = again(bench, done, pipeline_task_rerun_configs=[config])
    assert states(job) == {"a": "SUCCEEDED", "b": expected}


def test_the_original_must_be_there_and_over(bench: Bench) -> None:
    from cloudml_vertex.mock.core.errors import GoogleError

    with pytest.raises(GoogleError) as unknown:
        bench.submit(None, version="v1beta1", original_pipeline_job_id=5)
    assert unknown.value.code == "NOT_FOUND"


def test_a_restart_runs_no_task_twice(bench: Bench) -> None:
    spec = Spec()
    spec.writer("first", "7", "NUMBER_INTEGER")
    spec.container("stuck", "hang", inputs={"x": "NUMBER_INTEGER"})
    spec.container("late", "read", "done")
    inner = {"one": task("stuck", given={"x": "@x"}), "two": task("late", "one")}
    spec.dag("box", inner, inputs={"x": "NUMBER_INTEGER"})
    spec.main({"a": task("first"), "box": task("box", given={"x": ("a", "out")})})
    name = bench.submit(spec)
    bench.settle()
    assert len(bench.jobs) == 2
    bench.reopen()
    bench.settle()
    assert len(bench.jobs) == 2
    bench.end(bench.jobs[1]["name"], "SUCCEEDED")
    job = bench.ended(name)
    assert states(job) == {"a": "SUCCEEDED", "box": "SUCCEEDED", "box.one": "SUCCEEDED", "box.two": "SUCCEEDED"}
    assert len(bench.jobs) == 3


def test_an_end_during_the_absence_is_noticed(bench: Bench) -> None:
    spec = Spec()
    spec.container("stuck", "hang")
    loop = task("stuck", parameterIterator={"itemInput": "i", "items": {"raw": "[1, 2, 3]"}})
    loop["iteratorPolicy"] = {"parallelismLimit": 1}
    spec.components["stuck"]["inputDefinitions"] = {"parameters": {"i": {"parameterType": "NUMBER_INTEGER"}}}
    name = bench.submit(spec.main({"each": loop}))
    bench.settle()
    bench.close()
    bench.seen.clear()
    bench.world = bench.open()
    for number in range(3):
        bench.settle()
        assert len(bench.jobs) == number + 1
        bench.end(bench.jobs[number]["name"], "SUCCEEDED")
    assert bench.ended(name)["state"] == "PIPELINE_STATE_SUCCEEDED"


def test_a_job_that_was_created_and_not_noted_is_found_again(bench: Bench) -> None:
    spec = Spec()
    spec.container("stuck", "hang")
    name = bench.submit(spec.main({"a": task("stuck")}))
    bench.settle()
    with bench.world.lock:
        table = bench.world.table("PipelineTask", HERE)
        ((key, record),) = table.items()
        # As it stands in the store between the creation of the job and the note of it.
        del record["_custom_job"]
        table.put(key, record)
    bench.reopen()
    bench.settle()
    assert len(bench.jobs) == 1
    bench.end(bench.jobs[0]["name"], "SUCCEEDED")
    assert bench.ended(name)["state"] == "PIPELINE_STATE_SUCCEEDED"


def test_a_retry_that_waits_goes_on_after_a_restart(bench: Bench) -> None:
    spec = Spec()
    spec.container("bad", "fail")
    name = bench.submit(spec.main({"a": task("bad", retry={"maxRetryCount": 1, "backoffDuration": "60s"})}))
    bench.settle()
    bench.reopen()
    bench.world.clock.advance(120)
    job = bench.ended(name)
    assert states(job) == {"a": "FAILED"} and len(bench.jobs) == 2


def test_a_cancel_goes_on_after_a_restart(bench: Bench) -> None:
    spec = Spec()
    spec.container("stuck", "hang")
    name = bench.submit(spec.main({"a": task("stuck"), "b": task("stuck", "a")}))
    bench.settle()
    with bench.world.lock:
        bench.world.change(bench.world.table("PipelineJob", HERE), name, "state", "PIPELINE_STATE_CANCELLING")
    bench.reopen()
    assert bench.ended(name)["state"] == "PIPELINE_STATE_CANCELLED"


def test_many_jobs_of_many_tasks(bench: Bench) -> None:
    spec = Spec()
    spec.container("ok", "read")
    tasks = {"t0": task("ok")} | {f"t{number}": task("ok", f"t{number - 1}") for number in range(1, 20)}
    spec.main(tasks)
    begin = time.process_time()
    names = [bench.submit(spec, f"job-{number}") for number in range(10)]
    for name in names:
        assert bench.ended(name)["state"] == "PIPELINE_STATE_SUCCEEDED"
    assert len(bench.jobs) == 200
    assert time.process_time() - begin < 10
