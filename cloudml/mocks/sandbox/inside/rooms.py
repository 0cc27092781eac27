"""The file system that a job sees: the host's, with the given folders standing at their places.

Where a place does not exist on the host, its nearest existing parent is covered with an empty file system in memory and
every entry of that parent shown in it again. So /opt/ml appears beside whatever else is under /opt, and the host is not
touched: folders are made only in such covers and in folders that were given.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from . import linux

_HOST = ".host"


class Rooms:
    """Mounts in the mount namespace of this process, which must be its own."""

    def __init__(self) -> None:
        linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)
        self._ours: dict[str, bool] = {"/": False}
        """Whether making something below a folder leaves the host alone; the longest prefix of a path decides."""

    def arrange(self, mounts: Sequence[tuple[str, str, bool]]) -> None:
        """Show each source at its target; `(source, target, read only)`. Outer targets come before inner ones."""
        if any(not os.path.lexists("/" + target.split("/")[1]) for _, target, _ in mounts):
            self._rebuild_root()
        # Opened before anything is covered: a source may lie below a folder that a cover hides.
        opened = [(os.open(source, os.O_PATH | os.O_CLOEXEC), target, frozen) for source, target, frozen in mounts]
        closed = []
        for fd, target, frozen in sorted(opened, key=lambda entry: entry[1].count("/")):
            place = self._stand(target, stat.S_ISDIR(os.fstat(fd).st_mode))
            linux.bind(f"/proc/self/fd/{fd}", place)
            self._ours[place] = True
            os.close(fd)
            if frozen:
                closed.append(place)
        for place in closed:
            linux.make_read_only(place)

    def _stand(self, target: str, folder: bool) -> str:
        """The real path of `target`, made where nothing is there yet."""
        if os.path.exists(target):
            return os.path.realpath(target)
        parent = os.path.dirname(target)
        while not os.path.exists(parent):
            parent = os.path.dirname(parent)
        real = os.path.realpath(parent)
        if not self._is_ours(real):
            self._cover(real)
        place = real + target[len(parent) :]
        if folder:
            os.makedirs(place)
        else:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            _touch(place)
        return place

    def _is_ours(self, path: str) -> bool:
        while path not in self._ours:
            path = os.path.dirname(path)
        return self._ours[path]

    def _cover(self, folder: str) -> None:
        fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _mount_memory(folder, stat.S_IMODE(os.fstat(fd).st_mode))
            self._refill(f"/proc/self/fd/{fd}", folder)
        finally:
            os.close(fd)

    def _rebuild_root(self) -> None:
        """A root in memory with every entry of the host's root: nothing can be mounted over `/` itself."""
        base = next(entry.path for entry in os.scandir("/") if entry.is_dir(follow_symlinks=False))
        _mount_memory(base, 0o755)
        os.mkdir(f"{base}/{_HOST}")
        linux.pivot_root(base, f"{base}/{_HOST}")
        os.chdir("/")
        self._refill(f"/{_HOST}", "")
        linux.unmount(f"/{_HOST}")
        os.rmdir(f"/{_HOST}")
        self._ours["/"] = True

    def _refill(self, source: str, folder: str) -> None:
        """Show what is in `source` in the empty `folder`, which is ours from now on; its entries are the host's."""
        self._ours[folder or "/"] = True
        for entry in os.scandir(source):
            place = f"{folder}/{entry.name}"
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), place)
                continue
            if entry.is_dir():
                os.mkdir(place)
            else:
                _touch(place)
            linux.bind(entry.path, place)
            self._ours[place] = False


def _mount_memory(folder: str, mode: int) -> None:
    linux.mount("tmpfs", folder, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, f"mode={mode:o}")


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644))
