"""The few system calls that Python has no name for, by ctypes. Each raises OSError naming the call."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_NOATIME = 1024
MS_NODIRATIME = 2048
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_RELATIME = 1 << 21

_MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_KEPT = ((os.ST_NOSUID, MS_NOSUID), *((bit, bit) for bit in (MS_NODEV, MS_NOEXEC, MS_NOATIME, MS_NODIRATIME)))
"""Flags of a mount as statvfs tells them, and as mount takes them."""
_ST_RELATIME = 4096

IS_LINUX = sys.platform.startswith("linux")
_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` for new ones (unshare(2))."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """mount(2)."""
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind, data)]
    result = _libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3])
    _check(result, "mount", target)


def bind(source: str, target: str) -> None:
    """Show `source` and all that is mounted below it at `target`.

    Recursive, because the kernel refuses an ordinary user a bind that would uncover what a mount hides.
    """
    mount(source, target, None, MS_BIND | MS_REC)


def make_read_only(target: str) -> None:
    """Forbid writing to the bind mount at `target`; other flags stay, as an ordinary user may not clear them."""
    shown = os.statvfs(target).f_flag
    kept = sum(flag for bit, flag in _KEPT if shown & bit) | (MS_RELATIME if shown & _ST_RELATIME else 0)
    mount(None, target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | kept)


def unmount(target: str) -> None:
    """Take the mount at `target` away, at once for names and later for what is still open."""
    _check(_libc.umount2(os.fsencode(target), _MNT_DETACH), "umount", target)


def pivot_root(new: str, old: str) -> None:
    """Make the mount `new` the root; the former root stands at `old`, a folder in it (pivot_root(2))."""
    _check(_libc.pivot_root(os.fsencode(new), os.fsencode(old)), "pivot_root", new)


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that forked it ends. Elsewhere than on Linux: nothing."""
    if IS_LINUX:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends. Elsewhere than on Linux: nothing."""
    if IS_LINUX:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    _check(_libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero), "prctl")


def _check(result: int, call: str, path: str | None = None) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}", path)
