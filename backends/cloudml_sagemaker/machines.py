"""Machines of SageMaker: what one asks for in cores and memory becomes the cheapest instance type that has it.

Sizes are those of the EC2 instance types of the same name. Prices are list prices on demand, us-east-1, for estimates
in a plan; they differ by region, and AWS's bill is what counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cloudml.spec import Resources

PRICES_OF = "2025-01"
"""The month of the prices."""

Kind: TypeAlias = Literal["processing", "training", "endpoint"]

_JOBS: frozenset[Kind] = frozenset({"processing", "training"})
_ALL: frozenset[Kind] = frozenset({"processing", "training", "endpoint"})
_TRAINING: frozenset[Kind] = frozenset({"training", "endpoint"})
_ENDPOINT: frozenset[Kind] = frozenset({"endpoint"})


@dataclass(frozen=True)
class Machine:
    """One instance type: cores, memory in MiB, devices, US dollars an hour, and what it may be used for."""

    name: str
    cpu: int
    memory: int
    price: float
    gpu: int = 0
    gpu_type: str = ""
    kinds: frozenset[Kind] = _ALL


class NoMachine(ValueError):
    """No instance type is large enough; the text names the largest there is."""


# family, kinds, type of device, then (size, cores, GiB, devices, dollars an hour)
_Row: TypeAlias = tuple[str, int, int, int, float]
_FAMILIES: tuple[tuple[str, frozenset[Kind], str, tuple[_Row, ...]], ...] = (
    ("t3", _JOBS, "", (
        ("medium", 2, 4, 0, 0.05), ("large", 2, 8, 0, 0.10), ("xlarge", 4, 16, 0, 0.20), ("2xlarge", 8, 32, 0, 0.399),
    )),
    ("t2", _ENDPOINT, "", (
        ("medium", 2, 4, 0, 0.056), ("large", 2, 8, 0, 0.111), ("xlarge", 4, 16, 0, 0.223),
        ("2xlarge", 8, 32, 0, 0.445),
    )),
    ("m5", _ALL, "", (
        ("large", 2, 8, 0, 0.115), ("xlarge", 4, 16, 0, 0.23), ("2xlarge", 8, 32, 0, 0.461),
        ("4xlarge", 16, 64, 0, 0.922), ("12xlarge", 48, 192, 0, 2.765), ("24xlarge", 96, 384, 0, 5.53),
    )),
    ("c5", _ALL, "", (
        ("xlarge", 4, 8, 0, 0.204), ("2xlarge", 8, 16, 0, 0.408), ("4xlarge", 16, 32, 0, 0.816),
        ("9xlarge", 36, 72, 0, 1.836), ("18xlarge", 72, 144, 0, 3.672),
    )),
    ("r5", _ALL, "", (
        ("large", 2, 16, 0, 0.151), ("xlarge", 4, 32, 0, 0.302), ("2xlarge", 8, 64, 0, 0.605),
        ("4xlarge", 16, 128, 0, 1.21), ("12xlarge", 48, 384, 0, 3.629), ("24xlarge", 96, 768, 0, 7.258),
    )),
    ("g4dn", _ALL, "T4", (
        ("xlarge", 4, 16, 1, 0.736), ("2xlarge", 8, 32, 1, 0.94), ("4xlarge", 16, 64, 1, 1.505),
        ("8xlarge", 32, 128, 1, 2.72), ("12xlarge", 48, 192, 4, 4.89), ("16xlarge", 64, 256, 1, 5.44),
    )),
    ("g5", _ALL, "A10G", (
        ("xlarge", 4, 16, 1, 1.408), ("2xlarge", 8, 32, 1, 1.515), ("4xlarge", 16, 64, 1, 2.03),
        ("8xlarge", 32, 128, 1, 3.06), ("12xlarge", 48, 192, 4, 7.09), ("16xlarge", 64, 256, 1, 5.12),
        ("24xlarge", 96, 384, 4, 10.18), ("48xlarge", 192, 768, 8, 20.36),
    )),
    ("p3", _ALL, "V100", (
        ("2xlarge", 8, 61, 1, 3.825), ("8xlarge", 32, 244, 4, 14.688), ("16xlarge", 64, 488, 8, 28.152),
    )),
    ("p4d", _TRAINING, "A100", (("24xlarge", 96, 1152, 8, 37.688),)),
    ("p5", _TRAINING, "H100", (("48xlarge", 192, 2048, 8, 113.068),)),
)  # fmt: skip


def _machines() -> Iterator[Machine]:
    for family, kinds, device, rows in _FAMILIES:
        for size, cpu, memory, gpu, price in rows:
            yield Machine(f"ml.{family}.{size}", cpu, memory * 1024, price, gpu, device, kinds)


MACHINES: tuple[Machine, ...] = tuple(sorted(_machines(), key=lambda one: (one.price, one.name)))
"""All of them, the cheapest first."""


def choose(resources: Resources, kind: Kind) -> Machine:
    """The cheapest machine that has what is asked for; devices only when asked for. Raises NoMachine."""
    usable = [one for one in MACHINES if kind in one.kinds and bool(one.gpu) == bool(resources.gpu)]
    named = (resources.gpu_type or "").upper().removeprefix("NVIDIA-")
    found = next((one for one in usable if _fits(one, resources) and named in ("", one.gpu_type)), None)
    if found is None:
        largest = max(usable, key=lambda one: (one.gpu, one.memory, one.cpu))
        raise NoMachine(
            f"no machine for {kind} has {_words(resources)}; the largest is {largest.name} with {largest.cpu} cores, "
            f"{largest.memory // 1024} GiB" + (f" and {largest.gpu} {largest.gpu_type}" if largest.gpu else "")
        )
    return found


def _fits(machine: Machine, asked: Resources) -> bool:
    return machine.cpu >= asked.cpu and machine.memory >= (asked.memory or 0) and machine.gpu >= asked.gpu


def _words(asked: Resources) -> str:
    parts = [f"{asked.cpu:g} cores"]
    if asked.memory:
        parts.append(f"{asked.memory / 1024:g} GiB")
    if asked.gpu:
        parts.append(f"{asked.gpu} {asked.gpu_type or 'devices'}")
    return ", ".join(parts)


def volume(resources: Resources) -> int:
    """GB of the volume beside the machine: what is asked for, else 30 as AWS's SDK takes."""
    return 30 if resources.disk is None else max(1, -(-resources.disk * 1024 * 1024 // 10**9))
