"""Outputs: what the user's function returned and wrote becomes files, each written aside and then renamed."""

from __future__ import annotations

import json
import os
import shutil
from typing import Any, NamedTuple

from cloudml.runtime.codecs import Codec, CodecError, codec_for_value, public_name
from cloudml.runtime.codecs.json_values import INLINE_LIMIT, field_names
from cloudml.runtime.codecs.values import mismatch
from cloudml.runtime.digest import LARGE, UnsafeTree, measure, write_measured
from cloudml.runtime.envelope import Envelope, Output
from cloudml.runtime.failures import CannotStore, WrongOutput

OBJECT_FORMAT = "file"
WHOLE = frozenset({"output", "metrics"})
"""The names of ports that stand for the whole return value, not for one of its fields."""


class Stored(NamedTuple):
    """An output as `result.json` lists it; `size` in bytes."""

    name: str
    path: str
    format: str
    digest: str
    size: int
    filename: str


class Outputs:
    """Prepares the handles that the function writes to, and stores what it returned."""

    def __init__(self, envelope: Envelope, parameters: frozenset[str], function: str) -> None:
        self._step = envelope.step
        self._folder = envelope.output_dir
        self._function = function
        self._written = [port for port in envelope.outputs if port.mode == "handle" and port.name in parameters]
        self._returned = [port for port in envelope.outputs if port not in self._written]
        self.values: dict[str, Any] = {}

    def handles(self) -> dict[str, Any]:
        """A handle for every `Out` parameter: its folder is there and empty, its path is not there yet."""
        return {port.name: self._handle(port) for port in self._written}

    def store(self, returned: Any) -> list[Stored]:
        """Write what was returned, and collect what was written to the handles.

        Raises:
            WrongOutput: something is missing, or is not what the function declares.
            CannotStore: the disk refuses.
        """
        values = self._by_port(returned)
        try:
            stored = [self._store(port, values[port.name]) for port in self._returned]
            return [*stored, *(self._collect(port) for port in self._written)]
        except CodecError as error:
            raise WrongOutput(f"{self._function}: {error}") from error
        except OSError as error:
            raise CannotStore(
                f"step {self._step!r} cannot store its outputs in {self._folder}: {error}; "
                "free some space or make the folder writable, then resume the run"
            ) from error

    def _handle(self, port: Output) -> Any:
        from pathlib import Path

        from cloudml.runtime.handles import HANDLES

        path = Path(self._empty_folder(port)) / port.name
        handle = HANDLES.get(port.type)
        return handle(path) if handle is not None else path

    def _empty_folder(self, port: Output) -> str:
        folder = os.path.join(self._folder, port.name)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        return folder

    def _by_port(self, returned: Any) -> dict[str, Any]:
        ports = self._returned
        if not ports:
            if returned is not None:
                raise WrongOutput(f"{self._function} returned {public_name(type(returned))}, declared None")
            return {}
        names = tuple(port.name for port in ports)
        fields = field_names(type(returned))
        is_metrics = hasattr(returned, "__metric_fields__")
        if fields is not None and not is_metrics and set(names) == set(fields):
            return {name: getattr(returned, name) for name in names}
        if len(ports) == 1 and names[0] in WHOLE:
            return {names[0]: returned}
        raise WrongOutput(
            f"{self._function} returned {public_name(type(returned))}, declared a value with {', '.join(names)}"
        )

    def _store(self, port: Output, value: Any) -> Stored:
        if port.mode == "metrics":
            return self._store_value(port, self._metrics(port, value), "dict")
        label = self._function if port.name == "output" else f"{self._function} ({port.name})"
        problem = mismatch(value, port.type)
        if problem:
            raise WrongOutput(f"{label} returned {problem}, declared {port.type}")
        if isinstance(value, os.PathLike):
            return self._copy(port, os.fspath(value))
        return self._store_value(port, value, port.type)

    def _metrics(self, port: Output, value: Any) -> dict[str, Any]:
        from cloudml.runtime.metrics import Metrics

        if not isinstance(value, Metrics):
            raise WrongOutput(f"{self._function} returned {public_name(type(value))}, declared {port.type}")
        numbers = value.to_dict()
        missing = [name for name in port.fields if name not in numbers]
        if missing:
            raise WrongOutput(f"{self._function}: the metrics {', '.join(missing)} are declared but were not returned")
        for name in value.not_finite():
            raise WrongOutput(f"{self._function}: the metric {name!r} is {numbers[name]}; a metric must be finite")
        return numbers

    def _store_value(self, port: Output, value: Any, type_name: str) -> Stored:
        codec = codec_for_value(value, type_name)
        filename = port.name + codec.suffix
        temporary, final = self._places(port, filename)
        digest, size = _write(codec, value, temporary)
        os.replace(temporary, final)
        if codec.format == "json" and size <= INLINE_LIMIT:
            with open(final, encoding="utf-8") as file:
                self.values[port.name] = json.load(file)
        return Stored(port.name, final, codec.format, digest, size, filename)

    def _copy(self, port: Output, source: str) -> Stored:
        codec = codec_for_value(source, "pathlib.Path")
        filename = os.path.basename(os.path.abspath(source))
        if not os.path.exists(source):
            raise WrongOutput(f"{self._function} returned the path {source}, but there is nothing")
        temporary, final = self._places(port, filename)
        codec.write(source, temporary)
        os.replace(temporary, final)
        return self._measured(port, final)

    def _places(self, port: Output, filename: str) -> tuple[str, str]:
        folder = self._empty_folder(port)
        return os.path.join(folder, f".{filename}.tmp"), os.path.join(folder, filename)

    def _collect(self, port: Output) -> Stored:
        """What the function wrote at its handle, or the one thing beside it (a path with a suffix of its own)."""
        folder = os.path.join(self._folder, port.name)
        path = os.path.join(folder, port.name)
        if not os.path.lexists(path):
            found = sorted(entry for entry in os.listdir(folder) if not entry.startswith("."))
            if len(found) != 1:
                beside = f"; beside it are {', '.join(found)}" if found else ""
                raise WrongOutput(
                    f"{self._function} wrote nothing to its output {port.name!r}: "
                    f"use {port.name}.save(...), or write a file or folder at {port.name}.path{beside}"
                )
            path = os.path.join(folder, found[0])
        return self._measured(port, path)

    def _measured(self, port: Output, path: str) -> Stored:
        try:
            digest, size = measure(path)
        except UnsafeTree as error:
            raise WrongOutput(f"{self._function} ({port.name}): {error}") from error
        return Stored(port.name, path, OBJECT_FORMAT, digest, size, os.path.basename(path))


def _write(codec: Codec, value: Any, path: str) -> tuple[str, int]:
    """Write a value; digest and size, measured side by side where there is much to write and it lies in memory."""
    pieces = codec.pieces(value) if codec.pieces is not None else None
    if pieces is not None and sum(piece.nbytes for piece in pieces) >= LARGE:
        return write_measured(path, pieces)
    codec.write(value, path)
    return measure(path)
