"""The code of a SageMaker job as a document (`cloudml.remote.bundle`)."""

from __future__ import annotations

from collections.abc import Iterable

from cloudml.remote import bundle
from cloudml.remote.bundle import VERSION, task
from cloudml_sagemaker import library
from cloudml_sagemaker.compile.context import Context, Document

__all__ = ["VERSION", "code", "task"]


def code(context: Context, name: str, step: Document, functions: Iterable[str]) -> str:
    """Add a job's code to the resources; the URI of its folder. Equal code lies in one folder."""
    return bundle.code(context, name, step, functions, library.digest())
