"""A world without servers in which models are registered and deployed, and what tests do with it."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloudml_vertex.mock import hosting, registry
from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.core.errors import GoogleError
from tests.unit.vertex_mock.jobs.vertex_bench import HERE, Bench

PARENT = f"projects/{HERE.account}/locations/{HERE.region}"
MODEL = f"{PARENT}/models/tripler"
PROGRAM = Path(__file__).with_name("vertex_hosting_server.py")
IMAGE = f"team/images/server={sys.executable} -S {PROGRAM}"
SPEC = {
    "image_uri": "us-docker.pkg.dev/team/images/server:1",
    "predict_route": "/predict",
    "health_route": "/health",
}
MACHINE = {"machine_spec": {"machine_type": "n1-standard-2"}, "min_replica_count": 1}


def mode(name: str) -> dict[str, Any]:
    """A container that behaves badly."""
    return {**SPEC, "env": [{"name": "MODE", "value": name}]}


def _mask(paths: list[str]) -> str:
    """As proto3 JSON writes a FieldMask."""
    return ",".join(re.sub("_([a-z])", lambda found: found[1].upper(), path) for path in paths)


class HostingBench(Bench):
    """Models and endpoints. The model `tripler` has the version 1, which triples."""

    rooms = (registry, hosting)
    images = (IMAGE,)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.world.rooms["hosting"].patience = 10.0

    def ask(self, rpc: str, version: str = "v1", **params: Any) -> Any:
        """An RPC by service and method; masks are lists here."""
        params = {key: _mask(value) if key.endswith("_mask") else value for key, value in params.items()}
        return self.world.call(HERE, rpc, params, version=version)

    def until(self, true: Callable[[], Any]) -> None:
        """Wait for what processes and threads bring about."""
        limit = time.monotonic() + 20
        while not true():
            assert time.monotonic() < limit
            time.sleep(0.01)

    def model(self, method: str, **params: Any) -> Any:
        return self.ask(f"ModelService.{method}", **params)

    def endpoint(self, method: str, **params: Any) -> Any:
        return self.ask(f"EndpointService.{method}", **params)

    def ended(self, operation: Any) -> Any:
        """The operation at its end."""
        asked = {"name": operation["name"], "timeout": "20s"}
        found = self.world.call(HERE, "Operations.WaitOperation", asked)
        assert found.get("done"), found
        return found

    def done(self, operation: Any) -> Any:
        """The response of an operation that succeeds."""
        found = self.ended(operation)
        assert "error" not in found, found["error"]
        return found["response"]

    def failed(self, operation: Any) -> tuple[int, str]:
        """Code and message of an operation that fails."""
        found = self.ended(operation)
        assert "error" in found, found
        return found["error"]["code"], found["error"]["message"]

    def refused(self, rpc: str, version: str = "v1", **params: Any) -> str:
        """The code with which a request is refused."""
        try:
            self.ask(rpc, version, **params)
        except GoogleError as error:
            return error.code
        raise AssertionError(f"{rpc} was not refused")

    def upload(self, model_id: str = "", parent: str = "", **more: Any) -> Any:
        """The response of UploadModel."""
        model = {"display_name": "a model", "container_spec": SPEC, **more}
        given = {"parent": PARENT, "model": {key: value for key, value in model.items() if value is not None}}
        given |= {"parent_model": f"{PARENT}/models/{parent}"} if parent else {}
        return self.done(self.model("UploadModel", **given, **({"model_id": model_id} if model_id else {})))

    def tripler(self, factor: float = 3, **more: Any) -> str:
        """A version of the model `tripler`, by its id."""
        gcs.write(self.world, f"gs://bucket/models/{factor}/factor", str(factor).encode())
        known = "tripler" if MODEL in self.world.table("Model", HERE) else ""
        more = {"artifact_uri": f"gs://bucket/models/{factor}", **more}
        made = self.upload("" if known else "tripler", known, **more)
        return str(made["model_version_id"])

    def new(self, endpoint_id: str = "", **more: Any) -> str:
        """A new endpoint's name."""
        given = {"parent": PARENT, "endpoint": {"display_name": "an endpoint", **more}, "endpoint_id": endpoint_id}
        return str(self.done(self.endpoint("CreateEndpoint", **given))["name"])

    def begin(self, endpoint: str, version: str = "1", split: dict[str, int] | None = None, **more: Any) -> Any:
        """The operation of a deployment."""
        deployed = {"model": f"{MODEL}@{version}", "dedicated_resources": MACHINE, **more}
        deployed = {key: value for key, value in deployed.items() if value is not None}
        return self.endpoint("DeployModel", endpoint=endpoint, deployed_model=deployed, traffic_split=split or {})

    def deploy(self, endpoint: str, version: str = "1", split: dict[str, int] | None = None, **more: Any) -> Any:
        """The DeployedModel, once it serves."""
        return self.done(self.begin(endpoint, version, split, **more))["deployed_model"]

    def get(self, endpoint: str) -> Any:
        return self.endpoint("GetEndpoint", name=endpoint)

    def predict(self, endpoint: str, *instances: Any, **more: Any) -> Any:
        """The response of Predict."""
        return self.ask("PredictionService.Predict", endpoint=endpoint, instances=list(instances), **more)
