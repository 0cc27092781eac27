"""A world without servers, in which batch prediction jobs run, and what their tests do with it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from cloudml_vertex.mock import batch, hosting, jobs, registry
from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.core.errors import GoogleError
from tests.unit.vertex_mock.jobs.vertex_bench import HERE, Bench

PARENT = f"projects/{HERE.account}/locations/{HERE.region}"
IMAGE = "us-docker.pkg.dev/team/images/server:1"
SPEC = {"image_uri": IMAGE, "predict_route": "/predict", "health_route": "/health"}
PROGRAM = Path(__file__).with_name("vertex_batch_server.py")


def request(**more: Any) -> dict[str, Any]:
    """A BatchPredictionJob over gs://bucket/in.jsonl with the model `tripler`; None takes a field away."""
    made = {
        "display_name": "score",
        "model": f"{PARENT}/models/tripler",
        "input_config": {"instances_format": "jsonl", "gcs_source": {"uris": ["gs://bucket/in.jsonl"]}},
        "output_config": {
            "predictions_format": "jsonl",
            "gcs_destination": {"output_uri_prefix": "gs://bucket/out"},
        },
        "dedicated_resources": {"machine_spec": {"machine_type": "n1-standard-2"}},
        **more,
    }
    return {key: value for key, value in made.items() if value is not None}


class BatchBench(Bench):
    """Models, buckets, jobs. The model `tripler` has the version 1, which triples."""

    rooms = (jobs, registry, hosting, batch)
    images = (f"team/images/server={sys.executable} -S {PROGRAM}", "team/images/broken=/usr/bin/env false")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.world.rooms["hosting"].patience = 10.0

    def upload(self, factor: float, **more: Any) -> str:
        """A version of the model `tripler`, whose artifacts are copied; its id."""
        folder = f"gs://bucket/models/{factor}"
        gcs.write(self.world, f"{folder}/factor", str(factor).encode())
        model = {"display_name": "My tripler", "container_spec": SPEC, "artifact_uri": folder, **more}
        given = {"parent": PARENT, "model": model}
        known = f"{PARENT}/models/tripler" in self.world.table("Model", HERE)
        given |= {"parent_model": f"{PARENT}/models/tripler"} if known else {"model_id": "tripler"}
        operation = self.world.call(HERE, "ModelService.UploadModel", given)
        return str(self.done(operation)["response"]["model_version_id"])

    def done(self, operation: dict[str, Any]) -> dict[str, Any]:
        """The operation at its end."""
        asked = {"name": operation["name"], "timeout": "10s"}
        found = self.world.call(HERE, "Operations.WaitOperation", asked)
        assert found.get("done"), found
        return found

    def put(self, name: str, *values: Any) -> None:
        """A JSONL object of the bucket."""
        gcs.write(self.world, f"gs://bucket/{name}", "".join(f"{json.dumps(one)}\n" for one in values).encode())

    def score(self, **more: Any) -> str:
        """The name of a new job."""
        return str(self.call("CreateBatchPredictionJob", parent=PARENT, batch_prediction_job=request(**more))["name"])

    def scored(self, *values: Any, **more: Any) -> dict[str, Any]:
        """The document of a job over these instances that has ended."""
        self.put("in.jsonl", *values)
        return self.ended(self.score(**more))

    def refused(self, **more: Any) -> GoogleError:
        """How such a job is refused."""
        try:
            self.score(**more)
        except GoogleError as error:
            return error
        raise AssertionError("the job was not refused")

    def files(self, job: dict[str, Any]) -> dict[str, str]:
        """What a job wrote, by names of files."""
        folder = job["output_info"]["gcs_output_directory"]
        found = gcs.walk(self.world, f"{folder}/")
        return {uri.removeprefix(f"{folder}/"): gcs.read(self.world, uri).decode() for uri in found}

    def lines(self, job: dict[str, Any]) -> list[Any]:
        """Every line of its results, in order."""
        results = (text for name, text in sorted(self.files(job).items()) if name.startswith("prediction.results"))
        return [json.loads(line) for text in results for line in text.splitlines()]

    def predictions(self, job: dict[str, Any]) -> list[Any]:
        """Every prediction, in order."""
        return [line["prediction"] for line in self.lines(job)]
