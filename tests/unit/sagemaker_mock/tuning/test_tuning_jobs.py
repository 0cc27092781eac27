"""Tuning jobs end to end: every trial is a real process, and what the API says is held against what it did."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from mock_clients import client
from tuning_lab import LINEAR, SCORE, Tuning, config, definition


def value(trial: dict[str, Any]) -> float:
    return float(trial["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_trials_run_and_the_best_is_found(tuning: Tuning, strategy: str) -> None:
    tuning.create("tune", config(strategy, most=5, parallel=3))
    job = tuning.wait("tune")
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    counted = {"Completed": 5, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 0}
    assert job["TrainingJobStatusCounters"] == counted
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 5, "Pending": 0, "Failed": 0}
    trials = tuning.trials("tune")
    for trial in trials:
        x = float(trial["TunedHyperParameters"]["x"])
        assert value(trial) == pytest.approx(1 - (x - 0.3) ** 2)
    top = max(trials, key=value)
    assert job["BestTrainingJob"]["TrainingJobName"] == top["TrainingJobName"]
    assert job["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["MetricName"] == "auc"
    assert "OverallBestTrainingJob" not in job
    training = tuning.client.describe_training_job(TrainingJobName=top["TrainingJobName"])
    assert training["TuningJobArn"] == job["HyperParameterTuningJobArn"]
    assert training["HyperParameters"]["_tuning_objective_metric"] == "auc"
    assert training["HyperParameters"]["x"] == top["TunedHyperParameters"]["x"]


def test_a_grid_tries_every_combination_once(tuning: Tuning) -> None:
    grid = {
        "CategoricalParameterRanges": [
            {"Name": "x", "Values": ["0.1", "0.3"]},
            {"Name": "y", "Values": ["a", "b", "c"]},
        ]
    }
    tuning.create("grid", config("Grid", most=None, parallel=4, ParameterRanges=grid))
    job = tuning.wait("grid")
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    points = [trial["TunedHyperParameters"] for trial in tuning.trials("grid")]
    assert sorted((point["x"], point["y"]) for point in points) == [(x, y) for x in ("0.1", "0.3") for y in "abc"]
    assert job["BestTrainingJob"]["TunedHyperParameters"]["x"] == "0.3"


def test_a_minimum_is_sought_when_asked(tuning: Tuning) -> None:
    goal = {"Type": "Minimize", "MetricName": "auc"}
    tuning.create("low", config(most=4, HyperParameterTuningJobObjective=goal))
    job = tuning.wait("low")
    assert value(job["BestTrainingJob"]) == min(value(trial) for trial in tuning.trials("low"))


def test_trials_run_side_by_side_up_to_the_limit(tuning: Tuning) -> None:
    # Each trial notes when it was alive (one clock on this machine), and prints an objective.
    program = (
        "import time; open('/opt/ml/output/failure', 'w').close(); a = time.time(); time.sleep(0.6); "
        "print(f'auc=1; start={a}; end={time.time()};')"
    )
    how = definition(program)
    how["AlgorithmSpecification"]["MetricDefinitions"] += [
        {"Name": "start", "Regex": "start=([0-9.]+);"},
        {"Name": "end", "Regex": "end=([0-9.]+);"},
    ]
    tuning.create("wide", config(most=4, parallel=2), how)
    tuning.wait("wide")
    spans = []
    for trial in tuning.trials("wide"):
        seen = tuning.client.describe_training_job(TrainingJobName=trial["TrainingJobName"])
        finals = {one["MetricName"]: one["Value"] for one in seen["FinalMetricDataList"]}
        spans.append((finals["start"], finals["end"]))
    together = [sum(start <= moment < end for start, end in spans) for moment, _ in spans]
    assert max(together) == 2


def test_counters_are_live_and_a_stop_ends_every_trial(tuning: Tuning) -> None:
    tuning.create("long", config(most=6, parallel=2), definition("import time; print('auc=0.5;'); time.sleep(60)"))
    job = tuning.wait("long", until=lambda seen: seen["TrainingJobStatusCounters"]["InProgress"] == 2)
    assert job["HyperParameterTuningJobStatus"] == "InProgress"
    assert job["ObjectiveStatusCounters"]["Pending"] == 2
    with pytest.raises(ClientError, match="cannot be deleted"):
        tuning.client.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="long")
    tuning.client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="long")
    with pytest.raises(ClientError, match="rejected"):
        tuning.client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="long")
    job = tuning.wait("long")
    assert job["HyperParameterTuningJobStatus"] == "Stopped"
    assert [trial["TrainingJobStatus"] for trial in tuning.trials("long")] == ["Stopped", "Stopped"]
    assert job["TrainingJobStatusCounters"]["Stopped"] == 2
    tuning.client.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="long")
    with pytest.raises(ClientError) as gone:
        tuning.seen("long")
    assert gone.value.response["Error"]["Code"] == "ResourceNotFound"
    assert len(tuning.client.list_training_jobs()["TrainingJobSummaries"]) == 2  # they stay


def test_failing_trials_do_not_end_the_job_while_others_succeed(tuning: Tuning) -> None:
    grid = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["0.1", "bad", "0.3"]}]}
    tuning.create("some", config("Grid", most=3, parallel=1, ParameterRanges=grid))
    job = tuning.wait("some")
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    failed = tuning.trials("some", StatusEquals="Failed")
    assert [trial["TunedHyperParameters"]["x"] for trial in failed] == ["bad"]
    assert failed[0]["ObjectiveStatus"] == "Failed"
    assert "exit code: 1" in failed[0]["FailureReason"]
    rows = tuning.trials("some", SortBy="FinalObjectiveMetricValue", SortOrder="Descending")
    assert [row["TunedHyperParameters"]["x"] for row in rows] == ["0.3", "0.1"]


@pytest.mark.parametrize(
    ("program", "words"),
    [("raise SystemExit(3)", "No training job succeeded after 5 attempts"), ("pass", "No objective metrics found")],
)
def test_five_trials_without_success_end_the_job(tuning: Tuning, program: str, words: str) -> None:
    tuning.create("none", config(most=9, parallel=1), definition(program))
    job = tuning.wait("none")
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert words in job["FailureReason"]
    assert len(tuning.trials("none")) == 5
    assert "BestTrainingJob" not in job


def test_a_metric_that_is_no_number_is_no_objective(tuning: Tuning) -> None:
    tuning.create("nan", config(most=2), definition("print('auc=nan;')"))
    job = tuning.wait("nan")
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert job["ObjectiveStatusCounters"]["Failed"] == 2


def test_internal_errors_count_as_retryable(tuning: Tuning, mock: Any) -> None:
    faults = mock.world.faults
    faults.add(faults.parse("internal:TrainingJob/*,count=1"))
    tuning.create("fault", config(most=3, parallel=1))
    counters = tuning.wait("fault")["TrainingJobStatusCounters"]
    assert (counters["RetryableError"], counters["Completed"]) == (1, 2)


def test_a_target_ends_the_job_and_stops_what_still_runs(tuning: Tuning) -> None:
    grid = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["slow", "0.3", "0.1", "0.2"]}]}
    program = "import time\nif h['x'] == 'slow': time.sleep(60)\n" + SCORE
    criteria = {"TargetObjectiveMetricValue": 0.99}
    told = config("Grid", most=4, parallel=2, ParameterRanges=grid, TuningJobCompletionCriteria=criteria)
    tuning.create("target", told, definition(program))
    job = tuning.wait("target")
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    statuses = {trial["TunedHyperParameters"]["x"]: trial["TrainingJobStatus"] for trial in tuning.trials("target")}
    assert statuses == {"slow": "Stopped", "0.3": "Completed"}


def test_patience_ends_a_job_that_does_not_improve_by_one_percent(tuning: Tuning) -> None:
    # Gains over the best so far: -, 50 %, 0.7 %, 0.5 %, 0.3 %: three in a row below 1 %.
    values = ["0.5", "0.75", "0.755", "0.757", "0.758", "0.9"]
    grid = {"CategoricalParameterRanges": [{"Name": "x", "Values": values}]}
    criteria = {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}}
    told = config("Grid", most=6, parallel=1, ParameterRanges=grid, TuningJobCompletionCriteria=criteria)
    tuning.create("patient", told, definition("print(f'auc={h[\"x\"]};')"))
    job = tuning.wait("patient")
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert [trial["TunedHyperParameters"]["x"] for trial in tuning.trials("patient")] == values[:5]
    assert job["TuningJobCompletionDetails"]["NumberOfTrainingJobsObjectiveNotImproving"] == 3
    assert job["BestTrainingJob"]["TunedHyperParameters"]["x"] == "0.758"


REPORTS = """
import time
for step in range(40):
    print(f'auc={float(h["x"])};', flush=True)
    time.sleep(float(h.get("pause", 0)))
    if float(h["x"]) > 0.5 and step == 3:
        break
"""


def test_early_stopping_ends_a_trial_below_the_median(tuning: Tuning) -> None:
    grid = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["0.8", "0.9", "0.1"]}]}
    told = config("Grid", most=3, parallel=1, ParameterRanges=grid, TrainingJobEarlyStoppingType="Auto")
    tuning.create("early", told, definition(REPORTS, static={"pause": "0.3"}))
    job = tuning.wait("early")
    statuses = {trial["TunedHyperParameters"]["x"]: trial["TrainingJobStatus"] for trial in tuning.trials("early")}
    assert statuses == {"0.8": "Completed", "0.9": "Completed", "0.1": "Stopped"}
    assert job["TrainingJobStatusCounters"]["Stopped"] == 1
    assert job["ObjectiveStatusCounters"]["Succeeded"] == 3  # a stopped trial's last value counts
    assert job["HyperParameterTuningJobStatus"] == "Completed"


def test_hyperband_stops_weak_trials_and_those_beyond_the_largest_resource(tuning: Tuning) -> None:
    program = """
import time
x = float(h["x"])
for step in range(120):
    print(f"auc={x * (step + 1) / 120};", flush=True)
    time.sleep(0.1)
"""
    told = config("Hyperband", most=5, parallel=4, ParameterRanges=LINEAR)
    tuning.create("band", told, definition(program, static={"epochs": "9"}))
    job = tuning.wait("band", seconds=90)
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    trials = tuning.trials("band")
    assert {trial["TrainingJobStatus"] for trial in trials} == {"Stopped"}  # none runs its 12 seconds
    # 120 steps at x=1 would end at 1; what is stopped soon after 9 stays far below a half.
    assert value(job["BestTrainingJob"]) < 0.5


def test_several_definitions_take_turns(tuning: Tuning) -> None:
    def named(name: str, low: str, high: str) -> dict[str, Any]:
        spread = {"ContinuousParameterRanges": [{"Name": "x", "MinValue": low, "MaxValue": high}]}
        goal = {"Type": "Maximize", "MetricName": "auc"}
        return definition(DefinitionName=name, HyperParameterRanges=spread, TuningObjective=goal)

    told = config(most=4)
    del told["ParameterRanges"], told["HyperParameterTuningJobObjective"]
    tuning.create("both", told, TrainingJobDefinitions=[named("near", "0.2", "0.4"), named("far", "0.8", "1")])
    job = tuning.wait("both")
    names = [trial["TrainingJobDefinitionName"] for trial in tuning.trials("both")]
    assert sorted(names) == ["far", "far", "near", "near"]
    assert job["BestTrainingJob"]["TrainingJobDefinitionName"] == "near"


def test_grids_of_several_definitions_are_used_up(tuning: Tuning) -> None:
    def named(name: str, *values: str) -> dict[str, Any]:
        grid = {"CategoricalParameterRanges": [{"Name": "x", "Values": list(values)}]}
        goal = {"Type": "Maximize", "MetricName": "auc"}
        return definition(DefinitionName=name, HyperParameterRanges=grid, TuningObjective=goal)

    told = config("Grid", most=4, parallel=1)
    del told["ParameterRanges"], told["HyperParameterTuningJobObjective"]
    tuning.create("grids", told, TrainingJobDefinitions=[named("one", "0.1"), named("three", "0.2", "0.3", "0.4")])
    tuning.wait("grids")
    points = [trial["TunedHyperParameters"]["x"] for trial in tuning.trials("grids")]
    assert points == ["0.1", "0.2", "0.3", "0.4"]


def test_a_warm_start_knows_its_parents(tuning: Tuning) -> None:
    best_only = {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0.29", "MaxValue": "0.31"}]}
    tuning.create("parent", config(most=2, ParameterRanges=best_only))
    parent = tuning.wait("parent")
    worse = {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0.8", "MaxValue": "1"}]}
    start = {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "parent"}],
        "WarmStartType": "IdenticalDataAndAlgorithm",
    }
    tuning.create("child", config("Bayesian", most=2, ParameterRanges=worse), WarmStartConfig=start)
    tuning.client.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="parent")
    child = tuning.wait("child")
    assert child["OverallBestTrainingJob"]["TuningJobName"] == "parent"
    assert child["OverallBestTrainingJob"]["TrainingJobName"] == parent["BestTrainingJob"]["TrainingJobName"]
    assert child["BestTrainingJob"]["TrainingJobName"].startswith("child-")


def test_warm_starts_that_do_not_fit_are_refused(tuning: Tuning) -> None:
    def start(kind: str = "TransferLearning", name: str = "parent") -> dict[str, Any]:
        return {"ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": name}], "WarmStartType": kind}

    tuning.create("parent", config(most=1, parallel=1), definition("import time; print('auc=1;'); time.sleep(1)"))
    whole = {"IntegerParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1"}]}
    down = {"Type": "Minimize", "MetricName": "auc"}
    other = definition()
    other["AlgorithmSpecification"]["TrainingImage"] = "trainer:2"
    with pytest.raises(ClientError, match="still running"):
        tuning.create("child", WarmStartConfig=start())
    tuning.wait("parent")
    for told, how, warm, words in (
        (config(), definition(), start(name="nobody"), "does not exist"),
        (config(), definition(static={"more": "1"}), start(), "must remain the same"),
        (config(ParameterRanges=whole), definition(), start(), "type of a hyperparameter"),
        (config(HyperParameterTuningJobObjective=down), definition(), start(), "objective metric must be the same"),
        (config(), other, start("IdenticalDataAndAlgorithm"), "training image"),
        (config(most=500), definition(), start(), "exceed 500"),
    ):
        with pytest.raises(ClientError, match=words) as refused:
            tuning.create("child", told, how, WarmStartConfig=warm)
        assert refused.value.response["Error"]["Code"] == "ValidationException"
    tuning.create("child", config(most=1, parallel=1), other, WarmStartConfig=start())
    assert tuning.wait("child")["HyperParameterTuningJobStatus"] == "Completed"


def test_a_definition_that_no_trial_could_have_is_refused_at_once(tuning: Tuning) -> None:
    channel = {
        "ChannelName": "train",
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://out/nothing"}},
    }
    with pytest.raises(ClientError, match="No S3 objects found"):
        tuning.create("empty", how=definition(InputDataConfig=[channel]))
    with pytest.raises(ClientError, match="Exactly one of ResourceConfig"):
        tuning.create("empty", how=definition(HyperParameterTuningResourceConfig={"InstanceType": "ml.m5.large"}))
    with pytest.raises(ClientError, match="MaxResource"):
        tuning.create("empty", config("Hyperband"))
    assert tuning.client.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"] == []


def test_names_tags_and_lists(tuning: Tuning) -> None:
    tuning.create("beta", config(most=1, parallel=1), Tags=[{"Key": "team", "Value": "ml"}])
    tuning.create("Alpha", config(most=1, parallel=1))
    with pytest.raises(ClientError) as taken:
        tuning.create("BETA")
    assert taken.value.response["Error"]["Code"] == "ResourceInUse"
    tuning.wait("beta"), tuning.wait("Alpha")
    told = tuning.client.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"]
    assert [one["HyperParameterTuningJobName"] for one in told] == ["Alpha", "beta"]
    assert told[0]["Strategy"] == "Random"
    (trial,) = tuning.trials("beta")
    tags = tuning.client.list_tags(ResourceArn=trial["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "ml"}]


def test_twenty_trials_take_little_more_than_their_processes(tuning: Tuning) -> None:
    began = time.monotonic()
    tuning.create("many", config(most=20, parallel=4), definition("print(f'auc={h[\"x\"]};')"))
    job = tuning.wait("many")
    assert job["TrainingJobStatusCounters"]["Completed"] == 20
    assert time.monotonic() - began < 30  # a guard against waiting by mistake, not a benchmark


@pytest.mark.parametrize(("choice", "status"), [("complete", "Completed"), ("stop", "Stopped")])
def test_the_time_limit_ends_a_job_by_the_clock(held: Any, choice: str, status: str) -> None:
    held.world.switches.set("tuning-time-limit", choice)
    tuning = Tuning(client(held.url, "sagemaker"))
    client(held.url, "s3").create_bucket(Bucket="out")
    faults = held.world.faults
    faults.add(faults.parse("hang:TrainingJob/*,after=1"))
    told = config(most=9, parallel=2)
    told["ResourceLimits"]["MaxRuntimeInSeconds"] = 600
    tuning.create("limit", told)
    held.world.clock.advance(599)
    assert tuning.seen("limit")["HyperParameterTuningJobStatus"] == "InProgress"
    held.world.clock.advance(2)
    job = tuning.wait("limit")
    assert job["HyperParameterTuningJobStatus"] == status
    assert job["ConsumedResources"]["RuntimeInSeconds"] == 600
    assert {trial["TrainingJobStatus"] for trial in tuning.trials("limit")} == {"Completed", "Stopped"}
