"""Pipeline definitions: read and refused as AWS would (`parse`), and their expressions given values (`Resolver`)."""

from cloudml_sagemaker.mock.pipelines.definition.conditions import holds
from cloudml_sagemaker.mock.pipelines.definition.expressions import is_expression
from cloudml_sagemaker.mock.pipelines.definition.graph import between, sources
from cloudml_sagemaker.mock.pipelines.definition.model import (
    Branch,
    CachePolicy,
    Definition,
    Dependency,
    Loop,
    Parameter,
    PropertyFile,
    RetryPolicy,
    Step,
)
from cloudml_sagemaker.mock.pipelines.definition.parameters import start_parameters
from cloudml_sagemaker.mock.pipelines.definition.parse import parse
from cloudml_sagemaker.mock.pipelines.definition.values import Resolver, Unresolved

__all__ = [
    "Branch",
    "CachePolicy",
    "Definition",
    "Dependency",
    "Loop",
    "Parameter",
    "PropertyFile",
    "Resolver",
    "RetryPolicy",
    "Step",
    "Unresolved",
    "between",
    "holds",
    "is_expression",
    "parse",
    "sources",
    "start_parameters",
]
