"""A program may fork while it holds a sandbox; the fork has copies of its sockets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """
import os, sys, time
from pathlib import Path
from cloudml.mocks.sandbox import Command, open_sandbox
sandbox = open_sandbox(sys.argv[1])
command = Command(("/bin/sleep", "600"), {}, (), Path(sys.argv[2]))
process = sandbox.start(command)
fork = os.fork()
if fork == 0:
    time.sleep(60)
    os._exit(0)
begun = time.monotonic()
sandbox.close()
print(time.monotonic() - begun)
os.kill(fork, 9)
os.waitpid(fork, 0)
"""


@pytest.mark.parametrize("kind", ["auto", "paths"])
def test_a_fork_does_not_keep_a_closed_sandbox_alive(kind: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", _SCRIPT, kind, str(tmp_path / "log")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert ended.stderr == ""
    # A launcher that does not see the end is killed after ten seconds.
    assert float(ended.stdout) < 5
