"""The part of cloudml that travels to every job of SageMaker's (`cloudml.remote.library`)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cloudml.remote import library
from cloudml.remote.library import ARCHIVE, digest_of, pack, start_digest, start_file

__all__ = ["ARCHIVE", "digest", "digest_of", "files", "pack", "start_digest", "start_file"]


def files() -> dict[str, Path]:
    """Every file of the library by its path inside it, sorted: `cloudml/...`, `cloudml_sagemaker/container/...`, …"""
    return library.files("cloudml_sagemaker", ("container", "hosting"))


@cache
def digest() -> str:
    """What the library hashes to: sha256 of its paths and contents. Read once a process."""
    return digest_of({name: path.read_bytes() for name, path in files().items()})
