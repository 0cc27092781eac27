"""Verify an endpoint of SageMaker's."""

from __future__ import annotations

import json
from typing import Any

from cloudml.jobs.context import Context, Document
from cloudml.jobs.control import Made
from cloudml.jobs.control.verify import report
from cloudml.runtime.verification import BadAnswer, Row
from cloudml_sagemaker.container.control import models
from cloudml_sagemaker.container.control.aws import client, told


def verify(action: Document, context: Context) -> Made:
    """The report. Raises AssertionError with all findings."""
    endpoint = context.values.json(action["endpoint"])
    runtime, name = client("sagemaker-runtime", attempts=1), endpoint["EndpointName"]

    def ask(sent: list[Row]) -> Any:
        try:
            answer = runtime.invoke_endpoint(
                EndpointName=name,
                ContentType="application/json",
                Accept="application/json",
                Body=json.dumps({"instances": sent}).encode(),
            )
            return json.loads(answer["Body"].read())["predictions"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadAnswer(f"the answer is not a list of predictions: {error!r}") from error
        except Exception as error:
            raise BadAnswer(told(error)) from error

    def registered() -> list[Row]:
        found: list[Row] = models.find(endpoint).registration().get("sample", [])
        return found

    serving = client("sagemaker").describe_endpoint(EndpointName=name)["EndpointConfigName"]
    if serving != endpoint["deployment"]:
        raise AssertionError(f"{name} serves by {serving}, not by {endpoint['deployment']} as it was deployed")
    return {"report": {**report(action, context, ask, registered), "version": endpoint["version"]}}
