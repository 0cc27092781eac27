"""Machine types for predictions, and what may be said of them.

Table: Vertex AI, "Configure compute resources for inference"; rules: docstrings of MachineSpec, DedicatedResources and
AutoscalingMetricSpec.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudml_vertex.mock.core.errors import field_violations
from cloudml_vertex.mock.core.times import duration

Document = dict[str, Any]
DEFAULT = "n1-standard-2"
_SIZES: dict[str, tuple[int, ...]] = {
    "e2-standard": (2, 4, 8, 16, 32),
    "e2-highmem": (2, 4, 8, 16),
    "e2-highcpu": (2, 4, 8, 16, 32),
    "n1-standard": (2, 4, 8, 16, 32),
    "n1-highmem": (2, 4, 8, 16, 32),
    "n1-highcpu": (4, 8, 16, 32),
    "n2-standard": (2, 4, 8, 16, 32, 48, 64, 80),
    "n2-highmem": (2, 4, 8, 16, 32, 48, 64, 80),
    "n2-highcpu": (2, 4, 8, 16, 32, 48, 64, 80),
    "n2d-standard": (2, 4, 8, 16, 32, 48, 64, 80),
    "n2d-highmem": (2, 4, 8, 16, 32, 48, 64, 80),
    "n2d-highcpu": (2, 4, 8, 16, 32, 48, 64, 80),
    "c2-standard": (4, 8, 16, 30, 60),
    "c2d-standard": (2, 4, 8, 16, 32, 56, 112),
    "c2d-highmem": (2, 4, 8, 16, 32, 56, 112),
    "c2d-highcpu": (2, 4, 8, 16, 32, 56, 112),
    "c3-standard": (4, 8, 22, 44, 88, 176),
    "c3-highmem": (4, 8, 22, 44, 88, 176),
    "c3-highcpu": (4, 8, 22, 44, 88, 176),
    "g2-standard": (4, 8, 12, 16, 24, 32, 48, 96),
}
_FIXED = {
    "a2-highgpu-1g": 12,
    "a2-highgpu-2g": 24,
    "a2-highgpu-4g": 48,
    "a2-highgpu-8g": 96,
    "a2-megagpu-16g": 96,
    "a2-ultragpu-1g": 12,
    "a2-ultragpu-2g": 24,
    "a2-ultragpu-4g": 48,
    "a2-ultragpu-8g": 96,
    "a3-highgpu-1g": 26,
    "a3-highgpu-2g": 52,
    "a3-highgpu-4g": 104,
    "a3-highgpu-8g": 208,
    "a3-edgegpu-8g": 208,
    "a3-megagpu-8g": 208,
    "a3-ultragpu-8g": 224,
    "a4-highgpu-8g": 224,
    "ct5lp-hightpu-1t": 24,
    "ct5lp-hightpu-4t": 112,
    "ct5lp-hightpu-8t": 224,
}
CPUS: dict[str, int] = {f"{family}-{size}": size for family, sizes in _SIZES.items() for size in sizes} | _FIXED
"""Virtual CPUs of each machine type."""
_N1_GPUS = frozenset({"NVIDIA_TESLA_P100", "NVIDIA_TESLA_V100", "NVIDIA_TESLA_P4", "NVIDIA_TESLA_T4"})
_FAMILY_GPUS = {
    "n1": _N1_GPUS,
    "g2": frozenset({"NVIDIA_L4"}),
    "a2": frozenset({"NVIDIA_TESLA_A100", "NVIDIA_A100_80GB"}),
    "a3": frozenset({"NVIDIA_H100_80GB", "NVIDIA_H100_MEGA_80GB", "NVIDIA_H200_141GB"}),
    "a4": frozenset({"NVIDIA_B200"}),
    "ct5lp": frozenset({"TPU_V5_LITEPOD"}),
}
_METRICS = tuple(
    f"aiplatform.googleapis.com/prediction/online/{name}"
    for name in ("accelerator/duty_cycle", "cpu/utilization", "request_count")
)
_UNSPECIFIED = "ACCELERATOR_TYPE_UNSPECIFIED"


def check_dedicated(given: Document, where: str, version: str) -> None:
    """Raises INVALID_ARGUMENT with everything wrong with DedicatedResources of an online deployment."""
    found = list(machine(given.get("machine_spec") or {}, f"{where}.machine_spec"))
    found += _replicas(given, where, version)
    seen = set()
    for index, spec in enumerate(given.get("autoscaling_metric_specs", [])):
        place, name = f"{where}.autoscaling_metric_specs[{index}]", spec.get("metric_name", "")
        if name not in _METRICS:
            found.append((f"{place}.metric_name", f"{name!r} is not one of {', '.join(_METRICS)}"))
        if name in seen:
            found.append((place, "at most one entry is allowed per metric"))
        seen.add(name)
        percent = not name.endswith("request_count")
        if "target" in spec and (spec["target"] < 1 or (percent and spec["target"] > 100)):
            found.append((f"{place}.target", "the target is from 1 to 100"))
    if found:
        raise field_violations(found)


def machine(spec: Document, where: str, *, required: bool = False) -> Iterator[tuple[str, str]]:
    """What is wrong with a MachineSpec: fields with descriptions."""
    kind = spec.get("machine_type", "" if required else DEFAULT)
    if kind not in CPUS:
        text = f"{kind!r} is not a machine type for predictions" if kind else "a machine type is required"
        yield f"{where}.machine_type", text
    gpu, count = spec.get("accelerator_type", _UNSPECIFIED), spec.get("accelerator_count", 0)
    if (gpu != _UNSPECIFIED) != bool(count):
        yield f"{where}.accelerator_count", "accelerator_type and accelerator_count must be set together"
    elif count < 0:
        yield f"{where}.accelerator_count", "a count is not negative"
    elif gpu != _UNSPECIFIED and gpu not in _FAMILY_GPUS.get(kind.partition("-")[0], frozenset()):
        yield f"{where}.accelerator_type", f"{gpu} cannot be attached to {kind}"


def _replicas(given: Document, where: str, version: str) -> Iterator[tuple[str, str]]:
    least, most = given.get("min_replica_count", 0), given.get("max_replica_count", 0)
    initial = given.get("initial_replica_count", 0)
    scales_to_zero = version == "v1beta1" and least == 0 and initial > 0
    if least < 1 and not scales_to_zero:
        yield f"{where}.min_replica_count", "this value must be greater than or equal to 1"
    if least > 0 and initial:
        yield f"{where}.initial_replica_count", "this must not be set unless min_replica_count is 0"
    if most and most < max(least, initial):
        yield f"{where}.max_replica_count", "this value must not be less than min_replica_count"
    required = given.get("required_replica_count", 0)
    if required < 0 or required > max(least, initial):
        yield f"{where}.required_replica_count", "this value is from 1 to min_replica_count"
    for name in ("min_scaleup_period", "idle_scaledown_period"):
        period = (given.get("scale_to_zero_spec") or {}).get(name)
        if period is not None and not 300 <= duration(period) <= 28800:
            yield f"{where}.scale_to_zero_spec.{name}", "this value is from 300s to 28800s"


def cpus(resources: Document) -> int:
    """What DedicatedResources are charged with: virtual CPUs at `max_replica_count`."""
    kind = (resources.get("machine_spec") or {}).get("machine_type") or DEFAULT
    return CPUS[kind] * max(1, most(resources))


def most(resources: Document) -> int:
    """`max_replica_count`, by default `min_replica_count`."""
    return int(resources.get("max_replica_count") or resources.get("min_replica_count") or 0)
