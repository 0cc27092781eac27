"""Custom jobs run, as Google's pages on custom training and the docstrings of CustomJob say."""

from __future__ import annotations

import json
import signal

import pytest

from cloudml_vertex.mock.core import entries
from cloudml_vertex.mock.core.errors import GoogleError
from tests.unit.vertex_mock.jobs.vertex_bench import HERE, Bench, pool


def test_a_job_goes_through_its_states_and_keeps_its_times(bench: Bench) -> None:
    job = bench.run("exit 0", display_name="train", labels={"team": "ml"})
    assert bench.states(job["name"]) == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert job["create_time"] <= job["start_time"] <= job["end_time"]
    assert "error" not in job and job["labels"] == {"team": "ml"}


def test_the_container_gets_the_variables_that_google_documents(bench: Bench) -> None:
    container = pool("env > /gcs/bucket/env.txt")
    container["container_spec"]["env"] = [
        {"name": "FIRST", "value": "a"},
        {"name": "SECOND", "value": "$(FIRST)b $$(FIRST) $(NOBODY) $(CLOUD_ML_PROJECT_ID)"},
    ]
    name = bench.create(worker_pool_specs=[container], base_output_directory={"output_uri_prefix": "gs://bucket/out/"})
    bench.ended(name)
    found = dict(line.split("=", 1) for line in bench.text("env.txt").splitlines())
    assert found["AIP_MODEL_DIR"] == "gs://bucket/out/model/"
    assert found["AIP_CHECKPOINT_DIR"] == "gs://bucket/out/checkpoints/"
    assert found["AIP_TENSORBOARD_LOG_DIR"] == "gs://bucket/out/logs/"
    assert "AIP_TRAINING_DATA_URI" not in found and "CLOUD_ML_TRIAL_ID" not in found and "TF_CONFIG" not in found
    assert found["CLOUD_ML_JOB_ID"] == name.rpartition("/")[2]
    assert found["CLOUD_ML_PROJECT_ID"] == HERE.account
    assert found["SECOND"] == f"ab $(FIRST) $(NOBODY) {HERE.account}"
    assert found["STORAGE_EMULATOR_HOST"] == bench.world.environment["STORAGE_EMULATOR_HOST"]
    assert json.loads(found["CLUSTER_SPEC"])["task"] == {"type": "workerpool0", "index": 0}


def test_without_an_output_directory_there_are_no_output_variables(bench: Bench) -> None:
    bench.run("env > /gcs/bucket/env.txt")
    assert "AIP_" not in bench.text("env.txt")


def test_a_failure_says_which_replica_exited_and_how(bench: Bench) -> None:
    job = bench.run("exit 7")
    assert job["state"] == "JOB_STATE_FAILED"
    assert job["error"]["code"] == 3
    assert "The replica workerpool0-0 exited with a non-zero status of 7." in job["error"]["message"]
    assert job["name"].rpartition("/")[2] in job["error"]["message"]


def test_a_signal_is_told_as_a_shell_does(bench: Bench) -> None:
    job = bench.run("kill -9 $$")
    assert f"non-zero status of {128 + signal.SIGKILL}." in job["error"]["message"]


def test_output_goes_to_the_log_of_the_replica(bench: Bench) -> None:
    job = bench.run("echo to-out; echo to-err >&2")
    found = entries.read(bench.world, HERE)
    assert {entry["text_payload"] for entry in found} == {"to-out", "to-err"}
    for entry in found:
        assert entry["resource"]["type"] == "ml_job"
        assert entry["resource"]["labels"]["job_id"] == job["name"].rpartition("/")[2]
        assert entry["resource"]["labels"]["task_name"] == "workerpool0-0"


def test_all_replicas_run_and_the_primary_decides(bench: Bench) -> None:
    say = "printenv TF_CONFIG > $f.new; printenv CLUSTER_SPEC > $f.cluster; mv $f.new $f.tf; "
    workers = pool("f=$(mktemp /gcs/bucket/w.XXXXXX); " + say + "sleep 600", replica_count=2)
    chief = pool("f=/gcs/bucket/chief; until [ $(ls /gcs/bucket/w.*.tf | wc -l) = 2 ]; do sleep 0.05; done; " + say)
    job = bench.ended(bench.create(worker_pool_specs=[chief, workers]))
    assert job["state"] == "JOB_STATE_SUCCEEDED"  # and the workers, which would sleep on, are ended
    told = [json.loads(path.read_text()) for path in (bench.world.gcs / "bucket").glob("*.tf")]
    tasks = {(one["task"]["type"], one["task"]["index"]) for one in told}
    assert tasks == {("chief", 0), ("worker", 0), ("worker", 1)}
    assert {kind: len(addresses) for kind, addresses in told[0]["cluster"].items()} == {"chief": 1, "worker": 2}
    assert all(one["cluster"] == told[0]["cluster"] for one in told)
    assert len({address for found in told[0]["cluster"].values() for address in found}) == 3
    cluster = json.loads(bench.text("chief.cluster"))
    assert cluster["task"] == {"type": "workerpool0", "index": 0}
    assert set(cluster["cluster"]) == {"workerpool0", "workerpool1"}


def test_a_failing_worker_fails_the_job(bench: Bench) -> None:
    job = bench.ended(bench.create(worker_pool_specs=[pool("sleep 600"), {}, pool("exit 4")]))
    assert "The replica workerpool2-0 exited with a non-zero status of 4." in job["error"]["message"]


def test_cancel_is_sigterm_first_and_ends_with_code_1(bench: Bench) -> None:
    script = "trap 'echo saved > /gcs/bucket/saved; exit 0' TERM; touch /gcs/bucket/up; while :; do sleep 0.05; done"
    name = bench.create(worker_pool_specs=[pool(script)])
    bench.wait_for("up")
    assert bench.call("CancelCustomJob", name=name) == {}
    job = bench.ended(name)
    assert bench.states(name) == ["PENDING", "RUNNING", "CANCELLING", "CANCELLED"]
    assert job["error"]["code"] == 1
    assert bench.text("saved") == "saved\n"


def test_cancelling_what_has_ended_is_as_the_switch_says(bench: Bench) -> None:
    name = bench.run("exit 0")["name"]
    with pytest.raises(GoogleError) as refused:
        bench.call("CancelCustomJob", name=name)
    assert refused.value.code == "FAILED_PRECONDITION"
    bench.world.switches.set("cancel-of-ended-job", "ignore")
    assert bench.call("CancelCustomJob", name=name) == {}
    assert bench.call("GetCustomJob", name=name)["state"] == "JOB_STATE_SUCCEEDED"


def test_an_unknown_image_fails_and_says_how_to_map_it(bench: Bench) -> None:
    container = pool("true")
    container["container_spec"]["image_uri"] = "us-docker.pkg.dev/p/r/trainer:1"
    job = bench.ended(bench.create(worker_pool_specs=[container]))
    assert job["state"] == "JOB_STATE_FAILED"
    assert "--image" in job["error"]["message"] and "trainer" in job["error"]["message"]


def test_deleting_is_an_operation_and_only_for_what_has_ended(bench: Bench) -> None:
    name = bench.create(worker_pool_specs=[pool("sleep 600")])
    with pytest.raises(GoogleError) as refused:
        bench.call("DeleteCustomJob", name=name)
    assert refused.value.code == "FAILED_PRECONDITION"
    bench.state(name, "RUNNING")
    bench.call("CancelCustomJob", name=name)
    bench.ended(name)
    operation = bench.call("DeleteCustomJob", name=name)
    bench.advance(0)
    done = bench.world.table("Operation", HERE)[operation["name"]]
    assert done["done"] and "error" not in done
    with pytest.raises(GoogleError) as missing:
        bench.call("GetCustomJob", name=name)
    assert missing.value.code == "NOT_FOUND"


def test_lists_filter_and_show_the_newest_first(bench: Bench) -> None:
    bench.run("exit 0", display_name="good-1", labels={"team": "a"})
    bench.advance(5)
    bench.run("exit 0", display_name="good-2", labels={"team": "b"})
    bench.run("exit 1", display_name="bad", labels={"team": "a"})

    def names(filter_: str) -> list[str]:
        return [one["display_name"] for one in bench.call("ListCustomJobs", filter=filter_)["custom_jobs"]]

    assert names('display_name:"good-*"') == ["good-2", "good-1"]
    assert names('state="JOB_STATE_FAILED"') == ["bad"]
    assert names("labels.team=a AND NOT state=JOB_STATE_FAILED") == ["good-1"]


def test_a_job_under_way_begins_again_after_the_mock_was_killed(bench: Bench) -> None:
    script = "if [ -e /gcs/bucket/first ]; then exit 0; fi; touch /gcs/bucket/first; sleep 600"
    name = bench.create(worker_pool_specs=[pool(script)])
    bench.wait_for("first")
    started = bench.state(name, "RUNNING")["start_time"]
    bench.reopen()
    job = bench.ended(name)
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert job["start_time"] == started


def test_a_job_that_was_being_cancelled_stays_so_after_the_mock_was_killed(bench: Bench) -> None:
    bench.arm("hang:*")
    name = bench.create(worker_pool_specs=[pool("true")])
    bench.state(name, "RUNNING")
    with bench.world.lock:
        table = bench.world.table("CustomJob", HERE)
        table.put(name, {**table[name], "state": "JOB_STATE_CANCELLING"})
    bench.reopen()
    assert bench.ended(name)["state"] == "JOB_STATE_CANCELLED"


@pytest.mark.parametrize(
    "rpc",
    ["PipelineService.CreateTrainingPipeline", "PersistentResourceService.CreatePersistentResource"],
)
def test_what_is_not_executed_is_refused_by_name(rpc: str) -> None:
    from cloudml_vertex.mock.core.operations import OPERATIONS, Call

    with pytest.raises(GoogleError) as refused:
        OPERATIONS[rpc].handler(Call(None, HERE, rpc, {}))  # type: ignore[arg-type]
    assert refused.value.code == "UNIMPLEMENTED"
    assert rpc.rpartition("Create")[2] in refused.value.message
