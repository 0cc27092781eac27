"""Which kind of sandbox works on this machine: found by trying it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from cloudml.errors import CloudmlError, Refused
from cloudml.mocks.sandbox.command import Command, Mount, Sandbox
from cloudml.mocks.sandbox.container import ContainerSandbox
from cloudml.mocks.sandbox.namespaces import NamespaceSandbox
from cloudml.mocks.sandbox.paths import PathSandbox

KINDS = ("auto", "namespaces", "paths", "container")
_PLACE = "/opt/cloudml-probe"
_SECONDS = 10.0
_PORT = 8080


def probe() -> tuple[str, str]:
    """The kind that `auto` means here, and why, in one line for people."""
    with open_sandbox("auto") as sandbox:
        return sandbox.kind, sandbox.reason


def open_sandbox(kind: str = "auto") -> Sandbox:
    """A sandbox of that kind. Raises Refused, saying what would be right, for a kind that does not work here."""
    if kind not in KINDS:
        raise Refused(f"there is no isolation {kind!r}", hint=f"one of: {', '.join(KINDS)}")
    if kind == "paths":
        return PathSandbox("asked for")
    if kind == "container":
        return ContainerSandbox("asked for")
    sandbox = NamespaceSandbox()
    problem = _try(sandbox)
    if not problem:
        sandbox.reason = "tried, and the kernel grants mount, process and network namespaces"
        return sandbox
    sandbox.close()
    if kind == "namespaces":
        raise Refused(f"namespaces do not work here: {problem}", hint="use the isolation 'paths' or 'container'")
    return PathSandbox(f"namespaces do not work here: {problem}")


def _try(sandbox: NamespaceSandbox) -> str:
    """What keeps a job from its contract here; empty when nothing does."""
    with tempfile.TemporaryDirectory(prefix="cloudml-probe-") as folder:
        seen = Path(folder, "seen")
        seen.mkdir()
        command = Command(
            argv=("/bin/sh", "-c", f"echo yes > {_PLACE}/mark"),
            env={},
            mounts=(Mount(seen, _PLACE),),
            log=Path(folder, "log"),
            port=_PORT,
        )
        try:
            process = sandbox.start(command)
            code = process.wait(_SECONDS)
            process.close()
        except (CloudmlError, OSError) as error:
            return getattr(error, "message", None) or str(error)
        if code != 0 or not Path(seen, "mark").exists():
            return f"a job did not see what was mounted for it (exit code {code})"
    return ""
