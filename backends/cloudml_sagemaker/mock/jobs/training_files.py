"""What a training container finds under /opt/ml.

Developer guide, "How Amazon SageMaker Provides Training Information".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core import s3
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.jobs.folders import shard
from cloudml_sagemaker.mock.jobs.life import Host
from cloudml_sagemaker.mock.jobs.pipes import Pipe
from cloudml_sagemaker.mock.jobs.training_rules import hosts as machines
from cloudml_sagemaker.mock.jobs.training_rules import mode_of

_INTERFACE = "lo"
"""Every host is this machine; what connects them is its loopback."""
_FOLDERS = ("input/config", "input/data", "model", "output/data")


def lay_out(document: Document, hosts: Sequence[Host]) -> None:
    """Make each host's folders and configuration files."""
    kinds = machines(document["ResourceConfig"])
    groups: dict[str, dict[str, Any]] = {}
    for host, (kind, group) in zip(hosts, kinds, strict=True):
        known = groups.setdefault(group, {"instance_group_name": group, "instance_type": kind, "hosts": []})
        known["hosts"].append(host.name)
    for host, (kind, group) in zip(hosts, kinds, strict=True):
        for name in _FOLDERS:
            (host.root / name).mkdir(parents=True, exist_ok=True)
        config = host.root / "input/config"
        _write(config / "hyperparameters.json", document.get("HyperParameters") or {})
        _write(config / "inputdataconfig.json", {one["ChannelName"]: _channel(document, one) for one in _all(document)})
        resources = {
            "current_host": host.name,
            "current_instance_type": kind,
            "current_group_name": group,
            "hosts": [other.name for other in hosts],
            "instance_groups": list(groups.values()),
            "network_interface_name": _INTERFACE,
        }
        _write(config / "resourceconfig.json", resources)


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def _all(document: Document) -> list[Document]:
    found: list[Document] = document.get("InputDataConfig") or []
    return found


def _mode(document: Document, channel: Document) -> str:
    return mode_of(channel, document["AlgorithmSpecification"]["TrainingInputMode"])


def _channel(document: Document, channel: Document) -> Document:
    """A channel's entry in inputdataconfig.json."""
    source = channel["DataSource"]["S3DataSource"]
    entry = {
        "TrainingInputMode": _mode(document, channel),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    return {**entry, **({"ContentType": channel["ContentType"]} if channel.get("ContentType") else {})}


def bring(world: World, scope: Scope, document: Document, hosts: Sequence[Host]) -> list[Pipe]:
    """Bring every channel to its hosts; those of Pipe mode become pipes, not started yet. Raises S3Error."""
    groups = [group for _, group in machines(document["ResourceConfig"])]
    pipes = []
    for channel in _all(document):
        source = channel["DataSource"]["S3DataSource"]
        found = s3.entries(world, scope, source["S3Uri"], source["S3DataType"])
        wanted = source.get("InstanceGroupNames") or groups
        takers = [host for host, group in zip(hosts, groups, strict=True) if group in wanted]
        for number, host in enumerate(takers):
            mine = shard(found, source.get("S3DataDistributionType", ""), number, len(takers))
            place = host.root / "input/data" / channel["ChannelName"]
            if _mode(document, channel) == "Pipe":
                gzip, shuffle = channel.get("CompressionType") == "Gzip", channel.get("ShuffleConfig")
                pipes.append(Pipe(world, scope, place, mine, gzip=gzip, seed=shuffle["Seed"] if shuffle else None))
            else:
                s3.fetch(world, scope, mine, place)
    return pipes
