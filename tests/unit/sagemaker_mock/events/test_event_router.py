"""Events find their rules, and rules their targets."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from event_lab import PIPELINE, ROLE, SCOPE, Lab

from cloudml.mocks.bus import Change
from cloudml_sagemaker.mock.start import Mock


def test_an_event_reaches_the_queue_of_its_rule_and_no_other(lab: Lab) -> None:
    url, arn = lab.queue("q")
    lab.rule("mine", {"source": ["my.app"], "detail": {"n": [{"numeric": [">", 3]}]}}, {"Arn": arn})
    lab.rule("off", {"source": ["my.app"]}, {"Arn": arn}, State="DISABLED")
    lab.rule("timed", None, {"Arn": arn}, ScheduleExpression="rate(1 day)")
    assert lab.put(detail={"n": 4})["FailedEntryCount"] == 0
    lab.put(detail={"n": 3})
    (body,) = lab.received(url)
    event = json.loads(body)
    assert {name: event[name] for name in ("source", "detail-type", "account", "region", "detail")} == {
        "source": "my.app",
        "detail-type": "thing",
        "account": "123456789012",
        "region": "us-east-1",
        "detail": {"n": 4},
    }


def test_inputs_are_honoured(lab: Lab) -> None:
    url, arn = lab.queue("q")
    template = {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '"got <n>"'}
    lab.rule(
        "r",
        {"source": ["my.app"]},
        {"Arn": arn, "Input": '{"fixed": true}'},
        {"Arn": arn, "InputPath": "$.detail"},
        {"Arn": arn, "InputTransformer": template},
    )
    lab.put(detail={"n": 1})
    assert lab.received(url) == ['{"fixed": true}', '{"n": 1}', '"got 1"']


def test_a_topic_fans_out_and_a_log_group_keeps(lab: Lab) -> None:
    url, arn = lab.queue("q")
    sns, logs = lab.client("sns"), lab.client("logs")
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    logs.create_log_group(logGroupName="/aws/events/all")
    group = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/events/all"
    lab.rule("r", {"source": ["my.app"]}, {"Arn": topic, "Input": "hello"}, {"Arn": group, "Input": "kept"})
    lab.put()
    assert lab.received(url) == ["hello"]
    lines = logs.filter_log_events(logGroupName="/aws/events/all")["events"]
    assert [line["message"] for line in lines] == ["kept"]


def test_a_pipeline_starts_with_parameters_of_the_event(lab: Lab) -> None:
    lab.pipeline()
    parameters = {"PipelineParameterList": [{"Name": "Day", "Value": "$.detail.day"}]}
    lab.rule("r", {"source": ["my.app"]}, {"Arn": PIPELINE, "RoleArn": ROLE, "SageMakerPipelineParameters": parameters})
    lab.put(detail={"day": "monday"})
    assert lab.executions() == [{"Day": "monday"}]
    assert [row["Status"] for row in lab.deliveries()] == ["Delivered"]


def test_a_missing_pipeline_is_a_recorded_failure_and_goes_to_the_dead_letter_queue(lab: Lab) -> None:
    url, arn = lab.queue("dead")
    lab.rule("r", {"source": ["my.app"]}, {"Arn": PIPELINE, "RoleArn": ROLE, "DeadLetterConfig": {"Arn": arn}})
    assert lab.put(detail={"a": 1})["FailedEntryCount"] == 0
    (row,) = lab.deliveries()
    assert (row["Status"], row["Attempts"]) == ("Failed", 1)
    (body,) = lab.received(url)
    assert json.loads(body)["detail"] == {"a": 1}


def test_a_pipeline_without_a_role_is_not_started(lab: Lab) -> None:
    lab.pipeline()
    lab.rule("r", {"source": ["my.app"]}, {"Arn": PIPELINE})
    lab.put()
    assert lab.executions() == []
    assert "AccessDenied" in lab.deliveries()[0]["Reason"]


def test_an_unknown_target_is_ignored_and_the_others_are_served(lab: Lab) -> None:
    url, arn = lab.queue("q")
    function = "arn:aws:lambda:us-east-1:123456789012:function:f"
    lab.rule("r", {"source": ["my.app"]}, {"Arn": function}, {"Arn": arn, "Input": "x"})
    lab.put()
    assert lab.received(url) == ["x"]
    assert [row["Status"] for row in lab.deliveries()] == ["Ignored", "Delivered"]


def test_custom_buses_and_one_hop_between_them(lab: Lab) -> None:
    url, arn = lab.queue("q")
    buses = {name: lab.events.create_event_bus(Name=name)["EventBusArn"] for name in ("a", "b")}
    lab.rule("back", {"source": ["my.app"]}, {"Arn": buses["a"]}, {"Arn": arn, "Input": "b"}, EventBusName="b")
    lab.rule("on", {"source": ["my.app"]}, {"Arn": buses["b"]}, {"Arn": arn, "Input": "a"}, EventBusName="a")
    lab.put(EventBusName="a")
    assert sorted(lab.received(url)) == ["a", "b"]
    lab.put()
    assert lab.received(url) == []
    with pytest.raises(ClientError, match="Event bus none does not exist"):
        lab.put(EventBusName="none")


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"Source": "", "DetailType": "t", "Detail": "{}"}, "InvalidArgument"),
        ({"Source": "s", "Detail": "{}"}, "InvalidArgument"),
        ({"Source": "s", "DetailType": "t"}, "InvalidArgument"),
        ({"Source": "s", "DetailType": "t", "Detail": "{"}, "MalformedDetail"),
        ({"Source": "s", "DetailType": "t", "Detail": "[1]"}, "MalformedDetail"),
        ({"Source": "aws.sagemaker", "DetailType": "t", "Detail": "{}"}, "NotAuthorizedForSourceException"),
    ],
)
def test_bad_entries_fail_alone(lab: Lab, entry: dict[str, str], code: str) -> None:
    good = {"Source": "s", "DetailType": "t", "Detail": "{}"}
    answer = lab.events.put_events(Entries=[entry, good])
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == code
    assert answer["Entries"][1]["EventId"]


def test_too_many_or_too_large_entries_are_refused(lab: Lab) -> None:
    good = {"Source": "s", "DetailType": "t", "Detail": "{}"}
    assert lab.put(detail={"a": "x" * 1_000_000})["FailedEntryCount"] == 0
    for entries in ([], [good] * 11, [{**good, "Detail": json.dumps({"a": "x" * 1_048_576})}]):
        with pytest.raises(ClientError, match="ValidationException"):
            lab.events.put_events(Entries=entries)


def test_a_delivery_that_may_pass_is_tried_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudml_sagemaker.mock.events import targets

    attempts: list[float] = []

    def busy(*_: object) -> None:
        attempts.append(lab.world.now())
        raise targets.Undelivered("ThrottlingException", "Rate exceeded")

    monkeypatch.setitem(targets._SENDERS, ("sagemaker", "pipeline"), busy)
    policy = {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 86_400}
    lab.rule("r", {"source": ["my.app"]}, {"Arn": PIPELINE, "RoleArn": ROLE, "RetryPolicy": policy})
    lab.put()
    lab.mock.world.clock.advance(7200)
    # One attempt and three retries, each after twice the wait of the one before.
    assert [round(later - attempts[0]) for later in attempts] == [0, 60, 180, 420]
    assert lab.deliveries()[0]["Status"] == "Failed"


def test_sagemakers_own_events_are_put(lab: Lab, held: Mock) -> None:
    url, arn = lab.queue("q")
    lab.rule("r", {"source": ["aws.sagemaker"], "detail": {"TrainingJobStatus": ["Failed"]}}, {"Arn": arn})
    job = "arn:aws:sagemaker:us-east-1:123456789012:training-job/kmeans-1"
    document = {"TrainingJobName": "kmeans-1", "TrainingJobArn": job, "CreationTime": 1583831889.05, "_private": 1}
    held.world.bus.publish(Change("TrainingJob", SCOPE, "kmeans-1", "InProgress", "Failed", document))
    held.world.clock.settle()
    (body,) = lab.received(url)
    event = json.loads(body)
    assert event["detail-type"] == "SageMaker Training Job State Change"
    assert event["resources"] == [job]
    # The developer guide's example has times as milliseconds in text, and Tags.
    assert event["detail"] == {
        "TrainingJobName": "kmeans-1",
        "TrainingJobArn": job,
        "TrainingJobStatus": "Failed",
        "CreationTime": "1583831889050",
        "Tags": {},
    }


def test_a_bad_pattern_is_refused_where_it_is_made(lab: Lab) -> None:
    with pytest.raises(ClientError, match="Reason: Unrecognized match type like") as caught:
        lab.events.put_rule(Name="r", EventPattern='{"source": [{"like": "a"}]}')
    assert caught.value.response["Error"]["Code"] == "InvalidEventPatternException"


def test_an_approval_starts_a_pipeline_once(lab: Lab) -> None:
    lab.pipeline()
    parameters = {"PipelineParameterList": [{"Name": "Day", "Value": "$.detail.ModelPackageVersion"}]}
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": ["g"], "ModelApprovalStatus": ["Approved"]},
    }
    lab.rule("deploy", pattern, {"Arn": PIPELINE, "RoleArn": ROLE, "SageMakerPipelineParameters": parameters})
    lab.sm.create_model_package_group(ModelPackageGroupName="g")
    specification = {
        "Containers": [
            {"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/ml:1", "ModelDataUrl": "s3://b/m.tar.gz"}
        ],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    with lab.world.lock:  # both requests are done before the first event is told
        made = lab.world.call(
            SCOPE,
            "CreateModelPackage",
            {
                "ModelPackageGroupName": "g",
                "InferenceSpecification": specification,
                "ClientToken": "a" * 36,
            },
        )
        lab.world.call(
            SCOPE,
            "UpdateModelPackage",
            {"ModelPackageArn": made["ModelPackageArn"], "ModelApprovalStatus": "Approved"},
        )
    lab.world.clock.settle()  # type: ignore[attr-defined]
    assert lab.executions() == [{"Day": "1"}]


def test_a_pipelines_end_is_told(lab: Lab) -> None:
    url, arn = lab.queue("q")
    template = {
        "InputPathsMap": {"status": "$.detail.currentPipelineExecutionStatus", "step": "$.detail.currentStepStatus"},
        "InputTemplate": '"<status><step>"',
    }
    lab.rule("r", {"source": ["aws.sagemaker"]}, {"Arn": arn, "InputTransformer": template})
    lab.pipeline()
    lab.sm.start_pipeline_execution(PipelineName="flow", ClientRequestToken="t" * 32)
    lab.world.clock.settle()  # type: ignore[attr-defined]
    told = [body.strip('"') for body in lab.received(url)]
    # One execution with one step, which fails: the execution's own last event comes after its step's.
    assert told[0] == "Executing"
    assert told[-1] == "Failed"
    assert told.count("Failed") == 2


def test_an_event_tells_what_was_when_the_state_changed(lab: Lab) -> None:
    url, arn = lab.queue("q")
    lab.rule("r", {"source": ["aws.sagemaker"]}, {"Arn": arn, "InputPath": "$.detail.SecondaryStatus"})
    document = {"TrainingJobName": "j", "SecondaryStatus": "Starting"}
    with lab.world.lock:  # the event cannot be made before the document goes on
        lab.world.bus.publish(Change("TrainingJob", SCOPE, "j", "", "InProgress", document))
        document["SecondaryStatus"] = "Training"
    lab.world.clock.settle()  # type: ignore[attr-defined]
    assert lab.received(url) == ['"Starting"']


def test_model_cards_are_told(lab: Lab) -> None:
    url, arn = lab.queue("q")
    pattern = {"detail-type": ["SageMaker Model Card State Change"], "detail": {"ModelCardStatus": ["Approved"]}}
    lab.rule("r", pattern, {"Arn": arn})
    lab.sm.create_model_card(ModelCardName="c", Content="{}", ModelCardStatus="Draft")
    lab.sm.update_model_card(ModelCardName="c", ModelCardStatus="Approved")
    lab.world.clock.settle()  # type: ignore[attr-defined]
    (body,) = lab.received(url)
    event = json.loads(body)
    assert event["resources"] == ["arn:aws:sagemaker:us-east-1:123456789012:model-card/c"]
    # The members of the developer guide's example.
    assert set(event["detail"]) == {
        *("ModelCardVersion", "LastModifiedTime", "LastModifiedBy", "CreationTime", "CreatedBy"),
        *("ModelCardName", "ModelCardStatus", "AccountId", "SecurityConfig"),
    }
