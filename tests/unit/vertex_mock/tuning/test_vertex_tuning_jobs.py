"""Hyperparameter tuning jobs: trials really run, report through the metric file and end as Trial's docstrings say."""

from __future__ import annotations

from typing import Any

import pytest

from cloudml_vertex.mock.core.errors import GoogleError
from tests.unit.vertex_mock.jobs.vertex_bench import HERE, Bench, pool

METRIC = {"metric_id": "auc", "goal": "MAXIMIZE"}
REPORT = (
    'report() { echo "{\\"timestamp\\": 1.0, \\"trial\\": \\"$CLOUD_ML_TRIAL_ID\\", \\"auc\\": \\"$2\\", '
    '\\"global_step\\": \\"$1\\", \\"checkpoint_path\\": \\"\\"}" >> $CLOUD_ML_HP_METRIC_FILE; }; x=${1#*=}; '
)
"""A line as Google's cloudml-hypertune writes it; the first argument is `--x=VALUE`."""


def begin(bench: Bench, script: str, *, study: dict[str, Any] | None = None, **more: Any) -> str:
    container = pool(REPORT + script)
    container["container_spec"]["args"].append("sh")
    spec = {
        "metrics": [METRIC],
        "parameters": [{"parameter_id": "x", "discrete_value_spec": {"values": [1, 2, 3, 4]}}],
        "algorithm": "GRID_SEARCH",
        **(study or {}),
    }
    output = {"output_uri_prefix": "gs://bucket/out"}
    job = {
        "display_name": "tune",
        "study_spec": spec,
        "max_trial_count": 4,
        "parallel_trial_count": 2,
        "trial_job_spec": {"worker_pool_specs": [container], "base_output_directory": output},
        **more,
    }
    return str(bench.call("CreateHyperparameterTuningJob", hyperparameter_tuning_job=job)["name"])


def test_trials_run_with_their_arguments_and_report(bench: Bench) -> None:
    script = 'report 1 0.$x; report 2 0.${x}5; echo "$@ $CLOUD_ML_TRIAL_ID $AIP_MODEL_DIR" > /gcs/bucket/t$x'
    name = begin(bench, script)
    job = bench.ended(name)
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert bench.states(name) == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert job["create_time"] <= job["start_time"] <= job["end_time"]
    assert [trial["id"] for trial in job["trials"]] == ["1", "2", "3", "4"]
    for number, trial in enumerate(job["trials"], 1):
        assert trial["state"] == "SUCCEEDED"
        assert trial["parameters"] == [{"parameter_id": "x", "value": number}]
        assert [one["step_count"] for one in trial["measurements"]] == [1, 2]
        assert trial["final_measurement"]["metrics"] == [{"metric_id": "auc", "value": float(f"0.{number}5")}]
        assert bench.call("GetCustomJob", name=trial["custom_job"])["state"] == "JOB_STATE_SUCCEEDED"
        assert bench.text(f"t{number}").split() == [
            f"--x={number}",
            trial["id"],
            f"gs://bucket/out/{trial['id']}/model/",
        ]
        assert "web_access_uris" not in trial


@pytest.mark.parametrize(("goal", "best"), [("MAXIMIZE", 0.9), ("MINIMIZE", 0.2)])
def test_the_best_measurement_counts_where_the_study_says_so(bench: Bench, goal: str, best: float) -> None:
    study = {"measurement_selection_type": "BEST_MEASUREMENT", "metrics": [{"metric_id": "auc", "goal": goal}]}
    script = "report 1 0.4; report 2 0.9; report 3 0.2; report 4 0.5"
    job = bench.ended(begin(bench, script, study=study, max_trial_count=1))
    assert job["trials"][0]["final_measurement"]["metrics"][0]["value"] == best


def test_a_trial_without_the_metric_is_infeasible(bench: Bench) -> None:
    script = '[ $x = 2 ] || report 1 0.$x; [ $x != 3 ] || exit 5; echo "no json" >> $CLOUD_ML_HP_METRIC_FILE'
    job = bench.ended(begin(bench, script, max_failed_trial_count=4))
    states = [trial["state"] for trial in job["trials"]]
    assert states == ["SUCCEEDED", "INFEASIBLE", "INFEASIBLE", "SUCCEEDED"]
    assert "final_measurement" not in job["trials"][1]
    assert "non-zero status of 5" in job["trials"][2]["infeasible_reason"]
    assert job["state"] == "JOB_STATE_SUCCEEDED"


def test_too_many_failed_trials_fail_the_job(bench: Bench) -> None:
    job = bench.ended(begin(bench, "exit 1", max_failed_trial_count=2, parallel_trial_count=1))
    assert job["state"] == "JOB_STATE_FAILED"
    assert len(job["trials"]) == 2
    assert "failed trials" in job["error"]["message"]


@pytest.mark.parametrize(("choice", "trials"), [("half", 3), ("all", 4), ("first", 1)])
def test_the_service_decides_when_no_count_is_given(bench: Bench, choice: str, trials: int) -> None:
    bench.world.switches.set("failed-trials-limit", choice)
    job = bench.ended(begin(bench, "exit 1", parallel_trial_count=1))
    assert (job["state"], len(job["trials"])) == ("JOB_STATE_FAILED", trials)


def test_no_more_trials_at_a_time_than_asked_for(bench: Bench) -> None:
    name = begin(bench, "touch /gcs/bucket/up$x; while [ ! -e /gcs/bucket/go ]; do sleep 0.02; done; report 1 1")
    bench.wait_for("up1")
    bench.wait_for("up2")
    assert len(bench.call("GetHyperparameterTuningJob", name=name)["trials"]) == 2
    (bench.world.gcs / "bucket" / "go").touch()
    assert len(bench.ended(name)["trials"]) == 4


def test_cancel_ends_the_trials_that_run(bench: Bench) -> None:
    name = begin(bench, "trap 'exit 0' TERM; touch /gcs/bucket/up$x; while :; do sleep 0.05; done")
    bench.wait_for("up1")
    bench.wait_for("up2")
    bench.call("CancelHyperparameterTuningJob", name=name)
    job = bench.ended(name)
    assert bench.states(name) == ["PENDING", "RUNNING", "CANCELLING", "CANCELLED"]
    assert job["error"]["code"] == 1
    assert [trial["state"] for trial in job["trials"]] == ["INFEASIBLE", "INFEASIBLE"]
    states = {bench.call("GetCustomJob", name=trial["custom_job"])["state"] for trial in job["trials"]}
    assert states == {"JOB_STATE_CANCELLED"}


def test_the_median_rule_stops_a_bad_trial_and_keeps_what_it_measured(bench: Bench) -> None:
    script = (
        "trap 'exit 0' TERM; if [ $x != 4 ]; then report 1 0.8; report 2 0.9; exit 0; fi; "
        "report 1 0.1; while :; do sleep 0.05; done"
    )
    study = {"median_automated_stopping_spec": {}}
    job = bench.ended(begin(bench, script, study=study, parallel_trial_count=1))
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert job["trials"][3]["final_measurement"]["metrics"][0]["value"] == 0.1
    assert bench.call("GetCustomJob", name=job["trials"][3]["custom_job"])["state"] == "JOB_STATE_CANCELLED"


def test_lists_leave_the_trials_out_and_delete_forgets(bench: Bench) -> None:
    name = bench.ended(begin(bench, "report 1 1", max_trial_count=1, labels={"team": "ml"}))["name"]
    listed = bench.call("ListHyperparameterTuningJobs", filter='labels.team=ml AND state="JOB_STATE_SUCCEEDED"')
    assert [one["name"] for one in listed["hyperparameter_tuning_jobs"]] == [name]
    assert "trials" not in listed["hyperparameter_tuning_jobs"][0]
    operation = bench.call("DeleteHyperparameterTuningJob", name=name)
    bench.advance(0)
    assert bench.world.table("Operation", HERE)[operation["name"]]["done"]
    with pytest.raises(GoogleError):
        bench.call("GetHyperparameterTuningJob", name=name)


def test_a_trial_that_is_refused_fails_the_job(bench: Bench) -> None:
    bench.arm("quota:CustomJob/tune-trial-2")
    job = bench.ended(begin(bench, "report 1 1", parallel_trial_count=1))
    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_FAILED", 8)


def test_a_job_under_way_goes_on_after_the_mock_was_killed(bench: Bench) -> None:
    script = "if [ $x = 2 ] && [ ! -e /gcs/bucket/up ]; then touch /gcs/bucket/up; sleep 600; fi; report 1 0.$x"
    name = begin(bench, script, parallel_trial_count=1)
    bench.wait_for("up")
    bench.reopen()
    job = bench.ended(name)
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert [trial["parameters"][0]["value"] for trial in job["trials"]] == [1, 2, 3, 4]
    assert [trial["state"] for trial in job["trials"]] == ["SUCCEEDED"] * 4
