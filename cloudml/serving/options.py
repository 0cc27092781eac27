"""The server's command line and the environment variables by which each cloud overrides it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudml.serving.schema import FeatureSchema
from cloudml.serving.state import Limits

_PORT_VARIABLES = ("AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT")
_LOOPBACK, _EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 - only where a cloud asks for it


class OptionError(Exception):
    """An argument or a variable that cannot be used; the message says which and why."""


@dataclass(frozen=True)
class Options:
    """One server process. `port` 0 lets the system choose; `drain` is seconds served on after SIGTERM."""

    model: str
    predictor: str | None
    paths: tuple[str, ...]
    name: str
    version: str
    host: str
    port: int
    schema: FeatureSchema
    sample: tuple[dict[str, Any], ...]
    ready_file: Path | None
    parent: int | None
    drain: float
    limits: Limits
    health_route: str | None
    predict_route: str | None


def read_options(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """Parse; exits with 2 on an unknown argument. Raises OptionError."""
    given = _parser().parse_args(arguments)
    sample = _read_sample(given.sample)
    host, port = _address(given.port, environment)
    return Options(
        model=given.model,
        predictor=given.predictor or None,
        paths=tuple(given.path),
        name=given.name,
        version=given.version,
        host=host,
        port=port,
        schema=FeatureSchema.from_sample(sample, _read_features(given.features)),
        sample=sample,
        ready_file=given.ready_file,
        parent=given.parent,
        drain=given.drain,
        limits=Limits(given.max_body, given.max_batch, given.request_timeout),
        health_route=environment.get("AIP_HEALTH_ROUTE") or None,
        predict_route=environment.get("AIP_PREDICT_ROUTE") or None,
    )


def _parser() -> argparse.ArgumentParser:
    defaults = Limits()
    parser = argparse.ArgumentParser(prog="python -m cloudml.serving", description="Serve one model over HTTP.")
    add = parser.add_argument
    add("--model", required=True, help="the model: a file, or a directory with its manifest")
    add("--predictor", default="", help="module:function that gets (model, rows); empty: the estimator's own")
    add("--path", action="append", default=[], help="a directory to import the predictor from; may repeat")
    add("--name", default="model", help="the model's name in the v2 routes")
    add("--version", default="0", help="the model's version, sent with every answer")
    add("--port", type=int, default=8080, help="0 lets the system choose")
    add("--sample", type=Path, help="a JSON file with a list of rows: the warm-up, and the features' kinds")
    add("--features", default="", help="a JSON list: the features, in the model's order")
    add("--ready-file", type=Path, help="written with port and pid once the warm-up prediction ran")
    add("--parent", type=int, help="end when this process, which started the server, ends")
    add("--drain", type=float, default=2.0, help="seconds to serve on with failing health after SIGTERM")
    add("--max-batch", type=int, default=defaults.max_batch, help="rows")
    add("--max-body", type=int, default=defaults.max_body, help="bytes")
    add("--request-timeout", type=float, default=defaults.request_timeout, help="seconds")
    return parser


def _address(port: int, environment: Mapping[str, str]) -> tuple[str, int]:
    """A cloud that names a port wants it on every interface; nobody else gets more than loopback."""
    for variable in _PORT_VARIABLES:
        value = environment.get(variable)
        if value:
            if not value.isdigit() or not 0 < int(value) < 65536:
                raise OptionError(f"{variable} must be a port number, got {value!r}")
            return _EVERYWHERE, int(value)
    return _LOOPBACK, port


def _read_sample(path: Path | None) -> tuple[dict[str, Any], ...]:
    if path is None:
        return ()
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"cannot read the sample rows in {path}: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise OptionError(f"{path} must hold a JSON list of rows")
    return tuple(rows)


def _read_features(text: str) -> tuple[str, ...]:
    if not text:
        return ()
    try:
        names = json.loads(text)
    except ValueError as error:
        raise OptionError(f"--features must be a JSON list of names: {error}") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise OptionError("--features must be a JSON list of names")
    return tuple(names)
