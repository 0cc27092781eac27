"""A model's files, from S3 into the folder that stands at /opt/ml/model. Archives and keys are not trusted."""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path
from typing import Any

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core import s3
from cloudml_sagemaker.mock.core.world import World


class ModelDataFailed(Exception):
    """The model's files cannot be had; the text is what AWS would say of it."""


def fetch(world: World, scope: Scope, container: Document, folder: Path) -> None:
    """Put the container's model data into `folder`. Raises ModelDataFailed.

    `ModelDataUrl` is an archive `.tar.gz` (API reference, ContainerDefinition), or a prefix that stays in S3 for a
    container of many models; `ModelDataSource` is an archive, an object, or a prefix taken as it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if container.get("ModelDataUrl") and container.get("Mode") != "MultiModel":
        _archive(world, scope, container["ModelDataUrl"], folder)
    source = (container.get("ModelDataSource") or {}).get("S3DataSource")
    if source:
        _source(world, scope, source, folder)
    for extra in container.get("AdditionalModelDataSources") or []:
        # The additional channels stand at /opt/ml/additional-model-data-sources/<channel> (API reference).
        target = folder.parent / "additional-model-data-sources" / extra["ChannelName"]
        target.mkdir(parents=True, exist_ok=True)
        _source(world, scope, extra["S3DataSource"], target)


def one(world: World, scope: Scope, uri: str, folder: Path) -> None:
    """Unpack one archive of a container of many models. Raises ModelDataFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    _archive(world, scope, uri, folder)


def _source(world: World, scope: Scope, source: Document, folder: Path) -> None:
    uri = source["S3Uri"]
    if source["CompressionType"] == "Gzip":
        _archive(world, scope, uri, folder)
        return
    try:
        s3.download(world, scope, uri, folder, kind=source["S3DataType"])
    except s3.S3Missing:
        raise ModelDataFailed(f"Could not find model data at {uri}.") from None
    except s3.S3Error as error:
        raise ModelDataFailed(str(error)) from None


def _archive(world: World, scope: Scope, uri: str, folder: Path) -> None:
    packed = folder.parent / ".model.tar.gz"
    try:
        packed.write_bytes(s3.read(world, scope, uri))
        with tarfile.open(packed, "r:gz") as archive:
            archive.extractall(folder, filter="data")  # `data` refuses members that would leave the folder
    except s3.S3Missing:
        raise ModelDataFailed(f"Could not find model data at {uri}.") from None
    except (tarfile.TarError, zlib.error, OSError, EOFError, ValueError) as error:
        raise ModelDataFailed(f"Failed to extract model data archive from URL {uri!r}: {_reason(error)}") from None
    finally:
        packed.unlink(missing_ok=True)


def _reason(error: Any) -> str:
    return str(error) or type(error).__name__
