"""Verify: call the endpoint with real rows, and hold its answers against the limits."""

from __future__ import annotations

import json
import sys
from typing import Any

from cloudml.runtime.verification import BadAnswer, Row, checked, examine, sample_of
from cloudml_sagemaker.container.context import Context, Document
from cloudml_sagemaker.container.control import Made, models
from cloudml_sagemaker.container.control.aws import client, told


def verify(action: Document, context: Context) -> Made:
    """The report. Raises AssertionError with all findings."""
    endpoint = context.values.json(action["endpoint"])
    rows = _rows(action, context, endpoint)
    # Asked once each: what boto3 tries again would be neither an error nor its own latency.
    runtime, sagemaker = client("sagemaker-runtime", attempts=1), client("sagemaker")
    name = endpoint["EndpointName"]

    def post(sent: list[Row]) -> list[Any]:
        try:
            answer = runtime.invoke_endpoint(
                EndpointName=name,
                ContentType="application/json",
                Accept="application/json",
                Body=json.dumps({"instances": sent}).encode(),
            )
            predictions = json.loads(answer["Body"].read())["predictions"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadAnswer(f"the answer is not a list of predictions: {error!r}") from error
        except Exception as error:
            raise BadAnswer(told(error)) from error
        return checked(predictions, sent)

    serving = sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"]
    if serving != endpoint["deployment"]:
        raise AssertionError(f"{name} serves by {serving}, not by {endpoint['deployment']} as it was deployed")
    report = examine(
        post,
        rows[: action["rows"]],
        requests=action["requests"],
        p95=action.get("p95"),
        max_error_rate=action["max_error_rate"],
        judge=action.get("function"),
    )
    report["version"] = endpoint["version"]
    sys.stdout.write(
        f"cloudml: {report['requests']} requests, {report['errors']} errors, p95 {report['p95_ms']:.1f} ms\n"
    )
    return {"report": report}


def _rows(action: Document, context: Context, endpoint: dict[str, Any]) -> list[Row]:
    """Of the sample, else those that the version was registered with."""
    if action.get("sample") is not None:
        from cloudml.runtime.codecs import read_value

        found = context.sources.one(action["sample"])
        return sample_of(read_value(str(found.path), "polars.DataFrame", found.format), action["rows"])
    rows: list[Row] = models.find(endpoint).registration().get("sample", [])
    return rows
