"""Vertex AI as a job meets it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.jobs import failure, values
from cloudml_vertex.container import executor
from cloudml_vertex.container.layout import MEMBER, RESULT, Layout

if TYPE_CHECKING:
    from cloudml.jobs.control.posting import Message
    from cloudml.jobs.outputs import Outcome
    from cloudml_vertex.container.bucket import Bucket

Document = dict[str, Any]

OBJECTIVE = "objective"
"""The id of a study's one metric."""
METRICS = "/var/hypertune/output.metrics"
"""Where Google's cloudml-hypertune writes when CLOUD_ML_HP_METRIC_FILE says nothing."""
ACTIONS: dict[str, str] = {
    "monitor": "cloudml_vertex.container.control.monitor",
    "watch": "cloudml_vertex.container.control.watch",
}
"""The modules of the control actions that are calls of Google's API, by the action's name."""


@dataclass
class Vertex:
    """The `cloudml.jobs.platform.Platform` of a pipeline's task, a custom job or a trial.

    `step`: step.json, once it is read; it holds the project and region of the job itself under `google`.
    """

    layout: Layout
    service: str = "Vertex AI"

    def __post_init__(self) -> None:
        self._arguments: tuple[str, ...] = ()
        self._mirror: Path | None = None
        self._google: Mapping[str, str] = {}

    @property
    def store(self) -> Bucket:
        """Cloud Storage, as the job's service account."""
        from cloudml_vertex.container.bucket import Bucket

        return Bucket()

    @property
    def actions(self) -> Mapping[str, str]:
        """The modules of Google's control steps."""
        return ACTIONS

    @property
    def project(self) -> str:
        """The Google project: as the step was compiled for it, else as Vertex AI tells every custom job."""
        return self._google.get("project") or self.layout.environment.get("CLOUD_ML_PROJECT_ID", "")

    @property
    def region(self) -> str:
        """The region of the job."""
        return self._google.get("region") or self.layout.environment.get("CLOUD_ML_REGION", "")

    def given(self, step: Document, arguments: Sequence[str]) -> dict[str, str]:
        """The task's parameters, under the keys that `given` of the step has for them, and the pairs of `--set`."""
        self._arguments, self._google = tuple(arguments), step.get("google", {})
        parameters = self.layout.told.texts()
        named = {key: parameters[name] for key, name in step.get("given", {}).items() if name in parameters}
        found = {**parameters, **named, **values.given(arguments, {})}
        self._keep(step, found)
        return found

    def _keep(self, step: Document, told: Mapping[str, str]) -> None:
        """Folders of this very step of the run, for its checkpoints and its failure."""
        if not step.get("prefix") or values.RUN not in told:
            return
        names = (str(step["step"]), told.get(values.INDEX, ""))
        place = f"{told[values.RUN]}/{'-'.join(one for one in names if one)}"
        prefix = str(step["prefix"]).rstrip("/")
        self.layout.kept = f"{prefix}/checkpoints/{place}"
        self._mirror = self.layout.local(f"{prefix}/failures/{place}.json")

    def tuned(self) -> dict[str, str]:
        """The words `--name=value` that Vertex AI adds to a trial's command line."""
        taken = {following for word, following in pairwise(self._arguments) if word in (values.SET, executor.OPTION)}
        words = [one for one in self._arguments if one.startswith("--") and "=" in one and one not in taken]
        return {name: value for name, _, value in (one[2:].partition("=") for one in words)}

    def run(self) -> str:
        """The custom job, as Vertex AI names it to a container."""
        return self.layout.environment.get("CLOUD_ML_JOB_ID", "")

    def secret(self, project: str, name: str) -> str:
        """From Secret Manager (`cloudml-<project>-<name>`, its latest version). Raises Refused."""
        from cloudml_vertex.container import secret_manager

        return secret_manager.read(self.project, f"cloudml-{project}-{name}")

    def alert(self, channel: Document, message: Message) -> str:
        """To the channel's topic in Pub/Sub, and to the policy that mails it, if it has them; what went wrong."""
        problems = []
        if "topic" in channel:
            from cloudml_vertex.container import topics

            problems.append(topics.publish(str(channel["topic"]), message))
        if "alarm" in channel:
            from cloudml_vertex.container import alarms

            alarm = channel["alarm"]
            problems.append(alarms.tell(str(alarm["project"]), alarm["labels"], message))
        return "; ".join(one for one in problems if one)

    def told(self, error: BaseException) -> str:
        """Code and message."""
        from cloudml_vertex.container.http import told

        return told(error)

    def measured(self, metrics: Mapping[str, Mapping[str, Any]], objective: float | None) -> None:
        """A trial's objective, as a line of the file that Vertex AI reads, in the form of cloudml-hypertune."""
        if objective is None or not self.layout.trial or self.layout.hosts()[1]:
            return
        place = Path(self.layout.environment.get("CLOUD_ML_HP_METRIC_FILE") or METRICS)
        line = {
            "timestamp": time.time(), "trial": self.layout.trial, OBJECTIVE: repr(float(objective)),
            "global_step": "0", "checkpoint_path": "",
        }  # fmt: skip
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line, sort_keys=True)}\n")

    def finished(self, step: Document, outcome: Outcome) -> None:
        """The executor output: parameters that others read natively, and what each artifact is.

        Raises OSError, Refused.
        """
        file = self.layout.told_file
        if file is None or outcome.status == "failed":
            return
        parameters = executor.returned(step.get("returns", {}), outcome)
        self.layout.replace(file, executor.told(parameters, self.layout.told.outputs, described(outcome)))

    def failed(self, failed: Document) -> None:
        """The log's last lines, which Vertex AI shows, and a document where `cloudml why` finds it."""
        sys.stderr.write(f"{failure.CLASS}{failed.get('class') or 'error'}\n")
        if self._mirror is not None and self.layout.hosts()[1] == 0:
            try:
                self.layout.replace(self._mirror, failed)
            except OSError as error:
                sys.stderr.write(f"cloudml: the failure could not be kept: {error}\n")


def described(outcome: Outcome) -> dict[str, Document]:
    """Metadata of the output artifacts by their names: what lies there, and the numbers of metrics."""
    found: dict[str, Document] = {
        name.replace("/", MEMBER): {
            "cloudml_type": one.type, "cloudml_format": one.format, "cloudml_digest": one.digest,
            "cloudml_size": one.size,
        }
        for name, one in outcome.outputs.items()
    }  # fmt: skip
    for name, numbers in _metrics(outcome.metrics).items():
        found.setdefault(name, {}).update(numbers)
    found[RESULT] = {"cloudml_status": outcome.status}
    return found


def _metrics(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Document]:
    """By artifact: of a group, the ports lie one level deeper."""
    found: dict[str, Document] = {}
    for name, fields in metrics.items():
        for key, value in fields.items():
            if isinstance(value, Mapping):
                found[f"{name}{MEMBER}{key}"] = dict(value)
            else:
                found.setdefault(name, {})[key] = value
    return found
