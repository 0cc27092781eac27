"""A month of a churn model on the mock, by plain boto3 on a clock that the test holds: every part that a team uses."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from churn_definition import BUCKET, PIPELINE
from churn_team import DAY, ENDPOINT, HOUR, MONDAY, PIPELINE_ARN, Team

DAILY = "cron(0 0 ? * * *)"
HONEST = {"mean": [36, 2.5, 60, 0.5], "scale": [20, 1.7, 15, 0.5], "weights": [-1.0, 1.5, 0.75, 0.75], "bias": 0.2}
WEEKS = 4
MINUTE = 60


def within(count: int, calls: int, share: float) -> bool:
    """Whether a count is what so many independent calls give with a share, but for four standard deviations."""
    return abs(count - calls * share) <= 4 * math.sqrt(calls * share * (1 - share))


def test_four_weeks_of_training_serving_and_watching(team: Team) -> None:
    team.set_up()
    approvals = team.queue("approvals", "SageMaker Model Package State Change", ModelApprovalStatus=["Approved"])
    team.every_monday(Trials="2", MinAuc="0.65")
    team.retrain_on_drift(Trials="3")
    team.mock.advance(1)
    assert team.executions() == []

    asked, drifted_on = 0, 17
    for day in range(7 * WEEKS):
        if day % 7 == 0:
            team.new_data(f"week-{day // 7 + 1}.csv", 100)
            team.until(day * DAY + 7 * HOUR)
            _approve_this_week(team, approvals, week=day // 7)
        team.until(day * DAY + 12 * HOUR)
        drifted = day == drifted_on
        answers = team.ask(20, dearer=40.0 if drifted else 0.0)
        assert all(0 <= answer <= 1 for answer in answers)
        asked += len(answers)
        if day == 0:
            team.monitor(team.packages()[0]["ModelPackageArn"], DAILY)
    team.until(7 * WEEKS * DAY + HOUR)

    _check_the_monitor(team, drifted_on)
    _check_the_trainings(team, drifted_on)
    captured = list(team.captured())
    assert len(captured) == asked
    assert len({one["eventMetadata"]["eventId"] for one in captured}) == asked


def _approve_this_week(team: Team, approvals: str, week: int) -> None:
    """The execution that the schedule started at six has registered a version; it is approved and deployed."""
    execution = team.executions()[-1]
    assert execution["PipelineExecutionStatus"] == "Succeeded", team.steps(execution["PipelineExecutionArn"])
    assert execution["StartTime"] == MONDAY + timedelta(days=7 * week, hours=6)
    package = team.packages()[-1]
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert team.answer_approvals(approvals) == []
    team.approve(package["ModelPackageArn"])
    team.mock.advance(1)
    assert team.answer_approvals(approvals) == [package["ModelPackageArn"]]
    team.mock.advance(1)
    if week == 0:
        assert team.endpoint()["EndpointStatus"] == "InService"
        return
    assert team.endpoint()["EndpointStatus"] == "Updating"
    before = team.endpoint()["EndpointConfigName"]
    team.mock.advance(2 * HOUR)
    after = team.endpoint()
    assert after["EndpointStatus"] == "InService"
    assert after["EndpointConfigName"] == f"churn-{team.deployed}" != before


def _check_the_monitor(team: Team, drifted_on: int) -> None:
    """Each midnight it looked at the day before, and only the day of dearer customers was another."""
    findings = team.findings()
    assert [row["ScheduledTime"] for row in findings] == [MONDAY + timedelta(days=day + 1) for day in range(7 * WEEKS)]
    statuses = {day: row["MonitoringExecutionStatus"] for day, row in enumerate(findings)}
    assert statuses.pop(drifted_on) == "CompletedWithViolations"
    assert set(statuses.values()) == {"Completed"}


def _check_the_trainings(team: Team, drifted_on: int) -> None:
    """One a week with the schedule's two trials, and one with three when the customers were others."""
    executions = team.executions()
    mondays = [MONDAY + timedelta(days=7 * week, hours=6) for week in range(WEEKS)]
    drift = MONDAY + timedelta(days=drifted_on + 1)
    assert [row["StartTime"] for row in executions] == sorted([*mondays, drift])
    for row in executions:
        assert row["PipelineExecutionStatus"] == "Succeeded", team.steps(row["PipelineExecutionArn"])
    trials = [len(team.trials(row["PipelineExecutionArn"])) for row in executions]
    assert trials == [3 if row["StartTime"] == drift else 2 for row in executions]
    packages = team.packages()
    assert [row["ModelPackageVersion"] for row in packages] == [1, 2, 3, 4, 5]
    states = ["PendingManualApproval" if row["CreationTime"] == drift else "Approved" for row in packages]
    assert [row["ModelApprovalStatus"] for row in packages] == states


def test_a_model_below_the_gate_is_not_registered(team: Team) -> None:
    team.set_up()
    told = team.queue("executions", "SageMaker Model Building Pipeline Execution Status Change")
    values = [{"Name": "MinAuc", "Value": "0.999"}, {"Name": "Trials", "Value": "4"}]
    started = team.sagemaker.start_pipeline_execution(PipelineName=PIPELINE, PipelineParameters=values)
    arn = started["PipelineExecutionArn"]
    team.mock.advance(1)

    steps = team.steps(arn)
    assert {name: step["StepStatus"] for name, step in steps.items()} == {
        "Prepare": "Succeeded", "Tune": "Succeeded", "Evaluate": "Succeeded", "Gate": "Succeeded", "Refuse": "Failed",
    }  # fmt: skip
    assert steps["Gate"]["Metadata"]["Condition"]["Outcome"] == "False"
    assert steps["Refuse"]["FailureReason"].startswith("The AUC is 0.")
    assert steps["Refuse"]["FailureReason"].endswith("and not 0.999")
    assert team.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == "Failed"
    assert team.packages() == []

    trials = team.trials(arn)
    strengths = {float(trial["TunedHyperParameters"]["strength"]) for trial in trials}
    assert len(trials) == len(strengths) == 4
    assert all(0.01 <= strength <= 10 for strength in strengths)
    best = max(trials, key=lambda trial: trial["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])
    tuned = team.sagemaker.describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=steps["Tune"]["Metadata"]["TuningJob"]["Arn"].rpartition("/")[2]
    )
    assert (
        tuned["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
        == (best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])
    )
    changes = [event["detail"] for event in team.received(told)]
    assert [change["currentPipelineExecutionStatus"] for change in changes] == ["Executing", "Failed"]
    assert {change["pipelineArn"] for change in changes} == {PIPELINE_ARN}


def test_a_broken_model_is_rolled_back_by_the_alarm(team: Team) -> None:
    team.sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    changes = team.queue("endpoints", "SageMaker Endpoint State Change")
    good = team.own_package({**HONEST, "label": "good"})
    bad = team.own_package({**HONEST, "broken": True})
    team.deploy(good)
    team.mock.advance(1)
    assert team.who_answers(20) == {"good": 20}

    served = team.endpoint()["EndpointConfigName"]
    team.deploy(bad)
    team.mock.advance(10 * MINUTE)
    now = team.endpoint()
    assert now["EndpointStatus"] == "Updating"
    stages = {row["VariantStatus"][0]["Status"] for row in now["PendingDeploymentSummary"]["ProductionVariants"]}
    assert stages == {"Baking"}
    calls = 200
    answers = team.who_answers(calls)
    assert set(answers) == {"good", "error 500"}
    assert within(answers["error 500"], calls, 0.25)

    team.mock.advance(3 * MINUTE)
    now = team.endpoint()
    assert now["EndpointStatus"] == "InService"
    assert now["EndpointConfigName"] == served
    assert "churn-5xx" in now["FailureReason"]
    assert team.who_answers(50) == {"good": 50}
    alarm = team.client("cloudwatch").describe_alarms(AlarmNames=["churn-5xx"])["MetricAlarms"][0]
    assert alarm["StateReason"].startswith("Threshold 2")
    told = [event["detail"]["EndpointStatus"] for event in team.received(changes)]
    assert told == ["CREATING", "IN_SERVICE", "UPDATING", "ROLLING_BACK", "IN_SERVICE"]
    # Good answers are captured, of the canary and of the fleet beside it; errors are not.
    team.mock.advance(5 * MINUTE)
    assert len(list(team.captured())) == 20 + answers["good"] + 50


def test_a_better_model_takes_over_in_two_steps(team: Team) -> None:
    team.sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    for label in ("old", "new"):
        team.deploy(team.own_package({**HONEST, "label": label}))
        team.mock.advance(MINUTE)
    calls = 200
    answers = team.who_answers(calls)
    assert within(answers["new"], calls, 0.25)
    assert answers["new"] + answers["old"] == calls
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        team.deploy(team.packages()[0]["ModelPackageArn"])
    team.mock.advance(HOUR)
    assert team.endpoint()["EndpointStatus"] == "Updating"  # both fleets are there until the second wait is over
    assert team.who_answers(50) == {"new": 50}
    team.mock.advance(HOUR)
    assert team.endpoint()["EndpointStatus"] == "InService"
    assert team.endpoint()["ProductionVariants"][0]["CurrentInstanceCount"] == 4
    assert team.who_answers(50) == {"new": 50}

    team.sagemaker.delete_endpoint(EndpointName=ENDPOINT)
    team.mock.advance(1)
    assert team.sagemaker.list_endpoints()["Endpoints"] == []
    assert len(list(team.captured())) == calls + 100
    assert team.s3.list_objects_v2(Bucket=BUCKET, Prefix="captured/churn/main/2026/11/02/00/")["KeyCount"] > 0


def test_two_variants_share_the_traffic(team: Team) -> None:
    team.sagemaker.create_model_package_group(ModelPackageGroupName="churn")
    team.config(team.own_package({**HONEST, "label": "a"}))
    team.config(team.own_package({**HONEST, "label": "b"}))
    weights = {"a": 0.7, "b": 0.3}
    variants = [
        {
            "VariantName": f"variant-{label}",
            "ModelName": f"churn-{number}",
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.large",
            "InitialVariantWeight": weight,
        }
        for number, (label, weight) in enumerate(weights.items(), 1)
    ]
    team.sagemaker.create_endpoint_config(EndpointConfigName="both", ProductionVariants=variants)
    team.sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="both")
    team.mock.advance(1)
    calls = 300
    answers = team.who_answers(calls)
    assert within(answers["a"], calls, 0.7)
    asked = team.runtime.invoke_endpoint(
        EndpointName=ENDPOINT, ContentType="text/csv", Body=b"1,1,60,1", TargetVariant="variant-b"
    )
    assert asked["InvokedProductionVariant"] == "variant-b"

    team.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=ENDPOINT,
        DesiredWeightsAndCapacities=[
            {"VariantName": "variant-a", "DesiredWeight": 0.0},
            {"VariantName": "variant-b", "DesiredWeight": 1.0},
        ],
    )
    team.mock.advance(1)
    assert team.endpoint()["EndpointStatus"] == "InService"
    assert team.who_answers(50) == {"b": 50}
