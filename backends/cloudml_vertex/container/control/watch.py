"""Watch an endpoint of Vertex AI's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cloudml.jobs.context import Context, Document
from cloudml.jobs.control import Made
from cloudml.jobs.control.traffic import Traffic
from cloudml.jobs.control.watch import Sight, look
from cloudml.jobs.failure import Refused
from cloudml.jobs.platform import Store
from cloudml.runtime.drift import Profile
from cloudml.runtime.monitoring import Check, Told
from cloudml_vertex.container import google as jobs
from cloudml_vertex.container.bucket import Bucket
from cloudml_vertex.container.control import captured, retraining, telling
from cloudml_vertex.hosting import rollback as rolling
from cloudml_vertex.hosting.port import Failed, Google


def watch(action: Document, context: Context) -> Made:
    """The report. Raises Refused: a reaction failed; the report says which, and all others were done."""
    store = Bucket()
    return look(action, context, store, Watched(action, jobs, store))


@dataclass(frozen=True)
class Watched:
    """The endpoint, as the monitor's action names it: `cloudml.jobs.control.watch.Watched`."""

    action: Document
    google: Google
    store: Store

    def traffic(self, sight: Sight, profiles: Mapping[str, Profile], order: Sequence[str]) -> Traffic:
        """What the serving container captured."""
        identifier = str(sight.endpoint["endpoint"]).rpartition("/")[2]
        base = f"{self.action['capture']}/{identifier}/{sight.endpoint['deployment']}"
        return captured.read(self.store, base, sight.window, profiles, order)

    def service(self, sight: Sight, statistics: Sequence[str]) -> dict[str, Told]:
        """From Cloud Monitoring."""
        name, deployed = str(sight.endpoint["endpoint"]), str(sight.endpoint["deployment"])
        return telling.told(self.google, name, deployed, sight.window, statistics)

    def tell(self, checks: Sequence[Check], counts: Mapping[str, float], at: datetime) -> None:
        """Into Cloud Monitoring."""
        labels = {key.lower(): value for key, value in self.action["dimensions"].items()}
        project = "/".join(str(self.action["parent"]).split("/")[:2])
        telling.tell(self.google, project, labels, checks, counts, at)

    def retrain(self, at: datetime) -> Document:
        """Start the pipeline, or say why not."""
        return retraining.retrain(self.google, self.store, self.action, self.action["retrain"], at)

    def rollback(self, sight: Sight, reason: str) -> Document:
        """To what the endpoint served before. Raises Refused."""
        name, deployed = str(sight.endpoint["endpoint"]), str(sight.endpoint["deployment"])
        live = self.google.find("EndpointService.GetEndpoint", name=name)
        if live is None or not live.get("traffic_split", {}).get(deployed):
            return {"held": "the endpoint serves something else by now"}
        try:
            after = rolling.rollback(self.google, name)
        except Failed as error:
            raise Refused(str(error)) from error
        return {"serves": ", ".join(sorted(key for key, share in after["traffic_split"].items() if share))}
