"""The replicas of a custom job and the variables that tell each of them what it is.

Google's pages "Distributed training" (CLUSTER_SPEC, TF_CONFIG) and "Custom training code requirements" (AIP_*,
CLOUD_ML_*), and the docstring of CustomJobSpec.base_output_directory.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudml_vertex.mock.jobs.rules import pools, replicas

Document = dict[str, Any]

PORT = 2222
METRICS = "/var/hypertune"
"""Where a trial's container finds the file of its metrics, "output.metrics"."""
_TASKS = ("chief", "worker", "ps", "evaluator")
"""TF_CONFIG's names of the worker pools, by position."""
_FOLDERS = {"AIP_MODEL_DIR": "model", "AIP_CHECKPOINT_DIR": "checkpoints", "AIP_TENSORBOARD_LOG_DIR": "logs"}
_REFERENCE = re.compile(r"\$\$\(|\$\(([A-Za-z_][A-Za-z0-9_]*)\)")


@dataclass(frozen=True)
class Replica:
    """One machine: `workerpool{pool}-{index}`, what runs there, and its own folder."""

    pool: int
    index: int
    spec: Document
    folder: Path

    @property
    def name(self) -> str:
        """As logs and errors call it."""
        return f"workerpool{self.pool}-{self.index}"

    @property
    def chief(self) -> bool:
        """Whether this is the primary replica."""
        return self.pool == 0

    @property
    def log(self) -> Path:
        """The file that its output goes to."""
        return self.folder / "log"


def lay_out(spec: Document, folder: Path) -> list[Replica]:
    """Every replica of a job, the primary first."""
    return [
        Replica(number, index, pool, folder / f"workerpool{number}-{index}")
        for number, pool in pools(spec)
        for index in range(replicas(pool))
    ]


class Cluster:
    """Where the replicas reach one another."""

    def __init__(self, spec: Document, job_id: str, members: Sequence[Replica], *, named: bool) -> None:
        """`named`: replicas may have host names of their own; else all are 127.0.0.1. Several replicas share this
        machine, so that each gets a port of its own."""
        self._spec = spec
        hosts = [f"cmle-training-{one.name.rpartition('-')[0]}-{job_id[-10:]}-{one.index}" for one in members]
        self.hosts = hosts if named else []
        ports = [PORT] if len(members) == 1 else _free_ports(len(members))
        self._addresses: dict[int, list[str]] = {}
        for one, host, port in zip(members, hosts, ports, strict=True):
            self._addresses.setdefault(one.pool, []).append(f"{host if named else '127.0.0.1'}:{port}")
        self._distributed = len(members) > 1

    def variables(self, replica: Replica, trial: str) -> dict[str, str]:
        """CLUSTER_SPEC, and TF_CONFIG when there is more than one replica."""
        task: Document = {
            "type": f"workerpool{replica.pool}",
            "index": replica.index,
            **({"trial": trial} if trial else {}),
        }
        cluster = {f"workerpool{pool}": addresses for pool, addresses in self._addresses.items()}
        found = {"CLUSTER_SPEC": self._text(cluster, task)}
        if self._distributed:
            named = {_TASKS[pool]: addresses for pool, addresses in self._addresses.items()}
            found["TF_CONFIG"] = self._text(named, {**task, "type": _TASKS[replica.pool]})
        return found

    def _text(self, cluster: Mapping[str, Sequence[str]], task: Document) -> str:
        return json.dumps({"cluster": cluster, "environment": "cloud", "task": task, "job": self._spec})


def output_variables(spec: Document) -> dict[str, str]:
    """The AIP_* folders below base_output_directory."""
    base = (spec.get("base_output_directory") or {}).get("output_uri_prefix", "").rstrip("/")
    return {name: f"{base}/{folder}/" for name, folder in _FOLDERS.items()} if base else {}


def expand(variables: Sequence[Document], service: Mapping[str, str]) -> dict[str, str]:
    """The request's variables, `$(NAME)` of earlier ones and the service's put in (docstring of EnvVar.value)."""
    found: dict[str, str] = {}
    for one in variables:
        known = {**service, **found}
        found[one["name"]] = _REFERENCE.sub(
            lambda match, known=known: "$(" if match[1] is None else known.get(match[1], match[0]),  # type: ignore[misc]
            one.get("value", ""),
        )
    return found


def _free_ports(count: int) -> list[int]:
    """Ports of the loopback, all different; held open until the last is known."""
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]
