"""What cloudml's compiler is to be held against: kfp's own output, valid (written by tests/kfp_sdk/equal.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import celpy
import pytest
from google.protobuf.json_format import ParseDict
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec

DATA = Path(__file__).parents[2] / "data" / "kfp_equal"
NAMES = sorted(path.stem for path in DATA.glob("*.json"))


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())
    return found


def conditions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "condition" in value.get("triggerPolicy", {}):
            yield value["triggerPolicy"]["condition"]
        for member in value.values():
            yield from conditions(member)


def test_conditions_loops_and_exits_are_among_at_least_25() -> None:
    assert len(NAMES) >= 25
    texts = [json.dumps(read(name)["spec"]) for name in NAMES]
    for part in ("triggerPolicy", "parameterIterator", "parallelismLimit", "ALL_UPSTREAM_TASKS_COMPLETED",
                 "retryPolicy", "importer", "accelerator", "int(", "'plain'", "condition-branches"):  # fmt: skip
        assert any(part in text for text in texts), part


@pytest.mark.parametrize("name", NAMES)
def test_kfp_wrote_it_for_the_published_proto(name: str) -> None:
    case = read(name)
    assert case["spec"]["sdkVersion"] == f"kfp-{case['sdk']['kfp']}"
    ParseDict(case["spec"], PipelineSpec())


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("condition")])
def test_its_conditions_are_cel(name: str) -> None:
    found = list(conditions(read(name)["spec"]))
    assert found
    for condition in found:
        celpy.Environment().compile(condition)
