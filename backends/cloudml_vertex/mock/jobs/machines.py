"""Machines of custom training: which types there are, and which accelerators go with them.

From Google's page "Configure compute resources for custom training" (machine types, accelerators, boot disks).
"""

from __future__ import annotations

import re
from typing import Any

Document = dict[str, Any]
Violation = tuple[str, str]

_N1 = {
    "NVIDIA_TESLA_T4": (1, 2, 4),
    "NVIDIA_TESLA_P4": (1, 2, 4),
    "NVIDIA_TESLA_P100": (1, 2, 4),
    "NVIDIA_TESLA_V100": (1, 2, 4, 8),
}
_FAMILIES: tuple[tuple[str, dict[str, tuple[int, ...]]], ...] = (
    (r"e2-standard-(4|8|16|32)|e2-highmem-(2|4|8|16)|e2-highcpu-(16|32)", {}),
    (r"n1-(standard|highmem)-(4|8|16|32|64|96)|n1-highmem-2|n1-highcpu-(16|32|64|96)", _N1),
    (r"n2-(standard|highmem)-(4|8|16|32|48|64|80)|n2-highmem-(2|96|128)|n2-highcpu-(16|32|48|64|80)", {}),
    (r"n2-standard-(96|128)|n2-highcpu-96", {}),
    (r"n2d-(standard|highmem|highcpu)-(2|4|8|16|32|48|64|80|96|128|224)", {}),
    (r"c2-standard-(4|8|16|30|60)", {}),
    (r"c2d-(standard|highmem|highcpu)-(2|4|8|16|32|56|112)", {}),
    (r"c3-(standard|highmem|highcpu)-(4|8|22|44|88|176)", {}),
    (r"m1-ultramem-(40|80|160)|m1-megamem-96", {}),
    (r"g2-standard-(4|8|12|16|32)", {"NVIDIA_L4": (1,)}),
    (r"g2-standard-24", {"NVIDIA_L4": (2,)}),
    (r"g2-standard-48", {"NVIDIA_L4": (4,)}),
    (r"g2-standard-96", {"NVIDIA_L4": (8,)}),
    (r"a2-highgpu-1g", {"NVIDIA_TESLA_A100": (1,)}),
    (r"a2-highgpu-2g", {"NVIDIA_TESLA_A100": (2,)}),
    (r"a2-highgpu-4g", {"NVIDIA_TESLA_A100": (4,)}),
    (r"a2-highgpu-8g", {"NVIDIA_TESLA_A100": (8,)}),
    (r"a2-megagpu-16g", {"NVIDIA_TESLA_A100": (16,)}),
    (r"a2-ultragpu-1g", {"NVIDIA_A100_80GB": (1,)}),
    (r"a2-ultragpu-2g", {"NVIDIA_A100_80GB": (2,)}),
    (r"a2-ultragpu-4g", {"NVIDIA_A100_80GB": (4,)}),
    (r"a2-ultragpu-8g", {"NVIDIA_A100_80GB": (8,)}),
    (r"a3-highgpu-1g", {"NVIDIA_H100_80GB": (1,)}),
    (r"a3-highgpu-2g", {"NVIDIA_H100_80GB": (2,)}),
    (r"a3-highgpu-4g", {"NVIDIA_H100_80GB": (4,)}),
    (r"a3-(highgpu|edgegpu)-8g", {"NVIDIA_H100_80GB": (8,)}),
    (r"a3-megagpu-8g", {"NVIDIA_H100_MEGA_80GB": (8,)}),
    (r"a3-ultragpu-8g", {"NVIDIA_H200_141GB": (8,)}),
    (r"a4-highgpu-8g", {"NVIDIA_B200": (8,)}),
    (r"a4x-highgpu-4g", {"NVIDIA_GB200": (4,)}),
    (r"cloud-tpu", {"TPU_V2": (8,), "TPU_V3": (8,)}),
    (r"ct4p-hightpu-4t|ct5lp-hightpu-(1|4|8)t|ct5p-hightpu-(1|2|4)t|ct6e-standard-(1|4|8)t", {}),
)
_NEEDED = re.compile(r"g2-|a2-|a3-|a4|cloud-tpu")
"""Machines that come with accelerators only."""
_DISK_TYPES = ("pd-ssd", "pd-standard", "hyperdisk-balanced")
_DISK_GB = (100, 64_000)


def check_machine(spec: Document, where: str) -> list[Violation]:
    """What is wrong with a MachineSpec of a worker pool."""
    machine = spec.get("machine_type")
    if not machine:
        return [(f"{where}.machine_type", "A machine type is required.")]
    known = next((found for pattern, found in _FAMILIES if re.fullmatch(pattern, machine)), None)
    if known is None:
        return [(f"{where}.machine_type", f"Machine type {machine!r} is not supported.")]
    member, text = _accelerator_fault(machine, known, spec)
    return [(f"{where}.{member}", text)] if text else []


def _accelerator_fault(machine: str, known: dict[str, tuple[int, ...]], spec: Document) -> tuple[str, str]:
    """Which member is wrong, and why; empty texts when none is."""
    kind, count = spec.get("accelerator_type") or "ACCELERATOR_TYPE_UNSPECIFIED", spec.get("accelerator_count") or 0
    none = kind == "ACCELERATOR_TYPE_UNSPECIFIED"
    tests = (
        (none and count, "accelerator_type", f"{count} accelerators of no type."),
        (none and _NEEDED.match(machine), "accelerator_type", f"Machine type {machine!r} needs {_told(known)}."),
        (not none and count < 1, "accelerator_count", f"Accelerators of type {kind} need a count of 1 or more."),
        (not none and kind not in known, "accelerator_type", f"{kind} is not supported on machine type {machine!r}."),
        (
            not none and count not in known.get(kind, ()),
            "accelerator_count",
            f"Machine type {machine!r} takes {_told(known)}, not {count}.",
        ),
    )
    return next(((member, text) for wrong, member, text in tests if wrong), ("", ""))


def check_disk(spec: Document, where: str) -> list[Violation]:
    """What is wrong with a DiskSpec of a worker pool."""
    found: list[Violation] = []
    kind, size = spec.get("boot_disk_type"), spec.get("boot_disk_size_gb") or _DISK_GB[0]
    if kind and kind not in _DISK_TYPES:
        found.append((f"{where}.boot_disk_type", f"{kind!r} is none of {', '.join(_DISK_TYPES)}."))
    if not _DISK_GB[0] <= size <= _DISK_GB[1]:
        found.append((f"{where}.boot_disk_size_gb", f"{size} is not between {_DISK_GB[0]} and {_DISK_GB[1]}."))
    return found


def _told(known: dict[str, tuple[int, ...]]) -> str:
    return " or ".join(f"{kind} ({', '.join(map(str, counts))})" for kind, counts in known.items())
