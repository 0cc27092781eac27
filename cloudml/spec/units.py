"""Reading of human durations, sizes and percentages; pure functions without dependencies."""

from __future__ import annotations

import re

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SIZE = re.compile(r"^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|K|M|G|T)B?$")
_MEBIBYTES = {
    "Ki": 1 / 1024,
    "Mi": 1.0,
    "Gi": 1024.0,
    "Ti": 1024.0**2,
    "K": 1e3 / 2**20,
    "M": 1e6 / 2**20,
    "G": 1e9 / 2**20,
    "T": 1e12 / 2**20,
}


def seconds(value: float | str) -> float:
    """Seconds of `90`, `"90s"`, `"15m"`, `"1h"`, `"3d"` or `"2w"`. Raises ValueError naming the legal forms."""
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a duration; write seconds or a string such as '15m'")
    if isinstance(value, (int, float)):
        if not 0 <= value < float("inf"):
            raise ValueError(f"{value!r} is not a duration; it must be zero or more seconds")
        return float(value)
    match = _DURATION.match(value.strip())
    if match is None:
        raise ValueError(f"{value!r} is not a duration; write seconds or a string such as '90s', '15m', '1h', '3d'")
    return float(match[1]) * _SECONDS[match[2]]


def mebibytes(value: int | str) -> int:
    """Mebibytes (rounded up) of `2048`, `"512Mi"`, `"16Gi"` or `"16G"`. Raises ValueError naming the legal forms."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a memory size; write MiB or a string such as '512Mi', '16Gi'")
    return -int(-float(match[1]) * _MEBIBYTES[match[2]] // 1)
