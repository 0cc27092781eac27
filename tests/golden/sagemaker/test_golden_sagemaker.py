"""The author's file beside the spec and the definition, readable; `pytest tests/golden --update-golden` renews them."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudml import spec
from cloudml.authoring.pipelines import PipelineFunction
from cloudml.backend.port import Target
from cloudml.code import SourceIndex
from cloudml.operations.load import load_spec, sources_of
from cloudml.operations.project import load_project
from cloudml.plan import Resource
from cloudml.validation import validate
from cloudml_sagemaker.compile import compile_pipeline

HERE = Path(__file__).parent
CASES = sorted(path.name for path in HERE.iterdir() if path.is_dir() and path.name != "__pycache__")
SETTINGS = {
    "region": "eu-central-1",
    "role": "arn:aws:iam::123456789012:role/pipelines",
    "bucket": "my-bucket",
    "requirements": "",
}
_CODE = re.compile(r"/jobs/[0-9a-f]{64}/")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@pytest.fixture
def clean_imports() -> Iterator[None]:
    """Each case is a project of its own, whose module has the same name as that of the others."""
    yield
    for name in [name for name in sys.modules if name in ("pipeline", "churn") or name.startswith("churn.")]:
        del sys.modules[name]


def _churn(case: Path) -> tuple[spec.Pipeline, tuple[Resource, ...]]:
    """The template; the pair keeps a copy of its pipeline, so that one reads it beside the definition."""
    found = importlib.util.find_spec("cloudml_templates")
    assert found is not None
    assert found.origin is not None
    project = load_project(Path(found.origin).parent / "churn")
    sys.path.insert(0, str(project.root))
    try:
        pipeline, _ = load_spec(project, "churn")
        target = Target("aws", "sagemaker", "churn", project.root, SETTINGS)
        return pipeline, compile_pipeline(pipeline, target, sources_of(pipeline, project))
    finally:
        sys.path.remove(str(project.root))


def _small(case: Path) -> tuple[spec.Pipeline, tuple[Resource, ...]]:
    sys.path.insert(0, str(case))
    try:
        module = importlib.import_module("pipeline")
    finally:
        sys.path.remove(str(case))
    function = next(one for one in vars(module).values() if isinstance(one, PipelineFunction))
    pipeline, locations = function.build_with_locations()
    assert not validate(pipeline, locations)
    steps = [step.job if isinstance(step, spec.TuningStep) else step for step in spec.walk(pipeline.steps)]
    functions = {str(step.function): () for step in steps if isinstance(step, spec.JobStep)}
    sources = SourceIndex(case).sources(functions.items())
    return pipeline, compile_pipeline(pipeline, Target("aws", "sagemaker", "golden", case, SETTINGS), sources)


def _readable(document: Any, names: dict[str, str]) -> str:
    """Indented and sorted; the digests of code, which change with every release, replaced by the step's name."""
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)
    text = _CODE.sub(lambda found: f"/jobs/<code of {names[found[0]]}>/", text)
    return _DIGEST.sub("<digest>", text) + "\n"


def _written(case: Path) -> dict[str, str]:
    pipeline, resources = (_churn if case.name == "churn" else _small)(case)
    codes = [one for one in resources if one.kind == "job_code"]
    names = {found[0]: one.name for one in codes if (found := _CODE.search(one.document["prefix"]))}
    made = next(one.document for one in resources if one.kind == "pipeline")  # the others are monitors'
    rest = {
        f"{one.kind} {one.name}": one.document
        for one in resources
        if one.kind != "job_code" and one.document is not made
    }
    return {
        "spec.yaml": spec.to_yaml(pipeline),
        "definition.json": _readable(made["definition"], names),
        "steps.json": _readable({one.name: one.document["files"]["step.json"] for one in codes}, names),
        "resources.json": _readable({**rest, "pipeline": {**made, "definition": "definition.json"}}, names),
    }


@pytest.mark.usefixtures("clean_imports")
@pytest.mark.parametrize("name", CASES)
def test_golden_pair(name: str, update_golden: bool) -> None:
    case = HERE / name
    for file, text in _written(case).items():
        if update_golden:
            (case / file).write_text(text, encoding="utf-8")
        else:
            assert (case / file).read_text(encoding="utf-8") == text, f"{file}: pytest tests/golden --update-golden"


def test_the_churn_pair_shows_the_template_s_pipeline(update_golden: bool) -> None:
    found = importlib.util.find_spec("cloudml_templates")
    assert found is not None
    assert found.origin is not None
    original = Path(found.origin).parent / "churn" / "churn" / "pipeline.py"
    if update_golden:
        shutil.copyfile(original, HERE / "churn" / "pipeline.py")
    assert (HERE / "churn" / "pipeline.py").read_bytes() == original.read_bytes()
