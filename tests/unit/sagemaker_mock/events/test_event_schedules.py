"""Rules and schedules fire by the clock."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from event_lab import PIPELINE, ROLE, Lab

from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import start

START = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
"""A Monday."""
OFF = {"Mode": "OFF"}
DAY = 86_400


@pytest.fixture
def options(options: Options) -> Options:
    return replace(options, start=START)


def advance(lab: Lab, seconds: float) -> None:
    lab.mock.world.clock.advance(seconds)


def test_four_weeks_of_weekly_starts_take_a_moment(lab: Lab) -> None:
    lab.pipeline()
    target = {"Arn": PIPELINE, "RoleArn": ROLE}
    lab.rule("weekly", None, target, ScheduleExpression="cron(0 2 ? * MON *)")
    began = time.monotonic()
    advance(lab, 28 * DAY)
    assert time.monotonic() - began < 5
    assert len(lab.executions()) == 4


def test_a_scheduled_rule_sends_its_event_at_its_rate(lab: Lab) -> None:
    url, arn = lab.queue("q")
    rule = lab.rule("r", None, {"Arn": arn}, ScheduleExpression="rate(1 hour)")
    advance(lab, 2.5 * 3600)
    events = [json.loads(body) for body in lab.received(url)]
    assert [event["time"] for event in events] == ["2026-11-23T10:30:00Z", "2026-11-23T11:30:00Z"]
    assert {event["detail-type"] for event in events} == {"Scheduled Event"}
    assert {event["source"] for event in events} == {"aws.events"}
    assert events[0]["resources"] == [rule]


def test_a_rule_that_is_disabled_changed_or_deleted(lab: Lab) -> None:
    url, arn = lab.queue("q")
    lab.rule("r", None, {"Arn": arn, "Input": "x"}, ScheduleExpression="rate(1 hour)")
    lab.events.disable_rule(Name="r")
    advance(lab, DAY)
    assert lab.received(url) == []
    lab.events.enable_rule(Name="r")
    lab.events.put_rule(Name="r", ScheduleExpression="rate(12 hours)")
    advance(lab, DAY)
    assert len(lab.received(url)) == 2
    lab.events.remove_targets(Rule="r", Ids=["0"])
    lab.events.delete_rule(Name="r")
    advance(lab, DAY)
    assert lab.received(url) == []


def schedule(lab: Lab, name: str, expression: str, target: dict[str, object], **more: object) -> None:
    lab.scheduler.create_schedule(
        Name=name, ScheduleExpression=expression, FlexibleTimeWindow=more.pop("window", OFF), Target=target, **more
    )


def test_scheduler_starts_a_pipeline_with_parameters(lab: Lab) -> None:
    lab.pipeline()
    parameters = {"PipelineParameterList": [{"Name": "Day", "Value": "tuesday"}]}
    target = {"Arn": PIPELINE, "RoleArn": ROLE, "SageMakerPipelineParameters": parameters}
    schedule(lab, "s", "cron(0 8 ? * TUE *)", target, ScheduleExpressionTimezone="Europe/Prague")
    advance(lab, 21.4 * 3600)  # 06:54 UTC on Tuesday
    assert lab.executions() == []
    advance(lab, 3600)  # past 07:00 UTC, 08:00 in Prague
    assert lab.executions() == [{"Day": "tuesday"}]


def test_the_universal_target_and_context_attributes(lab: Lab) -> None:
    lab.pipeline()
    request = {
        "PipelineName": "flow",
        "PipelineParameters": [{"Name": "Day", "Value": "<aws.scheduler.scheduled-time>"}],
    }
    universal = "arn:aws:scheduler:::aws-sdk:sagemaker:startPipelineExecution"
    target = {"Arn": universal, "RoleArn": ROLE, "Input": json.dumps(request)}
    schedule(lab, "s", "at(2026-11-23T12:00:00)", target, ActionAfterCompletion="DELETE")
    advance(lab, 3 * 3600)
    assert lab.executions() == [{"Day": "2026-11-23T12:00:00Z"}]
    assert lab.scheduler.list_schedules()["Schedules"] == []


def test_a_rate_begins_at_once_or_at_its_start_and_ends_at_its_end(lab: Lab) -> None:
    url, arn = lab.queue("q")
    schedule(lab, "now", "rate(1 days)".replace("1 days", "1 day"), {"Arn": arn, "RoleArn": ROLE, "Input": "now"})
    begin, end = datetime(2026, 11, 24, 0, 0, tzinfo=UTC), datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
    target = {"Arn": arn, "RoleArn": ROLE, "Input": "<aws.scheduler.scheduled-time>"}
    schedule(lab, "later", "rate(2 hours)", target, StartDate=begin, EndDate=end)
    advance(lab, 2)
    assert lab.received(url) == ["now"]
    advance(lab, 20 * 3600)
    assert lab.received(url) == [f"2026-11-24T0{hour}:00:00Z" for hour in (0, 2, 4)]
    advance(lab, DAY)
    assert sorted(lab.received(url)) == ["2026-11-24T06:00:00Z", "now"]


def test_groups_states_and_updates(lab: Lab) -> None:
    url, arn = lab.queue("q")
    target = {"Arn": arn, "RoleArn": ROLE, "Input": "x"}
    lab.scheduler.create_schedule_group(Name="g")
    schedule(lab, "s", "cron(0 * * * ? *)", target, GroupName="g", State="DISABLED")
    advance(lab, 3 * 3600)
    assert lab.received(url) == []
    given = {"Name": "s", "GroupName": "g", "Target": target, "FlexibleTimeWindow": OFF}
    lab.scheduler.update_schedule(**given, ScheduleExpression="cron(0 * * * ? *)", State="ENABLED")
    advance(lab, 3 * 3600)
    assert len(lab.received(url)) == 3
    lab.scheduler.update_schedule(**given, ScheduleExpression="cron(15,45 * * * ? *)", State="ENABLED")
    advance(lab, 3600)
    assert len(lab.received(url)) == 2
    lab.scheduler.delete_schedule(Name="s", GroupName="g")
    advance(lab, DAY)
    assert lab.received(url) == []


def test_the_flexible_window_is_a_switch(lab: Lab) -> None:
    url, arn = lab.queue("q")
    target = {"Arn": arn, "RoleArn": ROLE, "Input": "x"}
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 30}
    lab.world.switches.set("flexible-window", "end")
    schedule(lab, "s", "cron(0 10 * * ? *)", target, window=window)
    advance(lab, 31 * 60)
    assert lab.received(url) == []
    advance(lab, 30 * 60)
    assert lab.received(url) == ["x"]


def test_without_input_a_notification_is_delivered(lab: Lab) -> None:
    url, arn = lab.queue("q")
    schedule(lab, "s", "at(2026-11-23T10:00:00)", {"Arn": arn, "RoleArn": ROLE})
    advance(lab, 3600)
    (body,) = lab.received(url)
    told = json.loads(body)
    told.pop("id")
    assert told == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": "123456789012",
        "time": "2026-11-23T10:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:scheduler:us-east-1:123456789012:schedule/default/s"],
        "detail": "{}",
    }


def test_a_one_time_schedule_ignores_its_dates(lab: Lab) -> None:
    # API reference, CreateSchedule: "ignores StartDate ... EndDate for one-time schedules".
    url, arn = lab.queue("q")
    dates = {"StartDate": datetime(2026, 11, 24, tzinfo=UTC), "EndDate": datetime(2026, 11, 23, 9, 45, tzinfo=UTC)}
    schedule(lab, "s", "at(2026-11-23T10:00:00)", {"Arn": arn, "RoleArn": ROLE, "Input": "x"}, **dates)
    advance(lab, 3600)
    assert lab.received(url) == ["x"]


def test_nonsense_is_refused_where_it_is_made(lab: Lab) -> None:
    _, arn = lab.queue("q")
    for expression in ("cron(0 10 * * * *)", "rate(5 minute)", "at(tomorrow)"):
        with pytest.raises(ClientError, match="Invalid Schedule Expression"):
            schedule(lab, "s", expression, {"Arn": arn, "RoleArn": ROLE})
    with pytest.raises(ClientError, match="ScheduleExpression is not valid"):
        lab.events.put_rule(Name="r", ScheduleExpression="cron(0 10 * * * *)")


def test_a_schedule_goes_on_after_a_restart(options: Options, tmp_path: Path) -> None:
    kept = replace(options, state=tmp_path, hold=True)
    first = start(kept)
    lab = Lab(first)
    _, arn = lab.queue("q")
    lab.rule("r", None, {"Arn": arn, "Input": "x"}, ScheduleExpression="rate(1 hour)")
    advance(lab, 1800)
    first.stop()
    second = start(replace(kept, start=datetime(2026, 11, 23, 10, 15, tzinfo=UTC)))
    lab = Lab(second)
    advance(lab, 20 * 60)  # 10:35: an hour after the rule was made, not after the restart
    url = lab.sqs.get_queue_url(QueueName="q")["QueueUrl"]
    assert lab.received(url) == ["x"]
    second.stop()
