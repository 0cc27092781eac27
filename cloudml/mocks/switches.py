"""Switches: where a provider's behaviour is not published, a named choice with a documented default, never a guess."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloudml.errors import MockError


@dataclass(frozen=True)
class Switch:
    """One doubt: its choices (the first is the default), what each means, and what is known and from where."""

    name: str
    choices: tuple[str, ...]
    about: str
    source: str

    @property
    def default(self) -> str:
        """What the mock does unless told otherwise."""
        return self.choices[0]


class Switches:
    """The choices in force. Raises MockError for a name or a choice that does not exist."""

    def __init__(self, table: Iterable[Switch], chosen: Mapping[str, str] | None = None) -> None:
        self._table = {switch.name: switch for switch in table}
        self._chosen: dict[str, str] = {}
        for name, choice in (chosen or {}).items():
            self.set(name, choice)

    def __getitem__(self, name: str) -> str:
        return self._chosen.get(name, self._table[name].default)

    def set(self, name: str, choice: str) -> None:
        """Choose. Raises MockError."""
        switch = self._table.get(name)
        if switch is None:
            raise MockError(f"there is no switch {name!r}", hint=f"switches: {', '.join(sorted(self._table))}")
        if choice not in switch.choices:
            raise MockError(f"switch {name} has no choice {choice!r}", hint=f"choices: {', '.join(switch.choices)}")
        self._chosen[name] = choice

    def in_force(self) -> dict[str, str]:
        """Every switch and its choice."""
        return {name: self[name] for name in self._table}
