"""Messages of notify and fail steps: a template and the values that fill it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudml.jobs.failure import Refused
from cloudml.jobs.values import Values


def filled(message: str, arguments: Mapping[str, Any], values: Values) -> str:
    """The message with `{name}` replaced. Raises Refused: a name is unknown, or a value cannot be had."""
    given = {name: values.json(value) for name, value in arguments.items()}
    try:
        return message.format(**given)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise Refused(f"the message cannot be filled in: {error!r}") from None
