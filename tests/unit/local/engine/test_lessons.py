"""What one child imports while it runs, the next finds imported; the user's own modules are left alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cloudml_local.engine.lessons import Lessons


def test_a_child_tells_its_parent_what_it_imported() -> None:
    lessons = Lessons()
    sys.modules.pop("colorsys", None)
    pid = os.fork()
    if pid == 0:
        lessons.begin()
        import colorsys  # noqa: F401 - any module that nothing here has loaded

        lessons.tell("churn.steps:fit", ())
        os._exit(0)
    os.waitpid(pid, 0)
    assert "colorsys" not in sys.modules
    assert "colorsys" in lessons.of("churn.steps:fit")
    assert lessons.of("churn.steps:other") == []


def test_the_users_own_modules_are_not_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "of_the_user.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    lessons = Lessons()
    lessons.begin()
    import of_the_user  # type: ignore[import-not-found]  # noqa: F401

    lessons.tell("m:f", (str(tmp_path),))
    del sys.modules["of_the_user"]
    assert "of_the_user" not in lessons.of("m:f")


def test_more_than_the_pipe_takes_at_once_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    lessons = Lessons()
    lessons.begin()
    for number in range(2000):
        name = f"json_{number}"
        module = type(sys)(name)
        module.__spec__ = type(json_spec())(name, None)
        monkeypatch.setitem(sys.modules, name, module)
    lessons.tell("m:f", ())
    learned = lessons.of("m:f")
    assert learned
    assert set(learned) <= {f"json_{number}" for number in range(2000)}


def json_spec() -> object:
    import json

    return json.__spec__
