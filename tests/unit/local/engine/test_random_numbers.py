"""Steps that are forked from one parent draw different random numbers, as separate processes would."""

from __future__ import annotations

from pathlib import Path

from cloudml.operations.project import load_project
from cloudml.operations.run import run

MODULE = """
import cloudml as ml
import numpy as np

@ml.processing(cache=False)
def draw(seed: int) -> float:
    return float(np.random.rand())

@ml.pipeline
def dice() -> None:
    draw(1)
    draw.options(name="again")(2)
"""


def test_numpys_global_generator_is_seeded_anew(tmp_path: Path) -> None:
    (tmp_path / "cloudml.toml").write_text('[project]\nname = "dice"\npipeline = "dice_project:dice"\n')
    (tmp_path / "dice_project.py").write_text(MODULE)
    project = load_project(tmp_path)
    record = run(project, project.target())
    assert record.status == "succeeded"
    drawn = [task.values["output"] for task in record.tasks]
    assert drawn[0] != drawn[1]
