"""A container of a job or a model server: what Vertex AI gives every one, and how it is started in the sandbox."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from cloudml.errors import CloudmlError
from cloudml.mocks.sandbox import Command, Mount, Process
from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core.world import World

GCS = "/gcs"
"""Where Cloud Storage stands in a container (Vertex AI, "Use Cloud Storage as a mounted file system")."""
ROOT_VARIABLE = "CLOUDML_GCS_ROOT"
"""Tells a program where /gcs really is, where the kernel grants no mounts."""
_FROM_HOST = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
"""What an image would bring: a job's programs are this machine's, and so is what they need to start."""
_PYTHON_IMAGES = (
    "python",
    "docker.io/library/python*",
    "*-docker.pkg.dev/vertex-ai/training/*",
    "gcr.io/cloud-aiplatform/training/*",
)
_PLAIN_IMAGES = ("alpine", "bash", "busybox", "debian", "ubuntu")


class ImageRefused(Exception):
    """The container cannot be started here; the text says why and, for an image, how to map it."""


def rules() -> tuple[str, ...]:
    """What stands for well-known images unless the user says otherwise.

    Python images and Google's own for training are the Python that runs the mock; images of a plain system are this
    machine's programs.
    """
    found = [f"{pattern}={sys.prefix}" for pattern in _PYTHON_IMAGES]
    return (*found, *(f"{pattern}=/usr" for pattern in _PLAIN_IMAGES))


def environment(world: World, scope: Scope) -> dict[str, str]:
    """The variables of every container: this machine's for programs, the project, and how to reach the mock.

    CLOUD_ML_PROJECT_ID is the project's number, as in Google's page "Use Google Cloud services in your code".
    """
    found = {name: os.environ[name] for name in _FROM_HOST if name in os.environ}
    found.update(
        {
            "PYTHONUNBUFFERED": "1",
            "CLOUD_ML_PROJECT_ID": scope.account,
            "GOOGLE_CLOUD_PROJECT": world.project_id(scope.account),
            "CLOUD_ML_REGION": scope.region,
            **world.environment,
        }
    )
    return found


def start(
    world: World,
    scope: Scope,
    *,
    image: str,
    command: Sequence[str] = (),
    args: Sequence[str] = (),
    env: Mapping[str, str],
    log: Path,
    cwd: str = "",
    port: int | None = None,
    hosts: Sequence[str] = (),
    mounts: Sequence[Mount] = (),
) -> Process:
    """Start a container of `image`: Cloud Storage stands at /gcs, `env` goes over `environment`, output is added to
    `log`.

    `command` replaces the image's entrypoint, `args` follow either, as ContainerSpec says. `cwd` is by default a
    folder of its own beside the log. `mounts` stand beside /gcs. With `port` the program serves there in a network of
    its own. Raises ImageRefused.
    """
    variables = {**environment(world, scope), **env}
    try:
        argv = _words(world, image, command, args, variables)
        world.gcs.mkdir(parents=True, exist_ok=True)
        isolated = world.sandbox.kind == "container"
        asked = Command(
            argv=argv,
            env=variables,
            mounts=(Mount(world.gcs, GCS), *mounts),
            log=log,
            cwd=cwd or ("" if isolated else _scratch(log)),
            hosts=tuple(hosts),
            port=port,
            reach=_mock(world) if port is not None and not isolated else (),
            image=image,
            keep_entrypoint=not command,
            relocate={ROOT_VARIABLE: GCS},
            port_env="AIP_HTTP_PORT",
        )
        return world.sandbox.start(asked)
    except CloudmlError as error:
        raise ImageRefused(f"{error.message}; {error.hint}" if error.hint else error.message) from error
    except (OSError, ValueError) as error:
        raise ImageRefused(str(error)) from error


def _scratch(log: Path) -> str:
    """A working folder: files by a relative name are a job's own, as in an image, not in the root of this machine."""
    folder = log.parent / f"{log.name}-work"
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder.resolve())


def _words(
    world: World, image: str, command: Sequence[str], args: Sequence[str], variables: dict[str, str]
) -> tuple[str, ...]:
    """The program and its words; what stands for the image goes before PATH. A real image stands for itself."""
    if world.sandbox.kind == "container":
        return (*command, *args)
    resolved = world.images.resolve(image, tuple(command), tuple(args))
    if resolved.path_prefix:
        variables["PATH"] = os.pathsep.join(filter(None, (resolved.path_prefix, variables.get("PATH", os.defpath))))
    return resolved.argv


def _mock(world: World) -> tuple[tuple[str, int], ...]:
    """Every address of the mock: its own, and those that its variables tell."""
    found: dict[tuple[str, int], None] = {}
    for text in (world.url, *world.environment.values()):
        try:
            address = urlsplit(text if "://" in text else f"//{text}")
            if address.hostname in {"127.0.0.1", "localhost"} and address.port:
                found[(address.hostname, address.port)] = None
        except ValueError:  # some other text
            continue
    return tuple(found)
