"""What cloudml raises. Each error says what is wrong, where, and what to do; `code` is stable and documented.

CloudmlError
├── SpecError               the pipeline or its document is wrong; carries every Diagnostic
│   └── AuthoringError      refused while it was being defined, with file and line
├── ProjectError            cloudml.toml or the project's layout is wrong
├── UnsupportedError        the backend lacks what the pipeline needs; carries every gap
├── BackendError            a backend cannot be used
│   ├── BackendNotFound
│   ├── MissingExtra
│   └── CloudError          a provider refused a call (operation, code, request id)
├── NotFound                no such run, step, model, endpoint
├── StateError              the local state is damaged, full, read-only or in use
│   └── CorruptArtifact     an artifact's content is not what its digest says
├── Refused                 a rule forbids it now: a stale plan, an unapproved version, a run that is active
├── RunFailed               a run ended otherwise than succeeded; carries its record
└── MockError               a mock cloud cannot start, or was asked for something that it does not have
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudml.errors.diagnostic import Diagnostic

__all__ = [
    "AuthoringError",
    "BackendError",
    "BackendNotFound",
    "CloudError",
    "CloudmlError",
    "CorruptArtifact",
    "Diagnostic",
    "MissingExtra",
    "MockError",
    "NotFound",
    "ProjectError",
    "Refused",
    "RunFailed",
    "SpecError",
    "StateError",
    "UnsupportedError",
]

DISTRIBUTION = "cloudml-pipelines"


class CloudmlError(Exception):
    """The root. `exit_code` is what the command line returns for it."""

    code = "CML000"
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", where: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where
        if code is not None:
            self.code = code

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Every finding; one for most errors."""
        return (Diagnostic(self.code, self.where, self.message, self.hint),)

    def __str__(self) -> str:
        return "\n".join(str(diagnostic) for diagnostic in self.diagnostics)


class SpecError(CloudmlError):
    """The pipeline is wrong. All findings at once."""

    code = "CML200"

    def __init__(self, findings: Sequence[Diagnostic]) -> None:
        count = len(findings)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the pipeline")
        self._findings = tuple(findings)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return self._findings


class AuthoringError(SpecError):
    """Refused at definition. `where` is `file:line` of the author's code, `hint` the legal form."""

    def __init__(self, code: str, where: str, message: str, hint: str = "") -> None:
        super().__init__([Diagnostic(code, where, message, hint)])
        self.code = code
        self.where = where
        self.message = message
        self.hint = hint


class ProjectError(CloudmlError):
    """cloudml.toml, or what it points to, is missing or wrong."""

    code = "CML401"


class UnsupportedError(CloudmlError):
    """The backend lacks features that the pipeline needs. All gaps at once."""

    code = "CML300"

    def __init__(self, gaps: Sequence[Diagnostic]) -> None:
        super().__init__(f"{len(gaps)} unsupported")
        self._gaps = tuple(gaps)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return self._gaps


class BackendError(CloudmlError):
    """A backend cannot be used."""

    code = "CML310"
    exit_code = 4


class BackendNotFound(BackendError):
    """No installed distribution offers a backend of that name."""

    code = "CML311"
    exit_code = 64


class MissingExtra(BackendError):
    """A part of cloudml needs packages that are not installed; the hint is the exact command."""

    code = "CML312"

    def __init__(self, extra: str, missing: str) -> None:
        super().__init__(f"the package {missing!r} is not installed", hint=f"pip install '{DISTRIBUTION}[{extra}]'")


class CloudError(BackendError):
    """A provider refused a call."""

    code = "CML320"

    def __init__(
        self, operation: str, provider_code: str, message: str, *, request_id: str = "", hint: str = ""
    ) -> None:
        super().__init__(f"{operation} was refused with {provider_code}: {message}", hint=hint, where=request_id)
        self.operation = operation
        self.provider_code = provider_code
        self.request_id = request_id


class NotFound(CloudmlError):
    """There is no such thing. The hint lists what there is."""

    code = "CML402"
    exit_code = 64


class StateError(CloudmlError):
    """The state on disk cannot be read or written."""

    code = "CML501"


class CorruptArtifact(StateError):
    """The content of an artifact does not match its digest."""

    code = "CML502"


class Refused(CloudmlError):
    """A rule forbids it now; the message says which, the hint how it becomes legal."""

    code = "CML410"
    exit_code = 3


class RunFailed(CloudmlError):
    """A run ended, and not as succeeded."""

    code = "CML500"

    def __init__(self, message: str, *, record: Any = None, hint: str = "", where: str = "") -> None:
        super().__init__(message, hint=hint, where=where)
        self.record = record


class MockError(CloudmlError):
    """A mock cloud cannot start, or an option names something that it does not have."""

    code = "CML600"
    exit_code = 64
