"""Values of expressions, when a pipeline runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudml_sagemaker.mock.pipelines.definition import jsonpath
from cloudml_sagemaker.mock.pipelines.definition.expressions import Segment, is_expression, segments
from cloudml_sagemaker.mock.pipelines.definition.model import Definition, Document, Scalar
from cloudml_sagemaker.mock.pipelines.definition.problems import shown
from cloudml_sagemaker.mock.pipelines.definition.properties import item as list_item

_NONE: Any = object()


class Unresolved(Exception):
    """An expression has no value; `reason` says why, for a step's FailureReason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class Resolver:
    """Resolves the expressions of one execution; inside a ForEach body, of one iteration.

    `execution`: the execution variables by name (PipelineName, PipelineExecutionId...); `step`: the properties of a
    step that has ended, by its name in the definition (the Describe response; of a Lambda or Callback step
    `{"OutputParameters": {name: value}}`; of a body step that of the same iteration), raising Unresolved when it has
    none; `s3_text`: an object's text by URI, raising Unresolved; `item`: the iteration's ForEach.CurrentItem;
    `iteration`: for a Selector, the properties of a body step in the iteration that is looked at.
    """

    definition: Definition
    parameters: Mapping[str, Scalar]
    execution: Mapping[str, str]
    step: Callable[[str], Document]
    s3_text: Callable[[str], str]
    item: Any = field(default=_NONE)
    iteration: Callable[[str], Document] | None = None

    def resolve(self, value: Any) -> Any:
        """`value` with every expression in it replaced by its value. Raises Unresolved."""
        if is_expression(value):
            function, body = next(iter(value.items()))
            functions: dict[str, Callable[[Any], Any]] = {
                "Get": self._get,
                "Std:Join": self._join,
                "Std:JsonGet": self._json_get,
            }
            return functions[function](body)
        if isinstance(value, dict):
            return {name: self.resolve(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.resolve(each) for each in value]
        return value

    def _get(self, text: str) -> Any:
        parsed = segments(text)
        if parsed is None or not parsed[1]:
            raise Unresolved(f"{text} cannot be read")
        root, path = parsed
        name, rest = str(path[0].value), path[1:]
        if root == "Parameters":
            return self._named(self.parameters, name, text)
        if root == "Execution":
            return self._named(self.execution, name, text)
        if root == "PipelineExperimentConfig":
            return self.resolve(self._named(self.definition.experiment or {}, name, text))
        if root == "Steps":
            return walk(self.step(name), rest, text)
        if root == "ForEach" and self.item is not _NONE:
            return walk(_document(self.item, text) if rest else self.item, rest, text)
        if root == "IterationOutput" and self.iteration is not None:
            return walk(self.iteration(name), rest, text)
        raise Unresolved(f"{text} has no value here")

    def _named(self, values: Mapping[str, Any], name: str, text: str) -> Any:
        if name not in values:
            raise Unresolved(f"{text} has no value")
        return values[name]

    def _join(self, body: Document) -> str:
        return str(body.get("On", "")).join(self._text(self.resolve(each)) for each in body["Values"])

    def _text(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, int | float):
            return json.dumps(value)
        raise Unresolved(f"Std:Join takes plain values, not {shown(value)!r}")

    def _json_get(self, body: Document) -> Any:
        uri = (
            self._property_file(body["PropertyFile"]["Get"]) if "PropertyFile" in body else self.resolve(body["S3Uri"])
        )
        try:
            document = json.loads(self.s3_text(uri))
        except (ValueError, RecursionError):
            raise Unresolved(f"{uri} is not a JSON file") from None
        try:
            return jsonpath.read(document, body["Path"])
        except jsonpath.PathError as error:
            raise Unresolved(f"{error} in {uri}") from None

    def _property_file(self, text: str) -> str:
        _, path = segments(text) or ("", ())
        name, file = (str(path[at].value) for at in (0, 2))
        declared = self.definition.every[name].property_files[file]
        way = (
            Segment("member", "ProcessingOutputConfig"),
            Segment("member", "Outputs"),
            Segment("key", declared.output),
            Segment("member", "S3Output"),
            Segment("member", "S3Uri"),
        )
        folder = walk(self.step(name), way, text)
        return f"{str(folder).rstrip('/')}/{declared.path.lstrip('/')}"


def walk(value: Any, path: tuple[Segment, ...], text: str) -> Any:
    """What lies at the end of `path` from `value` on. Raises Unresolved."""
    for segment in path:
        if isinstance(value, list):
            value = list_item(value, segment) if segment.kind != "member" else None
        elif isinstance(value, Mapping):
            value = value.get(str(segment.value))
        else:
            value = None
        if value is None:
            raise Unresolved(f"{text} has no value: nothing at {segment}")
    return value


def _document(item: Any, text: str) -> Any:
    """An iteration's item, whose members are asked for: the text of a JSON object is read."""
    if not isinstance(item, str):
        return item
    try:
        return json.loads(item)
    except (ValueError, RecursionError):
        raise Unresolved(f"{text} has no value: the item {shown(item)!r} is not a JSON object") from None
