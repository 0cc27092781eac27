"""A step that forges its result reaches nothing outside of its own folder."""

from __future__ import annotations

import os

import pytest
from worlds import Make, failure, one_step

FORGE = """
import json
folder = Path(os.environ["HERE"]) / os.environ["CLOUDML_RUN"] / "work" / "1"
(folder / "outputs" / "output").mkdir(parents=True)
inside = folder / "outputs" / "output" / "output.json"
inside.write_text("7")
outside = Path("precious.txt").resolve()
os.symlink(outside, folder / "outputs" / "link")
good = {"name": "output", "path": str(inside), "format": "json", "size": 1, "filename": "output.json",
        "digest": "sha256:7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451"}
forged = {"status": "succeeded", "outputs": [{**good, **CHANGE}], "values": {}, "reports": [], "failure": None}
(folder / "result.json").write_text(json.dumps(forged))
os._exit(0)
"""


@pytest.mark.parametrize(
    "change",
    [
        '{"path": str(outside)}',
        '{"path": str(folder / "outputs" / ".." / ".." / ".." / ".." / ".." / ".." / "precious.txt")}',
        '{"path": str(folder / "outputs" / "link")}',
        '{"digest": "sha256:../../../escaped"}',
        '{"digest": "tree:/etc"}',
        '{"digest": 7}',
        '{"filename": "../../escaped"}',
        '{"name": "nobody"}',
        '{"path": 7}',
    ],
)
def test_a_forged_result_leaves_nothing_outside_of_its_folder(
    make: Make, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    world = make(one_step(FORGE.replace("CHANGE", change)))
    monkeypatch.setenv("HERE", str(world.state / "runs"))
    (world.root / "precious.txt").write_text("precious")
    found = failure(world.run())
    assert "result.json" in found["message"], found
    assert (world.root / "precious.txt").read_text() == "precious"
    assert os.access(world.root / "precious.txt", os.W_OK) and (world.root / "precious.txt").stat().st_mode & 0o200
    assert not list(world.root.rglob("escaped*"))


def test_the_forger_would_have_been_believed_with_honest_names(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above fails for the change alone."""
    world = make(one_step(FORGE.replace("CHANGE", "{}")))
    monkeypatch.setenv("HERE", str(world.state / "runs"))
    assert world.run().status == "succeeded"


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "7",
        "{}",
        '{"status": "failed"}',
        '{"status": "failed", "reports": [], "failure": {"message": 7, "exception": 7}}',
        '{"status": "succeeded"}',
        "{",
    ],
)
def test_a_broken_result_file_is_the_steps_failure(make: Make, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    body = f"""
folder = Path(os.environ["HERE"]) / os.environ["CLOUDML_RUN"] / "work" / "1"
(folder / "result.json").write_text({content!r})
os._exit(0)
"""
    world = make(one_step(body))
    monkeypatch.setenv("HERE", str(world.state / "runs"))
    assert failure(world.run())["message"]
