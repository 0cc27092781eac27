"""Secrets: by name in the step, by value only in the environment of the process that needs them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from cloudml.jobs.context import Context

PREFIX = "CLOUDML_SECRET_"


def environment(names: Iterable[str], context: Context) -> dict[str, str]:
    """A variable for each secret that no variable holds yet, from the cloud's own store of secrets.

    Raises Refused: the secret is not there, or the job may not read it.
    """
    missing = [name for name in dict.fromkeys(names) if PREFIX + name not in os.environ and name not in os.environ]
    project = str(context.step.get("project", ""))
    return {PREFIX + name: context.platform.secret(project, name) for name in missing}
