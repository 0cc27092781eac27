"""Names and ARNs: SageMaker takes either in many places."""

from __future__ import annotations

from cloudml_sagemaker.mock.core.errors import validation
from cloudml_sagemaker.mock.core.operations import Call


def name_of(call: Call, value: str, resource: str) -> str:
    """The name in `value`: a name, or an ARN of type `resource` ("pipeline", "endpoint"...) in the caller's scope.

    Raises ValidationException for an ARN of another type, account or region.
    """
    if not value.startswith("arn:"):
        return value
    parts = value.split(":", 5)
    kind, _, name = parts[5].partition("/") if len(parts) == 6 else ("", "", "")
    if kind != resource or not name:
        raise validation(f"The ARN {value} is not one of a {resource}.")
    if (parts[3], parts[4]) != (call.scope.region, call.scope.account):
        raise validation(f"The ARN {value} is of another account or region than the request.")
    return name
