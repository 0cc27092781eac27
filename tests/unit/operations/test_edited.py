"""A process that lives on sees an edit of the project: a notebook, a server, a test session."""

from __future__ import annotations

import os
from pathlib import Path

from cloudml.operations.load import load_spec
from cloudml.operations.project import load_project

MODULE = """
import cloudml as ml

@ml.processing
def {name}() -> int:
    return 1

@ml.pipeline
def edited() -> None:
    {name}()
"""


def test_the_next_build_imports_what_was_edited(tmp_path: Path) -> None:
    (tmp_path / "cloudml.toml").write_text('[project]\nname = "edited"\npipeline = "edited_project:edited"\n')
    source = tmp_path / "edited_project.py"
    for moment, name in enumerate(("first", "second")):
        source.write_text(MODULE.format(name=name))
        os.utime(source, (moment, moment))  # byte code is matched by time and size: let no clock decide this
        built, _ = load_spec(load_project(tmp_path))
        assert [step.name for step in built.steps] == [name]
