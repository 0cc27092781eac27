"""Secrets of a job from Secret Manager: their latest version, as the job's service account may read it."""

from __future__ import annotations

import base64
import binascii

from cloudml.jobs.failure import Refused
from cloudml_vertex.container.google import GoogleError, call


def read(project: str, identifier: str) -> str:
    """The secret's value. Raises Refused: it is not there, may not be read, or is no text."""
    name = f"projects/{project}/secrets/{identifier}/versions/latest"
    try:
        answer = call("SecretManagerService.AccessSecretVersion", name=name)
        return base64.b64decode(answer["payload"]["data"]).decode()
    except GoogleError as error:
        raise Refused(
            f"the secret {identifier} cannot be read: {error}. It must exist in Secret Manager of project {project}, "
            "and the job's service account needs roles/secretmanager.secretAccessor for it"
        ) from error
    except (KeyError, TypeError, binascii.Error, UnicodeDecodeError) as error:
        raise Refused(f"the secret {identifier} is no text: {type(error).__name__}") from None
