"""Where an endpoint keeps its files. Names are checked here, so that no name leaves the endpoints' folder."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from cloudml_local.endpoint import faults

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_LONGEST_SOCKET = 103
"""Bytes of a unix socket's path: 107 on Linux, 103 on macOS."""


@dataclass(frozen=True)
class EndpointPaths:
    """The files of one endpoint below the state's root."""

    root: Path
    name: str

    @classmethod
    def of(cls, root: Path, name: str) -> EndpointPaths:
        """Raises Refused (CML520) for a name that is none."""
        if not _NAME.fullmatch(name):
            raise faults.bad_name(name)
        return cls(root, name)

    @property
    def folder(self) -> Path:
        """Everything of this endpoint but its lock."""
        return self.root / "endpoints" / self.name

    @property
    def record(self) -> Path:
        """What commands know about the endpoint."""
        return self.folder / "record.json"

    @property
    def log(self) -> Path:
        """The router's log."""
        return self.folder / "router.log"

    @property
    def servers(self) -> Path:
        """Logs, sample rows and ready files of the model servers."""
        return self.folder / "servers"

    @property
    def lock(self) -> Path:
        """Outside the folder, so that deleting the endpoint does not delete a lock that is held."""
        return self.root / "endpoints" / ".locks" / f"{self.name}.lock"

    @property
    def control(self) -> Path:
        """The router's control socket; in a private folder under /tmp when the state's own path is too long."""
        path = self.folder / "control.sock"
        if len(os.fsencode(path)) <= _LONGEST_SOCKET:
            return path
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:24]
        # `make` refuses the folder unless it is ours alone.
        return Path(f"/tmp/cloudml-{os.getuid()}") / f"{digest}.sock"  # noqa: S108

    def make(self) -> None:
        """Create the folders. Raises StateError (CML528)."""
        try:
            self.servers.mkdir(parents=True, exist_ok=True)
            self.lock.parent.mkdir(parents=True, exist_ok=True)
            if self.control.parent != self.folder:
                _make_private(self.control.parent)
        except OSError as error:
            raise faults.unusable_state(str(self.folder), str(error)) from error


def endpoint_names(root: Path) -> list[str]:
    """The endpoints below the root that have a record, sorted."""
    try:
        entries = list(os.scandir(root / "endpoints"))
    except FileNotFoundError:
        return []
    return sorted(
        e.name for e in entries if _NAME.fullmatch(e.name) and os.path.exists(os.path.join(e.path, "record.json"))
    )


def _make_private(folder: Path) -> None:
    """A folder in a place where anyone may write: it must be ours, no link, and closed to others."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise OSError(f"{folder} must be a folder of yours with mode 700")
