"""The values of a step: written in it, given on the command line, or read from what earlier steps left."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from cloudml.jobs.failure import Refused
from cloudml.jobs.sources import Sources
from cloudml.runtime.operators import ARITHMETIC, field_of

Value = dict[str, Any]
SET, HYPERPARAMETER = "--set", "cloudml_set_"
RUN, TIME, INDEX = "run.id", "run.time", "index"
"""The keys of facts of the run, and of the number of a map's item."""
RUN_TIME = "cloudml:run-time"
"""What a parameter is given whose default is the time of the run."""


def given(arguments: Sequence[str], hyperparameters: dict[str, str]) -> dict[str, str]:
    """What was told when the pipeline ran: `--set key=value` pairs, and hyperparameters `cloudml_set_<key>`.

    Words of others are passed over: script mode turns hyperparameters into arguments too.
    """
    found = {
        name.removeprefix(HYPERPARAMETER): value
        for name, value in hyperparameters.items()
        if name.startswith(HYPERPARAMETER)
    }
    for word, following in pairwise(arguments):
        if word == SET and "=" in following:
            key, _, value = following.partition("=")
            found[key] = value
    return found


class Values:
    """Evaluates the values of one step; `items` is the list of the map in which it lies, `champion` reads a metric."""

    def __init__(
        self,
        sets: dict[str, str],
        sources: Sources,
        items: Value | None = None,
        champion: Callable[[Value], Any] | None = None,
    ) -> None:
        self.sets = sets
        self.sources = sources
        self._items = items
        self._asked = champion

    def json(self, value: Value) -> Any:
        """The value as JSON.

        Raises:
            Refused: it cannot be had.
            CorruptArtifact: what it is read from is damaged.
        """
        kind = next((name for name in _KINDS if name in value), None)
        if kind is None:
            raise Refused(f"the step has a value of an unknown kind: {sorted(value)}")
        return _KINDS[kind](self, value)

    def text(self, key: str) -> str:
        """What was told under a key. Raises Refused: nothing was."""
        if key not in self.sets:
            raise Refused(f"the job was not told {key!r}: {SET} {key}=VALUE")
        return self.sets[key]

    def _set(self, value: Value) -> Any:
        text = self.text(value["set"])
        if "run_time_format" in value and text == RUN_TIME:
            return moment(self.text(TIME), value["run_time_format"])
        return decode(text, value)

    def _read(self, value: Value) -> Any:
        if self.sources.is_collected(value):
            return [_field(one.json(), value) for one in self.sources.all(value)]
        return _field(self.sources.one(value).json(), value)

    def _item(self, value: Value) -> Any:
        if self._items is None:
            raise Refused("the step lies in no map, so it has no item")
        items, index = self.json(self._items), int(self.text(INDEX))
        if not isinstance(items, list) or not 0 <= index < len(items):
            raise Refused(f"the map has no item {index}")
        return _field(items[index], {"field": value["item"], "port": "item"})

    def _arithmetic(self, value: Value) -> Any:
        what = value["arithmetic"]
        left, right = self.json(what["left"]), self.json(what["right"])
        try:
            return ARITHMETIC[what["op"]](left, right)
        except (TypeError, ZeroDivisionError) as error:
            raise Refused(f"cannot compute {left!r} {what['op']} {right!r}: {error}") from None

    def _champion(self, value: Value) -> Any:
        if self._asked is None:
            raise Refused("a champion's metric cannot be read here")
        return self._asked(value["champion"])


def _field(found: Any, value: Value) -> Any:
    try:
        return field_of(found, value.get("field"))
    except KeyError as error:
        raise Refused(f"{value.get('port')}: {error.args[0]}") from None


_KINDS: dict[str, Callable[[Values, Value], Any]] = {
    "literal": lambda self, value: value["literal"],
    "set": Values._set,
    "input": Values._read,
    "member": Values._read,
    "item": Values._item,
    "arithmetic": Values._arithmetic,
    "champion": Values._champion,
    "model": lambda self, value: value["model"],
    "object": lambda self, value: {key: self.json(one) for key, one in value["object"].items()},
}


def decode(text: str, value: Value) -> Any:
    """A text as its type says: a job is told every parameter as text.

    Raises Refused: it is none of that type.
    """
    wanted = value.get("type", "str")
    try:
        return _DECODERS[wanted](text, value)
    except (ValueError, KeyError) as error:
        raise Refused(f"{value['set']} is {text!r}, which is no {wanted}: {error}") from None


def _boolean(text: str, value: Value) -> bool:
    """Services write a truth value as `true` or `True`."""
    return {"true": True, "false": False, "1": True, "0": False}[text.strip().lower()]


def _integer(text: str, value: Value) -> int:
    number = float(text) if any(sign in text for sign in ".eE") else int(text)
    if int(number) != number:
        raise ValueError("it has a fraction")
    return int(number)


def moment(text: str, form: str | None) -> str:
    """A moment of the run in UTC, by a format of strftime, else in ISO 8601 as the service tells it."""
    if form is None:
        return text
    when = datetime.fromisoformat(text)
    return (when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)).strftime(form)


_DECODERS: dict[str, Callable[[str, Value], Any]] = {
    "str": lambda text, value: text,
    "path": lambda text, value: text,
    "int": _integer,
    "float": lambda text, value: float(text),
    "bool": _boolean,
    "json": lambda text, value: json.loads(text),
    "time": lambda text, value: moment(text, value.get("format")),
}
