"""Baking an image for a target: planned by the backend, built and pushed by the container engine of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudml.backend.image import ImagePlan, Images, Login
from cloudml.backend.port import Target
from cloudml.discovery import load_backend
from cloudml.errors import BackendError, CloudmlError, Refused
from cloudml.operations.project import Project
from cloudml.operations.settings import write_setting

ENGINES: dict[str, tuple[str, ...]] = {
    "docker": ("buildx", "build", "--provenance=false", "--output=type=docker"),
    "podman": ("build", "--format=docker"),
    "finch": ("build", "--provenance=false"),
}
"""Engines in the order in which they are tried, and how each builds one plain image: clouds refuse an index of several
manifests, which is what attestations make of it."""

_LAST_WORDS = 15
"""Lines of an engine's output that an error repeats."""
_ANSWERS = 60.0
"""Seconds that an engine has to tell its version."""


@dataclass(frozen=True)
class Built:
    """What came of it. `image` is the pushed image by its digest; `reused`: the same content had been pushed before."""

    plan: ImagePlan
    engine: str = ""
    image: str = ""
    reused: bool = False
    written: bool = False


def show(target: Target, base: str | None = None, *, serving: bool = False) -> ImagePlan:
    """The image as it would be built; no engine and no network is needed."""
    return _images(target).plan(target, base, serving=serving)


def build(
    project: Project,
    target: Target,
    *,
    base: str | None = None,
    serving: bool = False,
    push: bool = False,
    engine: str | None = None,
    write: bool = False,
) -> Built:
    """Build the image; with `push` bring it to the target's registry, unless the same content lies there already.

    The base is taken by its digest where its registry tells it. `write` names the image in cloudml.toml. Raises
    BackendError (CML544: no engine), CloudmlError (CML545: the engine failed), Refused, CloudError.
    """
    images = _images(target)
    plan = images.plan(target, base, serving=serving)
    if push:
        plan = images.plan(target, images.resolve(target, plan.base), serving=serving)
        found = images.find(target, plan)
        if found is not None:
            return Built(plan, image=found, reused=True, written=_written(project, target, plan, found, write=write))
    chosen = choose(engine)
    logins = images.logins(target, plan) if push else ()
    for login in logins:
        _sign_in(chosen, login)
    _build(chosen, plan)
    if not push:
        return Built(plan, chosen)
    images.prepare(target, plan)
    _run([chosen, "push", plan.uri], "the image cannot be pushed")
    image = images.find(target, plan)
    if image is None:
        raise CloudmlError(f"{plan.uri} was pushed, and the registry does not know it", code="CML545", hint="try again")
    return Built(plan, chosen, image, written=_written(project, target, plan, image, write=write))


def _images(target: Target) -> Images:
    backend = load_backend(target.backend)
    if backend.image is None:
        raise Refused(f"backend {backend.name!r} runs no containers", code="CML545", hint="no image is needed")
    return backend.image


def _written(project: Project, target: Target, plan: ImagePlan, image: str, *, write: bool) -> bool:
    if write:
        write_setting(project, target.name, plan.setting, image)
    return write


def choose(engine: str | None) -> str:
    """The engine to use: the one that is named, else the first that is there. Raises BackendError (CML544)."""
    names = [engine] if engine is not None else list(ENGINES)
    for name in names:
        if shutil.which(name) is None:
            continue
        trouble = _trouble(name)
        if trouble is None:
            return name
        message = f"{name} is installed, and does not answer: {trouble}"
        raise BackendError(message, code="CML544", hint=f"start it, or choose another: --engine {'|'.join(ENGINES)}")
    raise BackendError(
        f"there is no container engine here (looked for {', '.join(names)})",
        code="CML544",
        hint="install Docker, Podman or Finch; or build the Dockerfile of `cloudml build --print` elsewhere. "
        "Stock images need no build at all",
    )


def _trouble(engine: str) -> str | None:
    """Why an engine that is installed cannot be used; `version` asks its daemon too."""
    try:
        asked = subprocess.run(  # noqa: S603 - a name of the table above
            [engine, "version"], capture_output=True, text=True, errors="replace", check=False, timeout=_ANSWERS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = (asked.stderr or asked.stdout).strip().splitlines()
    return None if asked.returncode == 0 else (said[-1] if said else f"exit code {asked.returncode}")


def _sign_in(engine: str, login: Login) -> None:
    words = [engine, "login", "--username", login.user, "--password-stdin", login.host]
    _run(words, f"{engine} cannot sign in to {login.host}", given=login.password)


def _build(engine: str, plan: ImagePlan) -> None:
    with tempfile.TemporaryDirectory(prefix="cloudml-build-") as folder:
        for name, content in {**plan.files, "Dockerfile": plan.dockerfile.encode()}.items():
            path = Path(folder, name)
            if not path.resolve().is_relative_to(Path(folder).resolve()):
                raise Refused(f"the file {name!r} lies outside of the build's folder", code="CML545")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        file = str(Path(folder, "Dockerfile"))
        words = [engine, *ENGINES.get(engine, ("build",)), "--platform", plan.platform, "-f", file, "-t", plan.uri]
        _run([*words, folder], "the image cannot be built")


def _run(words: Sequence[str], failed: str, *, given: str | None = None) -> None:
    """Run the engine; its output goes to stderr as it comes, its last lines into the error. Raises CML545."""
    tail: list[str] = []
    process = subprocess.Popen(  # noqa: S603 - the engine, with arguments of ours and no shell
        list(words),
        stdin=subprocess.PIPE if given is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"},
    )
    with process:
        if given is not None and process.stdin is not None:
            process.stdin.write(given)
            process.stdin.close()
        for line in process.stdout or ():
            sys.stderr.write(line)
            tail = [*tail, line.rstrip()][-_LAST_WORDS:]
    if process.returncode:
        last = "\n".join(line for line in tail if line)
        command = re.sub(r"\s+", " ", " ".join(words[:3]))
        raise CloudmlError(f"{failed}: {command} ended with {process.returncode}", code="CML545", hint=last)
