"""`NAME=module:function`: what is found, and how what is not is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cloudml.errors import MockError
from cloudml.mocks.functions import loaded


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "handlers_here.py").write_text(
        "VALUE = 1\nclass Group:\n    pass\ndef score(event):\n    return event['n'] + VALUE\n"
    )
    (tmp_path / "broken_here.py").write_text("raise RuntimeError('not today')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("handlers_here", "broken_here"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_a_function_stays_itself_and_a_text_is_imported_from_the_working_folder() -> None:
    found = loaded({"a": len, "b": "handlers_here:score", "c": "json:dumps"})
    assert list(found) == ["a", "b", "c"]
    assert found["a"] is len
    assert found["b"]({"n": 2}) == 3
    assert found["c"]([1]) == "[1]"


def test_the_working_folder_goes_after_everything_else() -> None:
    Path("colorsys.py").write_text("raise AssertionError('the standard library has this name')\n")
    sys.modules.pop("colorsys", None)
    assert loaded({"a": "colorsys:rgb_to_hsv"})["a"](0, 0, 1)[2] == 1
    loaded({"a": "handlers_here:score"})
    assert sys.path.count(str(Path.cwd())) == 1
    assert sys.path[-1] == str(Path.cwd())


@pytest.mark.parametrize("place", ["", "handlers_here", "handlers_here:", ":score", ":"])
def test_another_form_is_refused_with_the_right_one(place: str) -> None:
    with pytest.raises(MockError, match="no place of a function") as caught:
        loaded({"score": place})
    assert caught.value.where == "score"
    assert caught.value.hint == "write NAME=module:function"


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("no_such_module_here:f", "ModuleNotFoundError"),
        ("handlers_here:no_such", "AttributeError"),
        ("broken_here:f", "RuntimeError: not today"),
        ("handlers_here:VALUE", "is a int, not a function"),
    ],
)
def test_what_cannot_be_called_is_refused(place: str, says: str) -> None:
    with pytest.raises(MockError, match=says) as caught:
        loaded({"score": place})
    assert place in caught.value.message
    assert caught.value.where == "score"
