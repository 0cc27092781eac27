"""Spec -> the documents that are sent to AWS. Pure: no clock, no session; code is named by what it holds."""

from cloudml_sagemaker.compile.pipeline import compile_pipeline

__all__ = ["compile_pipeline"]
