"""The cache key of a task: everything that can change its result, kept in parts so that a miss can be explained."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any


def key_parts(
    reads: dict[str, Any], lock: str, arguments: dict[str, Any], inputs: dict[str, Any], secrets: dict[str, str]
) -> dict[str, Any]:
    """The named parts. `inputs` maps names to digests, or to lists of digests."""
    return {
        "function": reads.get("function"),
        "code": {path: digest[:16] for path, digest in reads.get("files", ())},
        "lock": lock[:16],
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "arguments": arguments,
        "secrets": secrets,
        "inputs": inputs,
        "ports": {
            port["name"]: f"{port['mode']} {port['type']}"
            for port in (*reads.get("inputs", ()), *reads.get("outputs", ()))
        },
        "environment": reads.get("environment", {}),
        "settings": {name: reads[name] for name in ("tuning", "batch_size", "keep") if name in reads},
    }


def key_of(parts: dict[str, Any]) -> str:
    """The key: a digest of the parts."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What changed between two sets of parts, in words."""
    words: list[str] = []
    for part, label in _LABELS.items():
        before, after = old.get(part), new.get(part)
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            words += [_change(label, name, before, after) for name in _changed(before, after)]
        else:
            words.append(f"{label} changed: {_show(before)} -> {_show(after)}")
    return words


_LABELS = {
    "function": "function",
    "code": "code",
    "lock": "the project's lock file",
    "python": "Python",
    "arguments": "argument",
    "secrets": "secret",
    "inputs": "input",
    "ports": "type of",
    "environment": "environment variable",
    "settings": "setting",
}


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def _change(label: str, name: str, before: dict[str, Any], after: dict[str, Any]) -> str:
    if name not in before:
        return f"{label} {name} is new"
    if name not in after:
        return f"{label} {name} is gone"
    if label in ("code", "input"):
        return f"{label} {name} changed"
    return f"{label} {name} changed: {_show(before[name])} -> {_show(after[name])}"


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."
