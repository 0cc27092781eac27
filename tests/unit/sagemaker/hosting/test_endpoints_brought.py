"""Endpoints on the mock, with a clock that the test holds: rollouts that succeed, are taken back, die in the middle."""

from __future__ import annotations

from typing import Any

import pytest
from endpoint_lab import NAME, Died, Lab, Shared, lowered, rollout

from cloudml import spec
from cloudml_sagemaker.hosting import Failed, content, scaling
from cloudml_sagemaker.hosting.bring import Wish, bring
from cloudml_sagemaker.refusals import AwsError

FIVE = spec.Scaling(minimum=5, maximum=5)
CANARY = rollout((20, 600), (100, 0), final_bake=300.0)
ALARM = "shop-dev-scores-error-rate"


def watched(scaling: spec.Scaling = FIVE, **more: Any) -> Any:
    guard = spec.Guard(metric="error_rate", limit=0.1, min_samples=0, window=60.0, no_data="pass")
    steps = rollout((20, 600), (100, 0), final_bake=300.0, guards=(guard,))
    return lowered(rollout=steps, scaling=scaling, **more)


def test_a_canary_bakes_and_succeeds_and_a_repeated_deploy_changes_nothing(lab: Lab) -> None:
    made = watched(capture=spec.Capture(sample=0.5))
    first = lab.deploy(made, lab.register())
    lab.said.clear()
    second = lab.register()
    config = lab.deploy(made, second)
    found = lab.describe()
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", config)
    assert any("Baking for 600 seconds" in line for line in lab.said), lab.said
    assert found["DataCaptureConfig"]["CurrentSamplingPercentage"] == 50
    assert lab.ask() == b'{"version": 2}'
    tags = lab.tags()
    assert tags["cloudml:history"] == f"{config} {first}"
    assert (tags["cloudml:endpoint"], tags["cloudml:pipeline"]) == ("scores", "train")
    assert lab.deploy(made, second) == config
    assert lab.describe()["LastModifiedTime"] == found["LastModifiedTime"]


def test_an_alarm_takes_the_version_back_and_is_told(lab: Lab) -> None:
    made = watched()
    first = lab.deploy(made, lab.register())
    with pytest.raises(Failed) as caught:
        lab.deploy(made, lab.register(), lambda count: lab.ring(ALARM) if count == 3 else None)
    told = str(caught.value)
    assert f"the endpoint {NAME} went back to {first} and serves it" in told
    assert f"auto-rollback alarm {ALARM}" in told
    assert "in ALARM: a test rang it" in told
    assert lab.ask() == b'{"version": 1}'
    config = content.make(lab.client, made.settings, lab.register())
    with pytest.raises(Failed, match=r"nothing was changed: .* in alarm already"):
        bring(lab.client, Wish(made.settings, config, "a", "b"), lab.patience())


def test_what_an_alarm_rang_for_before_the_update_is_not_its_story(lab: Lab) -> None:
    class Remembering(Shared):
        asked: Any = None

        def call(self, service: str, operation: str, /, *, purpose: str | None = None, **request: Any) -> Any:
            if operation == "DescribeAlarmHistory":
                self.asked = request["StartDate"]
            return super().call(service, operation, purpose=purpose, **request)

    made, client = watched(), Remembering(lab)
    lab.deploy(made, lab.register())
    before = lab.describe()["LastModifiedTime"]
    lab.mock.advance(3600)
    config = content.make(lab.client, made.settings, lab.register())
    patience = lab.patience(lambda count: lab.ring(ALARM) if count == 2 else None)
    with pytest.raises(Failed, match="went back"):
        bring(client, Wish(made.settings, config, "a", "b"), patience)
    assert (client.asked - before).total_seconds() >= 3600


def test_a_view_from_before_the_update_is_no_way_back(lab: Lab) -> None:
    """DescribeEndpoint may lag behind UpdateEndpoint; the mock's own views lag only behind what was created."""
    made = lowered()
    lab.deploy(made, lab.register())
    config = content.make(lab.client, made.settings, lab.register())

    class Lagging(Shared):
        late: list[dict[str, Any]]

        def call(self, service: str, operation: str, /, *, purpose: str | None = None, **request: Any) -> Any:
            if operation == "UpdateEndpoint":
                self.late = [lab.describe()] * 2
            if operation == "DescribeEndpoint" and getattr(self, "late", ()):
                return self.late.pop()
            return super().call(service, operation, purpose=purpose, **request)

    found = bring(Lagging(lab), Wish(made.settings, config, "a", "b"), lab.patience())
    assert found["EndpointConfigName"] == config


def test_errors_of_the_new_version_ring_the_alarm_by_themselves(lab: Lab) -> None:
    made = watched()
    first = lab.deploy(made, lab.register())

    def ask(_: int) -> None:
        for _ in range(10):
            lab.ask(b"fail two")

    with pytest.raises(Failed, match=f"went back to {first}"):
        lab.deploy(made, lab.register(), ask)


def test_an_alarm_that_is_not_there_is_told_before_anything_is_changed(lab: Lab) -> None:
    made = watched()
    lab.deploy(made, lab.register())
    lab.call("cloudwatch", "DeleteAlarms", AlarmNames=[ALARM])
    config = content.make(lab.client, made.settings, lab.register())
    with pytest.raises(Failed, match=f"the alarms {ALARM} that guard {NAME} are not there: run `cloudml apply`"):
        bring(lab.client, Wish(made.settings, config, "a", "b"), lab.patience())


def test_a_first_version_is_made_though_an_alarm_rings(lab: Lab) -> None:
    made = watched()
    for alarm in made.alarms:
        lab.call("cloudwatch", "PutMetricAlarm", **alarm)
    lab.ring(ALARM)
    config = content.make(lab.client, made.settings, lab.register())
    found = bring(lab.client, Wish(made.settings, config, "a", "b"), lab.patience())
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", config)


def test_a_silent_rollback_is_told_as_what_it_is(lab: Lab) -> None:
    made = lowered(rollout=CANARY, scaling=FIVE)
    first = lab.deploy(made, lab.register())
    lab.mock.add_fault(f"silent-rollback:{NAME},count=1")
    with pytest.raises(Failed, match=f"went back to {first} and serves it, not {NAME}-2-"):
        lab.deploy(made, lab.register())
    assert lab.describe()["EndpointStatus"] == "InService"


def test_a_fleet_that_never_answers_leaves_the_old_one(lab: Lab) -> None:
    made = lowered()
    first = lab.deploy(made, lab.register())
    lab.mock.add_fault(f"unhealthy:{NAME},count=1")
    with pytest.raises(Failed, match="did not pass the ping health check"):
        lab.deploy(made, lab.register())
    assert lab.describe()["EndpointConfigName"] == first


def test_a_first_fleet_that_failed_is_made_anew(lab: Lab) -> None:
    made = lowered()
    lab.mock.add_fault(f"endpoint-capacity:{NAME},count=1")
    served = lab.register()
    with pytest.raises(Failed, match="did not come into service: Failed: Unable to provision"):
        lab.deploy(made, served)
    lab.deploy(made, served)
    assert lab.describe()["EndpointStatus"] == "InService"


def test_a_way_back_that_is_stuck_says_what_to_do_and_is_got_out_of(lab: Lab) -> None:
    made = watched()
    lab.deploy(made, lab.register())
    lab.mock.add_fault(f"rollback-failed:{NAME},count=1")
    second = lab.register()
    with pytest.raises(Failed, match=r"mix of .*cloudml rollback"):
        lab.deploy(made, second, lambda count: lab.ring(ALARM) if count == 3 else None)
    lab.ring(ALARM, "OK")
    lab.deploy(made, second)
    assert lab.ask() == b'{"version": 2}'


@pytest.mark.parametrize("moment", [1, 4, 12])
def test_a_deploy_that_is_killed_goes_on_where_it_was(lab: Lab, moment: int) -> None:
    made = watched()
    lab.deploy(made, lab.register())
    served = lab.register()

    def die(count: int) -> None:
        if count == moment:
            raise Died

    with pytest.raises(Died):
        lab.deploy(made, served, die)
    begun = lab.describe()["PendingDeploymentSummary"]["StartTime"]
    again: list[Any] = []

    def look(_: int) -> None:
        summary = lab.describe().get("PendingDeploymentSummary")
        again.extend([summary["StartTime"]] if summary else [])

    config = lab.deploy(made, served, look)
    assert lab.describe()["EndpointConfigName"] == config
    assert set(again) == {begun}, "no second update was asked for"
    assert lab.tags()["cloudml:history"].split()[0] == config


def test_a_killed_deploy_that_was_taken_back_meanwhile_is_told(lab: Lab) -> None:
    made = watched()
    first = lab.deploy(made, lab.register())
    served = lab.register()

    def die(count: int) -> None:
        if count == 2:
            raise Died

    with pytest.raises(Died):
        lab.deploy(made, served, die)
    with pytest.raises(Failed, match=f"went back to {first}"):
        lab.deploy(made, served, lambda count: lab.ring(ALARM) if count == 1 else None)


def test_another_update_under_way_is_waited_for(lab: Lab) -> None:
    made = lowered(rollout=CANARY, scaling=FIVE)
    lab.deploy(made, lab.register())
    second, third = (content.make(lab.client, made.settings, lab.register()) for _ in range(2))
    lab.call(
        "sagemaker", "UpdateEndpoint", EndpointName=NAME, EndpointConfigName=second,
        DeploymentConfig=made.settings["DeploymentConfig"],
    )  # fmt: skip
    bring(lab.client, Wish(made.settings, third, "a", "b"), lab.patience())
    assert lab.ask() == b'{"version": 3}'
    assert lab.tags()["cloudml:history"].split()[:2] == [third, second]


def test_an_endpoint_of_somebody_else_is_left_alone(lab: Lab) -> None:
    made = lowered()
    config = lab.deploy(made, lab.register())
    lab.call(
        "sagemaker", "AddTags", ResourceArn=lab.describe()["EndpointArn"],
        Tags=[{"Key": "cloudml:project", "Value": "other"}],
    )  # fmt: skip
    with pytest.raises(Failed, match="is not cloudml's of this project and target"):
        lab.deploy(made, lab.register())
    assert lab.describe()["EndpointConfigName"] == config


def test_lost_answers_and_late_views_make_nothing_twice(lab: Lab) -> None:
    made = lowered()
    for operation in ("CreateModel", "CreateEndpointConfig", "CreateEndpoint", "AddTags", "UpdateEndpoint"):
        lab.mock.add_fault(f"lost-response:{operation},count=1")
    lab.mock.add_fault("stale:DescribeEndpoint,count=2")
    lab.deploy(made, lab.register())
    config = lab.deploy(made, lab.register())
    assert lab.describe()["EndpointConfigName"] == config
    assert len(lab.call("sagemaker", "ListEndpoints")["Endpoints"]) == 1
    assert len(lab.call("sagemaker", "ListEndpointConfigs")["EndpointConfigs"]) == 2


def test_a_refusal_of_aws_is_told_as_it_is(lab: Lab) -> None:
    made = lowered()
    with pytest.raises(Failed, match=r"CreateEndpoint of shop-dev-scores was refused: .*Could not find"):
        bring(lab.client, Wish(made.settings, "nothing", "a", "b"), lab.patience())
    with pytest.raises(AwsError):
        lab.describe()


# -- scaling ------------------------------------------------------------------------------------------------------


def scaled(cpu: float = 1, most: int = 6) -> Any:
    wanted = spec.Scaling(minimum=2, maximum=most, target_requests=1)
    return lowered(scaling=wanted, resources=spec.Resources(cpu=cpu))


def test_scaling_is_registered_once_in_service_and_taken_away_while_the_machine_changes(lab: Lab) -> None:
    lab.deploy(scaled(), lab.register())
    assert scaling.read(lab.client, NAME, "main") == {"MinCapacity": 2, "MaxCapacity": 6, "TargetValue": 60.0}
    policies = lab.call("application-autoscaling", "DescribeScalingPolicies", ServiceNamespace="sagemaker")
    kept = policies["ScalingPolicies"][0]["TargetTrackingScalingPolicyConfiguration"]
    assert kept["PredefinedMetricSpecification"] == {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    lab.call(
        "sagemaker", "UpdateEndpointWeightsAndCapacities", EndpointName=NAME,
        DesiredWeightsAndCapacities=[{"VariantName": "main", "DesiredInstanceCount": 4}],
    )  # fmt: skip
    lab.mock.advance(1)
    seen: list[Any] = []
    lab.deploy(scaled(cpu=8, most=8), lab.register(), lambda _: seen.append(scaling.read(lab.client, NAME, "main")))
    assert seen[0] is None, "AWS refuses to change the machine of a scaled variant"
    assert scaling.read(lab.client, NAME, "main") == {"MinCapacity": 2, "MaxCapacity": 8, "TargetValue": 60.0}
    assert lab.describe()["ProductionVariants"][0]["DesiredInstanceCount"] == 4, "what scaling has found stays"
    lab.deploy(lowered(scaling=FIVE), lab.register())
    assert scaling.read(lab.client, NAME, "main") is None
    assert lab.describe()["ProductionVariants"][0]["DesiredInstanceCount"] == 5


def test_an_update_that_fails_gives_the_scaling_back(lab: Lab) -> None:
    lab.deploy(scaled(), lab.register())
    lab.mock.add_fault(f"unhealthy:{NAME},count=1")
    with pytest.raises(Failed, match="went back"):
        lab.deploy(scaled(cpu=8, most=8), lab.register())
    assert scaling.read(lab.client, NAME, "main") == {"MinCapacity": 2, "MaxCapacity": 6, "TargetValue": 60.0}


def test_scaling_that_a_killed_update_took_away_comes_back_when_the_update_does_not(lab: Lab) -> None:
    wanted = spec.Scaling(minimum=5, maximum=8, target_requests=1)
    lab.deploy(watched(scaling=wanted), lab.register())
    served, larger = lab.register(), watched(scaling=wanted, resources=spec.Resources(cpu=8))

    def die(_: int) -> None:
        raise Died

    with pytest.raises(Died):
        lab.deploy(larger, served, die)
    assert scaling.read(lab.client, NAME, "main") is None
    with pytest.raises(Failed, match="went back"):
        lab.deploy(larger, served, lambda count: lab.ring(ALARM) if count == 1 else None)
    assert scaling.read(lab.client, NAME, "main") == {"MinCapacity": 5, "MaxCapacity": 8, "TargetValue": 60.0}
