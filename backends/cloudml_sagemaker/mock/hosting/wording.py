"""AWS's own sentences, as seen in its services' responses and in public issue trackers."""

from __future__ import annotations

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.errors import AwsError, validation
from cloudml_sagemaker.mock.core.operations import Call

KINDS = {"Model": "model", "EndpointConfig": "endpoint-config", "Endpoint": "endpoint"}
_WORDS = {"Model": "model", "EndpointConfig": "endpoint configuration", "Endpoint": "endpoint"}


def arn(call: Call, kind: str, name: str) -> str:
    """The ARN of a resource of hosting; AWS writes names in ARNs of models and endpoints in lower case."""
    return call.arn(f"{KINDS[kind]}/{name.lower()}")


def missing(call: Call, kind: str, name: str) -> AwsError:
    """The resource does not exist."""
    return validation(f'Could not find {_WORDS[kind]} "{arn(call, kind, name)}".')


def taken(call: Call, kind: str, name: str) -> AwsError:
    """The name is in use."""
    return validation(f'Cannot create already existing {_WORDS[kind]} "{arn(call, kind, name)}".')


def in_progress(endpoint: Document) -> AwsError:
    """The endpoint is being created, updated or deleted; refused for updates and deletions alike."""
    return validation(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')


def existing(call: Call, kind: str, name: str) -> Document:
    """The document. Raises ValidationException in AWS's words."""
    found = call.table(kind).get(name)
    if found is None:
        raise missing(call, kind, name)
    return found


def not_healthy(variant: str, container: str) -> str:
    """FailureReason of an endpoint whose container did not start."""
    named = "The primary container" if container == "primary" else f"The {container} container"
    return (
        f"{named} for production variant {variant} did not pass the ping health check. Please check CloudWatch logs "
        "for this endpoint."
    )


NO_CAPACITY = (
    "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error. Please retry using a "
    "different ML instance type or after some time."
)
