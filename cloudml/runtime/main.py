"""One attempt of one step: read the envelope, call the function, store what it made, write the result."""

from __future__ import annotations

import json
import os
import signal
import sys
from types import FrameType
from typing import Any, NoReturn

from cloudml.runtime import reporting
from cloudml.runtime.envelope import Envelope, EnvelopeError, read_envelope
from cloudml.runtime.failures import Failure, Interrupted, StepError, TrialPruned, describe
from cloudml.runtime.function import (
    limit_loaded_threads,
    limit_threads,
    load_function,
    location,
    parameter_names,
    prepare_paths,
    seed_generators,
)

SUCCEEDED, FAILED = 0, 1


def run(envelope_path: str) -> int:
    """Run the step that the file describes; 0 when it succeeded or was pruned, 1 when it failed.

    It may be called in a forked child: it neither exits the process nor undoes what it sets (import path, thread
    variables); only SIGTERM's handler is put back. What happened stands in `result.json`, written last.
    """
    try:
        envelope = read_envelope(envelope_path)
    except (OSError, EnvelopeError) as error:
        sys.stderr.write(f"cloudml: {error}\n")
        return FAILED
    recorder = reporting.Recorder(envelope)
    reporting.record_to(recorder)
    previous = _on_sigterm(_interrupt)
    try:
        result = _attempt(envelope)
    except Interrupted as error:  # it came while another outcome was being recorded
        result = _result("failed", failure=describe(error, envelope.paths))
    _on_sigterm(signal.SIG_IGN)  # nothing may break into writing the result
    reporting.record_to(None)
    result["reports"] = [list(report) for report in recorder.reports]
    try:
        return _finish(envelope, result)
    finally:
        if previous is not None:
            _on_sigterm(previous)


def _attempt(envelope: Envelope) -> dict[str, Any]:
    """The result of the attempt, whatever became of it."""
    secrets: dict[str, str] = {}
    try:
        stored, values = _execute(envelope, secrets)
    except TrialPruned:
        return _result("pruned")
    except BaseException as error:  # noqa: BLE001 - SystemExit and Interrupted too: the driver must learn of each
        return _result("failed", failure=describe(error, envelope.paths, secrets.values()))
    return _result("succeeded", outputs=[item._asdict() for item in stored], values=values)


def _execute(envelope: Envelope, secrets: dict[str, str]) -> tuple[list[Any], dict[str, Any]]:
    """Import, read, call, store. `secrets` is filled first, so that a failure can be masked."""
    limit_threads(envelope.threads)
    prepare_paths(envelope.paths)
    from cloudml.runtime.inputs import read_arguments, read_inputs, read_secrets
    from cloudml.runtime.outputs import Outputs

    secrets.update(read_secrets(envelope.secrets))
    function = load_function(envelope.function)
    inputs = read_inputs(envelope)
    arguments = read_arguments(envelope, function)
    outputs = Outputs(envelope, parameter_names(function), getattr(function, "__name__", envelope.function))
    limit_loaded_threads(envelope.threads)
    seed_generators(envelope.seed)
    try:
        returned = function(**inputs, **arguments, **secrets, **outputs.handles())
        return outputs.store(returned), outputs.values
    except StepError as error:
        error.location = location(function)
        raise


def _result(status: str, **parts: Any) -> dict[str, Any]:
    failure: Failure | None = parts.get("failure")
    return {
        "status": status,
        "outputs": parts.get("outputs", []),
        "values": parts.get("values", {}),
        "reports": [],
        "failure": None if failure is None else failure.to_dict(),
    }


def _finish(envelope: Envelope, result: dict[str, Any]) -> int:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # the reader has gone; the step's result is not less true for it
            continue
    temporary = f"{envelope.result}.tmp"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(json.dumps(result))
        os.replace(temporary, envelope.result)
    except OSError as error:
        sys.stderr.write(f"cloudml: step {envelope.step!r} cannot write its result: {error}\n")
        return FAILED
    return FAILED if result["status"] == "failed" else SUCCEEDED


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    _on_sigterm(signal.SIG_IGN)  # a second signal must not break the user's clean-up
    raise Interrupted("the step was asked to stop (SIGTERM)")


def _on_sigterm(handler: Any) -> Any:
    """Set SIGTERM's handler; returns the one before, or None outside of the main thread, where none can be set."""
    try:
        return signal.signal(signal.SIGTERM, handler)
    except ValueError:
        return None
