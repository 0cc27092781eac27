"""Several processes, or machines, for one training step: torchrun starts them, rank 0 speaks for all."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudml.jobs.platform import Layout

PORT = 29500
"""torchrun's own default for the meeting point of the machines."""


def command(envelope: Path, distribution: Mapping[str, Any] | None, layout: Layout) -> list[str]:
    """The command that runs the envelope: one process, or as many as the step declares on this machine."""
    if distribution is None:
        return [sys.executable, "-m", "cloudml.runtime", str(envelope)]
    hosts, rank = layout.hosts()
    return [
        *(sys.executable, "-m", "torch.distributed.run"),
        *(f"--nnodes={len(hosts)}", f"--nproc-per-node={distribution['processes']}", f"--node-rank={rank}"),
        *(f"--master-addr={hosts[0] if len(hosts) > 1 else '127.0.0.1'}", f"--master-port={PORT}"),
        *("-m", "cloudml.jobs.distribution", str(envelope)),
    ]


def main(arguments: list[str]) -> int:
    """One process of a distributed step. Every process but that of rank 0 writes to a folder that is thrown away."""
    from cloudml.runtime.main import run

    envelope, rank = Path(arguments[0]), os.environ.get("RANK", "0")
    if rank == "0":
        return run(str(envelope))
    document = json.loads(envelope.read_bytes())
    aside = envelope.parent / f"rank-{rank}"
    aside.mkdir(exist_ok=True)
    names = {"result": "result.json", "reports": "reports.jsonl", "progress": "progress.json", "output_dir": "outputs"}
    moved = {key: str(aside / name) for key, name in names.items()}
    (aside / "envelope.json").write_text(json.dumps({**document, **moved}), encoding="utf-8")
    return run(str(aside / "envelope.json"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
