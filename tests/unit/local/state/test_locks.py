"""Who drives a run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cloudml_local.state.locks import RunLock, holder

_HOLD = """
import sys
from pathlib import Path
from cloudml_local.state.locks import RunLock
lock = RunLock(Path(sys.argv[1]))
print(lock.acquire(), flush=True)
sys.stdin.read()
"""


def test_a_lock_is_exclusive_and_names_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert holder(path) is None
    first, second = RunLock(path), RunLock(path)
    assert first.acquire() and not second.acquire()
    assert holder(path) == os.getpid()
    first.release()
    assert holder(path) is None
    assert second.acquire()
    second.release()
    second.release()


def test_a_lock_ends_with_its_holder_however_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", _HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "True"
        assert holder(path) == other.pid
        assert not RunLock(path).acquire()
        other.kill()
        other.wait()
        assert holder(path) is None
        mine = RunLock(path)
        assert mine.acquire()
        mine.release()
