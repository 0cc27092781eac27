"""Request-response logging: rows of the configured BigQuery table, one JSON object a line.

BigQuery itself is not there: the table `bq://PROJECT.DATASET.TABLE` is the file
`bigquery/PROJECT/DATASET/TABLE.jsonl` in the world's folder, with the columns of Vertex AI's page "Online inference
logging".
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cloudml_vertex.mock.core import names
from cloudml_vertex.mock.core.errors import invalid
from cloudml_vertex.mock.core.world import World

Document = dict[str, Any]
TABLE = "request_response_logging"
_URI = re.compile(r"bq://([a-z0-9][-a-z0-9:.]*?|\d+)(?:\.([A-Za-z0-9_]{1,1024}))?(?:\.([A-Za-z0-9_-]{1,1024}))?")


def check(config: Document) -> None:
    """Raises INVALID_ARGUMENT for a PredictRequestResponseLoggingConfig that cannot be."""
    if not config.get("enabled"):
        return
    if not 0 < config.get("sampling_rate", 0.0) <= 1:
        raise invalid("predict_request_response_logging_config.sampling_rate must be in the range (0,1].")
    uri = (config.get("bigquery_destination") or {}).get("output_uri", "")
    if not _URI.fullmatch(uri):
        raise invalid(f"predict_request_response_logging_config.bigquery_destination: {uri!r} is not of BigQuery.")


def resolve(world: World, endpoint: Document) -> None:
    """Write the table's full name into the configuration, by the rules of its docstring."""
    config = endpoint.get("predict_request_response_logging_config") or {}
    found = _URI.fullmatch((config.get("bigquery_destination") or {}).get("output_uri", ""))
    if not config.get("enabled") or found is None:
        return
    made = f"logging_{endpoint['display_name']}_{names.id_of(endpoint['name'])}"
    dataset = found[2] or re.sub(r"[^A-Za-z0-9_]", "_", made)
    config["bigquery_destination"] = {"output_uri": f"bq://{found[1]}.{dataset}.{found[3] or TABLE}"}


def path_of(world: World, uri: str) -> Path:
    """The file of a table `bq://PROJECT.DATASET.TABLE`. Raises INVALID_ARGUMENT for anything else."""
    found = _URI.fullmatch(uri)
    if found is None or not found[2] or not found[3]:
        raise invalid(f"{uri!r} is not the name of a table.")
    return world.folder / "bigquery" / found[1].replace(":", "_").replace("..", "_") / found[2] / f"{found[3]}.jsonl"


def read(world: World, endpoint: Document) -> list[Document]:
    """The rows that an endpoint's table has, oldest first."""
    config = endpoint.get("predict_request_response_logging_config") or {}
    path = path_of(world, config["bigquery_destination"]["output_uri"])
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def sampled(number: int, rate: float) -> bool:
    """Whether the `number`-th request (from 0) belongs to the sample, spread evenly."""
    return math.floor((number + 1) * rate) > math.floor(number * rate)


def write(
    world: World,
    endpoint: Document,
    deployed_id: str,
    number: int,
    request: Sequence[str],
    response: Sequence[str],
) -> None:
    """Log the `number`-th request of an endpoint, if it is sampled. Needs the lock."""
    config = endpoint.get("predict_request_response_logging_config") or {}
    if not config.get("enabled") or not sampled(number, config["sampling_rate"]):
        return
    row = {
        "endpoint": endpoint["name"],
        "deployed_model_id": deployed_id,
        "logging_time": world.stamp(),
        "request_id": int(names.new_id(world, "request")),
        "request_payload": list(request),
        "response_payload": list(response),
    }
    path = path_of(world, config["bigquery_destination"]["output_uri"])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
