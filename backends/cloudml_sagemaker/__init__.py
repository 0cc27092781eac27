"""Amazon SageMaker: pipelines compiled to its own definitions, run, observed, served; and the mock that executes them.

Importing this imports neither boto3 nor the compiler: `backend` opens them when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudml.backend.port import Backend

__all__ = ["backend"]


def __getattr__(name: str) -> Any:
    """`backend` is made when it is asked for: this package is also what a job's container imports."""
    if name != "backend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cloudml_sagemaker.entry import backend

    return backend


if TYPE_CHECKING:
    backend: Backend
