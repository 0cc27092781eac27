"""The published JSON Schema is the model's, and it says of documents what the model says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cloudml import spec

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "docs" / "reference" / "pipeline.schema.json"
PAGE = ROOT / "docs" / "reference" / "spec.md"

REWRITE = (
    "python -c \"import json; from cloudml import spec; "
    "print(json.dumps(spec.json_schema(), indent=1, sort_keys=True))\" > docs/reference/pipeline.schema.json"
)  # fmt: skip


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return found


def test_the_published_schema_is_up_to_date(schema: dict[str, Any]) -> None:
    assert schema == spec.json_schema(), f"write it anew: {REWRITE}"


def test_it_is_a_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The churn template, as a document."""
    import sys

    from cloudml.operations.load import load_spec
    from cloudml.operations.project import load_project

    before = list(sys.path)
    try:
        pipeline, _ = load_spec(load_project(ROOT / "templates" / "cloudml_templates" / "churn"))
    finally:
        sys.path[:] = before
    return spec.to_dict(pipeline)


def test_it_accepts_the_template(schema: dict[str, Any], document: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema).validate(document)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "no spaces allowed"},
        {"steps": [{"kind": "unheard_of", "name": "a"}]},
        {"unknown": 1},
        {"spec_version": "0"},
        {"timeout": -1},
    ],
    ids=str,
)
def test_it_refuses_what_the_model_refuses(
    change: dict[str, Any], schema: dict[str, Any], document: dict[str, Any]
) -> None:
    from cloudml.errors import SpecError

    wrong = {**document, **change}
    assert not jsonschema.Draft202012Validator(schema).is_valid(wrong)
    with pytest.raises(SpecError):
        spec.from_dict(wrong)
