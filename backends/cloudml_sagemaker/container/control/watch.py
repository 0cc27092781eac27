"""Watch an endpoint of SageMaker's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cloudml.jobs.context import Context, Document
from cloudml.jobs.control import Made
from cloudml.jobs.control.traffic import Traffic
from cloudml.jobs.control.watch import Sight, look
from cloudml.jobs.failure import Refused
from cloudml.runtime.drift import Profile
from cloudml.runtime.monitoring import Check, Told
from cloudml_sagemaker.container.control import captured, retraining, telling
from cloudml_sagemaker.container.control.aws import Asking
from cloudml_sagemaker.container.control.store import S3
from cloudml_sagemaker.hosting import Aws, Failed

ROLLBACK_SECONDS = 5400.0


def watch(action: Document, context: Context) -> Made:
    """The report. Raises Refused: a reaction failed; the report says which, and all others were done."""
    return look(action, context, S3(), Watched(action, Asking()))


@dataclass(frozen=True)
class Watched:
    """The endpoint, as the monitor's action names it: `cloudml.jobs.control.watch.Watched`."""

    action: Document
    aws: Aws

    def traffic(self, sight: Sight, profiles: Mapping[str, Profile], order: Sequence[str]) -> Traffic:
        """What was captured."""
        base = f"{self.action['capture']}/{sight.endpoint['EndpointName']}/{self.action['variant']}"
        return captured.read(base, sight.window, profiles, order)

    def service(self, sight: Sight, statistics: Sequence[str]) -> dict[str, Told]:
        """From CloudWatch."""
        name = sight.endpoint["EndpointName"]
        return telling.told(self.aws, name, self.action["variant"], sight.window, statistics)

    def tell(self, checks: Sequence[Check], counts: Mapping[str, float], at: datetime) -> None:
        """Into CloudWatch."""
        telling.tell(self.aws, self.action["dimensions"], checks, counts, at)

    def retrain(self, at: datetime) -> Document:
        """Start the pipeline, or say why not."""
        pipeline, monitor = self.action["pipeline"], self.action["monitor"]
        return retraining.retrain(self.aws, pipeline, monitor, self.action["retrain"], at)

    def rollback(self, sight: Sight, reason: str) -> Document:
        """To the endpoint's configuration before. Raises Refused."""
        from cloudml_sagemaker.hosting.rollback import rollback
        from cloudml_sagemaker.hosting.watch import Patience

        name = sight.endpoint["EndpointName"]
        live = self.aws.find("sagemaker", "DescribeEndpoint", EndpointName=name)
        if live is None or live["EndpointConfigName"] != sight.endpoint["deployment"]:
            return {"held": "the endpoint serves something else by now"}
        try:
            after = rollback(self.aws, name, f"monitor {self.action['monitor']}", reason, Patience(ROLLBACK_SECONDS))
        except Failed as error:
            raise Refused(str(error)) from error
        return {"serves": after["EndpointConfigName"]}
