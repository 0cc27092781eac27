"""The files of results below the output directory, in the names of the switch `batch-output-names`.

Observed: `prediction.results-00000-of-00002`, and in `prediction.errors_stats-00000-of-00001` one line `('MESSAGE', N)`
for every kind of failure (Google's page "Troubleshooting", "Exceeded retries error"). Documented (docstring of
OutputConfig.gcs_destination): `predictions_0001.jsonl`, and `errors_0001.jsonl` with every failed instance.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from cloudml_vertex.mock.batch.instances import Instance
from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.core.times import seconds
from cloudml_vertex.mock.core.world import World

Document = dict[str, Any]

SHARD = 1000
"""Instances of one file; how many Vertex AI takes is not published, and depends on the machines."""
_UNFIT = re.compile(r"[^\w .-]")


def directory(world: World, job: Document) -> str:
    """The directory that a new job makes, without a slash at its end."""
    moment = datetime.fromtimestamp(seconds(job["create_time"]), UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
    if _observed(world):
        text = re.sub(r"[-:.]", "_", text)
    prefix = job["output_config"]["gcs_destination"]["output_uri_prefix"].rstrip("/")
    return f"{prefix}/prediction-{_UNFIT.sub('_', job['_model_display_name'])}-{text}"


class Results:
    """What has become of every instance, and the files of it. Each file is written as soon as it is full.

    Raises GcsMissing when the bucket is not there.
    """

    def __init__(self, world: World, folder: str, form: str, total: int) -> None:
        self._world = world
        self._folder = folder
        self._form = form
        self._files = max(1, -(-total // SHARD))
        self._total = total
        self._rows: list[Document] = []
        self._failed: list[tuple[Instance, GoogleError]] = []
        self._seen = 0
        self._written = 0
        gcs.path_of(world, folder)  # a job whose bucket is missing fails before its container starts

    @property
    def first_error(self) -> GoogleError | None:
        """Why the first of the failed instances did."""
        return self._failed[0][1] if self._failed else None

    @property
    def stats(self) -> Document:
        """CompletionStats."""
        failed = len(self._failed)
        counts = {"successful_count": self._seen - failed, "failed_count": failed}
        return {**counts, "incomplete_count": self._total - self._seen}

    def predicted(self, instance: Instance, prediction: Any) -> None:
        """An instance was predicted."""
        self._rows.append({"_columns": instance.columns, **instance.shown, "prediction": prediction})
        self._count()

    def failed(self, instance: Instance, error: GoogleError) -> None:
        """An instance was not."""
        self._failed.append((instance, error))
        self._count()

    def close(self) -> None:
        """Write what is not written yet, and the errors."""
        if self._rows or self._written < self._files:
            self._write()
        self._write_errors()

    def _count(self) -> None:
        self._seen += 1
        if self._seen % SHARD == 0:
            self._write()

    def _write(self) -> None:
        name = f"prediction.results-{self._written:05d}-of-{self._files:05d}"
        if self._form == "csv":
            name += ".csv"
        if not _observed(self._world):
            name = f"predictions_{self._written + 1:04d}.{self._form}"
        gcs.write(self._world, f"{self._folder}/{name}", _FORMS[self._form](self._rows).encode())
        self._rows = []
        self._written += 1

    def _write_errors(self) -> None:
        if _observed(self._world):
            counts = Counter(error.message for _, error in self._failed)
            name, text = "prediction.errors_stats-00000-of-00001", "".join(f"{one}\n" for one in counts.items())
        else:
            name, text = f"errors_0001.{self._form}", _FORMS[self._form](_errors(self._failed))
            if not self._failed:
                return
        gcs.write(self._world, f"{self._folder}/{name}", text.encode())


def _errors(failed: list[tuple[Instance, GoogleError]]) -> list[Document]:
    return [
        {"_columns": one.columns, **one.shown, "error": {"code": error.number, "message": error.message}}
        for one, error in failed
    ]


def _jsonl(rows: list[Document]) -> str:
    public = ({key: value for key, value in row.items() if key != "_columns"} for row in rows)
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in public)


def _csv(rows: list[Document]) -> str:
    """The columns of the instance, then the prediction or the error; what is no scalar stands as JSON."""
    flat = [_flat(row) for row in rows]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(dict.fromkeys(name for row in flat for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return stream.getvalue() if flat else ""


def _flat(row: Document) -> Document:
    found = {key: value for key, value in row.items() if key not in {"_columns", "instance"}}
    instance = row.get("instance")
    if isinstance(instance, list) and len(instance) == len(row["_columns"]):
        found = {**dict(zip(row["_columns"], instance, strict=True)), **found}
    elif isinstance(instance, dict):
        found = {**instance, **found}
    elif "instance" in row:
        found = {"instance": instance, **found}
    return {key: json.dumps(value) if isinstance(value, dict | list) else value for key, value in found.items()}


_FORMS = {"jsonl": _jsonl, "csv": _csv}


def _observed(world: World) -> bool:
    return world.switches["batch-output-names"] == "observed"
