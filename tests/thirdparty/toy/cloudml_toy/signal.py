"""A type of its own between steps: a codec says how it becomes a file and comes back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cloudml.runtime.codecs.base import Codec


class Signal:
    """Samples of a sensor, each between 0 and 255."""

    def __init__(self, samples: Sequence[int]) -> None:
        self.samples = bytes(samples)


def _write(value: Signal, path: str) -> None:
    Path(path).write_bytes(value.samples)


def _read(path: str, type_name: str) -> Signal:
    return Signal(Path(path).read_bytes())


CODEC = Codec(
    name="signal",
    types=("cloudml_toy.signal.Signal",),
    format="signal",
    suffix=".sig",
    reads=("signal",),
    write=_write,
    read=_read,
)
