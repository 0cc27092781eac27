"""A laboratory for events: queues, rules and a pipeline that ends at once, over HTTP by real clients."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from mock_clients import ROLE, SCOPE, MockLab

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.start import Mock

PIPELINE = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/flow"

DEFINITION = {
    "Version": "2020-12-01",
    "Parameters": [{"Name": "Day", "Type": "String", "DefaultValue": "none"}],
    "Steps": [{"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Day"}}}],
}


class Lab(MockLab):
    def __init__(self, mock: Mock) -> None:
        super().__init__(mock)
        self.events = self.client("events")
        self.scheduler = self.client("scheduler")
        self.sqs = self.client("sqs")
        self.sm = self.client("sagemaker")

    def queue(self, name: str) -> tuple[str, str]:
        """URL and ARN of a new queue."""
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        return url, f"arn:aws:sqs:us-east-1:123456789012:{name}"

    def received(self, url: str) -> list[str]:
        """The bodies that wait in a queue; they are taken out."""
        found: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                found.append(message["Body"])
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def rule(self, name: str, pattern: dict[str, Any] | None, *targets: dict[str, Any], **more: Any) -> str:
        """A rule with targets; its ARN."""
        given = {**more, **({"EventPattern": json.dumps(pattern)} if pattern is not None else {})}
        arn: str = self.events.put_rule(Name=name, **given)["RuleArn"]
        self.events.put_targets(
            Rule=name,
            Targets=[{"Id": str(number), **target} for number, target in enumerate(targets)],
            **({"EventBusName": more["EventBusName"]} if "EventBusName" in more else {}),
        )
        return arn

    def put(self, source: str = "my.app", detail: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        entry = {"Source": source, "DetailType": "thing", "Detail": json.dumps(detail or {}), **more}
        answer: dict[str, Any] = self.events.put_events(Entries=[entry])
        return answer

    def pipeline(self) -> None:
        self.sm.create_pipeline(
            PipelineName="flow", PipelineDefinition=json.dumps(DEFINITION), RoleArn=ROLE, ClientRequestToken="c" * 32
        )

    def executions(self) -> list[dict[str, str]]:
        """The parameters of every execution of the pipeline, oldest first."""
        answer = self.sm.list_pipeline_executions(PipelineName="flow", SortOrder="Ascending", MaxResults=100)
        found = []
        for row in answer["PipelineExecutionSummaries"]:
            told = self.sm.list_pipeline_parameters_for_execution(PipelineExecutionArn=row["PipelineExecutionArn"])
            found.append({item["Name"]: item["Value"] for item in told["PipelineParameters"]})
        return found

    def deliveries(self) -> list[Document]:
        with self.world.lock:
            return [dict(row) for row in self.world.table("EventDelivery", SCOPE)]

    def settle(self, until: Callable[[], Any], seconds: float = 10.0) -> Any:
        """Wait in real time until something is true."""
        limit = time.monotonic() + seconds
        while not (found := until()):
            assert time.monotonic() < limit, "it never came"
            time.sleep(0.01)
        return found
