"""The expressions of a pipeline definition: `Get`, `Std:Join`, `Std:JsonGet`, and reading them back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

FUNCTIONS = ("Get", "Std:Join", "Std:JsonGet")
FRESH, CONTENT = "cloudml-fresh", "cloudml-content"
"""Parameters of every definition that are part of what SageMaker's cache compares. No author's name holds a `-`."""
SAME = "same"
"""Their default: reuse what is there. SageMaker takes no empty texts."""
RESULT = "result"
"""The output of every processing job that holds result.json, and the property file over it."""

_STEP = re.compile(r"Steps\.([A-Za-z0-9_-]+)")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def get(path: str) -> dict[str, Any]:
    """What a path names when the pipeline runs: `Parameters.x`, `Execution.PipelineExecutionId`, `Steps.S.…`."""
    return {"Get": path}


def join(on: str, *values: Any) -> dict[str, Any]:
    """Texts and expressions in a row."""
    return {"Std:Join": {"On": on, "Values": list(values)}}


def output_uri(step: str, output: str) -> dict[str, Any]:
    """Where a processing step's output lies."""
    return get(f"Steps.{step}.ProcessingOutputConfig.Outputs['{output}'].S3Output.S3Uri")


def model_uri(step: str) -> dict[str, Any]:
    """Where a training step's archive lies."""
    return get(f"Steps.{step}.ModelArtifacts.S3ModelArtifacts")


def result_value(step: str, *path: str | int) -> dict[str, Any]:
    """A value of result.json of a processing step."""
    file = get(f"Steps.{step}.PropertyFiles.{RESULT}")
    return {"Std:JsonGet": {"PropertyFile": file, "Path": json_path(*path)}}


def json_path(*path: str | int) -> str:
    """`values.scores.auc`, with brackets where a name is no identifier; indexes are ints. Names hold no quotes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"['{part}']"
    return text


def is_expression(value: Any) -> bool:
    """Whether a value is known only when the pipeline runs."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in FUNCTIONS


def paths(value: Any) -> Iterator[str]:
    """The text of every Get in a value, at whatever depth. Iterative."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            text = one.get("Get")
            if isinstance(text, str) and len(one) == 1:
                yield text
            else:
                stack.extend([member for member in one.values() if isinstance(member, (dict, list))])
        elif isinstance(one, list):
            stack.extend([member for member in one if isinstance(member, (dict, list))])


def steps_read(value: Any) -> set[str]:
    """The names of the steps that a value's expressions name."""
    return {match[1] for text in paths(value) if (match := _STEP.match(text))}


INSIDE = ("IfSteps", "ElseSteps", "ForEachBody")
"""Members of Arguments that hold steps."""


def every(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All steps of a list, those in branches and bodies after the one around them. Iterative."""
    stack = list(reversed(steps))
    while stack:
        step = stack.pop()
        yield step
        inside = (step["Arguments"].get(name) or [] for name in INSIDE)
        stack.extend(reversed([one for group in inside for one in group]))


def own_part(step: dict[str, Any]) -> dict[str, Any]:
    """A step without the steps in it."""
    arguments = {name: value for name, value in step["Arguments"].items() if name not in INSIDE}
    return {**step, "Arguments": arguments}
