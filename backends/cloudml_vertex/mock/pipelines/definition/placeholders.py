"""Placeholders of commands, arguments and values: `{{$.…}}`, and the structures Concat and IfPresent.

Sources: `PipelineContainerSpec` in pipeline_spec.proto, and https://cloud.google.com/vertex-ai/docs/pipelines. In what
the spec's author wrote for a container an unknown placeholder is an error; inside values (where an author's default or
a constant may hold placeholders, and data may hold anything) what is none of ours stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cloudml_vertex.mock.pipelines.definition.structures import PlaceholderError, unfolded
from cloudml_vertex.mock.pipelines.definition.values import Value, plain, to_text

__all__ = ["Names", "PlaceholderError", "references", "render", "resolved", "within_inputs"]

DEEPEST = 10
"""Values in values: placeholders that lead to one another without end are refused."""

_PLACEHOLDER = re.compile(r"\{\{\$(.*?)\}\}", re.DOTALL)
_KEY = r"\[(?P<q>'{1,2}|\"|)(?P<key>[^\]\"']+)(?P=q)\]"
_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("input", rf"\.inputs\.parameters{_KEY}"),
        ("input-artifact", rf"\.inputs\.artifacts{_KEY}(?P<rest>.*)"),
        ("output-file", rf"\.outputs\.parameters{_KEY}\.output_file"),
        ("output-artifact", rf"\.outputs\.artifacts{_KEY}(?P<rest>.*)"),
        ("output-json", r"\.outputs\.output_file"),
        ("whole", r""),
        ("name", r"\.(?P<key>pipeline_\w+)"),
    )
)
_ESCAPE = re.compile(r"\.json_escape\[(?P<level>\d)\]$")
_METADATA = re.compile(r"\.metadata\[(?P<q>'{1,2}|\"|)(?P<of>[^\]\"']+)(?P=q)\]")
_NAMES = {
    "pipeline_job_name": "job_name",
    "pipeline_job_resource_name": "job_resource_name",
    "pipeline_job_uuid": "job_uuid",
    "pipeline_task_name": "task_name",
    "pipeline_task_uuid": "task_uuid",
    "pipeline_root": "root",
    "pipeline_google_cloud_project_id": "project",
    "pipeline_google_cloud_location": "location",
    "pipeline_job_create_time_utc": "create_time",
    "pipeline_job_schedule_time_utc": "schedule_time",
    "pipeline_service_account": "service_account",
    "pipeline_network": "network",
    "pipeline_persistent_resource_id": "persistent_resource",
    "pipeline_encryption_key_name": "encryption_key_name",
}
_ABSENT = {"STRING": "", "LIST": "[]", "STRUCT": "{}"}
"""What an optional parameter without value is inside of a text. Payloads of Google's own components (those made by
create_custom_training_job_from_component) hold such lists and structs and must be JSON."""

_ATTRIBUTES = ("uri", "path", "name")


@dataclass(frozen=True)
class Names:
    """What the `pipeline_…` placeholders stand for."""

    job_name: str
    job_resource_name: str
    job_uuid: str
    task_name: str
    task_uuid: str
    root: str
    project: str
    location: str
    create_time: str = ""
    schedule_time: str = ""
    service_account: str = ""
    network: str = ""
    persistent_resource: str = ""
    encryption_key_name: str = ""


@dataclass(frozen=True)
class Reference:
    """One placeholder: its form, the key that it names, what of an artifact, and the level of JSON escapes."""

    text: str
    form: str
    key: str = ""
    of: str = ""
    escapes: int = 0


def reference(inside: str) -> Reference:
    """What stands between `{{$` and `}}`. Raises PlaceholderError for what is no placeholder."""
    text = "{{$" + inside + "}}"
    escape = _ESCAPE.search(inside)
    body = inside[: escape.start()] if escape else inside
    level = int(escape["level"]) if escape else 0
    for form, pattern in _FORMS:
        match = pattern.fullmatch(body)
        if match is None:
            continue
        found = match.groupdict()
        key, rest = found.get("key") or "", found.get("rest") or ""
        if form == "name" and key not in _NAMES:
            break
        metadata = _METADATA.fullmatch(rest)
        of = f"metadata:{metadata['of']}" if metadata else rest.removeprefix(".")
        if form.endswith("artifact") and not metadata and of not in {"", "metadata", *_ATTRIBUTES}:
            break
        return Reference(text, form, key, of, level)
    raise PlaceholderError(f"unknown placeholder {text}")


def references(texts: Iterable[str]) -> Iterable[Reference]:
    """Every placeholder in texts. Raises PlaceholderError."""
    for text in texts:
        for match in _PLACEHOLDER.finditer(text):
            yield reference(match[1])


def render(texts: Iterable[str], executor_input: Mapping[str, Any], names: Names) -> tuple[str, ...]:
    """Texts of a command with all placeholders replaced; a structure may give none or several. PlaceholderError."""
    inputs = executor_input.get("inputs", {})
    present = {name for name, value in inputs.get("parameterValues", {}).items() if value is not None}
    present |= {name for name, listed in inputs.get("artifacts", {}).items() if listed.get("artifacts")}
    filled = _Filled(executor_input, names)
    return tuple(filled.text(one) for text in texts for one in unfolded(text, present))


def resolved(executor_input: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """The executor input as `{{$}}` shows it: placeholders inside of input parameters are replaced."""
    return _Filled(executor_input, names).all()


def within_inputs(value: Value, parameters: Mapping[str, Value]) -> Value:
    """A constant of a task with its `{{$.inputs.parameters[…]}}` replaced by the task's own inputs."""

    def one(match: re.Match[str]) -> str:
        try:
            found = reference(match[1])
        except PlaceholderError:
            return match[0]
        if found.form != "input" or found.escapes or parameters.get(found.key) is None:
            return match[0]
        return to_text(parameters[found.key])

    return _mapped(value, lambda text: _PLACEHOLDER.sub(one, text))


def _mapped(value: Value, change: Callable[[str], str]) -> Value:
    if isinstance(value, str):
        return change(value) if "{{$" in value else value
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    if isinstance(value, dict):
        return {_mapped(key, change): _mapped(item, change) for key, item in value.items()}
    return value


class _Filled:
    """Replaces the placeholders of one task."""

    def __init__(self, executor_input: Mapping[str, Any], names: Names) -> None:
        self.input = executor_input
        self.names = names
        self.parameters: Mapping[str, Value] = executor_input.get("inputs", {}).get("parameterValues", {})
        self._showing = False

    def text(self, text: str, depth: int = 0) -> str:
        """The text of a command, or (`depth` > 0) of a value within one."""
        if depth > DEEPEST:
            raise PlaceholderError(f"placeholders inside of values lead to one another more than {DEEPEST} times")
        return _PLACEHOLDER.sub(lambda match: self._one(match, depth), text)

    def all(self) -> dict[str, Any]:
        """The executor input with the placeholders inside of its parameters replaced, but not put into itself."""
        self._showing = True
        try:
            shown = {name: _mapped(value, lambda text: self.text(text, 1)) for name, value in self.parameters.items()}
        finally:
            self._showing = False
        told = {key: value for key, value in self.input.items() if not key.startswith("_")}
        return {**told, "inputs": {**self.input.get("inputs", {}), "parameterValues": shown}}

    def _one(self, match: re.Match[str], depth: int) -> str:
        try:
            found = reference(match[1])
            text = getattr(self, "_" + found.form.replace("-", "_"))(found, depth)
        except PlaceholderError:
            if depth:
                return match[0]
            raise
        for _ in range(found.escapes):
            text = json.dumps(text, ensure_ascii=False)[1:-1]
        return str(text)

    def _input(self, found: Reference, depth: int) -> str:
        if self.parameters.get(found.key) is None:
            kind = self.input.get("_absent", {}).get(found.key)
            if kind is not None:
                return _ABSENT.get(kind, "null")
            raise PlaceholderError(f"{found.text}: the task has no value for this input parameter")
        return self.text(to_text(self.parameters[found.key]), depth + 1)

    def _input_artifact(self, found: Reference, _: int) -> str:
        return self._artifact(found, "inputs")

    def _output_artifact(self, found: Reference, _: int) -> str:
        return self._artifact(found, "outputs")

    def _artifact(self, found: Reference, side: str) -> str:
        listed = self.input.get(side, {}).get("artifacts", {}).get(found.key, {}).get("artifacts", [])
        if not listed:
            raise PlaceholderError(f"{found.text}: the task has no such artifact")
        artifact = listed[0]
        if found.of == "":
            return json.dumps(plain(listed if len(listed) > 1 else artifact), ensure_ascii=False)
        metadata = artifact.get("metadata", {})
        if found.of == "metadata":
            return json.dumps(plain(metadata), ensure_ascii=False)
        kind, _, key = found.of.partition(":")
        if kind == "metadata":
            if key not in metadata:
                raise PlaceholderError(f"{found.text}: the artifact has no such metadata")
            return to_text(metadata[key])
        uri = str(artifact.get("uri", ""))
        return uri.replace("gs://", "/gcs/", 1) if kind == "path" else str(artifact.get(kind, ""))

    def _output_file(self, found: Reference, _: int) -> str:
        known = self.input.get("outputs", {}).get("parameters", {}).get(found.key)
        if known is None:
            raise PlaceholderError(f"{found.text}: the component has no such output parameter")
        return str(known["outputFile"])

    def _output_json(self, found: Reference, _: int) -> str:
        return str(self.input["outputs"]["outputFile"])

    def _whole(self, found: Reference, _: int) -> str:
        if self._showing:
            raise PlaceholderError(f"{found.text}: the executor input cannot hold itself")
        return json.dumps(plain(self.all()), ensure_ascii=False)

    def _name(self, found: Reference, _: int) -> str:
        return str(getattr(self.names, _NAMES[found.key]))
