"""A laboratory for monitors: an endpoint that captures, its captured data, an analysis program of the test's own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mock_clients import ROLE, SCOPE, MockLab

from cloudml_sagemaker.mock.core.operations import arn_of
from cloudml_sagemaker.mock.start import Mock

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/monitor:1"
MODEL_SERVER = Path(__file__).with_name("monitored_model.py")
LOCAL = "/opt/ml/processing/input/endpoint"
OUTPUT = "/opt/ml/processing/output"
START = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
HOURLY = "cron(0 * ? * * *)"

ANALYSIS = """
import json, os, pathlib
seen = {"env": dict(os.environ), "files": {}}
for path in sorted(pathlib.Path("/opt/ml/processing").rglob("*")):
    if path.is_file() and not str(path).startswith(os.environ["output_path"]):
        seen["files"][str(path)] = path.read_text()
seen["config"] = json.loads(pathlib.Path("/opt/ml/config/processingjobconfig.json").read_text())
out = pathlib.Path(os.environ["output_path"])
(out / "seen.json").write_text(json.dumps(seen))
"""


class Lab(MockLab):
    def __init__(self, mock: Mock, *, bucket: bool = True) -> None:
        super().__init__(mock)
        self.sm = self.client("sagemaker")
        self.s3 = self.client("s3")
        if bucket:
            self.s3.create_bucket(Bucket="data")

    def advance(self, seconds: float = 0.0) -> None:
        self.world.clock.advance(seconds)  # type: ignore[attr-defined]

    def endpoint(self, name: str = "live", *, capture: bool = True) -> None:
        """The record of an endpoint, without its processes."""
        document: dict[str, Any] = {
            "EndpointName": name,
            "EndpointArn": arn_of(SCOPE, f"endpoint/{name}"),
            "EndpointConfigName": "c",
            "EndpointStatus": "InService",
            "CreationTime": self.world.now(),
            "LastModifiedTime": self.world.now(),
        }
        if capture:
            document["DataCaptureConfig"] = {
                "EnableCapture": True,
                "CaptureStatus": "Started",
                "CurrentSamplingPercentage": 100,
                "DestinationS3Uri": "s3://data/captured",
                "KmsKeyId": "",
            }
        with self.world.lock:
            self.world.table("Endpoint", SCOPE).put(name, document)

    def put(self, key: str, body: str) -> None:
        self.s3.put_object(Bucket="data", Key=key, Body=body.encode())

    def captured(self, hour: str, *records: dict[str, Any], variant: str = "AllTraffic") -> None:
        """Captured records of an hour (`2026/11/23/09`)."""
        lines = "".join(json.dumps(record) + "\n" for record in records)
        self.put(f"captured/live/{variant}/{hour}/00-00-000-{len(records)}.jsonl", lines)

    def program(self, code: str) -> list[str]:
        """The command that runs Python code in place of an analysis image."""
        folder = self.world.folder / "programs"
        folder.mkdir(exist_ok=True)
        path = folder / f"analysis-{len(list(folder.iterdir()))}.py"
        path.write_text(ANALYSIS + code)
        return [sys.executable, str(path)]

    def definition(self, kind: str = "DataQuality", code: str = "", name: str = "d", **more: Any) -> dict[str, Any]:
        """The request of a job definition."""
        app: dict[str, Any] = {"ImageUri": IMAGE, "ContainerEntrypoint": self.program(code)}
        given: dict[str, Any] = {"EndpointInput": {"EndpointName": "live", "LocalPath": LOCAL}}
        if kind == "ModelQuality":
            app["ProblemType"] = "BinaryClassification"
        if kind in {"ModelBias", "ModelExplainability"}:
            app = {"ImageUri": IMAGE, "ConfigUri": "s3://data/config/analysis_config.json"}
        if kind in {"ModelQuality", "ModelBias"}:
            given["GroundTruthS3Input"] = {"S3Uri": "s3://data/truth"}
        given.update(more.pop("input", {}))
        app.update(more.pop("app", {}))
        return {
            "JobDefinitionName": name,
            f"{kind}AppSpecification": app,
            f"{kind}JobInput": given,
            f"{kind}JobOutputConfig": {
                "MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://data/reports", "LocalPath": OUTPUT}}]
            },
            "JobResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10}
            },
            "RoleArn": ROLE,
            **more,
        }

    def schedule(
        self, name: str = "s", expression: str = HOURLY, kind: str = "DataQuality", **times: str
    ) -> dict[str, Any]:
        """A schedule over the definition `d`."""
        config = {
            "MonitoringJobDefinitionName": "d",
            "MonitoringType": kind,
            "ScheduleConfig": {"ScheduleExpression": expression, **times},
        }
        answer: dict[str, Any] = self.sm.create_monitoring_schedule(
            MonitoringScheduleName=name, MonitoringScheduleConfig=config
        )
        self.advance()
        return answer

    def monitored(self, code: str = "", expression: str = HOURLY, **more: Any) -> None:
        """An endpoint, a definition and a schedule of data quality."""
        self.endpoint()
        self.sm.create_data_quality_job_definition(**self.definition(code=code, **more))
        self.schedule(expression=expression)

    def executions(self, **filters: Any) -> list[dict[str, Any]]:
        """Newest first."""
        found: list[dict[str, Any]] = self.sm.list_monitoring_executions(**filters)["MonitoringExecutionSummaries"]
        return found

    def statuses(self) -> list[str]:
        """Oldest first."""
        rows = self.executions(SortBy="ScheduledTime", SortOrder="Ascending", MaxResults=100)
        return [row["MonitoringExecutionStatus"] for row in rows]

    def seen(self, hour: str, schedule: str = "s") -> dict[str, Any]:
        """What the analysis container of an hour's execution saw."""
        body = self.s3.get_object(Bucket="data", Key=f"reports/live/{schedule}/{hour}/seen.json")["Body"].read()
        found: dict[str, Any] = json.loads(body)
        return found


def record(event: str, data: str = "1,2", **metadata: str) -> dict[str, Any]:
    """A captured invocation, as the developer guide prints it."""
    return {
        "captureData": {
            "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": data, "encoding": "CSV"},
            "endpointOutput": {"observedContentType": "text/csv", "mode": "OUTPUT", "data": "0.9", "encoding": "CSV"},
        },
        "eventMetadata": {"eventId": event, "inferenceTime": "2026-11-23T09:10:00Z", **metadata},
        "eventVersion": "0",
    }


def truth(event: str, label: str) -> dict[str, Any]:
    """A ground truth label, as the developer guide prints it."""
    return {
        "groundTruthData": {"data": label, "encoding": "CSV"},
        "eventMetadata": {"eventId": event},
        "eventVersion": "0",
    }


def lines(records: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(one) + "\n" for one in records)
