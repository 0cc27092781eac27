"""The pure parts: stages of deployments, what is refused of them, alarms' states, traffic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.hosting import alarms, capture, metrics, routing, rules, stages
from cloudml_sagemaker.mock.hosting.stages import Observation

COUNT, PERCENT = "INSTANCE_COUNT", "CAPACITY_PERCENT"


def blue_green(kind: str, wait: int = 600, size: tuple[str, int] | None = None, **more: int) -> dict[str, Any]:
    routing_: dict[str, Any] = {"Type": kind, "WaitIntervalInSeconds": wait}
    if size:
        member = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}[kind]
        routing_[member] = {"Type": size[0], "Value": size[1]}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing_, **more}}


def rolling(size: tuple[str, int], wait: int = 300, **more: Any) -> dict[str, Any]:
    batch = {"Type": size[0], "Value": size[1]}
    return {"RollingUpdatePolicy": {"MaximumBatchSize": batch, "WaitIntervalInSeconds": wait, **more}}


def config(*variants: tuple[str, int], kind: str = "ml.m5.large", **more: Any) -> dict[str, Any]:
    return {
        "ProductionVariants": [
            {"VariantName": name, "InitialInstanceCount": count, "InstanceType": kind, **more}
            for name, count in variants
        ]
    }


def refused(policy: dict[str, Any], count: int, old: dict[str, Any] | None = None) -> str:
    new = config(("main", count))
    with pytest.raises(AwsError) as error:
        rules.check(policy, old or new, new, {"main": count})
    assert error.value.code == "ValidationException"
    return error.value.message


@pytest.mark.parametrize(
    ("policy", "count"),
    [
        (blue_green("CANARY", size=(PERCENT, 51)), 10),
        (blue_green("CANARY", size=(COUNT, 6)), 10),
        (blue_green("CANARY", size=(PERCENT, 10)), 1),
        (blue_green("CANARY", size=(COUNT, 1)), 1),
        (blue_green("LINEAR", size=(PERCENT, 9)), 10),
        (blue_green("LINEAR", size=(COUNT, 1)), 11),
        (blue_green("LINEAR", size=(COUNT, 1)), 1),
        (rolling((PERCENT, 4)), 100),
        (rolling((COUNT, 6)), 10),
        (rolling((COUNT, 4)), 100),
        (rolling((COUNT, 1)), 1),
        (blue_green("CANARY"), 10),
        (blue_green("LINEAR"), 10),
        (blue_green("CANARY", 600, (COUNT, 1), TerminationWaitInSeconds=600, MaximumExecutionTimeoutInSeconds=1200), 4),
        (blue_green("LINEAR", 600, (COUNT, 1), MaximumExecutionTimeoutInSeconds=1800), 4),
        ({**blue_green("ALL_AT_ONCE"), **rolling((COUNT, 1))}, 4),
    ],
)
def test_what_guardrails_refuse(policy: dict[str, Any], count: int) -> None:
    refused(policy, count)


@pytest.mark.parametrize(
    ("policy", "count"),
    [
        (blue_green("ALL_AT_ONCE"), 1),
        (blue_green("CANARY", size=(PERCENT, 50)), 2),
        (blue_green("CANARY", size=(COUNT, 5)), 10),
        (blue_green("LINEAR", size=(PERCENT, 10)), 10),
        (rolling((PERCENT, 5)), 100),
        (rolling((COUNT, 1)), 2),
        (blue_green("CANARY", 600, (COUNT, 1), TerminationWaitInSeconds=600, MaximumExecutionTimeoutInSeconds=1201), 4),
        (blue_green("LINEAR", 600, (COUNT, 1), MaximumExecutionTimeoutInSeconds=1801), 4),
    ],
)
def test_what_guardrails_allow(policy: dict[str, Any], count: int) -> None:
    rules.check(policy, config(("main", 3)), config(("main", count)), {"main": count})


def test_variants_must_keep_their_names_and_rolling_takes_one_with_instances() -> None:
    assert "same variant names" in refused(blue_green("ALL_AT_ONCE"), 4, config(("other", 4)))
    two = config(("a", 4), ("b", 4))
    with pytest.raises(AwsError, match="multi-variant"):
        rules.check(rolling((COUNT, 1)), two, two, {"a": 4, "b": 4})
    serverless = {"ProductionVariants": [{"VariantName": "main", "ServerlessConfig": {"MaxConcurrency": 5}}]}
    with pytest.raises(AwsError, match="serverless"):
        rules.check(rolling((COUNT, 1)), serverless, serverless, {"main": 100})
    with pytest.raises(AwsError, match="serverless"):
        rules.check(blue_green("CANARY", size=(COUNT, 1)), serverless, serverless, {"main": 100})


def test_inf1_falls_back_to_all_at_once() -> None:
    policy = blue_green("CANARY", size=(COUNT, 1))
    assert rules.effective(policy, config(("main", 4), kind="ml.inf1.xlarge")) == stages.ALL_AT_ONCE
    assert rules.effective(policy, config(("main", 4))) == policy


policies = st.one_of(
    st.builds(lambda wait: blue_green("ALL_AT_ONCE", wait), st.integers(0, 3600)),
    st.builds(
        lambda kind, wait, percent, last: blue_green(kind, wait, (PERCENT, percent), TerminationWaitInSeconds=last),
        st.sampled_from(["CANARY", "LINEAR"]),
        st.integers(0, 3600),
        st.integers(10, 50),
        st.integers(0, 3600),
    ),
    st.builds(lambda percent, wait: rolling((PERCENT, percent), wait), st.integers(5, 50), st.integers(0, 3600)),
)


@given(policy=policies, old=st.integers(1, 12), new=st.integers(2, 12))
def test_a_deployment_that_nothing_disturbs_takes_its_waits_and_only_gains_traffic(
    policy: dict[str, Any], old: int, new: int
) -> None:
    deployment = stages.begin(policy, {"main": old}, {"main": new}, 1000.0, New="2")
    now, shares, outcome = 1000.0, [stages.share(deployment)], ""
    outcome = stages.advance(deployment, now, Observation(launched=True))
    while not outcome:
        shares.append(stages.share(deployment))
        due = stages.due(deployment)
        assert due is not None
        now = due
        outcome = stages.advance(deployment, now, Observation())
    assert outcome == "succeeded"
    assert now - 1000.0 == stages.waits(policy, {"main": new})
    assert shares == sorted(shares)
    assert stages.share(deployment) == 1.0


@given(policy=policies, count=st.integers(2, 12), moment=st.floats(0, 1))
def test_an_alarm_at_any_time_leads_back(policy: dict[str, Any], count: int, moment: float) -> None:
    deployment = stages.begin(policy, {"main": count}, {"main": count}, 0.0, New="2")
    if stages.advance(deployment, 0.0, Observation(launched=True)):
        return
    now = moment * stages.waits(policy, {"main": count}) * 0.999
    if stages.advance(deployment, now, Observation()):
        return
    assert stages.advance(deployment, now, Observation(alarm="a")) == "rollback"
    assert stages.advance(deployment, now, Observation()) == "failed"
    assert stages.share(deployment) == 0.0
    assert "a" in deployment["Back"]


def test_alarms_are_looked_at_when_a_bake_begins_and_every_minute() -> None:
    policy = {**blue_green("CANARY", 150, (COUNT, 1)), "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "a"}]}}
    deployment = stages.begin(policy, {"main": 4}, {"main": 4}, 0.0, New="2")
    assert stages.due(deployment) is None
    stages.advance(deployment, 5.0, Observation(launched=True))
    looks = []
    while (due := stages.due(deployment)) is not None:
        looks.append(due)
        if stages.advance(deployment, due, Observation()):
            break
    assert looks == [5.0, 65.0, 125.0, 155.0]


ALARM = {"EvaluationPeriods": 3, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold"}
OK, BAD = 0.5, 2.0


@pytest.mark.parametrize(
    ("values", "more", "state"),
    [
        ([BAD, BAD, BAD], {}, "ALARM"),
        ([BAD, OK, BAD], {}, "OK"),
        ([BAD, OK, BAD], {"DatapointsToAlarm": 2}, "ALARM"),
        ([None, None, None], {}, "INSUFFICIENT_DATA"),
        ([None, None, None], {"TreatMissingData": "notBreaching"}, "OK"),
        ([None, None, None], {"TreatMissingData": "breaching"}, "ALARM"),
        ([None, None, None], {"TreatMissingData": "ignore"}, "before"),
        ([BAD, None, None], {}, "ALARM"),
        ([None, None, BAD], {}, "OK"),
        ([OK, None, None], {}, "OK"),
        ([BAD, None, BAD], {"TreatMissingData": "notBreaching"}, "OK"),
        ([BAD, None, BAD], {"TreatMissingData": "breaching"}, "ALARM"),
        ([1.0, 1.0, 1.0], {"ComparisonOperator": "GreaterThanOrEqualToThreshold"}, "ALARM"),
        ([1.0, 1.0, 1.0], {"ComparisonOperator": "LessThanThreshold"}, "OK"),
    ],
)
def test_alarm_states(values: list[float | None], more: dict[str, Any], state: str) -> None:
    assert alarms.evaluate({**ALARM, **more}, values, "before") == state


@given(calls=st.integers(1, 400), percentage=st.integers(0, 100))
def test_a_sample_has_its_share(calls: int, percentage: int) -> None:
    taken = sum(capture.sampled(number, percentage) for number in range(1, calls + 1))
    assert abs(taken - calls * percentage / 100) < 1


@given(weights=st.lists(st.integers(0, 10), min_size=1, max_size=5).filter(any))
def test_traffic_is_right_in_proportion(weights: list[int]) -> None:
    names = [f"v{number}" for number in range(len(weights))]
    fleet = {
        "Config": {"ProductionVariants": [{"VariantName": name} for name in names]},
        "Weights": dict(zip(names, map(float, weights), strict=True)),
    }
    endpoint = {"EndpointName": "e", "_fleets": {"1": fleet}, "_live": "1"}
    chosen = [routing.choose(endpoint, number) for number in range(500)]
    for name, weight in zip(names, weights, strict=True):
        got = sum(target is not None and target.variant == name for target in chosen)
        assert abs(got - 500 * weight / sum(weights)) <= 8


@pytest.mark.parametrize(("paced", "outcome"), [(True, ""), (False, "failed")])
def test_the_pace_of_rolling_back_is_a_switch(paced: bool, outcome: str) -> None:
    policy = rolling((COUNT, 2), RollbackMaximumBatchSize={"Type": COUNT, "Value": 1})
    deployment = stages.begin(policy, {"main": 4}, {"main": 4}, 0.0, New="2", Paced=paced)
    stages.advance(deployment, 0.0, Observation(launched=True))
    assert stages.share(deployment) == 0.5
    assert stages.advance(deployment, 10.0, Observation(alarm="a")) == "rollback"
    assert stages.advance(deployment, 10.0, Observation()) == outcome
    assert stages.share(deployment) == (0.25 if paced else 0.0)


@given(
    values=st.lists(st.floats(0, 1e6), min_size=1, max_size=50),
    percent=st.sampled_from([0.0, 50.0, 90.0, 99.0, 99.9, 100.0]),
)
def test_percentiles_are_those_of_numpy(values: list[float], percent: float) -> None:
    expected = float(np.percentile(values, percent))
    assert metrics.percentile(sorted(values), percent) == pytest.approx(expected)
