"""A compiled pipeline looked through before a byte is sent: all that Vertex would refuse, at once.

Sources: labels, "Labels overview" of Resource Manager; display names and descriptions, the SDK's checks; numbers,
google.protobuf.Struct, which carries every number as a double; references, comments of pipeline_spec.proto.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from cloudml.errors import Diagnostic
from cloudml_vertex.compile.port import Document

__all__ = ["LARGEST", "LONGEST_NAME", "MOST_LABELS", "check"]

LARGEST = 1_000_000
"""Bytes of a specification. Google publishes no limit: above this one nobody has tried."""
LONGEST_NAME = 128
"""Characters of a display name."""
LONGEST_DESCRIPTION = 1024
MOST_LABELS = 64
LARGEST_WHOLE = 2**53 - 1
"""Every whole number up to it is a double of its own."""

_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "NUMBER_DOUBLE": (int, float),
    "NUMBER_INTEGER": (int,),
    "BOOLEAN": (bool,),
    "STRING": (str,),
    "LIST": (list,),
    "STRUCT": (dict,),
}


def check(name: str, document: Document) -> list[Diagnostic]:
    """What is wrong with the document of a `pipeline` resource, `name` being the author's name for the pipeline."""
    where, specification = f"pipeline {name}", document["spec"]
    found = [*_labels(where, document.get("labels", {})), *_sizes(where, document), *_numbers(where, specification)]
    root = specification["root"]
    found += _defaults(where, root)
    found += _tasks(where, root, specification)
    for component in specification.get("components", {}).values():
        found += _tasks(where, component, specification)
    return found


def _labels(where: str, labels: Mapping[str, str]) -> Iterator[Diagnostic]:
    hint = "use at most 63 of a-z, 0-9, _ and -, a key beginning with a letter"
    for key, value in sorted(labels.items()):
        if not _KEY.fullmatch(key):
            yield Diagnostic("CML338", where, f"{key!r} is no key of a label", hint)
        if not _VALUE.fullmatch(value):
            yield Diagnostic("CML338", where, f"{value!r} is no value of the label {key!r}", hint)
    if len(labels) > MOST_LABELS:
        message = f"it has {len(labels)} labels, and {MOST_LABELS} are allowed"
        yield Diagnostic("CML338", where, message, "use fewer labels")


def _sizes(where: str, document: Document) -> Iterator[Diagnostic]:
    specification = document["spec"]
    shown = document.get("display_name", "")
    if len(shown) > LONGEST_NAME:
        message = f"its display name has {len(shown)} characters, and {LONGEST_NAME} are allowed"
        yield Diagnostic("CML338", where, message, "use a shorter name")
    described = specification["pipelineInfo"].get("description", "")
    if len(described) > LONGEST_DESCRIPTION:
        message = f"its description has {len(described)} characters, and {LONGEST_DESCRIPTION} are allowed"
        yield Diagnostic("CML338", where, message, "use a shorter description")
    size = len(json.dumps(specification, ensure_ascii=False, separators=(",", ":")).encode())
    if size > LARGEST:
        message = f"its specification has {size} bytes, and {LARGEST} are allowed"
        yield Diagnostic("CML339", where, message, "split the pipeline, or let steps share jobs: ml.group")


def _numbers(where: str, value: Any, path: str = "") -> Iterator[Diagnostic]:
    """Whole numbers that a double does not hold."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _numbers(where, member, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _numbers(where, member, f"{path}[{index}]")
    elif isinstance(value, int) and abs(value) > LARGEST_WHOLE:
        message = f"{path}: {value} is beyond ±(2^53 - 1), and Vertex carries every number as a double"
        yield Diagnostic("CML336", where, message, "hand it over as a text")


def _defaults(where: str, root: Document) -> Iterator[Diagnostic]:
    for name, declared in sorted(root.get("inputDefinitions", {}).get("parameters", {}).items()):
        if "defaultValue" not in declared:
            continue
        value, kind = declared["defaultValue"], declared["parameterType"]
        if not _fits(value, kind):
            message = f"the default {value!r} of parameter {name!r} is no {kind}"
            yield Diagnostic("CML338", where, message, "give it a default of its type")


def _fits(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "BOOLEAN"
    if kind == "NUMBER_INTEGER" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])


def _tasks(where: str, component: Document, specification: Document) -> Iterator[Diagnostic]:
    """References of one level: to executors, components, tasks beside and inputs of the level itself."""
    label = component.get("executorLabel")
    if label is not None and label not in specification["deploymentSpec"]["executors"]:
        yield _missing(where, f"there is no executor {label!r}")
    tasks = component.get("dag", {}).get("tasks", {})
    inputs = component.get("inputDefinitions", {})
    for name, task in sorted(tasks.items()):
        reference = task["componentRef"]["name"]
        if reference not in specification["components"]:
            yield _missing(where, f"task {name!r}: there is no component {reference!r}")
        for other in task.get("dependentTasks", ()):
            if other not in tasks:
                yield _missing(where, f"task {name!r} waits for {other!r}, which is not beside it")
        yield from _inputs(f"task {name!r}", where, task.get("inputs", {}), tasks, inputs, specification)


def _inputs(
    task: str, where: str, given: Document, tasks: Document, inputs: Document, specification: Document
) -> Iterator[Diagnostic]:
    for kind, own, others in (
        ("parameters", "componentInputParameter", "taskOutputParameter"),
        ("artifacts", "componentInputArtifact", "taskOutputArtifact"),
    ):
        for name, source in sorted(given.get(kind, {}).items()):
            wanted = source.get(own)
            if wanted is not None and wanted not in inputs.get(kind, {}):
                yield _missing(where, f"{task}: {name!r} is {wanted!r}, which the level has no input for")
            if others in source:
                yield from _output(f"{task}: {name!r}", where, kind, source[others], tasks, specification)


def _output(
    reader: str, where: str, kind: str, source: Document, tasks: Document, specification: Document
) -> Iterator[Diagnostic]:
    """A value that another task of the level puts out."""
    producer = source["producerTask"]
    if producer not in tasks:
        yield _missing(where, f"{reader} is of {producer!r}, which is not beside it")
        return
    key = source["outputParameterKey" if kind == "parameters" else "outputArtifactKey"]
    component = specification["components"].get(tasks[producer]["componentRef"]["name"], {})
    if key not in component.get("outputDefinitions", {}).get(kind, {}):
        yield _missing(where, f"{reader} is {key!r} of {producer!r}, which puts out no such value")


def _missing(where: str, message: str) -> Diagnostic:
    return Diagnostic("CML343", where, message, "this is cloudml's fault: please report the pipeline")
