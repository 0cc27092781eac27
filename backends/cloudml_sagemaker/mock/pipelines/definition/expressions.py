"""Expressions in a definition (`{"Get": ...}`, `{"Std:Join": ...}`, `{"Std:JsonGet": ...}`): form, what they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cloudml_sagemaker.mock.pipelines.definition.problems import Problems, shown

FUNCTIONS = ("Get", "Std:Join", "Std:JsonGet")

ROOTS = ("Parameters", "Execution", "Steps", "ForEach", "IterationOutput", "PipelineExperimentConfig")

_ROOT = re.compile(r"[A-Za-z]+")
_SEGMENT = re.compile(
    r"\.(?P<member>[A-Za-z0-9_\-]+)|\[(?P<index>[0-9]{1,6})\]|\[(?P<quote>['\"])(?P<key>.*?)(?P=quote)\]"
)


@dataclass(frozen=True)
class Segment:
    """One step into a value: a `member` (`.Name`), a `key` (`['name']`) or an `index` (`[0]`)."""

    kind: str
    value: str | int

    def __str__(self) -> str:
        return {"member": f".{self.value}", "index": f"[{self.value}]", "key": f"['{self.value}']"}[self.kind]


@dataclass(frozen=True)
class Reference:
    """What one `Get` names: `root` (Parameters, Steps...) and the way from there. `where`: for messages."""

    text: str
    root: str
    path: tuple[Segment, ...]
    where: str
    property_file: bool = False

    @property
    def name(self) -> str:
        """The parameter's, variable's or step's name; empty when the path has none."""
        return str(self.path[0].value) if self.path and self.path[0].kind == "member" else ""


def is_expression(value: Any) -> bool:
    """Whether `value` stands for one that is known only when the pipeline runs."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in FUNCTIONS


def segments(text: str) -> tuple[str, tuple[Segment, ...]] | None:
    """The root and the way of a Get's text; None when it cannot be read."""
    root = _ROOT.match(text)
    if root is None:
        return None
    position, path = root.end(), []
    while position < len(text):
        found = _SEGMENT.match(text, position)
        if found is None:
            return None
        if found["member"] is not None:
            path.append(Segment("member", found["member"]))
        elif found["index"] is not None:
            path.append(Segment("index", int(found["index"])))
        else:
            path.append(Segment("key", found["key"]))
        position = found.end()
    return root.group(), tuple(path)


def references(value: Any, where: str, problems: Problems) -> Iterator[Reference]:
    """Every Get in `value`, at any depth; expressions of a wrong form go to `problems`."""
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield from references(item, f"{where}[{position}]", problems)
    elif is_expression(value):
        function, body = next(iter(value.items()))
        yield from _FORMS[function](body, where, problems)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name.startswith("Std:"):
                problems.add(where, f"unknown function {shown(name)}")
            else:
                yield from references(item, f"{where}.{name}", problems)


def _get(body: Any, where: str, problems: Problems) -> Iterator[Reference]:
    parsed = segments(body) if isinstance(body, str) else None
    if parsed is None or parsed[0] not in ROOTS:
        problems.add(where, f"Get takes a reference that begins with {', '.join(ROOTS)}, not {shown(body)!r}")
        return
    yield Reference(body, parsed[0], parsed[1], where)


def _join(body: Any, where: str, problems: Problems) -> Iterator[Reference]:
    if not isinstance(body, dict) or not set(body) <= {"On", "Values"} or not isinstance(body.get("Values"), list):
        problems.add(where, "Std:Join takes On and a list Values")
        return
    if not isinstance(body.get("On", ""), str):
        problems.add(where, "On of Std:Join must be a string")
    for position, item in enumerate(body["Values"]):
        if is_expression(item):
            yield from references(item, f"{where}.Values[{position}]", problems)
        elif not isinstance(item, str | int | float):
            problems.add(where, f"Values[{position}] of Std:Join must be a scalar or an expression")


def _json_get(body: Any, where: str, problems: Problems) -> Iterator[Reference]:
    if not isinstance(body, dict) or not set(body) <= {"PropertyFile", "S3Uri", "Path"}:
        problems.add(where, "Std:JsonGet takes PropertyFile or S3Uri, and Path")
        return
    if not isinstance(body.get("Path"), str) or not body["Path"]:
        problems.add(where, "Path of Std:JsonGet must be a JsonPath")
    if ("PropertyFile" in body) == ("S3Uri" in body):
        problems.add(where, "Std:JsonGet takes exactly one of PropertyFile and S3Uri")
    elif "S3Uri" in body:
        yield from _json_uri(body["S3Uri"], f"{where}.S3Uri", problems)
    else:
        yield from _json_file(body["PropertyFile"], f"{where}.PropertyFile", problems)


def _json_uri(uri: Any, where: str, problems: Problems) -> Iterator[Reference]:
    # The SDK writes a Join of scalars, parameters, execution variables and properties (functions.JsonGet).
    if isinstance(uri, str):
        if not uri.startswith("s3://"):
            problems.add(where, f"{shown(uri)!r} is not an S3 URI")
    elif is_expression(uri) and "Std:JsonGet" not in uri:
        yield from references(uri, where, problems)
    else:
        problems.add(where, "must be an S3 URI or a Std:Join")


def _json_file(file: Any, where: str, problems: Problems) -> Iterator[Reference]:
    text = file.get("Get") if isinstance(file, dict) and len(file) == 1 else None
    parsed = segments(text) if isinstance(text, str) else None
    if (
        parsed is None
        or parsed[0] != "Steps"
        or [segment.kind for segment in parsed[1]] != ["member"] * 3
        or parsed[1][1].value != "PropertyFiles"
    ):
        problems.add(where, "must be {'Get': 'Steps.<step>.PropertyFiles.<name>'}")
        return
    yield Reference(str(text), "Steps", parsed[1], where, property_file=True)


_FORMS = {"Get": _get, "Std:Join": _join, "Std:JsonGet": _json_get}
