"""Whole runs, by the published semantics of PipelineSpec and of PipelineTaskDetail."""

from __future__ import annotations

from typing import Any

import pytest
from vertex_pipeline_bench import HERE, Bench, Spec, task

from cloudml_vertex.mock.core import gcs


def states(job: dict[str, Any]) -> dict[str, str]:
    return {one["task_unique_name"]: one["state"] for one in job["job_detail"]["task_details"]}


def detail(job: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in job["job_detail"]["task_details"] if one["task_unique_name"] == name)


def chain() -> Spec:
    spec = Spec()
    spec.writer("first", "7", "NUMBER_INTEGER")
    spec.container("second", "read", "{{$.inputs.parameters['x']}}", inputs={"x": "NUMBER_INTEGER"})
    return spec.main({"a": task("first"), "b": task("second", given={"x": ("a", "out")})})


def read_ok(bench: Bench) -> None:
    bench.images["read"] = lambda *_: 0


def test_a_value_goes_from_task_to_task(bench: Bench) -> None:
    read_ok(bench)
    job = bench.run(chain())
    assert job["state"] == "PIPELINE_STATE_SUCCEEDED"
    assert ("read", ["7"]) in bench.ran
    assert states(job) == {"a": "SUCCEEDED", "b": "SUCCEEDED"}
    first = detail(job, "a")
    assert [one["state"] for one in first["pipeline_task_status"]] == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert first["executor_detail"]["container_detail"]["main_job"] == bench.jobs[0]["name"]
    assert first["execution"]["metadata"]["output:out"] == 7
    assert "parent_task_id" not in first
    assert job["start_time"] <= job["end_time"]
    assert {"pipeline_context", "pipeline_run_context"} <= set(job["job_detail"])
    assert "job_detail" not in bench.call("ListPipelineJobs")["pipeline_jobs"][0]


def test_outputs_lie_below_project_and_job(bench: Bench) -> None:
    read_ok(bench)
    bench.run(chain(), "my-job")
    found = gcs.walk(bench.world, "gs://bucket/root/123456789/my-job/")
    assert len(found) == 1 and found[0].endswith("/out")


def test_the_task_is_a_custom_job_with_the_pipelines_settings(bench: Bench) -> None:
    spec = Spec()
    resources = {"cpuLimit": 8, "memoryLimit": 32, "resourceCpuLimit": "8", "resourceMemoryLimit": "32G"}
    env = [{"name": "COLOUR", "value": "red"}]
    spec.container("one", "ok", more={"resources": resources, "env": env})
    bench.images["ok"] = lambda *_: 0
    account = "me@proj.iam.gserviceaccount.com"
    bench.run(spec.main({"a": task("one")}), service_account=account, labels={"team": "ml"})
    (job,) = bench.jobs
    pool = job["job_spec"]["worker_pool_specs"][0]
    assert pool["machine_spec"]["machine_type"] == "e2-standard-8"
    assert pool["container_spec"]["env"] == env
    assert job["job_spec"]["service_account"] == account
    assert job["labels"]["team"] == "ml" and "vertex-ai-pipelines-run-billing-id" in job["labels"]


def test_what_follows_a_failure_is_not_started(bench: Bench) -> None:
    spec = Spec()
    spec.container("bad", "fail")
    spec.writer("good")
    spec.main({"a": task("bad"), "b": task("good", "a"), "c": task("good")})
    job = bench.run(spec)
    assert job["state"] == "PIPELINE_STATE_FAILED"
    assert states(job) == {"a": "FAILED", "b": "NOT_TRIGGERED", "c": "SUCCEEDED"}
    assert job["error"]["code"] == 9 and "[a]" in job["error"]["message"]
    assert detail(job, "a")["error"]["code"] == 9


def test_tasks_that_never_started_can_be_absent(bench: Bench) -> None:
    bench.world.switches.set("task-never-started", "absent")
    spec = Spec()
    spec.container("bad", "fail")
    job = bench.run(spec.main({"a": task("bad"), "b": task("bad", "a")}))
    assert states(job) == {"a": "FAILED"}


def test_fail_fast_starts_no_more_but_what_waits_for_completion(bench: Bench) -> None:
    spec = Spec()
    spec.container("bad", "fail")
    spec.container("slow", "slow")
    spec.writer("good")
    spec.main(
        {
            "a": task("bad"),
            "s": task("slow"),
            "b": task("good", "s"),
            "last": task("good", "a", "s", strategy="ALL_UPSTREAM_TASKS_COMPLETED"),
        }
    )
    bench.images["slow"] = lambda *_: None
    config = {"failure_policy": "PIPELINE_FAILURE_POLICY_FAIL_FAST"}
    name = bench.submit(spec, runtime_config=config)
    bench.settle()
    slow = next(job["name"] for job in bench.jobs if job["state"] == "JOB_STATE_RUNNING")
    assert bench.call("GetPipelineJob", name=name)["state"] == "PIPELINE_STATE_RUNNING"
    bench.end(slow, "SUCCEEDED")
    job = bench.ended(name)
    assert states(job) == {"a": "FAILED", "s": "SUCCEEDED", "b": "NOT_TRIGGERED", "last": "SUCCEEDED"}
    assert job["state"] == "PIPELINE_STATE_FAILED"


@pytest.mark.parametrize(("value", "taken"), [(0.9, True), (0.2, False)])
def test_a_false_condition_is_no_failure(bench: Bench, value: float, taken: bool) -> None:
    spec = Spec()
    spec.writer("metric", str(value), "NUMBER_DOUBLE")
    spec.writer("deploy")
    spec.dag("gate", {"inner": task("deploy")}, inputs={"m": "NUMBER_DOUBLE"})
    gate = task("gate", given={"m": ("m", "out")}, condition="inputs.parameter_values['m'] > 0.5")
    job = bench.run(spec.main({"m": task("metric"), "gate": gate}))
    assert job["state"] == "PIPELINE_STATE_SUCCEEDED"
    expected = {"m": "SUCCEEDED", "gate": "SUCCEEDED", "gate.inner": "SUCCEEDED"}
    assert states(job) == (expected if taken else {"m": "SUCCEEDED", "gate": "NOT_TRIGGERED"})
    if taken:
        assert detail(job, "gate.inner")["parent_task_id"] == detail(job, "gate")["task_id"]


def test_an_exit_task_is_told_how_the_body_ended(bench: Bench) -> None:
    spec = Spec()
    spec.container("bad", "fail")
    spec.dag("body", {"inner": task("bad")})
    spec.container("exit", "note", "{{$.inputs.parameters['status']}}", inputs={"status": "TASK_FINAL_STATUS"})
    bench.images["note"] = lambda *_: 0
    last = task("exit", "body", strategy="ALL_UPSTREAM_TASKS_COMPLETED", final={"status": "body"})
    job = bench.run(spec.main({"body": task("body"), "exit": last}), "exits")
    assert states(job) == {"body": "FAILED", "body.inner": "FAILED", "exit": "SUCCEEDED"}
    assert job["state"] == "PIPELINE_STATE_FAILED"
    import json

    told = json.loads(next(args[0] for image, args in bench.ran if image == "note"))
    assert told["state"] == "FAILED" and told["pipelineTaskName"] == "body"
    assert told["pipelineJobResourceName"].endswith("/pipelineJobs/exits") and told["error"]["code"] == 9


def loop(width: int, items: str = "[1, 2, 3]") -> Spec:
    spec = Spec()
    path = "{{$.outputs.parameters['out'].output_file}}"
    io = {"inputs": {"item": "NUMBER_INTEGER"}, "outputs": {"out": "NUMBER_INTEGER"}}
    spec.container("square", "square", path, "{{$.inputs.parameters['item']}}", **io)
    inner = {"one": task("square", given={"item": "@item"})}
    returns = {"outs": {"valueFromParameter": {"producerSubtask": "one", "outputParameterKey": "out"}}}
    kinds = {"inputs": {"item": "NUMBER_INTEGER"}, "outputs": {"outs": "NUMBER_INTEGER"}}
    spec.dag("body", inner, returns, **kinds)
    spec.container("sum", "read", "{{$.inputs.parameters['all']}}", inputs={"all": "LIST"})
    each = task(
        "body",
        parameterIterator={"itemInput": "item", "items": {"raw": items}},
        iteratorPolicy={"parallelismLimit": width},
    )
    return spec.main({"each": each, "sum": task("sum", given={"all": ("each", "outs")})})


@pytest.mark.parametrize("width", [0, 1, 2])
def test_a_loop_runs_at_most_so_many_at_once_and_collects(bench: Bench, width: int) -> None:
    read_ok(bench)
    bench.images["square"] = lambda *_: None
    name = bench.submit(loop(width))
    most = 0
    for _ in range(4):
        bench.settle()
        running = [job for job in bench.jobs if job["state"] == "JOB_STATE_RUNNING"]
        most = max(most, len(running))
        for job in running:
            path, item = job["job_spec"]["worker_pool_specs"][0]["container_spec"]["args"]
            gcs.write(bench.world, path.replace("/gcs/", "gs://", 1), str(int(item) ** 2).encode())
            bench.end(job["name"], "SUCCEEDED")
    job = bench.ended(name)
    assert job["state"] == "PIPELINE_STATE_SUCCEEDED"
    assert most == (width or 3)
    assert ("read", ["[1, 4, 9]"]) in bench.ran or ("read", ["[1,4,9]"]) in bench.ran
    assert sum(one["task_name"] == "one" for one in job["job_detail"]["task_details"]) == 3


def test_an_empty_loop_gives_an_empty_list(bench: Bench) -> None:
    read_ok(bench)
    job = bench.run(loop(0, "[]"))
    assert job["state"] == "PIPELINE_STATE_SUCCEEDED" and bench.ran == [("read", ["[]"])]


def test_oneof_gives_the_branch_that_ran(bench: Bench) -> None:
    read_ok(bench)
    spec = Spec()
    spec.writer("yes", "yes")
    spec.writer("no", "no")
    one = {"out": {"valueFromParameter": {"producerSubtask": "leaf", "outputParameterKey": "out"}}}
    for name in ("yes", "no"):
        spec.dag(f"if-{name}", {"leaf": task(name)}, one, inputs={"c": "BOOLEAN"}, outputs={"out": "STRING"})
    branches = {
        "yes": task("if-yes", given={"c": "@c"}, condition="inputs.parameter_values['c'] == true"),
        "no": task("if-no", given={"c": "@c"}, condition="!(inputs.parameter_values['c'] == true)"),
    }
    selectors = [{"producerSubtask": name, "outputParameterKey": "out"} for name in ("yes", "no")]
    returns = {"out": {"valueFromOneof": {"parameterSelectors": selectors}}}
    spec.dag("branches", branches, returns, inputs={"c": "BOOLEAN"}, outputs={"out": "STRING"})
    spec.container("use", "read", "{{$.inputs.parameters['x']}}", inputs={"x": "STRING"})
    tasks = {"b": task("branches", given={"c": "@c"}), "use": task("use", given={"x": ("b", "out")})}
    spec.main(tasks, inputs={"c": "BOOLEAN"})
    job = bench.run(spec, runtime_config={"parameter_values": {"c": False}})
    assert job["state"] == "PIPELINE_STATE_SUCCEEDED"
    assert ("read", ["no"]) in bench.ran and states(job)["b.yes"] == "NOT_TRIGGERED"


@pytest.mark.parametrize(("fails", "state", "attempts"), [(2, "SUCCEEDED", 3), (9, "FAILED", 3)])
def test_retries_wait_for_the_clock(bench: Bench, fails: int, state: str, attempts: int) -> None:
    made: list[int] = []

    def flaky(*_: Any) -> int:
        made.append(1)
        return 1 if len(made) <= fails else 0

    bench.images["flaky"] = flaky
    spec = Spec()
    spec.container("shaky", "flaky")
    policy = {"maxRetryCount": 2, "backoffDuration": "10s", "backoffFactor": 2, "backoffMaxDuration": "3600s"}
    name = bench.submit(spec.main({"a": task("shaky", retry=policy)}))
    bench.settle()
    assert len(made) == 1
    bench.world.clock.advance(9)
    assert len(made) == 1
    bench.world.clock.advance(1)
    assert len(made) == 2
    bench.world.clock.advance(20)
    job = bench.ended(name)
    assert len(made) == attempts and states(job) == {"a": state}
    container = detail(job, "a")["executor_detail"]["container_detail"]
    assert len(container["failed_main_jobs"]) == 2
    waiting = [one for one in detail(job, "a")["pipeline_task_status"] if one["state"] == "PENDING" and "error" in one]
    assert len(waiting) == 2


def test_an_artifact_is_passed_on_with_its_name(bench: Bench) -> None:
    read_ok(bench)
    spec = Spec()
    spec.importer("get", "gs://bucket/data.csv")
    spec.container("use", "read", "{{$.inputs.artifacts['d'].uri}}", inputs={"d": "artifact"})
    spec.main({"get": task("get"), "use": task("use", artifacts={"d": ("get", "artifact")})})
    first, second = bench.run(spec), bench.run(spec)
    assert ("read", ["gs://bucket/data.csv"]) in bench.ran
    names = [detail(job, "use")["inputs"]["d"]["artifacts"][0]["name"] for job in (first, second)]
    assert names[0] == names[1] and "/metadataStores/default/artifacts/" in names[0]
    spec.executors["exec-get"]["importer"]["reimport"] = True
    third = bench.run(spec)
    assert detail(third, "get")["outputs"]["artifact"]["artifacts"][0]["name"] != names[0]


def test_a_missing_output_fails(bench: Bench) -> None:
    spec = Spec()
    spec.container("lazy", "ok", outputs={"out": "STRING"})
    spec.container("use", "ok", inputs={"x": "STRING"})
    bench.images["ok"] = lambda *_: 0
    job = bench.run(spec.main({"a": task("lazy"), "b": task("use", given={"x": ("a", "out")})}))
    assert job["state"] == "PIPELINE_STATE_FAILED"


def test_a_job_that_the_service_refuses_fails_its_task(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudml_vertex.mock.core.errors import resource_exhausted
    from cloudml_vertex.mock.core.operations import OPERATIONS, Operation

    def refuse(call: Any) -> None:
        raise resource_exhausted("quota")

    name = "JobService.CreateCustomJob"
    monkeypatch.setitem(OPERATIONS, name, Operation(name, refuse))
    spec = Spec()
    spec.writer("one")
    job = bench.run(spec.main({"a": task("one")}))
    assert detail(job, "a")["error"] == {"code": 8, "message": "quota"}


def test_only_one_runs_and_the_others_are_queued(bench: Bench) -> None:
    bench.world.switches.set("pipelines-at-once", "1")
    spec = Spec()
    spec.container("stuck", "hang")
    spec.main({"a": task("stuck")})
    first, second = bench.submit(spec, "one"), bench.submit(spec, "two")
    bench.settle()
    assert bench.call("GetPipelineJob", name=second)["state"] == "PIPELINE_STATE_QUEUED"
    bench.call("CancelPipelineJob", name=first)
    bench.ended(first)
    bench.until(second, "PIPELINE_STATE_RUNNING")
    assert bench.world.table("PipelineJob", HERE)[first]["state"] == "PIPELINE_STATE_CANCELLED"
