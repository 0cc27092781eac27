"""The target's settings: in which project, region and bucket things are made. Read once, checked all at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.backend.port import Target
from cloudml.errors import Diagnostic, SpecError
from cloudml_vertex import names

if TYPE_CHECKING:
    from cloudml.spec import Resources

SETTINGS = {
    "project": "id of the Google Cloud project; required",
    "region": "region of Vertex AI, such as europe-west4; required",
    "service_account": "e-mail address of the service account that the pipeline and its jobs run as; required",
    "bucket": "bucket of Cloud Storage for code, data and models; required",
    "prefix": "folder in the bucket (default: <project>/<target>)",
    "image": "image URI of jobs, with Python 3.11 or newer (default: python:3.11-slim)",
    "serving_image": "image URI of endpoints (default: python:3.11-slim)",
    "requirements": "file of what jobs install when the image lacks it (default: requirements.txt if there is one)",
    "machine": "machine type of jobs that need none in particular (default: e2-standard-4)",
    "tuning": "native: Vertex AI's own tuning jobs (default); portable: one job searches as the local backend does",
    "monitors": "portable: cloudml's own job watches (default); native-v1 or native-v2: Vertex AI's model monitoring",
    "kms": "full name of the key that everything is encrypted with (projects/…/cryptoKeys/…)",
    "network": "full name of the network of the jobs (projects/<number>/global/networks/<name>)",
    "labels": "labels for all that is made, a table",
    "endpoint": "address of Vertex AI's API, for a mock or a private one (default: that of the region)",
}
IMAGE = "python:3.11-slim"
"""Docker's own image of Python: Vertex AI takes any that it can pull."""
MACHINE = "e2-standard-4"
"""What Vertex AI runs a container on that asks for nothing ("Configure machine types" of Vertex AI Pipelines)."""

_PROJECT = re.compile(r"(?:[a-z][a-z0-9.-]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")
_REGION = re.compile(r"[a-z]+-[a-z]+\d+")
_ACCOUNT = re.compile(r"[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*")
_MACHINE = re.compile(r"[a-z0-9]+-[a-z0-9-]+")
_KEY = re.compile(r"projects/[^/\s]+/locations/[a-z0-9-]+/keyRings/[\w-]{1,63}/cryptoKeys/[\w-]{1,63}")
_NETWORK = re.compile(r"projects/[^/\s]+/global/networks/[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL = re.compile(r"[a-z0-9_-]{0,63}")
_OWN = "cloudml-"


@dataclass(frozen=True)
class Place:
    """Where everything of a target lies. `requirements`: a file relative to `root`, None when there is none.

    `project` is cloudml's project; Google's is `account`.
    """

    project: str
    target: str
    root: Path
    account: str
    region: str
    service_account: str
    bucket: str
    prefix: str
    image: str = ""
    serving_image: str = ""
    requirements: str | None = None
    tuning: str = "native"
    kms: str | None = None
    network: str | None = None
    machine: str = MACHINE
    labels: tuple[tuple[str, str], ...] = ()
    endpoint: str | None = None
    monitors: str = "portable"

    @classmethod
    def of(cls, target: Target) -> Place:
        """Raises SpecError (CML330) that names every setting that is missing, unknown or wrong."""
        reader = _Settings(target)
        engines = re.compile("portable|native-v1|native-v2")
        place = cls(
            project=target.project,
            target=target.name,
            root=target.root,
            account=reader.text("project", _PROJECT, "the id of a project", required=True),
            region=reader.text("region", _REGION, "a region such as europe-west4", required=True),
            service_account=reader.text(
                "service_account", _ACCOUNT, "an address: name@project.iam.gserviceaccount.com", required=True
            ),
            bucket=reader.text("bucket", _BUCKET, "the name of a bucket", required=True),
            prefix=reader.text("prefix", _PREFIX, "folders without a slash at either end")
            or f"{target.project}/{target.name}",
            image=reader.text("image", re.compile(r"\S{1,255}"), "the URI of an image"),
            serving_image=reader.text("serving_image", re.compile(r"\S{1,255}"), "the URI of an image"),
            requirements=reader.requirements(),
            tuning=reader.text("tuning", re.compile("native|portable"), "'native' or 'portable'") or "native",
            kms=reader.text("kms", _KEY, "the full name of a key") or None,
            network=reader.text("network", _NETWORK, "projects/<number>/global/networks/<name>") or None,
            machine=reader.text("machine", _MACHINE, "a machine type such as e2-standard-4") or MACHINE,
            labels=reader.labels(),
            endpoint=reader.text("endpoint", re.compile(r"\S{1,255}"), "an address such as host:port") or None,
            monitors=reader.text("monitors", engines, "'portable', 'native-v1' or 'native-v2'") or "portable",
        )
        if reader.findings:
            raise SpecError(reader.findings)
        return place

    @property
    def base(self) -> str:
        """`gs://bucket/prefix`, without a slash at the end."""
        return f"gs://{self.bucket}/{self.prefix}"

    @property
    def parent(self) -> str:
        """What all of Vertex AI's resources lie in."""
        return f"projects/{self.account}/locations/{self.region}"

    def identity(self, pipeline: str = "") -> dict[str, str]:
        """The labels by which all that cloudml makes is found again."""
        found = {"cloudml-project": names.label(self.project), "cloudml-target": names.label(self.target)}
        return {**found, **({"cloudml-pipeline": names.label(pipeline)} if pipeline else {})}

    def job_image(self, resources: Resources) -> str:
        """The image of a job."""
        return self.image or IMAGE

    def endpoint_image(self, resources: Resources) -> str:
        """The image of an endpoint."""
        return self.serving_image or IMAGE


class _Settings:
    """Reads settings one by one and keeps what is wrong with them."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._settings: Mapping[str, Any] = target.settings
        self._where = f"cloudml.toml [targets.{target.name}]"
        self.findings: list[Diagnostic] = []
        for name in sorted(set(self._settings) - set(SETTINGS)):
            close = difflib.get_close_matches(name, SETTINGS, 1)
            hint = f"did you mean {close[0]}?" if close else f"the settings are {', '.join(SETTINGS)}"
            self._find(f"unknown setting {name!r}", hint)

    def _find(self, message: str, hint: str) -> None:
        self.findings.append(Diagnostic("CML330", self._where, message, hint))

    def text(self, name: str, pattern: re.Pattern[str], wanted: str, *, required: bool = False) -> str:
        """The setting's text; empty when it is not given or wrong."""
        value = self._settings.get(name)
        if value is None:
            if required:
                self._find(f"{name} is not set", f'write {name} = "…": {SETTINGS[name]}')
            return ""
        if not isinstance(value, str) or not pattern.fullmatch(value):
            self._find(f"{name} is {value!r}", f"it must be {wanted}")
            return ""
        return value

    def labels(self) -> tuple[tuple[str, str], ...]:
        """The table of labels, in order of their keys."""
        value = self._settings.get("labels", {})
        if not isinstance(value, dict) or not all(map(_is_label, value.items())):
            hint = f"it must be a table of texts in lower case, digits, _ and -; keys may not begin with {_OWN}"
            self._find(f"labels is {value!r}", hint)
            return ()
        return tuple(sorted(value.items()))

    def requirements(self) -> str | None:
        """The file that jobs install from; an empty text says that there is none."""
        given, root = self._settings.get("requirements"), self._target.root.resolve()
        if given is None:
            return "requirements.txt" if (root / "requirements.txt").is_file() else None
        if given == "":
            return None
        path = (root / given).resolve() if isinstance(given, str) else root
        if not path.is_relative_to(root) or not path.is_file():
            self._find(f"requirements is {given!r}", "it must be a file of the project, relative to its root")
            return None
        return path.relative_to(root).as_posix()


def _is_label(pair: tuple[Any, Any]) -> bool:
    key, value = pair
    texts = isinstance(key, str) and isinstance(value, str)
    return texts and bool(_LABEL_KEY.fullmatch(key) and _LABEL.fullmatch(value)) and not key.startswith(_OWN)
