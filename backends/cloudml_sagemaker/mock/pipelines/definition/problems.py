"""Everything wrong with a definition, gathered, then refused at once in AWS's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloudml_sagemaker.mock.core.doubts import SWITCHES
from cloudml_sagemaker.mock.core.errors import AwsError, validation

SHOWN = 20
"""Problems named in one message; AWS's messages are short, ours stay readable."""

Choices = Mapping[str, str]
"""Choices of switches by name."""

DEFAULTS: Choices = {switch.name: switch.default for switch in SWITCHES}


@dataclass
class Problems:
    """A list to which every check adds; `choices`: the switches in force."""

    choices: Choices = field(default_factory=lambda: DEFAULTS)
    found: list[str] = field(default_factory=list)

    def add(self, where: str, what: str) -> None:
        """Note that `what` is wrong at `where` (a step's or a parameter's name and the member)."""
        self.found.append(f"{where}: {what}" if where else what)

    def error(self) -> AwsError:
        """The ValidationException that names them; it begins as AWS's does (sagemaker-python-sdk issues 3908, 5099)."""
        listed = self.found[:SHOWN]
        if len(self.found) > SHOWN:
            listed.append(f"and {len(self.found) - SHOWN} more")
        return validation(f"Unable to parse pipeline definition. {'; '.join(listed)}")

    def refuse(self) -> None:
        """Raises ValidationException when anything was found."""
        if self.found:
            raise self.error()


def shown(value: object) -> str:
    """A value in a message: short."""
    text = str(value)
    return text if len(text) <= 120 else f"{text[:120]}..."
