"""What a cloud gives in, so that a job can do its work there: where things lie, what it was told, whom it tells.

Nothing here knows a cloud. A cloud's part of the job (`container/` of its backend) makes one `Platform` and hands over
to `cloudml.jobs.main.run`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from cloudml.jobs.control.posting import Message
    from cloudml.jobs.outputs import Outcome

Document = dict[str, Any]


class Layout(Protocol):
    """Where the things of one job lie on this machine's disk."""

    @property
    def shared(self) -> bool:
        """Whether inputs are read where others read them too: then nothing there may be changed."""

    def input(self, name: str) -> Path:
        """The folder of an input; of a user's own, possibly a file."""

    def items(self, name: str) -> list[Path]:
        """The folders of an input that a map's items have made, in the items' order."""

    def external(self, name: str, uri: str) -> Path:
        """What lies at an address of the user's own, which the input of that name may have brought."""

    def output(self, name: str) -> Path:
        """The folder that an output is to fill: `<port>`, of a member of a group `<member>/<port>`."""

    @property
    def result(self) -> Path:
        """The file of the record of what happened."""

    @property
    def checkpoints(self) -> Path:
        """A folder that outlives the job: a job that is started again finds in it what was written."""

    def hosts(self) -> tuple[list[str], int]:
        """The names of the job's machines, and which of them (from 0) this one is."""


class Store(Protocol):
    """The cloud's objects, by URI. Other errors than those that are named are the cloud's own."""

    def get(self, uri: str) -> bytes:
        """The content. Raises FileNotFoundError."""

    def find(self, uri: str) -> tuple[bytes, str] | None:
        """The content and its version; None when there is no such object."""

    def put(self, uri: str, content: bytes, *, kms: str | None = None) -> None:
        """Write the object, whatever was there; `kms`: the key to encrypt it with."""

    def put_once(self, uri: str, content: bytes | Path, *, kms: str | None = None) -> None:
        """Bring content to an address that is named by it: what is there already is the same, and stays."""

    def put_if(self, uri: str, content: bytes, version: str | None, *, kms: str | None = None) -> bool:
        """Write the object if it still has that version, or with None if there is none; whether it was written."""

    def list(self, prefix: str) -> Iterator[str]:
        """The URIs of the objects whose URI begins so, sorted."""

    def download(self, uri: str, target: Path) -> None:
        """A large object into a file. Raises FileNotFoundError."""


class Platform(Protocol):
    """One cloud, as a job meets it."""

    @property
    def service(self) -> str:
        """Its name, for messages."""

    @property
    def layout(self) -> Layout:
        """Where things lie."""

    @property
    def store(self) -> Store:
        """Its objects."""

    @property
    def actions(self) -> Mapping[str, str]:
        """The control actions that it brings: `package.module` by the action's name, which is the function's too.

        They go before those of `cloudml.jobs.control`. Besides, `champion`: a function of a champion's document that
        yields its metric, and raises `cloudml.jobs.conditions.NoChampion`.
        """

    def given(self, step: Document, arguments: Sequence[str]) -> dict[str, str]:
        """What the job was told when the pipeline ran, as texts by key (`cloudml.jobs.values`)."""

    def tuned(self) -> Mapping[str, str]:
        """What a tuning service gives a trial, as texts by name; nothing for other jobs."""

    def secret(self, project: str, name: str) -> str:
        """The value of a secret. Raises Refused: it is not there, or must not be read."""

    def alert(self, channel: Document, message: Message) -> str:
        """Publish by the cloud's own means, where an alert's channel names one; what went wrong, else empty."""

    def told(self, error: BaseException) -> str:
        """An error of the cloud's in one line."""

    def run(self) -> str:
        """The run, or the job, when the step was not told; empty when nobody knows."""

    def measured(self, metrics: Mapping[str, Mapping[str, Any]], objective: float | None) -> None:
        """The numbers of a step that succeeded, by metrics port; `objective`: of a trial."""

    def finished(self, step: Document, outcome: Outcome) -> None:
        """Tell the service how it ended, after the outputs and the result lie where they belong. Raises OSError,
        Refused.

        Only on the first of several machines; `failed` is called on all.
        """

    def failed(self, failure: Document) -> None:
        """Tell a person why the job failed, where they look first."""


def brought(platform: Platform, name: str) -> Callable[..., Any] | None:
    """The function of that name that the cloud brings; None when it brings none."""
    home = platform.actions.get(name)
    return None if home is None else getattr(import_module(home), name)
