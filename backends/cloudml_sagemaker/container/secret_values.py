"""Secrets: by name in the step, by value only in the environment of the process that needs them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from cloudml_sagemaker.container.failure import Refused

PREFIX = "CLOUDML_SECRET_"


def environment(names: Iterable[str], project: str) -> dict[str, str]:
    """A variable for each secret that no variable holds yet, from Secrets Manager (`cloudml/<project>/<name>`).

    Raises Refused: the secret is not there, or the job's role may not read it.
    """
    missing = [name for name in dict.fromkeys(names) if PREFIX + name not in os.environ and name not in os.environ]
    return {PREFIX + name: _fetch(f"cloudml/{project}/{name}") for name in missing}


def _fetch(identifier: str) -> str:
    from cloudml_sagemaker.container.control.aws import client, told

    try:
        answer = client("secretsmanager").get_secret_value(SecretId=identifier)
    except Exception as error:
        raise Refused(
            f"the secret {identifier} cannot be read: {told(error)}. It must exist in Secrets Manager, and the job's "
            "role needs secretsmanager:GetSecretValue for it"
        ) from error
    return str(answer["SecretString"])
