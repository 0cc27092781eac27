"""An endpoint on the mock that really answers, its captured traffic, a baseline, and one look of a watch at them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cloudml.jobs.control import baseline
from cloudml.mocks.port import MockOptions
from cloudml.runtime.drift import profile
from cloudml.testing.mocks import MockInUse
from cloudml_vertex.container import http
from cloudml_vertex.container.bucket import Bucket
from cloudml_vertex.container.control import watch as watching
from cloudml_vertex.container.executor import ExecutorInput
from cloudml_vertex.container.google import GoogleError, call, find
from cloudml_vertex.container.layout import Layout
from cloudml_vertex.container.platform import Vertex

Document = dict[str, Any]
PARENT = "projects/mock-project/locations/us-central1"
ENDPOINT = f"{PARENT}/endpoints/samples-mock-live"
IMAGE = "us-docker.pkg.dev/team/images/server:1"
PROGRAM = Path(__file__).with_name("vertex_monitor_server.py")
OPTIONS = MockOptions(hold=True, images=(f"team/images/server={sys.executable} -S {PROGRAM}",))
BASE = "gs://data/samples/mock"
FOLDER = f"{BASE}/monitors/made/drift"
CAPTURE = f"{BASE}/capture"
MAIN = "samples-mock-made"
TEMPLATE = f"{BASE}/pipelines/{MAIN}.json"
NUMBERS = [float(number) for number in range(100)]
PLATFORM = Vertex(Layout(ExecutorInput({}, {}, {}), Path("/nowhere"), Path("/nowhere"), {}))


def threshold(statistic: str = "psi", limit: float = 0.2, **more: Any) -> Document:
    """As `spec.Threshold` is written down."""
    return {"statistic": statistic, "limit": limit, "direction": "above", "field": None, "min_samples": 20, **more}


class MonitorBench:
    """A project with one bucket; `deploy` makes the endpoint."""

    def __init__(self, mock: MockInUse) -> None:
        self.mock = mock
        self.store = Bucket()
        kind = {"Content-Type": "application/json"}
        url = f"{mock.url}/storage/v1/b?project=mock-project"
        http.send(http.Request("POST", url, b'{"name": "data"}', kind))

    @property
    def now(self) -> datetime:
        """By the mock's clock."""
        return self.mock.now()

    def deploy(self, identifier: str, share: int = 100) -> str:
        """A new version of the model, deployed under that id; the version's id."""
        model_name = f"{PARENT}/models/churn"
        known: Document = {"parent_model": model_name} if _there(model_name) else {"model_id": "churn"}
        spec = {"image_uri": IMAGE, "predict_route": "/predict", "health_route": "/health"}
        model = {"display_name": "churn", "container_spec": spec}
        made = call("ModelService.UploadModel", parent=PARENT, model=model, **known)
        if not _there(ENDPOINT):
            call("EndpointService.CreateEndpoint", parent=PARENT, endpoint={"display_name": "live"},
                 endpoint_id="samples-mock-live")  # fmt: skip
        live = self.endpoint().get("traffic_split", {})
        split = dict.fromkeys(live, 0) if share else live
        machine = {"machine_spec": {"machine_type": "n1-standard-2"}, "min_replica_count": 1}
        version = f"{model_name}@{made['model_version_id']}"
        call(
            "EndpointService.DeployModel", endpoint=ENDPOINT, traffic_split={**split, "0": share},
            deployed_model={"id": identifier, "model": version, "dedicated_resources": machine},
        )  # fmt: skip
        return str(made["model_version_id"])

    def undeploy(self, identifier: str) -> None:
        call("EndpointService.UndeployModel", endpoint=ENDPOINT, deployed_model_id=identifier)

    def endpoint(self) -> Document:
        return call("EndpointService.GetEndpoint", name=ENDPOINT)

    def ask(self, *instances: Any) -> None:
        """One request; what fails as well."""
        with suppress(GoogleError):
            call("PredictionService.Predict", endpoint=ENDPOINT, instances=list(instances))

    def served(self, identifier: str = "11") -> Document:
        """The deploy step's value, as far as monitors read it."""
        return {"name": "live", "endpoint": ENDPOINT, "deployment": identifier, "model": "churn", "version": "1"}

    def baseline(self, served: Document, at: datetime, **columns: list[Any]) -> Document:
        profiles = {name: profile(values) for name, values in columns.items()}
        return baseline.put(self.store, FOLDER, profiles, served, at.isoformat())

    def captured(self, when: datetime, rows: list[Document], identifier: str = "11") -> None:
        """One request, in the form of cloudml's serving container."""
        asked = {"type": "application/json", "text": json.dumps({"instances": rows})}
        line = {"time": when.isoformat(), "request": asked}
        folder = f"{CAPTURE}/samples-mock-live/{identifier}/{when:%Y/%m/%d/%H}"
        self.store.put(f"{folder}/{when:%M-%S}-{time.time_ns()}.jsonl", f"{json.dumps(line)}\nno record\n".encode())

    def action(self, **more: Any) -> Document:
        """The action of a watch."""
        about = {"Project": "samples", "Target": "mock", "Pipeline": "made", "Monitor": "drift"}
        return {
            "name": "watch", "monitor": "drift", "folder": FOLDER, "capture": CAPTURE, "features": [], "order": [],
            "thresholds": [threshold()], "window": 3600.0, "alerts": [], "pipeline": MAIN, "template": TEMPLATE,
            "parent": PARENT, "dimensions": about, "time": {}, **more,
        }  # fmt: skip

    def watch(self, at: datetime | None = None, **more: Any) -> Document:
        """The report of one look."""
        moment = (at or self.now).isoformat()
        values = SimpleNamespace(json=lambda _: moment)
        context: Any = SimpleNamespace(values=values, step={"project": "samples"}, run="run", platform=PLATFORM)
        found: Document = watching.watch(self.action(**more), context)["report"]
        return found

    def rest(self, verb: str, path: str, body: Document | None = None) -> Document:
        """What jobs never ask; camelCase, as REST tells it."""
        kind = {"Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        return http.send(http.Request(verb, self.mock.url + path, content, kind)).document()

    def reports(self) -> list[Document]:
        """Oldest first."""
        return [json.loads(self.store.get(uri)) for uri in self.store.list(f"{FOLDER}/reports/")]

    def drifted(self) -> datetime:
        """A served version whose traffic of the last hour lies in one decile of its baseline; now."""
        now = self.now
        self.baseline(self.served(), now - timedelta(hours=2), age=NUMBERS)
        self.captured(now - timedelta(minutes=10), [{"age": 99.0}] * 25)
        return now


def _there(name: str) -> bool:
    rpc = "ModelService.GetModel" if "/models/" in name else "EndpointService.GetEndpoint"
    return find(rpc, name=name) is not None


def until(done: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for what other threads bring about."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.02)
