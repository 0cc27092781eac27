"""Machines of SageMaker: what one asks for in cores and memory becomes the cheapest instance type that has it.

The table is a file of the package, `data/machines.json`, read when it is first asked for. Sizes are those of the EC2
instance types of the same name. Prices are list prices on demand in one region, of the day that the table names, for
estimates in a plan; they differ by region, and AWS's bill is what counts.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from cloudml.spec import Resources


Kind: TypeAlias = Literal["processing", "training", "endpoint"]

_LOCAL_DISK = re.compile(r"ml\.([a-z]+\d+[a-z]*d[a-z]*|g[56]e?|p5e?n?|trn\d[a-z]*)\.")
"""`d` behind the generation stands for disks; newer families with devices have them without saying so."""
_FILE = Path(__file__).parent / "data" / "machines.json"
_ALL: frozenset[Kind] = frozenset({"processing", "training", "endpoint"})


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


@dataclass(frozen=True)
class Prices:
    """What the prices are: of which day and region, where they were read, in which currency.

    `storage`: a GB of a machine's volume for a month. `spot`: the least and the most that a spot machine saves, as a
    share of the price (AWS: "up to 90 %").
    """

    as_of: str
    region: str
    currency: str
    source: str
    storage: float
    spot: tuple[float, float]


class NoMachine(ValueError):
    """No instance type is large enough; the text names the largest there is."""


@cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_FILE.read_bytes())
    return found


@cache
def prices() -> Prices:
    """What the table says about its prices."""
    table = _table()
    low, high = table["spot_discount"]
    return Prices(
        as_of=table["as_of"],
        region=table["region"],
        currency=table["currency"],
        source=table["source"],
        storage=table["storage"]["price"],
        spot=(low, high),
    )


@cache
def known() -> tuple[Machine, ...]:
    """All machines, the cheapest first."""
    kinds = _table()["kinds"]
    found = (
        Machine(f"ml.{name}", cpu, memory * 1024, price, gpu, device, frozenset(kinds[letter] for letter in letters))
        for name, cpu, memory, gpu, device, price, letters in _table()["machines"]
    )
    return tuple(sorted(found, key=lambda one: (one.price, one.name)))


def named(name: str) -> Machine | None:
    """The machine of that name; None when the table has none."""
    return next((one for one in known() if one.name == name), None)


def has_local_disk(name: str) -> bool:
    """Whether a machine brings its disk, which is encrypted by itself: AWS refuses a key for its volume (API reference,
    VolumeKmsKeyId and CreateEndpointConfig's KmsKeyId; EC2, instance store volumes)."""
    return _LOCAL_DISK.match(name) is not None


def choose(resources: Resources, kind: Kind) -> Machine:
    """The cheapest machine that has what is asked for; devices only when asked for. Raises NoMachine."""
    usable = [one for one in known() if kind in one.kinds and bool(one.gpu) == bool(resources.gpu)]
    device = (resources.gpu_type or "").upper().removeprefix("NVIDIA-")
    found = next((one for one in usable if _fits(one, resources) and device in ("", one.gpu_type)), None)
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
