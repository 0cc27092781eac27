"""What a job reads: inputs from S3, values on its command line, and how its step.json speaks of them.

Static values stand in step.json; only what is known when the pipeline runs is given by `--set`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudml import spec
from cloudml.remote.layout import Position
from cloudml.spec import types
from cloudml_sagemaker import names
from cloudml_sagemaker.compile.context import Context, Document, main_name, trains
from cloudml_sagemaker.compile.expressions import get, join, model_uri, output_uri

RUN_TIME = "cloudml:run-time"
"""What a parameter holds whose default is the time of the run: SageMaker knows no such default."""

EXTERNAL = frozenset({"pathlib.Path", "cloudml.File", "cloudml.Dataset", "cloudml.Model", "cloudml.Report"})
"""Types of inputs that a literal or a parameter fills with a file from outside."""

DECISION = ("action", "who", "reason")
"""The parts of an approval: output parameters of its Callback step."""


MOST_ITEMS = 100
"""Items of a ForEach step (AWS's SDK, ForEachStep)."""


def static_items(context: Context, around: spec.MapStep) -> bool:
    """Whether the items of a map are known now, so that no job has to count them."""
    value = around.items
    guarded = context.position(around.name).guard is not None
    return isinstance(value, spec.LiteralValue) and bool(value.value) and not guarded


class Wiring:
    """Collects what one job reads. `after`: steps to wait for that no expression names."""

    def __init__(self, context: Context, position: Position, group: spec.GroupStep | None = None) -> None:
        self._context = context
        self._position = position
        self._group = group
        self.step = position.step.name
        self.sources: dict[str, Document] = {}
        self.uris: dict[str, Any] = {}
        self.sets: dict[str, Any] = {}
        self.after: dict[str, None] = {}
        self._known: dict[str, str] = {}
        self._reads_item = False

    def at(self, position: Position) -> None:
        """Go on with another member of the same job."""
        self._position = position
        self.step = position.step.name

    def value(self, value: Any) -> Document:
        """A value as step.json says it."""
        return _VALUES[type(value)](self, value)

    def bound(self, port: spec.Port, value: Any) -> Document | None:
        """How an input of a function is read when it is an artifact or a file; None for a plain value."""
        base = {"name": port.name, "type": port.type, "mode": port.mode, "optional": port.optional}
        if isinstance(value, spec.OutputRef) and value.field is None and not self._approval(value):
            return {**base, "from": self.value(value)}
        if port.mode == "handle" or types.canonical(port.type) in EXTERNAL:
            return {**base, "from": self._external(port, value)}
        return None

    def artifact(self, value: Any) -> Document | None:
        """Like `value`, for what may be missing."""
        return None if value is None else self.value(value)

    def guard(self) -> list[Document]:
        """The decision on which the job depends, if any."""
        if self._position.guard is None or self._group is not None:
            return []
        condition, taken = self._position.guard
        source = output_uri(self._context.name(condition, "decide"), "holds")
        uri = join("/", source, "") if self._position.map is not None else source
        place = self._input(uri, {"form": "port"})
        return [{"input": place, "port": "holds", "equals": taken, "condition": condition}]

    def index(self) -> None:
        """A job in a map is told which item is its."""
        if self._position.map is not None:
            self.sets["index"] = get("ForEach.CurrentItem")

    def items(self) -> Document | None:
        """The list that the map around the job goes over, when the job reads its item."""
        around = self._position.map
        if not self._reads_item or around is None:
            return None
        if static_items(self._context, around):
            return self.value(around.items)
        return {"input": self.port_input(self._context.name(around.name, "items"), "items"), "port": "items"}

    def port_input(self, step: str, port: str) -> str:
        """An input for a port of a processing step of the definition."""
        return self._input(output_uri(step, port), {"form": "port"})

    def _input(self, uri: Any, source: Document) -> str:
        key = repr(uri)
        if key not in self._known:
            name = f"in-{len(self._known)}"
            self._known[key] = name
            self.sources[name] = source
            self.uris[name] = uri
        return self._known[key]

    def _literal(self, value: spec.LiteralValue) -> Document:
        return {"literal": value.value}

    def _parameter(self, value: spec.ParameterRef) -> Document:
        parameter = self._context.parameter(value.name)
        name = f"parameters.{value.name}"
        self.sets[name] = get(f"Parameters.{names.parameter(value.name)}")
        kind = {"path": "str"}.get(parameter.type, parameter.type)
        found: Document = {"set": name, "type": kind}
        if isinstance(parameter.default, spec.RunRef):
            self._run_time()
            found["run_time_format"] = parameter.default.format
        return found

    def _run_time(self) -> None:
        self.sets["run.time"] = get("Execution.StartDateTime")

    def _run(self, value: spec.RunRef) -> Document:
        if value.field == "time":
            self._run_time()
            return {"set": "run.time", "type": "time", "format": value.format}
        self.sets["run.id"] = get("Execution.PipelineExecutionId")
        return {"set": "run.id", "type": "str"}

    def _approval(self, value: spec.OutputRef) -> bool:
        return isinstance(self._context.position(value.step).step, spec.ApproveStep)

    def _output(self, value: spec.OutputRef) -> Document:
        source = self._context.position(value.step)
        if isinstance(source.step, spec.ApproveStep):
            return self._decision(value)
        if self._group is not None and source.job is self._group:
            return {"member": value.step, "port": value.output, "field": value.field}
        uri, form = self._collected(value, source) if value.collected else self._uri(value, source)
        return {"input": self._input(uri, form), "port": value.output, "field": value.field}

    def _decision(self, value: spec.OutputRef) -> Document:
        step = self._context.name(value.step)
        parts: dict[str, Document] = {}
        for part in DECISION:
            if value.field in (None, part):
                self.sets[f"{value.step}.{part}"] = get(f"Steps.{step}.OutputParameters['{part}']")
                parts[part] = {"set": f"{value.step}.{part}", "type": "str"}
        if not parts:
            message = f"the approval {value.step!r} has no {value.field!r}"
            self._context.find("CML343", self.step, message, f"it has {', '.join(DECISION)}")
        return {"object": parts} if value.field is None else parts.get(str(value.field), {"literal": None})

    def _uri(self, value: spec.OutputRef, source: Position) -> tuple[Any, Document]:
        step = main_name(self._context, value.step)
        if source.job is not None:
            return self._closed(output_uri(step, value.step), source, value.step), {"form": "ports"}
        if trains(self._context, source.step):
            return model_uri(step), {"form": "archive"}
        return self._closed(output_uri(step, value.output), source, value.output), {"form": "port"}

    def _closed(self, uri: Document, source: Position, folder: str) -> Document:
        """With a slash at the end where the folder's name begins another one: S3 knows prefixes only."""
        beside = (
            [one.name for one in spec.walk(source.job.body)]
            if source.job is not None
            else [port.name for port in spec.outputs(source.step)] + ["result"]
        )
        ambiguous = any(name != folder and name.startswith(folder) for name in beside)
        return join("/", uri, "") if ambiguous or source.map is not None else uri

    def _collected(self, value: spec.OutputRef, source: Position) -> tuple[Any, Document]:
        """The folder below which each item of the map has put its own."""
        step = main_name(self._context, value.step)
        last = {"port": value.output, "ports": value.step}
        form = "ports" if source.job is not None else "port"
        folders = [step, last[form]]
        if source.job is None and trains(self._context, source.step):
            form, folders = "archive", [step]
        assert source.map is not None, "validation: only outputs in a map are collected"
        self.after[self._context.name(source.map.name)] = None
        run = get("Execution.PipelineExecutionId")
        uri = join("/", f"{self._context.place.base}/runs", run, *folders, "")
        return uri, {"form": "collected", "of": form}

    def _external(self, port: spec.Port, value: Any) -> Document:
        """A file from outside: an S3 URI, written in the pipeline or given as a parameter."""
        found = self.value(value)
        if isinstance(value, spec.LiteralValue) and str(value.value).startswith("s3://"):
            uri: Any = value.value
        elif isinstance(value, spec.ParameterRef):
            uri = get(f"Parameters.{names.parameter(value.name)}")
        else:
            message = f"input {port.name!r} is a file, and is not given as an S3 URI or a parameter"
            self._context.find("CML337", self.step, message, "write s3://bucket/…, or make it a parameter")
            return found
        return {"external": self._input(uri, {"form": "external"}), "uri": found}

    def _item(self, value: spec.ItemRef) -> Document:
        self._reads_item = True
        return {"item": value.field}

    def _secret(self, value: spec.SecretRef) -> Document:
        message = f"secret {value.name!r} stands where its value would be shown"
        self._context.find("CML343", self.step, message, "secrets are for arguments of functions only")
        return {"literal": None}

    def _champion(self, value: spec.ChampionRef) -> Document:
        group = self._context.resource_name(value.model)
        return {"champion": {"group": group, **value.model_dump(mode="json", exclude={"kind"})}}

    def _model(self, value: spec.ModelRef) -> Document:
        group = self._context.resource_name(value.model)
        return {"model": {"group": group, **value.model_dump(mode="json", exclude={"kind"})}}

    def _arithmetic(self, value: spec.Arithmetic) -> Document:
        return {"arithmetic": {"op": value.op, "left": self.value(value.left), "right": self.value(value.right)}}


_VALUES: dict[type, Callable[[Wiring, Any], Document]] = {
    spec.LiteralValue: Wiring._literal,
    spec.ParameterRef: Wiring._parameter,
    spec.OutputRef: Wiring._output,
    spec.ItemRef: Wiring._item,
    spec.RunRef: Wiring._run,
    spec.SecretRef: Wiring._secret,
    spec.ChampionRef: Wiring._champion,
    spec.ModelRef: Wiring._model,
    spec.Arithmetic: Wiring._arithmetic,
}
