"""Where Vertex AI puts things in a container, and where it looks for what a job leaves.

Cloud Storage stands at /gcs (Vertex AI, "Use Cloud Storage as a mounted file system"); CLOUDML_GCS_ROOT may name
another folder. Variables of custom jobs: "Custom training code requirements" (AIP_*, CLOUD_ML_*) and "Distributed
training" (CLUSTER_SPEC).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloudml.jobs.failure import Refused
from cloudml_vertex.container.executor import ExecutorInput

Document = dict[str, Any]

ROOT, ROOT_VARIABLE = "/gcs", "CLOUDML_GCS_ROOT"
MEMBER = "--"
"""Between a member of a group and its port in the name of an output artifact: a slash would be a folder."""
RESULT = "result"
"""The output artifact whose folder holds `result.json`."""
_GCS = "gs://"


@dataclass
class Layout:
    """The folders of one job. `own`: for what the component declares no artifact for; it ends with the job.

    `trial`: the number of a trial of a tuning job, whose outputs lie below AIP_MODEL_DIR. `kept`: a gs:// folder for
    checkpoints, where the service gives the job none.
    """

    told: ExecutorInput
    root: Path
    own: Path
    environment: Mapping[str, str]
    trial: str = ""
    kept: str = ""
    shared: bool = True
    _cluster: Document = field(default_factory=dict)

    @classmethod
    def find(cls, arguments: Sequence[str], environment: Mapping[str, str], own: Path) -> Layout:
        """By the command line and the environment. Raises Refused: either is not Vertex AI's."""
        try:
            cluster = json.loads(environment.get("CLUSTER_SPEC") or environment.get("TF_CONFIG") or "{}")
        except ValueError:
            raise Refused("the cluster that the job was told of is no JSON (CLUSTER_SPEC, TF_CONFIG)") from None
        root = Path(environment.get(ROOT_VARIABLE) or ROOT)
        trial = environment.get("CLOUD_ML_TRIAL_ID", "")
        return cls(ExecutorInput.find(arguments), root, own, environment, trial, _cluster=cluster)

    def local(self, uri: str) -> Path:
        """Where a gs:// address lies on this machine. Raises Refused: it is none, or leads out of its bucket."""
        bucket, _, key = uri.removeprefix(_GCS).partition("/")
        if not uri.startswith(_GCS) or not bucket or {".", ".."} & {bucket, *key.split("/")}:
            raise Refused(f"{uri!r} is no address in Cloud Storage (gs://bucket/path)")
        return self.root / bucket / key

    def input(self, name: str) -> Path:
        """The folder of an input artifact; an empty one of the job's own when the task was given none."""
        found = self.told.inputs.get(name)
        return self.local(found[0]["uri"]) if found else self.own / "absent" / name

    def items(self, name: str) -> list[Path]:
        """The folders of a collected input: Vertex lists them in the order of the items."""
        return [self.local(one["uri"]) for one in self.told.inputs.get(name, ())]

    def external(self, name: str, uri: str) -> Path:
        """What an importer's artifact names, else the address itself."""
        return self.input(name) if name in self.told.inputs else self.local(uri.rstrip("/"))

    def output(self, name: str) -> Path:
        """The folder of an output artifact; a trial has its own folder for each, and no executor output."""
        key = name.replace("/", MEMBER)
        models = self.environment.get("AIP_MODEL_DIR", "")
        if self.trial and models:
            return self.local(f"{models.rstrip('/')}/{key}")
        found = self.told.outputs.get(key)
        return self.local(found["uri"]) if found else self.own / "outputs" / key

    @property
    def result(self) -> Path:
        """The record of what happened."""
        return self.output(RESULT) / "result.json"

    @property
    def checkpoints(self) -> Path:
        """AIP_CHECKPOINT_DIR of a custom job, else a folder of the run and the step."""
        uri = self.environment.get("AIP_CHECKPOINT_DIR") or self.kept
        return self.local(uri.rstrip("/")) if uri else self.own / "checkpoints"

    @property
    def told_file(self) -> Path | None:
        """The file of the executor output; None for a trial, which has none."""
        if self.trial or not self.told.file:
            return None
        path = self.told.file
        if path.startswith(_GCS):
            return self.local(path)
        if not path.startswith(f"{ROOT}/"):
            return Path(path)
        return self.local(_GCS + path.removeprefix(f"{ROOT}/"))

    def hosts(self) -> tuple[list[str], int]:
        """The replicas of all worker pools, the primary first (CLUSTER_SPEC, else TF_CONFIG)."""
        pools: Mapping[str, Sequence[str]] = self._cluster.get("cluster", {})
        task: Document = self._cluster.get("task", {})
        names: list[str] = []
        rank = 0
        for pool in sorted(pools):
            if pool == task.get("type"):
                rank = len(names) + int(task.get("index", 0))
            names += [address.rpartition(":")[0] or address for address in pools[pool]]
        return names or ["localhost"], rank

    def replace(self, file: Path, document: Document) -> None:
        """Write a JSON document whole, or not at all. Raises OSError."""
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"{file.name}.tmp")
        temporary.write_text(json.dumps(document), encoding="utf-8")
        os.replace(temporary, file)
