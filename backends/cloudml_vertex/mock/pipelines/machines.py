"""The machine that a task's resources come to.

https://cloud.google.com/vertex-ai/docs/pipelines/machine-types: e2-standard-4 when nothing is asked for; otherwise the
machine that is closest to the CPU and memory limits; with an accelerator, a machine that carries it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cloudml_vertex.mock.core.operations import Document

DEFAULT = "e2-standard-4"

MOST_CPU, MOST_MEMORY = 96.0, 624.0
"""The largest limits of a task: CPUs, and GB of memory."""

_UNITS = {
    "": 1e-9, "m": 1e-12, "k": 1e-6, "K": 1e-6, "M": 1e-3, "G": 1.0, "T": 1e3,
    "Ki": 2**10 / 1e9, "Mi": 2**20 / 1e9, "Gi": 2**30 / 1e9, "Ti": 2**40 / 1e9,
}  # fmt: skip
"""GB in a unit of memory (Kubernetes quantities)."""

_E2: dict[str, tuple[float, float]] = {
    **{f"e2-standard-{cpu}": (cpu, cpu * 4) for cpu in (4, 8, 16, 32)},
    **{f"e2-highmem-{cpu}": (cpu, cpu * 8) for cpu in (2, 4, 8, 16)},
    **{f"e2-highcpu-{cpu}": (cpu, cpu) for cpu in (16, 32)},
}
_N1: dict[str, tuple[float, float]] = {
    **{f"n1-standard-{cpu}": (cpu, cpu * 3.75) for cpu in (4, 8, 16, 32, 64, 96)},
    **{f"n1-highmem-{cpu}": (cpu, cpu * 6.5) for cpu in (2, 4, 8, 16, 32, 64, 96)},
}
_CARRIERS: dict[str, dict[int, str]] = {
    "NVIDIA_TESLA_A100": {1: "a2-highgpu-1g", 2: "a2-highgpu-2g", 4: "a2-highgpu-4g", 8: "a2-highgpu-8g"},
    "NVIDIA_A100_80GB": {1: "a2-ultragpu-1g", 2: "a2-ultragpu-2g", 4: "a2-ultragpu-4g", 8: "a2-ultragpu-8g"},
    "NVIDIA_L4": {1: "g2-standard-4", 2: "g2-standard-24", 4: "g2-standard-48", 8: "g2-standard-96"},
    "NVIDIA_H100_80GB": {1: "a3-highgpu-1g", 2: "a3-highgpu-2g", 4: "a3-highgpu-4g", 8: "a3-highgpu-8g"},
}
"""Accelerators that come with machines of their own, by count."""


class BadResources(Exception):
    """The resources of a task cannot be had; the text says why."""


@dataclass(frozen=True)
class Asked:
    """What a container executor asks for: raw texts and numbers, "" or 0 for nothing."""

    cpu: str | float = ""
    memory: str | float = ""
    accelerator: str = ""
    count: str | int = ""


def machine_spec(asked: Asked) -> Document:
    """The MachineSpec of the CustomJob. Raises BadResources."""
    cpu, memory = cpus(asked.cpu), gigabytes(asked.memory)
    if cpu > MOST_CPU or memory > MOST_MEMORY:
        raise BadResources(f"a task has at most {MOST_CPU:g} CPUs and {MOST_MEMORY:g} GB of memory")
    kind, count = accelerator(asked)
    if not count:
        return {"machine_type": DEFAULT if not cpu and not memory else _closest(cpu, memory, _E2, _N1)}
    carriers = _CARRIERS.get(kind)
    if carriers is None:
        machine = _closest(cpu or 4, memory, _N1)
    elif count in carriers:
        machine = carriers[count]
    else:
        raise BadResources(f"no machine carries {count} of {kind}; there are {', '.join(map(str, carriers))}")
    return {"machine_type": machine, "accelerator_type": kind, "accelerator_count": count}


def cpus(given: str | float) -> float:
    """CPUs of a number or a text ("4", "500m"). Raises BadResources."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(m?)", str(given or 0))
    if found is None:
        raise BadResources(f"{given!r} is no number of CPUs")
    return float(found[1]) / (1000 if found[2] else 1)


def gigabytes(given: str | float) -> float:
    """GB of a number (GB) or a text ("16G", "512Mi"). Raises BadResources."""
    if isinstance(given, int | float):
        return float(given)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]i|[mkKMGT]?)", given or "0")
    if found is None:
        raise BadResources(f"{given!r} is no amount of memory")
    return float(found[1]) * _UNITS[found[2]]


def accelerator(asked: Asked) -> tuple[str, int]:
    """Type, as the API's enum has it, and count of the accelerator. Raises BadResources."""
    text = str(asked.count or 0)
    if not re.fullmatch(r"\d{1,4}", text):
        raise BadResources(f"{text!r} is no number of accelerators")
    kind = asked.accelerator.upper().replace("-", "_")
    if kind and not int(text) and asked.count == "":
        return kind, 1
    if int(text) and not kind:
        raise BadResources("accelerators are asked for without a type")
    return kind, int(text)


def _closest(cpu: float, memory: float, *families: Mapping[str, tuple[float, float]]) -> str:
    """The smallest machine with at least so much of both, of the first family that has one."""
    for machines in families:
        fitting = [name for name, (cores, size) in machines.items() if cores >= cpu and size >= memory]
        if fitting:
            return min(fitting, key=machines.__getitem__)
    raise BadResources(f"no machine has {cpu:g} CPUs and {memory:g} GB of memory")
