"""Spec -> the documents that the engine executes. Pure: a table from step kind to emitter."""

from cloudml_local.compile.pipeline import compile_pipeline

__all__ = ["compile_pipeline"]
