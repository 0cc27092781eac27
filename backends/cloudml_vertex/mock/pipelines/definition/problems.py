"""What is wrong with a pipeline, collected: a spec is refused once, with every problem and where it is."""

from __future__ import annotations

import sys

from cloudml_vertex.mock.core.errors import field_violations


class Problems:
    """Problems by path. A path names the place in the spec, as in `root.dag.tasks['train'].inputs.parameters['x']`."""

    def __init__(self, longest_description: int | None = None) -> None:
        self.found: list[tuple[str, str]] = []
        self.longest_description = longest_description or sys.maxsize
        """Characters of an input's or output's description."""

    def add(self, where: str, what: str) -> None:
        """Note a problem; the same one is noted once."""
        if (where, what) not in self.found:
            self.found.append((where, what))

    def raise_all(self) -> None:
        """Raise GoogleError INVALID_ARGUMENT with everything found so far, if anything was."""
        if self.found:
            raise field_violations(self.found)


def within(path: str, key: str) -> str:
    """The path of an entry of a map."""
    return f"{path}['{key}']"
