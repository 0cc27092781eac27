"""What a reference in the document means in this run."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from cloudml.runtime.digest import MissingHash, matches
from cloudml.runtime.operators import ARITHMETIC, COMPARISONS, SIGNS, field_of, short
from cloudml_local.engine.graph import Graph, Instance


class Unresolved(Exception):
    """A value cannot be had; the message says why, for the task's reason."""


class Damaged(Unresolved):
    """A stored value is gone or is not what its digest says."""


class Missing(Unresolved):
    """A champion that does not exist; `passes` says what a comparison with it yields."""

    def __init__(self, message: str, passes: bool) -> None:
        super().__init__(message)
        self.passes = passes


class Registry(Protocol):
    """What the resolver asks the model registry."""

    def metric(self, model: str, alias: str, metric: str) -> float | None:
        """The metric of the version that bears the alias; None when none does."""


class Resolver:
    """Evaluates values and conditions for one run."""

    def __init__(
        self,
        graph: Graph,
        run: str,
        scheduled_at: str,
        parameters: dict[str, Any],
        registry: Registry,
        locate: Callable[[str], Path],
    ) -> None:
        self._graph = graph
        self._run = run
        self._scheduled_at = scheduled_at
        self._parameters = parameters
        self._registry = registry
        self._locate = locate

    def artifact(self, value: dict[str, Any], instance: Instance) -> dict[str, Any] | None:
        """The stored output that a reference names, or None when it is not a reference to a whole output."""
        if value["kind"] != "output" or value.get("collected") or value.get("field"):
            return None
        source = self._instance(value, instance)
        if value["output"] not in source.outputs and value["output"] in source.values:
            return None  # a value that was never written to a file, such as the best parameters of a study
        return self._output(source, value["output"])

    def artifacts(self, value: dict[str, Any], instance: Instance) -> list[dict[str, Any]] | None:
        """The stored outputs of all items of a map, when a reference collects them; skipped items are left out."""
        if value["kind"] != "output" or not value.get("collected") or value.get("field"):
            return None
        made = [one for one in self._graph.all_of(value["step"], instance) if one.outputs or one.values]
        if any(value["output"] not in one.outputs for one in made):
            return None
        return [self._output(one, value["output"]) for one in made]

    def source(self, value: dict[str, Any], instance: Instance) -> Instance:
        """The instance that made what a reference names."""
        return self._instance(value, instance)

    def _instance(self, value: dict[str, Any], near: Instance) -> Instance:
        found = self._graph.find(value["step"], near)
        if found is None:
            raise Unresolved(f"{value['step']} did not run")
        return found

    def _output(self, instance: Instance, name: str) -> dict[str, Any]:
        if name not in instance.outputs:
            raise Unresolved(f"{instance.id} has no output {name!r}")
        return instance.outputs[name]

    def json(self, value: dict[str, Any], instance: Instance) -> Any:
        """The value as JSON. Raises Unresolved."""
        return _KINDS[value["kind"]](self, value, instance)

    def _literal(self, value: dict[str, Any], instance: Instance) -> Any:
        return value["value"]

    def _parameter(self, value: dict[str, Any], instance: Instance) -> Any:
        return self._parameters[value["name"]]

    def _of_output(self, value: dict[str, Any], instance: Instance) -> Any:
        if value.get("collected"):
            made = [one for one in self._graph.all_of(value["step"], instance) if one.outputs or one.values]
            return [_field(self._json_output(one, value["output"]), value) for one in made]
        return _field(self._json_output(self._instance(value, instance), value["output"]), value)

    def _json_output(self, instance: Instance, name: str) -> Any:
        if name in instance.values:
            return instance.values[name]
        record = self._output(instance, name)
        if record["format"] != "json":
            raise Unresolved(f"{instance.id}.{name} is {record['type']}, not a JSON value")
        path = self._locate(record["digest"])
        try:
            whole = matches(path, record["digest"])
            content = path.read_bytes()
        except OSError as error:
            raise Damaged(f"{instance.id}.{name} cannot be read: {error.strerror}: {path}") from None
        except MissingHash as error:
            raise Unresolved(f"{instance.id}.{name} cannot be verified: {error}") from None
        if not whole:
            raise Damaged(f"{instance.id}.{name} is damaged: {path} is not what its digest says")
        return json.loads(content)

    def _item(self, value: dict[str, Any], instance: Instance) -> Any:
        return _field(instance.items[value["map"]], value)

    def _run_fact(self, value: dict[str, Any], instance: Instance) -> Any:
        if value["field"] == "id":
            return self._run
        when = datetime.fromisoformat(self._scheduled_at)
        return when.strftime(value["format"]) if value.get("format") else self._scheduled_at

    def _secret(self, value: dict[str, Any], instance: Instance) -> Any:
        raise Unresolved(f"the secret {value['name']!r} can only be an argument of a step")

    def _champion(self, value: dict[str, Any], instance: Instance) -> Any:
        found = self._registry.metric(value["model"], value["alias"], value["metric"])
        if found is None:
            message = f"no version of {value['model']} bears the alias {value['alias']} with a metric {value['metric']}"
            raise Missing(message, value["missing"] == "pass")
        return found

    def _model(self, value: dict[str, Any], instance: Instance) -> Any:
        return {"model": value["model"], "version": value.get("version"), "alias": value.get("alias")}

    def _arithmetic(self, value: dict[str, Any], instance: Instance) -> Any:
        left, right = self.json(value["left"], instance), self.json(value["right"], instance)
        try:
            result = ARITHMETIC[value["op"]](left, right)
        except (TypeError, ZeroDivisionError) as error:
            raise Unresolved(f"cannot compute {left!r} {value['op']} {right!r}: {error}") from None
        return result

    def holds(self, condition: dict[str, Any], instance: Instance) -> tuple[bool, list[str]]:
        """Whether a condition holds, and each comparison in words with its numbers."""
        kind = condition["kind"]
        if kind == "compare":
            return self._compare(condition, instance)
        if kind == "not":
            result, words = self.holds(condition["condition"], instance)
            return not result, [f"not ({'; '.join(words)})"]
        results = [self.holds(one, instance) for one in condition["conditions"]]
        words = [word for _, found in results for word in found]
        outcome = all(result for result, _ in results) if kind == "all" else any(result for result, _ in results)
        return outcome, words if kind == "all" else [f"any of ({'; '.join(words)})"]

    def _compare(self, condition: dict[str, Any], instance: Instance) -> tuple[bool, list[str]]:
        try:
            left = self.json(condition["left"], instance)
            right = self.json(condition["right"], instance)
        except Missing as missing:
            outcome = "holds" if missing.passes else "fails"
            return missing.passes, [f"{describe(condition)}: {missing}, so it {outcome}"]
        try:
            result = bool(COMPARISONS[condition["op"]](left, right))
        except TypeError as error:
            raise Unresolved(f"cannot compare {left!r} with {right!r}: {error}") from None
        sign = SIGNS[condition["op"]]
        words = f"{describe(condition)}: {short(left)} {sign} {short(right)} is {str(result).lower()}"
        return result, [words]


def describe(value: dict[str, Any]) -> str:
    """A value or comparison as its author would write it."""
    words = _WORDS.get(value["kind"])
    return words(value) if words else str(value.get("name") or value.get("field") or value.get("model"))


def _binary(value: dict[str, Any]) -> str:
    return f"{describe(value['left'])} {SIGNS[value['op']]} {describe(value['right'])}"


def _output_words(value: dict[str, Any]) -> str:
    name = value["field"] or value["output"]
    return str(value["step"]) if name == "output" else f"{value['step']}.{name}"


def _field(value: Any, reference: dict[str, Any]) -> Any:
    try:
        return field_of(value, reference.get("field"))
    except KeyError as error:
        raise Unresolved(f"{describe(reference)}: {error.args[0]}") from None


_WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "compare": _binary,
    "arithmetic": _binary,
    "output": _output_words,
    "champion": lambda value: f"champion({value['model']}).{value['metric']}",
    "literal": lambda value: short(value["value"]),
    "item": lambda value: f"{value['map']} item" + (f".{value['field']}" if value.get("field") else ""),
}
_KINDS: dict[str, Callable[[Resolver, dict[str, Any], Instance], Any]] = {
    "literal": Resolver._literal,
    "parameter": Resolver._parameter,
    "output": Resolver._of_output,
    "item": Resolver._item,
    "run": Resolver._run_fact,
    "secret": Resolver._secret,
    "champion": Resolver._champion,
    "model": Resolver._model,
    "arithmetic": Resolver._arithmetic,
}
