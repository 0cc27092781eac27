"""What Vertex AI demands of a custom job's specification (docstrings of aiplatform_v1.types.custom_job).

Everything wrong is told at once, as google.rpc.BadRequest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cloudml_vertex.mock.core.errors import field_violations, invalid, not_executed
from cloudml_vertex.mock.core.gcs import GcsMissing, split_uri
from cloudml_vertex.mock.core.times import duration
from cloudml_vertex.mock.jobs.machines import check_disk, check_machine

Document = dict[str, Any]
Violation = tuple[str, str]

_POOLS = 4
"""Primary, workers, parameter servers or reduction servers, evaluators (Google's page "Distributed training")."""
_ENV = 100
_PACKAGES = 100
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_ARCHIVE = re.compile(r".+\.(tar\.gz|tgz|zip|whl)")
_FORMS: tuple[tuple[str, str, str], ...] = (
    (
        "network",
        r"projects/\d+/global/networks/[a-z]([-a-z0-9]{0,61}[a-z0-9])?",
        "projects/{number}/global/networks/{network}",
    ),
    ("service_account", r"[a-z0-9][-a-z0-9.]*@[-a-z0-9.]+", "the e-mail address of a service account"),
    (
        "tensorboard",
        r"projects/[^/]+/locations/[^/]+/tensorboards/[^/]+",
        "projects/{project}/locations/{location}/tensorboards/{tensorboard}",
    ),
)
_KEY = re.compile(r"projects/[^/]+/locations/([^/]+)/keyRings/[^/]+/cryptoKeys/[^/]+")
_ELSEWHERE = {
    "persistent_resource_id": ("A job on a PersistentResource", "leave persistent_resource_id out"),
}
_MOUNTS = {"nfs_mounts": "An NFS mount", "lustre_mounts": "A Lustre mount"}


def check_spec(spec: Document, where: str) -> None:
    """Refuse a CustomJobSpec that Vertex AI would refuse, and what this mock cannot do. Raises GoogleError."""
    for name, (what, instead) in _ELSEWHERE.items():
        if spec.get(name):
            raise not_executed(what, instead)
    found = [*_pools(spec.get("worker_pool_specs") or [], f"{where}.worker_pool_specs")]
    found += _forms(spec, where)
    found += _scheduling(spec.get("scheduling") or {}, f"{where}.scheduling")
    uri = (spec.get("base_output_directory") or {}).get("output_uri_prefix")
    if uri:
        found += _gcs(uri, f"{where}.base_output_directory.output_uri_prefix")
    if spec.get("tensorboard") and not spec.get("service_account"):
        found.append((f"{where}.service_account", "A service account is required when tensorboard is set."))
    if found:
        raise field_violations(found)


def check_encryption(document: Document, location: str) -> None:
    """Refuse a key that is none, or lies elsewhere than the job. Raises INVALID_ARGUMENT."""
    key = (document.get("encryption_spec") or {}).get("kms_key_name")
    if not key:
        return
    found = _KEY.fullmatch(key)
    if found is None or found[1] != location:
        raise invalid(
            f"encryption_spec.kms_key_name: {key!r} must be "
            f"projects/{{project}}/locations/{location}/keyRings/{{ring}}/cryptoKeys/{{key}}: the key is in the region "
            "where the job runs."
        )


def pools(spec: Document) -> list[tuple[int, Document]]:
    """The worker pools that are not left empty, with their numbers."""
    return [(number, pool) for number, pool in enumerate(spec["worker_pool_specs"]) if pool]


def replicas(pool: Document) -> int:
    """How many machines a pool has."""
    return int(pool.get("replica_count") or 1)


def _pools(specs: list[Document], where: str) -> Iterator[Violation]:
    if len(specs) > _POOLS:
        yield where, f"{len(specs)} worker pools, and at most {_POOLS} are allowed."
    if not specs or not specs[0]:
        yield f"{where}[0]", "The first worker pool is the primary replica and is required."
        return
    if replicas(specs[0]) != 1:
        yield f"{where}[0].replica_count", "The first worker pool has exactly one replica, the primary."
    for number, pool in enumerate(specs):
        if pool:
            yield from _pool(pool, f"{where}[{number}]")


def _pool(pool: Document, where: str) -> Iterator[Violation]:
    for name, what in _MOUNTS.items():
        if pool.get(name):
            raise not_executed(what, "use /gcs")
    if replicas(pool) < 1:
        yield f"{where}.replica_count", "The replica count must be positive."
    yield from check_machine(pool.get("machine_spec") or {}, f"{where}.machine_spec")
    yield from check_disk(pool.get("disk_spec") or {}, f"{where}.disk_spec")
    container, package = pool.get("container_spec"), pool.get("python_package_spec")
    if container is not None:
        yield from _environment(container.get("env") or [], f"{where}.container_spec.env")
    elif package is not None:
        yield from _package(package, f"{where}.python_package_spec")
    else:
        yield where, "One of container_spec and python_package_spec is required."


def _package(spec: Document, where: str) -> Iterator[Violation]:
    uris = spec.get("package_uris") or []
    if len(uris) > _PACKAGES:
        yield f"{where}.package_uris", f"{len(uris)} packages, and at most {_PACKAGES} are allowed."
    for number, uri in enumerate(uris):
        yield from _gcs(uri, f"{where}.package_uris[{number}]")
        if not _ARCHIVE.fullmatch(uri):
            yield f"{where}.package_uris[{number}]", f"{uri!r} is no source distribution and no wheel."
    if not _MODULE.fullmatch(spec.get("python_module", "")):
        yield f"{where}.python_module", f"{spec.get('python_module', '')!r} is no name of a Python module."
    yield from _environment(spec.get("env") or [], f"{where}.env")


def _environment(variables: list[Document], where: str) -> Iterator[Violation]:
    if len(variables) > _ENV:
        yield where, f"{len(variables)} environment variables, and at most {_ENV} are allowed."
    seen = set()
    for number, variable in enumerate(variables):
        name = variable.get("name", "")
        if not _IDENTIFIER.fullmatch(name):
            yield f"{where}[{number}].name", f"{name!r} is not a valid C identifier."
        if name in seen:
            yield f"{where}[{number}].name", f"{name!r} is set twice."
        seen.add(name)


def _forms(spec: Document, where: str) -> Iterator[Violation]:
    for name, pattern, form in _FORMS:
        if spec.get(name) and not re.fullmatch(pattern, spec[name]):
            yield f"{where}.{name}", f"{spec[name]!r} is not of the form {form}."


def _scheduling(scheduling: Document, where: str) -> Iterator[Violation]:
    for name in ("timeout", "max_wait_duration"):
        if name in scheduling and duration(scheduling[name]) < 0:
            yield f"{where}.{name}", "The duration is negative."


def _gcs(uri: str, where: str) -> Iterator[Violation]:
    try:
        split_uri(uri)
    except GcsMissing:
        yield where, f"{uri!r} is not a Cloud Storage URI, gs://bucket/path."
