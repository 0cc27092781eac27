from __future__ import annotations

from typing import Any

import pytest

from cloudml.runtime.envelope import EnvelopeError, parse_envelope

GOOD: dict[str, Any] = {
    "version": 1,
    "run": "r",
    "step": "s",
    "function": "m:f",
    "output_dir": "/o",
    "result": "/r",
    "reports": "/p",
    "progress": "/q",
}


def test_what_is_left_out_has_defaults() -> None:
    envelope = parse_envelope(GOOD)
    assert (envelope.attempt, envelope.inputs, envelope.pruning, envelope.threads) == (1, (), None, None)


def test_a_file_name_defaults_to_the_objects_own() -> None:
    port = {"name": "x", "type": "int", "path": "/a/b", "format": "json"}
    artifact = parse_envelope({**GOOD, "inputs": [port]}).inputs[0].artifact
    assert artifact is not None
    assert (artifact.filename, artifact.digest) == ("b", None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version 2"),
        ({"version": None}, "version None"),
        ({"inputs": 3}, "wrong type"),
        ({"inputs": [{"name": "x", "type": "int"}]}, "lacks 'path'"),
        ({"inputs": [{"name": "x", "type": "int", "path": "/a", "format": "json", "filename": "../x"}]}, "plain name"),
        ({"outputs": [{"name": "a/b", "type": "int"}]}, "plain name"),
        ({"pruning": {"direction": "up"}}, "'up'"),
    ],
)
def test_the_first_fault_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(EnvelopeError, match=message):
        parse_envelope({**GOOD, **change})
