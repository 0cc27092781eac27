"""The executor input that Vertex gives a task, and the executor output that it reads.

`ml_pipelines.ExecutorInput` and `ExecutorOutput` of the published pipeline_spec.proto, in proto3 JSON. Integers travel
as doubles there: a number that is whole is told as an integer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cloudml.jobs.failure import Refused
from cloudml.jobs.outputs import Outcome
from cloudml.runtime.operators import field_of

Document = dict[str, Any]

OPTION = "--executor-input"
_EMPTY: dict[str, Any] = {
    "NUMBER_DOUBLE": 0.0, "NUMBER_INTEGER": 0, "BOOLEAN": False, "STRING": "", "LIST": [], "STRUCT": {},
}  # fmt: skip
"""What an output parameter of each type is when the step made nothing: Vertex fails a task that leaves one out."""


@dataclass(frozen=True)
class ExecutorInput:
    """What Vertex tells a task. `file`: where it reads the executor output, a path below /gcs; may be empty."""

    parameters: Mapping[str, Any]
    inputs: Mapping[str, Sequence[Document]]
    outputs: Mapping[str, Document]
    file: str = ""

    @classmethod
    def find(cls, arguments: Sequence[str]) -> ExecutorInput:
        """Of a command line; empty when it tells none. Raises Refused: it is no executor input."""
        text = next((following for word, following in pairwise(arguments) if word == OPTION), "{}")
        try:
            return cls.parse(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise Refused(f"what follows {OPTION} is no executor input: {error!r}") from None

    @classmethod
    def parse(cls, document: Document) -> ExecutorInput:
        """Of the document."""
        inputs, outputs = document.get("inputs", {}), document.get("outputs", {})
        return cls(
            dict(inputs.get("parameterValues", {})),
            {name: list(found.get("artifacts", ())) for name, found in inputs.get("artifacts", {}).items()},
            {name: found["artifacts"][0] for name, found in outputs.get("artifacts", {}).items()},
            str(outputs.get("outputFile", "")),
        )

    def texts(self) -> dict[str, str]:
        """The parameters as texts: a text as it is, all else as JSON."""
        return {name: _text(value) for name, value in self.parameters.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value)


def returned(wanted: Mapping[str, Document], outcome: Outcome) -> Document:
    """The output parameters: `wanted` says of each which value of the step it is (`port`, `field`, `member`, `type`).

    Of a step, or a member of a group, that was skipped, each is the empty value of its type. Raises Refused: a value is
    none of its type, or is not there.
    """
    return {
        name: _fitted(name, _value(name, one, outcome), str(one["type"])) if _ran(one, outcome) else _EMPTY[one["type"]]
        for name, one in wanted.items()
    }


def _ran(wanted: Document, outcome: Outcome) -> bool:
    if "member" not in wanted:
        return outcome.status == "succeeded"
    members: Mapping[str, Document] = outcome.more.get("members", {})
    return bool(members.get(wanted["member"], {}).get("status") == "succeeded")


def _value(name: str, wanted: Document, outcome: Outcome) -> Any:
    values = outcome.values[wanted["member"]] if "member" in wanted else outcome.values
    try:
        return field_of(values[wanted["port"]], wanted.get("field"))
    except KeyError as error:
        raise Refused(f"the step made no value for the output parameter {name}: {error.args[0]}") from None


def _fitted(name: str, value: Any, kind: str) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    fits = {
        "NUMBER_DOUBLE": number,
        "NUMBER_INTEGER": number and float(value).is_integer(),
        "BOOLEAN": isinstance(value, bool),
        "STRING": isinstance(value, str),
        "LIST": isinstance(value, list),
        "STRUCT": isinstance(value, dict),
    }
    if not fits[kind]:
        raise Refused(f"the output parameter {name} is {value!r}, which Vertex AI does not take as {kind}")
    return int(value) if kind == "NUMBER_INTEGER" else value


def told(parameters: Document, outputs: Mapping[str, Document], metadata: Mapping[str, Document]) -> Document:
    """The executor output: `outputs` as the input had them, `metadata` of those that the step made."""
    artifacts = {
        name: {"artifacts": [{**_named(outputs[name]), "metadata": {**outputs[name].get("metadata", {}), **more}}]}
        for name, more in metadata.items()
        if name in outputs
    }
    return {"parameterValues": parameters, "artifacts": artifacts}


def _named(artifact: Document) -> Document:
    return {key: artifact[key] for key in ("name", "uri") if key in artifact}
