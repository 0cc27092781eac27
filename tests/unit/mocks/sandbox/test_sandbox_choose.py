"""Which kind is chosen, and what is said about it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cloudml.errors import Refused
from cloudml.mocks.sandbox import Command, open_sandbox, probe
from cloudml.mocks.sandbox.namespaces import NamespaceSandbox


def test_the_probe_names_a_kind_that_works(tmp_path: Path) -> None:
    kind, reason = probe()
    assert kind in {"namespaces", "paths"}
    assert reason
    assert "\n" not in reason
    with open_sandbox(kind) as sandbox:
        assert sandbox.kind == kind
        assert sandbox.start(Command(("/bin/true",), {}, (), tmp_path / "log")).wait(20) == 0


def test_the_probe_leaves_nothing(namespaces: Any) -> None:
    """`namespaces` has tried already, so whatever the first try loads is loaded."""
    before = len(os.listdir("/proc/self/fd")), sorted(os.listdir("/opt"))
    probe()
    assert (len(os.listdir("/proc/self/fd")), sorted(os.listdir("/opt"))) == before


def refuse(self: NamespaceSandbox, command: Command) -> Any:
    raise Refused("the job's surroundings could not be made: unshare: Operation not permitted")


def test_where_the_kernel_refuses_auto_means_paths_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NamespaceSandbox, "start", refuse)
    kind, reason = probe()
    assert kind == "paths"
    assert "Operation not permitted" in reason


def test_a_kernel_that_grants_no_mount_namespaces_is_found_out() -> None:
    """Inside of a user namespace whose limit of mount namespaces is set to none, for itself alone (namespaces(7))."""
    line = 'echo 0 > /proc/sys/user/max_mnt_namespaces && exec "$0" -c "$1"'
    program = "from cloudml.mocks.sandbox import probe; print(*probe(), sep=': ')"
    outer = ["unshare", "--user", "--map-root-user", "--mount", "--", "/bin/sh", "-c", line, sys.executable, program]
    try:
        result = subprocess.run(outer, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("no program `unshare`")
    if result.returncode != 0:
        pytest.skip(f"no user namespaces here: {result.stderr}")
    assert result.stdout.startswith("paths: namespaces do not work here: ")
    assert "unshare files and network" in result.stdout


def test_where_the_kernel_refuses_asking_for_namespaces_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NamespaceSandbox, "start", refuse)
    with pytest.raises(Refused, match="Operation not permitted") as caught:
        open_sandbox("namespaces")
    assert "'paths'" in caught.value.hint


def test_a_job_that_does_not_see_its_mount_is_no_isolation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel may take every call and still not do it; the probe looks at what came of it."""
    start = NamespaceSandbox.start

    def without_mounts(self: NamespaceSandbox, command: Command) -> Any:
        return start(self, Command(command.argv, command.env, (), command.log))

    monkeypatch.setattr(NamespaceSandbox, "start", without_mounts)
    kind, reason = probe()
    assert kind == "paths"
    assert reason


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(Refused, match="'jail'") as caught:
        open_sandbox("jail")
    assert caught.value.hint == "one of: auto, namespaces, paths, container"


def test_a_container_engine_that_is_missing_is_said_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match="docker"):
        open_sandbox("container")
