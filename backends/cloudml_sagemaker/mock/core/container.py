"""A container of a job or a model server: what SageMaker gives every one, and how it is started in the sandbox."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from cloudml.errors import CloudmlError
from cloudml.mocks.sandbox import Command, Mount, Process
from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.core.world import World

BASE = "/opt/ml"
"""Where SageMaker's containers find everything (developer guide, "How Amazon SageMaker runs your image")."""
_FROM_HOST = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
"""What an image would bring: a job's programs are this machine's, and so is what they need to start."""


class ImageRefused(Exception):
    """The container cannot be started here; the text says why and, for an image, how to map it."""


def environment(world: World, scope: Scope) -> dict[str, str]:
    """The variables of every container: this machine's for programs, and how to reach the mock as its AWS."""
    key, secret, token = world.aws.credentials(scope)
    found = {name: os.environ[name] for name in _FROM_HOST if name in os.environ}
    found.update(
        {
            "PYTHONUNBUFFERED": "1",
            "AWS_ENDPOINT_URL": world.url,
            "AWS_REGION": scope.region,
            "AWS_DEFAULT_REGION": scope.region,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    )
    if token is not None:
        found["AWS_SESSION_TOKEN"] = token
    return found


def start(
    world: World,
    scope: Scope,
    *,
    image: str,
    entrypoint: Sequence[str] = (),
    arguments: Sequence[str] = (),
    default: Sequence[str] = (),
    env: Mapping[str, str],
    root: Path,
    log: Path,
    hosts: Sequence[str] = (),
    port: int | None = None,
    mounts: Sequence[Mount] = (),
) -> Process:
    """Start a container of `image`: `root` stands at /opt/ml, `env` goes over `environment`, output is added to `log`.

    `entrypoint` and `arguments` are those of the request, with Docker's rules; `default` are the arguments when there
    is neither ("train", "serve"). `mounts` stand beside /opt/ml or in it. With `port` the program serves there in a
    network of its own. Raises ImageRefused.
    """
    variables = {**environment(world, scope), **env}
    try:
        argv = _words(world, image, entrypoint, arguments, default, variables)
        command = Command(
            argv=argv,
            env=variables,
            mounts=(Mount(root, BASE), *mounts),
            log=log,
            # Relative files land in the job's folder, not in the root of this machine; an image brings its own.
            cwd="" if world.sandbox.kind == "container" else BASE,
            hosts=tuple(hosts),
            port=port,
            reach=_mock(world) if port is not None and world.sandbox.kind != "container" else (),
            image=image,
            keep_entrypoint=not entrypoint,
            relocate={"SAGEMAKER_BASE_DIR": BASE},
            port_env="SAGEMAKER_BIND_TO_PORT",
        )
        return world.sandbox.start(command)
    except CloudmlError as error:
        raise ImageRefused(f"{error.message}; {error.hint}" if error.hint else error.message) from error
    except (OSError, ValueError) as error:
        raise ImageRefused(str(error)) from error


def _words(
    world: World,
    image: str,
    entrypoint: Sequence[str],
    arguments: Sequence[str],
    default: Sequence[str],
    variables: dict[str, str],
) -> tuple[str, ...]:
    """The program and its words; what stands for the image goes before PATH. A real image stands for itself."""
    if world.sandbox.kind == "container":
        return (*entrypoint, *(arguments or (() if entrypoint else default)))
    resolved = world.images.resolve(image, tuple(entrypoint), tuple(arguments), tuple(default))
    if resolved.path_prefix:
        variables["PATH"] = os.pathsep.join(filter(None, (resolved.path_prefix, variables.get("PATH", os.defpath))))
    return resolved.argv


def _mock(world: World) -> tuple[tuple[str, int], ...]:
    address = urlsplit(world.url)
    return ((address.hostname, address.port),) if address.hostname and address.port else ()
