"""A world with what monitors look at. The endpoint is written into the store: no container has to run for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cloudml_vertex.mock import around, hosting, monitors, registry
from cloudml_vertex.mock.core import gcs, predictions
from tests.unit.vertex_mock.around.vertex_around import LOCATION, PROJECT, Lab

PARENT = f"projects/{PROJECT}/locations/{LOCATION}"
BUCKET = "gs://data"
HOUR = 3600.0
IMAGE = "us-docker.pkg.dev/my-project/images/server:1"


class MonitorLab(Lab):
    """The rooms of monitoring, logging, models; endpoint `9` with the deployed models 1 (model m@1) and 2."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, around, registry, monitors)
        gcs.make_bucket(self.world, "data")
        self.endpoint = f"projects/{self.number}/locations/{LOCATION}/endpoints/9"
        container = {"image_uri": IMAGE}
        model = {"display_name": "m", "container_spec": container}
        self.call("ModelService.UploadModel", parent=PARENT, model=model, model_id="m")
        self.advance(0)
        full = f"projects/{self.number}/locations/{LOCATION}/models/m"
        self.deploy({"id": "1", "model": full, "model_version_id": "1"}, {"id": "2", "model": full + "x"})

    def deploy(self, *deployed: dict[str, Any], **more: Any) -> None:
        """Let the endpoint hold these deployed models and no others."""
        row = {"name": self.endpoint, "display_name": "e", "deployed_models": list(deployed), "_serving": {}, **more}
        with self.world.lock:
            self.world.table(hosting.rows.KIND, self.scope).put(self.endpoint, row)

    def put(self, name: str, text: str) -> str:
        """An object of the bucket; its URI."""
        uri = f"{BUCKET}/{name}"
        gcs.write(self.world, uri, text.encode())
        return uri

    def get(self, uri: str) -> Any:
        """The JSON of an object."""
        return json.loads(gcs.read(self.world, uri))

    def predict(self, *instances: Any, deployed: str = "1", prediction: Any = None) -> None:
        """As if the endpoint had answered these instances now."""
        for instance in instances:
            predictions.record(self.world, self.endpoint, deployed, instance, prediction)

    def done(self, operation: dict[str, Any]) -> dict[str, Any]:
        """The response of a long-running operation."""
        self.advance(0)
        found = self.call("Operations.GetOperation", name=operation["name"])
        assert found["done"], found
        assert "error" not in found, found
        response: dict[str, Any] = found["response"]
        return response


def csv(*rows: dict[str, Any]) -> str:
    """Rows as CSV with a header."""
    lines = [",".join(rows[0])] + [",".join(str(value) for value in row.values()) for row in rows]
    return "\n".join(lines) + "\n"
