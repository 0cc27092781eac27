"""Spec -> the documents that are sent to AWS. Pure: no clock, no session; code is named by what it holds.

Importing this does not import the compiler, and with it pydantic: who only looks at runs reads expressions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudml_sagemaker.compile.pipeline import compile_pipeline

__all__ = ["compile_pipeline"]


def __getattr__(name: str) -> Any:
    if name != "compile_pipeline":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cloudml_sagemaker.compile.pipeline import compile_pipeline

    return compile_pipeline
