"""One finding, wherever it was made: in the author's file, in a document, by a backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Diagnostic:
    """What is wrong (`message`), where (file and line, step, field), and what would be right (`hint`).

    `code` is stable: it means the same in every release, and `docs/reference/errors.md` explains it.
    """

    code: str
    where: str
    message: str
    hint: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        text = f"{self.code} {self.where}: {self.message}" if self.where else f"{self.code} {self.message}"
        return f"{text}\n    {self.hint}" if self.hint else text

    def to_dict(self) -> dict[str, str]:
        """JSON types, for `--output json`."""
        return {
            "code": self.code,
            "severity": self.severity,
            "where": self.where,
            "message": self.message,
            "hint": self.hint,
        }
