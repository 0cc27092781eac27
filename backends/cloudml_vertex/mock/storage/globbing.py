"""Globs of objects.list (https://cloud.google.com/storage/docs/json_api/v1/objects/list#list-objects-and-prefixes-using-glob)."""

from __future__ import annotations

import re

from cloudml_vertex.mock.core import wildcards
from cloudml_vertex.mock.storage.errors import invalid


def pattern(glob: str) -> re.Pattern[str]:
    """What `matchGlob` matches. Raises StorageError."""
    try:
        return wildcards.pattern(glob)
    except ValueError as error:
        raise invalid(f"Invalid matchGlob: {error}") from None
