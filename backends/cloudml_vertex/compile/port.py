"""What monitors and alerts need of a compilation: the context of `compile.context` is one."""

from __future__ import annotations

from typing import Any, Protocol

from cloudml import spec
from cloudml.errors import Diagnostic

__all__ = ["Account", "Compiling", "Document", "Wires"]

Document = dict[str, Any]


class Account(Protocol):
    """Where it is compiled for: `target.Place`."""

    @property
    def project(self) -> str:
        """The cloudml project's name."""

    @property
    def target(self) -> str:
        """The target's name."""

    @property
    def account(self) -> str:
        """The Google project's id."""

    @property
    def parent(self) -> str:
        """`projects/<account>/locations/<region>`."""

    @property
    def base(self) -> str:
        """`gs://bucket/prefix`."""

    @property
    def kms(self) -> str | None:
        """The key that everything is encrypted with."""

    @property
    def labels(self) -> tuple[tuple[str, str], ...]:
        """The target's own labels."""

    @property
    def monitors(self) -> str:
        """`portable`, `native-v1` or `native-v2`."""

    def identity(self, pipeline: str = "") -> dict[str, str]:
        """The labels by which what cloudml makes is found again."""


class Compiling(Protocol):
    """One compilation."""

    @property
    def pipeline(self) -> spec.Pipeline:
        """What is compiled."""

    @property
    def place(self) -> Account:
        """Where for."""

    @property
    def findings(self) -> list[Diagnostic]:
        """What cannot be compiled, so far."""

    def resource_name(self, name: str) -> str:
        """The id in the project of something that the author has named."""


class Wires(Protocol):
    """How a step's job finds its values: `wiring.Wiring`."""

    def value(self, value: Any) -> Any:
        """A value as the job evaluates it."""

    def artifact(self, value: Any) -> Any:
        """Stored data as the job finds it."""
