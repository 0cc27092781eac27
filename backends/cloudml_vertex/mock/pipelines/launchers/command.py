"""Recognising a launcher by its container's image and command, and reading its arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_IMAGE = re.compile(r"gcr\.io/ml-pipeline/google-cloud-pipeline-components(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?")
_PACKAGE = "google_cloud_pipeline_components.container."
_V1 = "google_cloud_pipeline_components.container.v1."

_MODULES: dict[str, tuple[str, ...]] = {
    "custom_job.launcher": ("CustomJob",),
    "hyperparameter_tuning_job.launcher": ("HyperparameterTuningJob", "HyperparameterTuningJobWithMetrics"),
    "batch_prediction_job.launcher": ("BatchPredictionJob",),
    "model.upload_model.launcher": ("UploadModel",),
    "model.export_model.launcher": ("ExportModel",),
    "model.delete_model.launcher": ("DeleteModel",),
    "model.get_model.launcher": ("GetModel",),
    "endpoint.create_endpoint.launcher": ("CreateEndpoint",),
    "endpoint.delete_endpoint.launcher": ("DeleteEndpoint",),
    "endpoint.deploy_model.launcher": ("DeployModel",),
    "endpoint.undeploy_model.launcher": ("UndeployModel",),
}
"""The launchers that are served, below `container.v1`, and the values of --type that each takes."""

_REQUIRED = ("type", "project", "location", "payload", "gcp_resources")
_ALSO_REQUIRED = {
    "BatchPredictionJob": ("executor_input",),
    "UploadModel": ("executor_input",),
    "CreateEndpoint": ("executor_input",),
    "ExportModel": ("output_info",),
}
_GET_MODEL = ("project", "location", "model_name", "executor_input")


class LauncherProblem(Exception):
    """A launcher that is not served, or one that would refuse its arguments; the text says why."""


@dataclass(frozen=True)
class Launch:
    """A launcher with its arguments. `gcp_resources` is the path that it writes what it has started to."""

    kind: str
    project: str
    location: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    gcp_resources: str = ""
    executor_input: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def parent(self) -> str:
        """The location's resource name."""
        return f"projects/{self.project}/locations/{self.location}"

    @property
    def prefix(self) -> str:
        """What launchers put before a resource's name to make a URI."""
        return f"https://{self.location}-aiplatform.googleapis.com/v1/"


def recognise(image: str, command: Sequence[str], args: Sequence[str]) -> Launch | None:
    """The launcher that a container (placeholders replaced) is; None for an ordinary one. Raises LauncherProblem."""
    if not _IMAGE.fullmatch(image):
        return None
    words = [*command, *args]
    module = words[words.index("-m") + 1] if "-m" in words[:-1] else ""
    if not module.startswith(_PACKAGE):
        return None
    kinds = _MODULES.get(module.removeprefix(_V1))
    if kinds is None:
        served = ", ".join(name for several in _MODULES.values() for name in several)
        raise LauncherProblem(f"{module} of the Google Cloud components is not executed by this mock; it runs {served}")
    given = _options(words[words.index("-m") + 2 :])
    kind = kinds[0] if kinds == ("GetModel",) else _kind(given, kinds)
    return _launch(kind, given)


def _kind(given: Mapping[str, str], kinds: tuple[str, ...]) -> str:
    missing = [f"--{name}" for name in _REQUIRED if name not in given]
    if missing:
        raise LauncherProblem(f"the launcher requires the arguments {', '.join(missing)}")
    if given["type"] not in kinds:
        raise LauncherProblem(f"Incorrect job type: {given['type']}")
    missing = [f"--{name}" for name in _ALSO_REQUIRED.get(given["type"], ()) if name not in given]
    if missing:
        raise LauncherProblem(f"the launcher requires the arguments {', '.join(missing)}")
    return given["type"]


def _launch(kind: str, given: Mapping[str, str]) -> Launch:
    if kind == "GetModel" and any(not given.get(name) for name in _GET_MODEL):
        raise LauncherProblem(
            "Model resource name must be in the format projects/{project}/locations/{location}/models/{model_name}"
        )
    project, location = given["project"], given["location"]
    payload = _json(given.get("payload", "{}"), "--payload")
    for field_name, collection in _LOCATED.get(kind, ()):
        project, location = _of_name(str(payload.get(field_name, "")), collection)
    return Launch(
        kind=kind,
        project=project,
        location=location,
        payload=payload,
        gcp_resources=given.get("gcp_resources", ""),
        executor_input=_json(given.get("executor_input", "{}"), "--executor_input"),
        options=given,
    )


_LOCATED = {
    "DeployModel": (("endpoint", "endpoints"),),
    "UndeployModel": (("endpoint", "endpoints"),),
    "DeleteEndpoint": (("endpoint", "endpoints"),),
    "DeleteModel": (("model", "models"),),
    "ExportModel": (("name", "models"),),
}
"""Launchers that take project and location from a resource in their payload, whatever their arguments say."""


def _of_name(name: str, collection: str) -> tuple[str, str]:
    match = re.fullmatch(rf"projects/([^/]+)/locations/([^/]+)/{collection}/[^/]+", name)
    if match is None:
        expected = f"projects/[project_id]/locations/[location]/{collection}/[id]"
        raise LauncherProblem(f"Invalid {collection[:-1]} name: {name}. Expect: {expected}.")
    return match[1], match[2]


def _options(words: Sequence[str]) -> dict[str, str]:
    """--name value and --name=value; the last one counts, as with argparse."""
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            found[name] = value if equals else next(rest, "")
    return found


def _json(text: str, what: str) -> dict[str, Any]:
    try:
        found = json.loads(text, strict=False)
    except ValueError as error:
        raise LauncherProblem(f"{what} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise LauncherProblem(f"{what} is no JSON object")
    return found
