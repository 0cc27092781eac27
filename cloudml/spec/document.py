"""The written form: YAML and JSON that round-trip, and the JSON Schema that describes them."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from pydantic import ValidationError

from cloudml.errors import Diagnostic, SpecError
from cloudml.spec.node import SPEC_VERSION
from cloudml.spec.pipeline import Pipeline

SCHEMA_ID = f"urn:cloudml:schema:pipeline:{SPEC_VERSION}"

MAX_NESTING = 500
"""Levels of a document; blocks of a pipeline that a person could follow are far below."""
_BRACKET = re.compile(r"[\[\]{}]")
_INDENT = re.compile(r"^[ \-?:]+", re.MULTILINE)


def _without_words_as_booleans(resolvers: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """YAML 1.1 takes `on` and its like for truth values; `on` is a field of a retry. Only true and false are left."""
    tag = "tag:yaml.org,2002:bool"
    kept = {letter: [pair for pair in pairs if pair[0] != tag] for letter, pairs in resolvers.items()}
    for letter in "tTfF":
        kept[letter] = [(tag, re.compile("^(?:true|True|TRUE|false|False|FALSE)$")), *kept.get(letter, [])]
    return kept


def _mapping(loader: Any, node: Any) -> dict[Any, Any]:
    import yaml

    loader.flatten_mapping(node)
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in result:
            raise yaml.MarkedYAMLError(problem=f"the key {key!r} occurs twice", problem_mark=key_node.start_mark)
        result[key] = loader.construct_object(value_node, deep=True)
    return result


@cache
def _loader() -> Any:
    """YAML itself lets the last of two equal keys win in silence; a spec must not. `on`, `yes`, `no` are text here."""
    import yaml

    made: Any = type("UniqueKeys", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
    made.yaml_implicit_resolvers = _without_words_as_booleans(made.yaml_implicit_resolvers)
    made.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
    return made


def to_dict(pipeline: Pipeline) -> dict[str, Any]:
    """The document as JSON types, defaults left out; `kind` and `spec_version` always stand."""
    full = pipeline.model_dump(mode="json", exclude_defaults=True)
    return {"spec_version": pipeline.spec_version, **_with_kinds(pipeline, full)}


def _with_kinds(node: Any, dumped: Any) -> Any:
    """Put the discriminators back, which `exclude_defaults` drops because each is its class's default."""
    if isinstance(node, (list, tuple)):
        return [_with_kinds(child, out) for child, out in zip(node, dumped, strict=True)]
    fields = getattr(type(node), "model_fields", None)
    if fields is None or not isinstance(dumped, dict):
        return dumped
    result: dict[str, Any] = {}
    if "kind" in fields:
        result["kind"] = node.kind
    for name in fields:
        if name in dumped:
            result[name] = _with_kinds(getattr(node, name), dumped[name])
    return result


def to_yaml(pipeline: Pipeline) -> str:
    """The document as YAML, in the order of the fields."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(to_dict(pipeline), Dumper=dumper, sort_keys=False, allow_unicode=True, width=120)
    assert isinstance(text, str)
    return text


def from_dict(document: Any, where: str = "document") -> Pipeline:
    """Read a document. Raises SpecError with one diagnostic for each field that is wrong."""
    if not isinstance(document, dict):
        raise SpecError([Diagnostic("CML201", where, f"a pipeline is a mapping, not {type(document).__name__}")])
    version = document.get("spec_version")
    if version != SPEC_VERSION:
        message = f"spec_version is {version!r}; this cloudml reads version {SPEC_VERSION!r}"
        raise SpecError([Diagnostic("CML202", where, message, hint=f"write spec_version: '{SPEC_VERSION}'")])
    try:
        return Pipeline.model_validate(document)
    except ValidationError as error:
        raise SpecError([_diagnostic(where, item) for item in error.errors()]) from None
    except RecursionError:
        message = "the steps or conditions are nested too deeply to be read"
        raise SpecError([Diagnostic("CML201", where, message, hint="flatten the nesting")]) from None


def _diagnostic(where: str, item: Any) -> Diagnostic:
    path = ".".join(str(part) for part in item["loc"])
    return Diagnostic("CML201", f"{where}: {path}" if path else where, item["msg"])


def _nests_too_deeply(text: str) -> bool:
    """Whether the parser, which is recursive C, could exhaust its stack: open brackets, or indents and dashes."""
    level = 0
    for bracket in _BRACKET.findall(text):
        level = max(0, level + (1 if bracket in "[{" else -1))
        if level > MAX_NESTING:
            return True
    return any(len(found) > 2 * MAX_NESTING for found in _INDENT.findall(text))


def from_yaml(text: str, where: str = "document") -> Pipeline:
    """Read YAML. Raises SpecError: syntax, double keys and wrong fields alike."""
    import yaml

    if _nests_too_deeply(text):
        message = f"the document is nested more than {MAX_NESTING} levels deep"
        raise SpecError([Diagnostic("CML203", where, message, hint="flatten the nesting")])
    try:
        document = yaml.load(text, Loader=_loader())  # noqa: S506 - a safe loader with unique keys
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        message = " ".join(str(error).split())
        raise SpecError([Diagnostic("CML203", where, f"not readable as YAML: {message}")]) from None
    return from_dict(document, where)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the document."""
    schema = Pipeline.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}
