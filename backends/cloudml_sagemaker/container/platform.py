"""SageMaker as a job meets it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.jobs import failure
from cloudml.jobs.failure import Refused
from cloudml.jobs.outputs import metric_lines
from cloudml.jobs.values import given
from cloudml_sagemaker.container.layout import Layout

if TYPE_CHECKING:
    from cloudml.jobs.control.posting import Message
    from cloudml.jobs.outputs import Outcome
    from cloudml_sagemaker.container.control.store import S3

Document = dict[str, Any]

LIMIT = 1024
"""Bytes that SageMaker shows: FailureReason of a training job, ExitMessage of a processing job."""
LARGEST = 262_144
"""Bytes of a message (API reference of SNS, Publish)."""
_CONTROL = "cloudml_sagemaker.container.control"
ACTIONS = {
    "batch": f"{_CONTROL}.batch",
    "best": f"{_CONTROL}.best",
    "champion": f"{_CONTROL}.models",
    "deploy": f"{_CONTROL}.deploy",
    "monitor": f"{_CONTROL}.monitor",
    "register": f"{_CONTROL}.register",
    "verify": f"{_CONTROL}.verify",
    "watch": f"{_CONTROL}.watch",
}
"""What a job does by calls of AWS's API; boto3 is imported by these alone."""


@dataclass(frozen=True)
class SageMaker:
    """The `cloudml.jobs.platform.Platform` of a processing or training job."""

    layout: Layout
    service: str = "SageMaker"

    @property
    def store(self) -> S3:
        """S3, by the job's role."""
        from cloudml_sagemaker.container.control.store import S3

        return S3()

    @property
    def actions(self) -> Mapping[str, str]:
        """The modules of AWS's control steps."""
        return ACTIONS

    def given(self, step: Document, arguments: Sequence[str]) -> dict[str, str]:
        """The pairs of the command line; a trial has them as hyperparameters."""
        return given(arguments, self.tuned())

    def tuned(self) -> dict[str, str]:
        """The hyperparameters."""
        return self.layout.hyperparameters()

    def run(self) -> str:
        """The training job, as SageMaker names it to a container."""
        return os.environ.get("TRAINING_JOB_NAME", "")

    def secret(self, project: str, name: str) -> str:
        """From Secrets Manager (`cloudml/<project>/<name>`). Raises Refused."""
        from cloudml_sagemaker.container.control.aws import client, told

        identifier = f"cloudml/{project}/{name}"
        try:
            answer = client("secretsmanager").get_secret_value(SecretId=identifier)
        except Exception as error:
            raise Refused(
                f"the secret {identifier} cannot be read: {told(error)}. It must exist in Secrets Manager, and the "
                "job's role needs secretsmanager:GetSecretValue for it"
            ) from error
        return str(answer["SecretString"])

    def alert(self, channel: Document, message: Message) -> str:
        """To the channel's topic in SNS, if it has one; what went wrong."""
        if "TopicArn" not in channel:
            return ""
        from cloudml_sagemaker.container.control.aws import client, told

        text = message.text.encode()[:LARGEST].decode("utf-8", "ignore")
        try:
            client("sns").publish(TopicArn=channel["TopicArn"], Message=text, Subject=message.subject)
        except Exception as error:  # noqa: BLE001 - the other channels are still to be told
            return f"the message was not taken by {channel['TopicArn']}: {told(error)}"
        return ""

    def told(self, error: BaseException) -> str:
        """Code and message."""
        from cloudml_sagemaker.container.control.aws import told

        return told(error)

    def measured(self, metrics: Mapping[str, Mapping[str, Any]], objective: float | None) -> None:
        """Lines of the log, where SageMaker looks for a training job's metrics; the objective of a trial last."""
        if not self.layout.training:
            return
        lines = metric_lines(metrics)
        if objective is not None:
            lines.append(f"cloudml:metric objective={objective!r}")
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()

    def finished(self, step: Document, outcome: Outcome) -> None:
        """Nothing more: SageMaker takes the folders."""

    def failed(self, failure: Document) -> None:
        """Into the small file whose beginning SageMaker shows."""
        tell(self.layout.message, failure)


def tell(place: Path, failed: Document) -> None:
    """Write what SageMaker shows of a failure."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(failure.summary(failed, LIMIT), encoding="utf-8")
