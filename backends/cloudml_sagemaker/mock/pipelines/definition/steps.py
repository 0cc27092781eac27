"""Steps as a definition writes them: member by member, with what stands inside Conditions and ForEach bodies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from cloudml_sagemaker.mock.pipelines.definition import conditions, loops, policies
from cloudml_sagemaker.mock.pipelines.definition.expressions import is_expression
from cloudml_sagemaker.mock.pipelines.definition.kinds import CHECKS, FOREIGN, KINDS, TRIGGERS, Beside, Kind
from cloudml_sagemaker.mock.pipelines.definition.model import Branch, Dependency, Document, PropertyFile, Step
from cloudml_sagemaker.mock.pipelines.definition.parameters import NAME
from cloudml_sagemaker.mock.pipelines.definition.problems import Problems, shown
from cloudml_sagemaker.service import shapes
from cloudml_sagemaker.service.model import input_shape

LONGEST_DISPLAY_NAME = 256
LONGEST_DESCRIPTION = 3072
"""Characters (StepDisplayName and StepDescription of PipelineExecutionStep in the service model)."""

MOST_OUTPUTS = 50
"""OutputParameters of a step (SendPipelineExecutionStepSuccess in the service model)."""

OUTPUT_TYPES = ("String", "Integer", "Boolean", "Float")

ENDPOINT_ARGUMENTS = frozenset({"EndpointName", "EndpointConfigName", "Tags"})
"""Members of an Endpoint step's Arguments (published definition schema)."""

_LONG_LIST = re.compile(r"Value '\[.*Member must have length less than or equal to [0-9]+$", re.DOTALL)


@dataclass
class Reader:
    """Reads lists of steps into `every`, by name."""

    problems: Problems
    every: dict[str, Step] = field(default_factory=dict)

    def steps(self, raw: Any, where: str, branch: Branch | None = None, body_of: str | None = None) -> tuple[str, ...]:
        """The names of the steps in `raw`, which are read with all that stands inside them."""
        if not isinstance(raw, list):
            self.problems.add(where, "must be a list of steps")
            return ()
        names = []
        for position, item in enumerate(raw):
            name = self._step(item, f"{where}[{position}]", branch, body_of)
            if name is not None:
                names.append(name)
        return tuple(names)

    def _step(self, raw: Any, where: str, branch: Branch | None, body_of: str | None) -> str | None:
        named = self._named(raw, where)
        if named is None:
            return None
        name, type_ = named
        where, kind = f"Step {name}", KINDS[type_]
        self._members(raw, kind, where)
        arguments = self._arguments(raw, type_, where)
        step = Step(
            name=name,
            type=type_,
            arguments=arguments,
            raw=raw,
            display_name=self._text(raw, "DisplayName", LONGEST_DISPLAY_NAME, where),
            description=self._text(raw, "Description", LONGEST_DESCRIPTION, where),
            depends_on=tuple(self._depends_on(raw.get("DependsOn"), where)),
            cache=policies.cache(raw.get("CacheConfig"), where, self.problems) if kind.caches else None,
            retries=policies.retries(raw.get("RetryPolicies"), where, self.problems) if kind.retries else (),
            property_files=self._property_files(raw, where) if "PropertyFiles" in kind.beside else {},
            outputs=self._outputs(raw, where) if "OutputParameters" in kind.beside else {},
            branch=branch,
            body_of=body_of,
        )
        self.every[name] = step
        self.every[name] = self._inside(step, where)
        return name

    def _named(self, raw: Any, where: str) -> tuple[str, str] | None:
        if not isinstance(raw, dict):
            self.problems.add(where, "a step must be an object")
            return None
        name, type_ = raw.get("Name"), raw.get("Type")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            self.problems.add(where, f"step Name {shown(name)!r} must match {NAME.pattern}")
            return None
        if name in self.every:
            self.problems.add("", f"Duplicate step name {name!r} (branches and ForEach bodies count too)")
            return None
        if not isinstance(type_, str) or type_ not in KINDS:
            known = "is not served by this mock" if shown(type_) in FOREIGN else "is unknown"
            self.problems.add(f"Step {name}", f"Type {shown(type_)!r} {known}; served are {', '.join(KINDS)}")
            return None
        return name, type_

    def _members(self, raw: Document, kind: Kind, where: str) -> None:
        if unknown := [member for member in raw if member not in kind.members and raw[member] is not None]:
            self.problems.add(where, f"unknown members {', '.join(map(shown, unknown))}")
        for name, beside in kind.beside.items():
            if raw.get(name) is None:
                if beside.required:
                    self.problems.add(where, f"{name} must not be null")
            elif not _fits(beside, raw[name]):
                choices = f" of {', '.join(beside.choices)}" if beside.choices else ""
                self.problems.add(where, f"{name} {shown(raw[name])!r} must be a {beside.type}{choices}")

    def _text(self, raw: Document, name: str, longest: int, where: str) -> str | None:
        text = raw.get(name)
        if text is None:
            return None
        if not isinstance(text, str) or len(text) > longest:
            self.problems.add(where, f"{name} must be a string of at most {longest} characters")
            return None
        return text

    def _arguments(self, raw: Document, type_: str, where: str) -> Document:
        arguments = raw.get("Arguments")
        if not isinstance(arguments, dict) or is_expression(arguments):
            self.problems.add(where, "Arguments must be an object")
            return {}
        operation = KINDS[type_].operation
        if operation is not None:
            optional = KINDS[type_].optional
            shape = input_shape(operation)
            found = shapes.problems(shape, arguments, dynamic=is_expression, optional=optional)
            for problem in found:
                if self.problems.choices["argument-limits"] == "create" or not _LONG_LIST.match(problem):
                    self.problems.add(where, f"Model Validation failed: {problem}")
            if self.problems.choices["expression-for-list"] == "refuse":
                for path in _expressions_for_lists(shape, arguments, "Arguments"):
                    # AWS's words, as sagemaker-python-sdk issue 2345 saw them.
                    self.problems.add(f"{where}: {path}", "Expecting start of Json Array.")
            for name in sorted(KINDS[type_].excluded & set(arguments)):
                # AWS's words, as sagemaker-python-sdk pull request 3472 saw them.
                self.problems.add(where, f"Unknown Argument member {name!r}.")
        more = sorted(set(arguments) - ENDPOINT_ARGUMENTS) if type_ == "Endpoint" else []
        if more and self.problems.choices["endpoint-step-deployment-config"] == "refuse":
            self.problems.add(where, f"Arguments of an Endpoint step have no {', '.join(map(shown, more))}")
        return arguments

    def _depends_on(self, raw: Any, where: str) -> Iterator[Dependency]:
        if raw is None:
            return
        if not isinstance(raw, list):
            self.problems.add(where, "DependsOn must be a list")
            return
        seen = set()
        for item in raw:
            step, trigger = item, TRIGGERS[0]
            if isinstance(item, dict) and set(item) <= {"Step", "Trigger"}:
                step, trigger = item.get("Step"), item.get("Trigger", TRIGGERS[0])
            if not isinstance(step, str):
                self.problems.add(where, f"DependsOn takes step names or {{Step, Trigger}}, not {shown(item)!r}")
            elif trigger not in TRIGGERS:
                self.problems.add(where, f"Trigger {shown(trigger)!r} must be one of {', '.join(TRIGGERS)}")
            elif step in seen:
                self.problems.add(where, f"DependsOn names step {shown(step)!r} twice")
            else:
                seen.add(step)
                yield Dependency(step, trigger)

    def _property_files(self, raw: Document, where: str) -> dict[str, PropertyFile]:
        found: dict[str, PropertyFile] = {}
        for entry in _list(raw.get("PropertyFiles")):
            members = ("PropertyFileName", "OutputName", "FilePath")
            if not isinstance(entry, dict) or set(entry) != set(members):
                self.problems.add(where, f"PropertyFiles takes objects of {', '.join(members)}")
                continue
            name, output, path = (entry[member] for member in members)
            if not isinstance(name, str) or not NAME.fullmatch(name):
                self.problems.add(where, f"PropertyFileName {shown(name)!r} must match {NAME.pattern}")
            elif name in found:
                self.problems.add(where, f"duplicate property file {name!r}")
            elif not isinstance(output, str) or not isinstance(path, str) or not path:
                self.problems.add(where, f"OutputName and FilePath of property file {name!r} must be strings")
            else:
                found[name] = PropertyFile(output, path)
                if output not in _output_names(raw.get("Arguments"), output):
                    self.problems.add(where, f"property file {name!r} names no processing output {shown(output)!r}")
        return found

    def _outputs(self, raw: Document, where: str) -> dict[str, str]:
        found: dict[str, str] = {}
        entries = _list(raw.get("OutputParameters"))
        if len(entries) > MOST_OUTPUTS:
            self.problems.add(where, f"at most {MOST_OUTPUTS} OutputParameters are allowed")
        for entry in entries:
            if not isinstance(entry, dict) or set(entry) != {"OutputName", "OutputType"}:
                self.problems.add(where, "OutputParameters takes objects of OutputName, OutputType")
                continue
            name, type_ = entry["OutputName"], entry["OutputType"]
            if not isinstance(name, str) or not name or name in found:
                self.problems.add(where, f"OutputName {shown(name)!r} must be a string, and unique")
            elif type_ not in OUTPUT_TYPES:
                self.problems.add(where, f"OutputType {shown(type_)!r} must be one of {', '.join(OUTPUT_TYPES)}")
            else:
                found[name] = type_
        return found

    def _inside(self, step: Step, where: str) -> Step:
        if step.type in CHECKS and not _output_names(step.arguments, ""):
            self.problems.add(where, f"Arguments of a {step.type} step take a processing output, for the new baseline")
        if step.type == "Fail":
            message = step.arguments.get("ErrorMessage")
            textual = isinstance(message, str) or is_expression(message)
            if not textual or set(step.arguments) != {"ErrorMessage"}:
                self.problems.add(where, "Arguments of a Fail step take ErrorMessage, a string or an expression")
        if step.type == "Condition":
            return self._condition(step, where)
        if step.type == "ForEach":
            loop = loops.read(step, where, self.problems)
            body = self.steps(step.arguments.get("ForEachBody", []), f"{where}: ForEachBody", None, step.name)
            loops.check_body([self.every[name] for name in body], where, self.problems)
            return replace(step, loop=replace(loop, body=body))
        return step

    def _condition(self, step: Step, where: str) -> Step:
        arguments = step.arguments
        if unknown := set(arguments) - {"Conditions", "IfSteps", "ElseSteps"}:
            self.problems.add(where, f"unknown members {', '.join(sorted(map(shown, unknown)))} in Arguments")
        if step.branch is not None and self.problems.choices["nested-conditions"] == "refuse":
            self.problems.add(where, f"a Condition step may not stand in a branch of {step.branch.condition!r}")
        conditions.check(arguments.get("Conditions"), f"{where}: Conditions", self.problems)
        taken, other = (
            self.steps(arguments.get(name) or [], f"{where}: {name}", Branch(step.name, name == "IfSteps"))
            for name in ("IfSteps", "ElseSteps")
        )
        listed = tuple(item for item in _list(arguments.get("Conditions")) if isinstance(item, dict))
        return replace(step, conditions=listed, if_steps=taken, else_steps=other)


def _fits(beside: Beside, value: Any) -> bool:
    if beside.type == "list":
        return isinstance(value, list)
    if is_expression(value):
        return not beside.choices
    if beside.choices:
        return value in beside.choices if isinstance(value, str) else False
    return isinstance(value, bool if beside.type == "boolean" else str)


def _expressions_for_lists(shape: Any, value: Any, where: str) -> Iterator[str]:
    """Where an expression stands for a whole list of the request."""
    if is_expression(value):
        if shape.type_name == "list":
            yield where
    elif shape.type_name == "structure" and isinstance(value, dict):
        for name in shape.members.keys() & value.keys():
            yield from _expressions_for_lists(shape.members[name], value[name], f"{where}.{name}")
    elif shape.type_name == "map" and isinstance(value, dict):
        for name, item in value.items():
            yield from _expressions_for_lists(shape.value, item, f"{where}.{name}")
    elif shape.type_name == "list" and isinstance(value, list):
        for position, item in enumerate(value):
            yield from _expressions_for_lists(shape.member, item, f"{where}[{position}]")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _output_names(arguments: Any, wanted: str) -> list[Any]:
    """The names of a processing request's outputs; `wanted` too when they cannot be known before the run."""
    config = arguments.get("ProcessingOutputConfig") if isinstance(arguments, dict) else None
    outputs = config.get("Outputs") if isinstance(config, dict) else None
    if is_expression(config) or is_expression(outputs):
        return [wanted]
    names = [output.get("OutputName") for output in _list(outputs) if isinstance(output, dict)]
    return [wanted] if any(map(is_expression, names)) else names
