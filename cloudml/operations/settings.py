"""Writing one setting of a target into cloudml.toml, and nothing else of the file."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

from cloudml.errors import ProjectError
from cloudml.operations.project import FILE, Project

_HEADER = re.compile(r"\s*\[{1,2}(?P<name>[^\[\]]+)\]{1,2}\s*(#.*)?$")


def write_setting(project: Project, target: str, name: str, value: str) -> None:
    """Set `name` of [targets.<target>]; comments and order stay. Raises ProjectError (CML546) when that is not certain.

    The result is read back before the file is replaced: it must say what it said, and the new value.
    """
    path = project.root / FILE
    before = path.read_text(encoding="utf-8")
    after = edited(before, target, name, value)
    if after is None or not _is_only(before, after, target, name, value):
        raise ProjectError(
            f"{name} of target {target!r} cannot be written safely",
            where=str(path),
            code="CML546",
            hint=f"write it yourself into [targets.{target}]: {name} = {json.dumps(value)}",
        )
    _replace(path, after)


def edited(text: str, target: str, name: str, value: str) -> str | None:
    """The text with the setting in it; None when the target has no section of its own in the file."""
    lines = text.splitlines(keepends=True)
    headers = [(index, _section(line)) for index, line in enumerate(lines) if _section(line) is not None]
    found = next((number for number, (_, section) in enumerate(headers) if section == ("targets", target)), None)
    if found is None:
        return None
    start = headers[found][0] + 1
    end = headers[found + 1][0] if found + 1 < len(headers) else len(lines)
    setting = re.compile(rf"\s*{re.escape(name)}\s*=")
    line = f"{name} = {json.dumps(value, ensure_ascii=False)}\n"
    known = next((index for index in range(start, end) if setting.match(lines[index])), None)
    if known is not None:
        return "".join([*lines[:known], line, *lines[known + 1 :]])
    if lines and not lines[start - 1].endswith("\n"):
        lines[start - 1] += "\n"
    return "".join([*lines[:start], line, *lines[start:]])


def _section(line: str) -> tuple[str, ...] | None:
    """The path that a section's header names."""
    found = _HEADER.match(line.rstrip("\r\n"))
    if found is None:
        return None
    return tuple(part.strip().strip("\"'") for part in found["name"].split("."))


def _is_only(before: str, after: str, target: str, name: str, value: str) -> bool:
    try:
        wanted: dict[str, Any] = tomllib.loads(before)
        wanted["targets"][target][name] = value
        return tomllib.loads(after) == wanted
    except (tomllib.TOMLDecodeError, KeyError, TypeError):
        return False


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
