"""What the command line does with endpoints: look, ask, stop, start, take back; and what plan and apply see of them."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from endpoint_lab import NAME, PLACE, Died, Lab, Shared, lowered, rollout

from cloudml import spec
from cloudml.errors import NotFound, Refused
from cloudml.plan import Resource, differences
from cloudml_sagemaker import endpoint as commands
from cloudml_sagemaker.compile.rollout import Lowered
from cloudml_sagemaker.container import inference
from cloudml_sagemaker.endpoint import SagemakerEndpoints
from cloudml_sagemaker.hosting import scaling
from cloudml_sagemaker.resources import endpoint as kinds
from cloudml_sagemaker.resources.alarm import ALARM
from cloudml_sagemaker.resources.endpoint import ENDPOINT
from cloudml_sagemaker.resources.kind import World

ALARM_NAME = "shop-dev-scores-error-rate"


@pytest.fixture(autouse=True)
def clock(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands wait by the test's clock."""
    for module in (commands, kinds):
        monkeypatch.setattr(module, "patience", lambda _: lab.patience())


def watched(threshold: float = 0.1, **more: Any) -> Lowered:
    guard = spec.Guard(metric="error_rate", limit=threshold, min_samples=0, window=60.0)
    return lowered(rollout=rollout((100, 0), final_bake=300.0, guards=(guard,)), **more)


def resource(made: Lowered, kind: str = "endpoint") -> Resource:
    return next(one for one in made.resources() if one.kind == kind)


def read(lab: Lab, made: Lowered) -> dict[str, Any]:
    live = ENDPOINT.read(lab.world, resource(made))
    assert live is not None
    return live.document


def changed(lab: Lab, made: Lowered) -> tuple[str, ...]:
    return tuple(differences(read(lab, made), resource(made).document))


def test_an_endpoint_tells_what_it_serves(lab: Lab) -> None:
    config = lab.deploy(watched(), lab.register())
    found = lab.endpoints.get("scores")
    assert (found.status, found.model, found.version, found.digest) == ("in_service", "m", 1, "sha256:1")
    assert found.url.endswith(f"/endpoints/{NAME}/invocations")
    assert found.counters["variants"] == {"main": {"instances": 1, "desired": 1}}
    assert (found.counters["configuration"], found.counters["by"]) == (config, "run 1")
    assert lab.endpoints.list() == [found]
    other = World(lab.client, replace(PLACE, target="prod"), Path("/nowhere"))
    assert SagemakerEndpoints(other).list() == []
    with pytest.raises(NotFound, match="no endpoint 'scores' in target 'prod'"):
        SagemakerEndpoints(other).get("scores")


def test_errors_of_the_model_are_answers_and_what_it_wrote_is_read(lab: Lab) -> None:
    lab.deploy(watched(), lab.register())
    good = lab.endpoints.invoke("scores", b"{}", "application/json")
    assert (good.status, good.content_type, good.body) == (200, "application/json", b'{"version": 1}')
    bad = lab.endpoints.invoke("scores", b"fail", "application/json")
    assert (bad.status, bad.body) == (500, b"no good")
    limit = time.monotonic() + 20
    while not {"asked {}", "asked fail"} <= set(lab.endpoints.logs("scores")):
        assert time.monotonic() < limit, list(lab.endpoints.logs("scores"))
        time.sleep(0.05)
    with pytest.raises(NotFound):
        lab.endpoints.invoke("nothing", b"{}", "application/json")


def test_what_is_captured_lies_in_the_bucket_and_can_be_read(lab: Lab) -> None:
    lab.deploy(watched(capture=spec.Capture()), lab.register())
    lab.ask(b'{"x": 1}')
    lab.mock.advance(600)
    prefix = f"shop/dev/capture/{NAME}/main/"
    (one,) = lab.call("s3", "ListObjectsV2", Bucket="bucket", Prefix=prefix)["Contents"]
    record = json.loads(lab.client.read(f"s3://bucket/{one['Key']}"))["captureData"]
    assert (record["endpointInput"]["data"], record["endpointInput"]["encoding"]) == ('{"x": 1}', "JSON")
    assert (record["endpointOutput"]["data"], record["endpointOutput"]["encoding"]) == ('{"version": 1}', "JSON")


def test_rollback_goes_back_past_the_alarm_that_made_one_want_it(lab: Lab) -> None:
    made = watched()
    first = lab.deploy(made, lab.register())
    with pytest.raises(Refused, match="served nothing before") as caught:
        lab.endpoints.rollback("scores", "me", "why not")
    assert caught.value.code == "CML540"
    second = lab.deploy(made, lab.register())
    lab.ring(ALARM_NAME)
    found = lab.endpoints.rollback("scores", "me@example.com", "wrong; “very” wrong")
    assert (found.status, found.version, found.counters["configuration"]) == ("in_service", 1, first)
    assert (found.counters["by"], found.counters["why"]) == ("me@example.com", "wrong_ _very_ wrong")
    assert lab.describe()["LastDeploymentConfig"]["BlueGreenUpdatePolicy"]["TerminationWaitInSeconds"] == 300
    with pytest.raises(Refused, match="served nothing before"):
        lab.endpoints.rollback("scores", "me", "again")
    lab.ring(ALARM_NAME, "OK")
    third = lab.deploy(made, lab.register())
    assert lab.tags()["cloudml:history"].split() == [third, first], f"{second} failed"
    assert lab.endpoints.rollback("scores", "me", "again").version == 1


def test_a_rollback_whose_configuration_is_gone_is_refused(lab: Lab) -> None:
    first = lab.deploy(watched(), lab.register())
    second = lab.deploy(watched(), lab.register())
    lab.call("sagemaker", "DeleteEndpointConfig", EndpointConfigName=first)
    with pytest.raises(Refused, match=f"nothing before {second} that is still there"):
        lab.endpoints.rollback("scores", "me", "why")


def test_a_stopped_endpoint_stays_listed_and_starts_as_it_was(lab: Lab) -> None:
    made = watched(scaling=spec.Scaling(minimum=1, maximum=3, target_requests=1), capture=spec.Capture())
    lab.deploy(made, lab.register())
    config = lab.deploy(made, lab.register())
    stopped = lab.endpoints.stop("scores")
    assert (stopped.status, stopped.version) == ("stopped", 2)
    assert lab.call("sagemaker", "ListEndpoints")["Endpoints"] == []
    assert scaling.read(lab.client, NAME, "main") is None
    assert lab.endpoints.list() == [stopped]
    assert lab.endpoints.stop("scores") == stopped
    with pytest.raises(Refused, match="endpoint 'scores' is stopped"):
        lab.endpoints.invoke("scores", b"{}", "application/json")
    assert ENDPOINT.read(lab.world, resource(made)) is None
    started = lab.endpoints.start("scores")
    assert (started.status, started.version, started.counters["configuration"]) == ("in_service", 2, config)
    assert lab.endpoints.list() == [started]
    assert changed(lab, made) == ()
    assert lab.endpoints.rollback("scores", "me", "why").version == 1
    assert "Contents" not in lab.call("s3", "ListObjectsV2", Bucket="bucket", Prefix="shop/dev/endpoints/")
    with pytest.raises(NotFound):
        lab.endpoints.start("nothing")


class Deadly(Shared):
    """The process dies when it is about to ask for this."""

    def __init__(self, lab: Lab, operation: str) -> None:
        super().__init__(lab)
        self._deadly = operation

    def call(self, service: str, operation: str, /, *, purpose: str | None = None, **request: Any) -> dict[str, Any]:
        if operation == self._deadly:
            raise Died
        return super().call(service, operation, purpose=purpose, **request)


def dies(lab: Lab, operation: str, command: str) -> None:
    commands = SagemakerEndpoints(World(Deadly(lab, operation), PLACE, Path("/nowhere")))
    with pytest.raises(Died):
        getattr(commands, command)("scores")
    lab.mock.advance(1)


def test_a_stop_and_a_start_that_were_cut_off_are_ended_by_the_next(lab: Lab) -> None:
    made = watched(scaling=spec.Scaling(minimum=1, maximum=3, target_requests=1))
    first = lab.deploy(made, lab.register())
    second = lab.deploy(made, lab.register())
    dies(lab, "DeleteEndpoint", "stop")
    assert scaling.read(lab.client, NAME, "main") is None, "that was taken away already"
    assert lab.endpoints.start("scores").status == "in_service", "it was never stopped"
    lab.endpoints.stop("scores")
    lab.mock.advance(1)
    dies(lab, "RegisterScalableTarget", "start")
    assert lab.describe()["EndpointStatus"] == "InService"
    assert lab.endpoints.start("scores").version == 2
    assert scaling.read(lab.client, NAME, "main") == {"MinCapacity": 1, "MaxCapacity": 3, "TargetValue": 60.0}
    assert lab.tags()["cloudml:history"].split() == [second, first]
    assert "Contents" not in lab.call("s3", "ListObjectsV2", Bucket="bucket", Prefix="shop/dev/endpoints/")


def test_the_note_of_a_stop_does_not_undo_a_later_deploy(lab: Lab) -> None:
    lab.deploy(watched(), lab.register())
    lab.endpoints.stop("scores")
    lab.mock.advance(1)
    config = lab.deploy(watched(), lab.register())
    assert lab.endpoints.start("scores").counters["configuration"] == config


def test_a_note_that_cannot_be_read_hides_no_other_endpoint(lab: Lab) -> None:
    lab.call("s3", "PutObject", Bucket="bucket", Key="shop/dev/endpoints/shop-dev-x.json", Body=b"{")
    lab.call("s3", "PutObject", Bucket="bucket", Key="shop/dev/endpoints/shop-dev-y.json", Body=b"[]")
    lab.deploy(lowered(), lab.register())
    assert [one.name for one in lab.endpoints.list()] == ["scores"]


def test_all_lines_of_a_long_log_are_read(lab: Lab) -> None:
    """FilterLogEvents gives 10,000 events a page at most: the rest comes with the next ones."""
    where = {"logGroupName": f"/aws/sagemaker/Endpoints/{NAME}", "logStreamName": "many"}
    lab.call("logs", "CreateLogGroup", logGroupName=where["logGroupName"])
    lab.deploy(lowered(), lab.register())
    lab.call("logs", "CreateLogStream", **where)
    now = int(time.time() * 1000)
    events = [{"timestamp": now + at // 1000, "message": f"line {at}"} for at in range(10_500)]
    for at in range(0, len(events), 5_000):
        lab.call("logs", "PutLogEvents", **where, logEvents=events[at : at + 5_000])
    assert sum(line.startswith("line ") for line in lab.endpoints.logs("scores")) == 10_500


# -- plan and apply ------------------------------------------------------------------------------------------------


def test_an_endpoint_is_made_by_the_run_and_then_compared(lab: Lab) -> None:
    made = watched(capture=spec.Capture(sample=0.5), environment=(spec.EnvironmentVariable(name="A", value="1"),))
    assert ENDPOINT.read(lab.world, resource(made)) is None
    ENDPOINT.create(lab.world, resource(made))
    assert ENDPOINT.read(lab.world, resource(made)) is None
    config = lab.deploy(made, lab.register())
    assert changed(lab, made) == ()
    other = watched(
        scaling=spec.Scaling(minimum=2, maximum=4, target_requests=1),
        environment=(spec.EnvironmentVariable(name="A", value="2"),),
        resources=spec.Resources(cpu=8),
    )
    assert set(changed(lab, other)) == {
        "model.environment.A", "scaling", "variant.InitialInstanceCount", "variant.InstanceType",
    }  # fmt: skip
    ENDPOINT.update(lab.world, resource(other), changed(lab, other))
    assert changed(lab, other) == ()
    found = lab.endpoints.get("scores")
    assert (found.version, found.counters["configuration"] != config) == (1, True), "the same version, other settings"
    ENDPOINT.update(lab.world, resource(other), ())
    assert lab.endpoints.get("scores") == found


def test_a_variable_that_is_declared_no_more_is_a_difference(lab: Lab) -> None:
    lab.deploy(lowered(environment=(spec.EnvironmentVariable(name="A", value="1"),)), lab.register())
    assert changed(lab, lowered()) == ("configuration",)
    ENDPOINT.update(lab.world, resource(lowered()), ("configuration",))
    assert changed(lab, lowered()) == ()


def test_tags_that_are_declared_no_more_are_taken_off(lab: Lab) -> None:
    tagged = watched(tags=(spec.Tag(key="team", value="a"),))
    lab.deploy(tagged, lab.register())
    for made, gone in ((watched(), ("tags.team",)), (watched(), ())):
        ENDPOINT.update(lab.world, resource(made), gone)
        assert "team" not in lab.tags()
    assert lab.tags()["cloudml:project"] == "shop"
    plain = resource(watched(), "alarm")
    ALARM.update(lab.world, plain, ("Tags.team",))
    live = ALARM.read(lab.world, resource(tagged, "alarm"))
    assert live is not None
    assert [one["Key"] for one in live.document["Tags"]] == ["cloudml:pipeline", "cloudml:project", "cloudml:target"]


def test_many_features_are_told_in_several_variables_and_read_back(lab: Lab) -> None:
    """A variable has 1,024 characters at most (ContainerDefinition), and a model may have hundreds of features."""
    names = tuple(f"feature_number_{at:03}" for at in range(200))
    made = lowered(features=names)
    assert made.findings == ()
    config = lab.deploy(made, lab.register())
    assert changed(lab, made) == ()
    assert changed(lab, lowered(features=names[:-1])) == ("model.features",)
    (variant,) = lab.call("sagemaker", "DescribeEndpointConfig", EndpointConfigName=config)["ProductionVariants"]
    model = lab.call("sagemaker", "DescribeModel", ModelName=variant["ModelName"])
    environment = model["PrimaryContainer"]["Environment"]
    pieces = {key: value for key, value in environment.items() if key.startswith("CLOUDML_FEATURES")}
    assert sorted(pieces) == ["CLOUDML_FEATURES", *(f"CLOUDML_FEATURES_{at}" for at in (2, 3, 4, 5))]
    with patch.dict("os.environ", pieces):
        assert tuple(inference._features()) == names, "as the container reads them"


def test_another_rollout_alone_touches_no_fleet(lab: Lab) -> None:
    config = lab.deploy(watched(), lab.register())
    later = lowered(rollout=rollout((100, 0), final_bake=900.0))
    assert changed(lab, later) == ("DeploymentConfig.BlueGreenUpdatePolicy.TerminationWaitInSeconds",)
    ENDPOINT.update(lab.world, resource(later), changed(lab, later))
    assert changed(lab, later) == ()
    assert lab.describe()["EndpointConfigName"] == config


def test_a_version_that_was_removed_cannot_be_brought_to_other_settings(lab: Lab) -> None:
    served = lab.register()
    lab.deploy(watched(), served)
    lab.call("sagemaker", "DeleteModelPackage", ModelPackageName=served.arn)
    other = watched(resources=spec.Resources(cpu=8))
    assert "variant.InstanceType" in changed(lab, other)
    with pytest.raises(Refused, match="run the pipeline"):
        ENDPOINT.update(lab.world, resource(other), changed(lab, other))


def test_it_is_removed_with_its_scaling_and_only_ours_are_found(lab: Lab) -> None:
    made = watched(scaling=spec.Scaling(minimum=1, maximum=3, target_requests=1))
    config = lab.deploy(made, lab.register())
    lab.call("sagemaker", "CreateEndpoint", EndpointName="shop-dev-other", EndpointConfigName=config)
    lab.mock.advance(1)
    assert [(one.name, one.pipeline) for one in ENDPOINT.owned(lab.world)] == [(NAME, "train")]
    ENDPOINT.delete(lab.world, NAME)
    ENDPOINT.delete(lab.world, NAME)
    assert scaling.read(lab.client, NAME, "main") is None
    left = [one["EndpointName"] for one in lab.call("sagemaker", "ListEndpoints")["Endpoints"]]
    assert left == ["shop-dev-other"]


def test_alarms_are_put_compared_changed_and_removed(lab: Lab) -> None:
    before, after = (resource(watched(limit), "alarm") for limit in (0.1, 0.2))
    assert ALARM.read(lab.world, before) is None
    ALARM.create(lab.world, before)
    ALARM.create(lab.world, before)
    live = ALARM.read(lab.world, after)
    assert live is not None
    assert live.document == before.document | {"AlarmDescription": before.document["AlarmDescription"]}
    fields = tuple(differences(live.document, after.document))
    assert fields == ("AlarmDescription", "Threshold")
    ALARM.update(lab.world, after, fields)
    found = ALARM.read(lab.world, after)
    assert found is not None
    assert found.document == after.document
    assert [(one.name, one.pipeline) for one in ALARM.owned(lab.world)] == [(ALARM_NAME, "train")]
    ALARM.delete(lab.world, ALARM_NAME)
    ALARM.delete(lab.world, ALARM_NAME)
    assert ALARM.read(lab.world, after) is None


def test_an_alarm_with_metric_math_is_as_declared(lab: Lab) -> None:
    guard = spec.Guard(metric="latency_p95", limit=200, min_samples=50, window=60.0)
    made = resource(lowered(rollout=rollout((100, 0), final_bake=60.0, guards=(guard,))), "alarm")
    ALARM.create(lab.world, made)
    live = ALARM.read(lab.world, made)
    assert live is not None
    assert live.document == made.document


def test_an_alarm_of_somebody_else_is_not_overwritten(lab: Lab) -> None:
    made = resource(watched(), "alarm")
    lab.call("cloudwatch", "PutMetricAlarm", **{**made.document, "Tags": [], "Threshold": 7.0})
    with pytest.raises(Refused, match="does not belong to project shop"):
        ALARM.create(lab.world, made)
    assert list(ALARM.owned(lab.world)) == []
