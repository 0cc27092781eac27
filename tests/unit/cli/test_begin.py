"""`init`, `check`, `graph`."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from cli_world import Invoke, World, record, task

from cloudml import spec
from cloudml.errors import Diagnostic

DOCUMENT = {
    "spec_version": "1",
    "name": "churn",
    "steps": [
        {"kind": "processing", "name": "extract", "function": {"module": "a", "name": "extract"}},
        {
            "kind": "training",
            "name": "fit",
            "function": {"module": "a", "name": "fit"},
            "arguments": [{"name": "train", "value": {"kind": "output", "step": "extract", "output": "output"}}],
        },
    ],
}


def test_init_lists_templates_and_creates_one(cloudml: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "churn" in [entry["name"] for entry in cloudml("init", "-o", "json").json["templates"]]
    assert "cloudml init churn demo" in cloudml("init").out
    done = cloudml("init", "churn", "my första projekt")
    assert done.code == 0
    assert (tmp_path / "my första projekt" / "cloudml.toml").is_file()
    assert "cd 'my första projekt'" in done.out


def test_init_refuses_a_used_directory_and_leaves_it_alone(cloudml: Invoke, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = cloudml("init", "churn", str(tmp_path), "-o", "json")
    assert done.code == 1
    assert done.json["error"]["diagnostics"][0]["code"] == "CML421"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", ["nope", "../churn", "/etc", "churn/churn"])
def test_init_knows_only_names_of_templates(cloudml: Invoke, tmp_path: Path, name: str) -> None:
    done = cloudml("init", name, str(tmp_path / "new"))
    assert done.code == 64
    assert not (tmp_path / "new").exists()


def test_check_without_findings(world: World, cloudml: Invoke) -> None:
    done = cloudml("check")
    assert done.code == 0
    assert "churn: 12 steps, 0 errors, 0 warnings" in done.out
    assert world.targets == [], "no backend was asked for"


def test_check_groups_the_findings_by_file_in_the_order_of_lines(world: World, cloudml: Invoke) -> None:
    world.diagnostics = (
        Diagnostic("CML203", "", "of no file"),
        Diagnostic("CML202", "b.py:7", "in b"),
        Diagnostic("CML202", "a.py:30", "late in a", "write it so"),
        Diagnostic("CML201", "a.py:4", "early in a", severity="warning"),
    )
    done = cloudml("check", "--backend", "local")
    assert done.code == 1
    order = [
        done.out.index(text)
        for text in ("early in a", "late in a", "write it so", "in b", "of no file", "3 errors, 1 warning")
    ]
    assert order == sorted(order)
    assert world.targets == [(None, "local")]


def test_check_with_warnings_only_is_a_success(world: World, cloudml: Invoke) -> None:
    world.diagnostics = (Diagnostic("CML201", "a.py:4", "odd", severity="warning"),)
    done = cloudml("check", "-o", "json")
    assert done.code == 0
    found = done.json
    assert (found["steps"], found["errors"], found["warnings"]) == (12, 0, 1)
    assert found["diagnostics"][0]["where"] == "a.py:4"


def test_graph_as_text_and_json(world: World, cloudml: Invoke) -> None:
    world.spec = spec.from_dict(DOCUMENT)
    shown = cloudml("graph").out
    assert shown.index("extract") < shown.index("fit")
    found = cloudml("graph", "-o", "json").json
    assert found["edges"] == [{"source": "extract", "target": "fit", "output": "output"}]


def test_graph_to_a_file_with_the_states_of_a_run(world: World, cloudml: Invoke, tmp_path: Path) -> None:
    world.spec = spec.from_dict(DOCUMENT)
    world.session.runs.records = [record("failed", [task("extract"), task("fit", "failed")])]
    done = cloudml("graph", "--out", "churn.svg", "--run", "last")
    assert done.code == 0
    root = ET.fromstring((tmp_path / "churn.svg").read_text(encoding="utf-8"))
    classes = {element.get("class") for element in root.iter() if element.get("class")}
    assert {"step k-processing s-succeeded", "step k-training s-failed"} <= classes


def test_graph_into_a_directory_that_is_not_there(world: World, cloudml: Invoke) -> None:
    world.spec = spec.from_dict(DOCUMENT)
    done = cloudml("graph", "--out", "nowhere/churn.svg")
    assert done.code == 64
    assert "nowhere/churn.svg" in done.err
