"""AWS's own service models, as botocore ships them: read once, and only when the first request comes."""

from __future__ import annotations

from functools import cache
from typing import Any

SERVICES = ("sagemaker", "sagemaker-runtime", "sagemaker-metrics")


@cache
def service_model(service: str) -> Any:
    """The `botocore.model.ServiceModel` of "sagemaker", "sagemaker-runtime" or "sagemaker-metrics"."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@cache
def operation_names(service: str = "sagemaker") -> frozenset[str]:
    """Every operation that AWS's model of the service knows."""
    return frozenset(service_model(service).operation_names)


def operation_model(operation: str, service: str = "sagemaker") -> Any:
    """The `OperationModel`; `operation` must be one of `operation_names`."""
    return service_model(service).operation_model(operation)


@cache
def input_shape(operation: str, service: str = "sagemaker") -> Any:
    """The shape of a request."""
    return operation_model(operation, service).input_shape


@cache
def output_shape(operation: str, service: str = "sagemaker") -> Any:
    """The shape of a response; None when it has none."""
    return operation_model(operation, service).output_shape
