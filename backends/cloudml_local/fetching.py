"""Bring an output out of the store."""

from __future__ import annotations

import os
from pathlib import Path

from cloudml.errors import CorruptArtifact, NotFound, Refused
from cloudml_local.state.journal import Journal
from cloudml_local.state.store import Store, copy_out, remove, store_error


def fetch(journal: Journal, store: Store, run: str, task: str, output: str, folder: Path) -> Path:
    """Copy an output into `folder` under its own file name; what lies there already with that content is left.

    Raises NotFound, CorruptArtifact, Refused when something else has the name.
    """
    outputs = (journal.task(run, task) or {}).get("outputs") or {}
    if output not in outputs:
        names = ", ".join(outputs)
        raise NotFound(f"{run}/{task} has no output {output!r}", hint=f"it has {names}" if names else "it has none yet")
    record = outputs[output]
    if not store.verify(record["digest"]):
        raise CorruptArtifact(
            f"{run}/{task}.{output} is gone or damaged", where=str(store.path(record["digest"])),
            hint=f"cloudml rerun {run} --from {task.partition('[')[0]}",
        )  # fmt: skip
    target = folder / Path(record["filename"]).name
    temporary = folder / f".{target.name}.{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(target):
            return _same(target, record["digest"])
        copy_out(store.path(record["digest"]), temporary)
        os.rename(temporary, target)
    except OSError as error:
        raise store_error(error, target) from error
    finally:
        remove(temporary)
    return target


def _same(target: Path, digest: str) -> Path:
    from cloudml.runtime.digest import matches

    if target.is_symlink() or not matches(target, digest):
        raise Refused("something else lies there", where=str(target), hint="name another folder with --to DIR")
    return target
