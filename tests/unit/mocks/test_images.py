"""What stands for an image: which rule, which words, and what is said when there is none."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from cloudml.errors import NotFound, Refused
from cloudml.mocks.images import ImageMap, repository

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/trainer:1.0"


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH with `python3`, `python3.12`, `sh` and `tool`."""
    for name in ("python3", "python3.12", "sh", "tool"):
        program(tmp_path / "usr" / name)
    return str(tmp_path / "usr")


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An environment with `python3`, `python` and `train`."""
    for name in ("python3", "python", "train"):
        program(tmp_path / "venv" / "bin" / name)
    return tmp_path / "venv"


@pytest.mark.parametrize(
    ("image", "name"),
    [
        (ECR, "team/trainer"),
        ("python:3.11-slim", "python"),
        ("python", "python"),
        ("team/trainer", "team/trainer"),
        ("localhost/trainer:2", "trainer"),
        ("registry:5000/trainer", "trainer"),
        ("gcr.io/project/trainer@sha256:" + "a" * 64, "project/trainer"),
        ("gcr.io/project/trainer:1@sha256:" + "a" * 64, "project/trainer"),
    ],
)
def test_the_repository_of_an_image(image: str, name: str) -> None:
    assert repository(image) == name


@pytest.mark.parametrize(
    "pattern", ["*", "*trainer*", "team/trainer", ECR, "*/team/*:1.[0-9]", "*.dkr.ecr.*/trainer:1.?"]
)
def test_patterns_that_match(path: str, pattern: str) -> None:
    assert ImageMap([f"{pattern}=tool"], path=path).resolve(ECR).argv == ("tool",)


@pytest.mark.parametrize("pattern", ["trainer", "team/trainer:1.0", "TEAM/TRAINER", "*trainer", "team", "*:2.0"])
def test_patterns_that_do_not(path: str, pattern: str) -> None:
    with pytest.raises(NotFound):
        ImageMap([f"{pattern}=tool"], path=path).resolve(ECR)


def test_the_first_match_wins_and_the_users_go_before_the_defaults(path: str) -> None:
    images = ImageMap(["*other*=sh", "*trainer*=tool a", "*=tool b"], ["*=tool c"], path)
    assert images.resolve(ECR).rule == "*trainer*=tool a"
    assert images.resolve("x").argv == ("tool", "b")
    assert ImageMap([], ["*=tool c"], path).resolve("x").argv == ("tool", "c")


@pytest.mark.parametrize(
    ("entrypoint", "arguments", "default", "words"),
    [
        ((), (), ("train",), "python3 -m trainer train"),
        ((), ("--epochs", "3"), ("train",), "python3 -m trainer --epochs 3"),
        ((), (), (), "python3 -m trainer"),
        (("tool", "x"), ("y",), ("train",), "tool x y"),
        (("python3.9", "x.py"), ("--a",), ("train",), "python3 x.py --a"),
        (("/opt/conda/bin/python", "x.py"), (), (), "python3 x.py"),
        (("/opt/ml/code/run.sh",), (), (), "/opt/ml/code/run.sh"),
        (("sh", "-c", "python x.py"), (), (), "sh -c 'python x.py'"),
    ],
)
def test_a_command_line_stands_before_the_containers_words_unless_they_name_a_program(
    path: str, entrypoint: tuple[str, ...], arguments: tuple[str, ...], default: tuple[str, ...], words: str
) -> None:
    resolved = ImageMap(["*=python3 -m trainer"], path=path).resolve(ECR, entrypoint, arguments, default)
    assert shlex.join(resolved.argv) == words
    assert resolved.path_prefix == ""


def test_a_command_line_without_an_interpreter_takes_that_of_the_path(path: str) -> None:
    assert ImageMap(["*=tool"], path=path).resolve(ECR, ("python3.9", "x.py")).argv == ("python3", "x.py")


def test_a_command_line_is_split_as_by_a_shell(path: str) -> None:
    assert ImageMap(["*=tool 'a b' c=d"], path=path).resolve(ECR).argv == ("tool", "a b", "c=d")


@pytest.mark.parametrize(
    ("entrypoint", "first"),
    [
        (("python3", "x.py"), "venv/bin/python3"),
        (("python", "x.py"), "venv/bin/python3"),
        (("python3.9", "x.py"), "venv/bin/python3"),
        (("/usr/bin/python3.12", "x.py"), "venv/bin/python3"),
        (("tool", "x.py"), "tool"),
        (("python3-config", "x.py"), "python3-config"),
    ],
)
def test_an_environment_keeps_the_containers_words_and_lends_its_interpreter(
    path: str, venv: Path, tmp_path: Path, entrypoint: tuple[str, ...], first: str
) -> None:
    program(tmp_path / "usr" / "python3-config")
    resolved = ImageMap([f"*={venv}"], path=path).resolve(ECR, entrypoint, ("--a",))
    wanted = str(tmp_path / first) if "/" in first else first
    assert resolved.argv == (wanted, "x.py", "--a")
    assert resolved.path_prefix == f"{venv}/bin"


def test_an_environment_is_searched_before_the_path(path: str, venv: Path) -> None:
    assert ImageMap([f"*={venv}"], path=path).resolve(ECR, default=("train",)).argv == ("train",)


def test_an_environment_without_python_leaves_the_interpreter_alone(path: str, tmp_path: Path) -> None:
    program(tmp_path / "tools" / "bin" / "serve")
    images = ImageMap([f"*={tmp_path}/tools"], path=path)
    assert images.resolve(ECR, ("python3.12", "x.py")).argv == ("python3.12", "x.py")


def test_an_environment_alone_does_not_say_what_to_run(path: str, venv: Path) -> None:
    with pytest.raises(NotFound, match="no entrypoint") as caught:
        ImageMap([f"*={venv}"], path=path).resolve(ECR)
    assert "team/trainer=COMMAND" in caught.value.hint


def test_an_unknown_image_is_refused_with_the_way_to_map_it(path: str) -> None:
    with pytest.raises(NotFound, match=ECR) as caught:
        ImageMap(["other=tool"], path=path).resolve(ECR)
    assert "--image 'PATTERN=COMMAND'" in caught.value.hint
    suggested = shlex.split(caught.value.hint.split(" or ")[-1])[1]
    assert ImageMap([suggested.replace("python ", "python3 ")], path=path).resolve(ECR).argv[0] == "python3"


@pytest.mark.parametrize("rule", ["*=no-such-tool", "*=tool"])
def test_a_missing_program_names_image_program_and_rule(path: str, rule: str) -> None:
    entrypoint = () if "no-such" in rule else ("no-such-tool",)
    with pytest.raises(NotFound) as caught:
        ImageMap([rule], path=path).resolve(ECR, entrypoint)
    assert ECR in caught.value.message
    assert "'no-such-tool'" in caught.value.message
    assert "--image 'PATTERN=COMMAND'" in caught.value.hint


@pytest.mark.parametrize("rule", ["", "tool", "=tool", "x=", "x= ", "x='unclosed"])
def test_a_rule_of_another_form_is_refused(rule: str) -> None:
    with pytest.raises(Refused):
        ImageMap([rule])


def test_a_folder_that_is_no_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="bin"):
        ImageMap([f"x={tmp_path}"])


def test_without_a_path_the_process_own_is_searched(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("PATH", path)
    assert ImageMap(["*=tool"]).resolve("x").argv == ("tool",)


def test_a_path_that_is_not_there_is_warned_of(path: str, venv: Path, tmp_path: Path) -> None:
    program(tmp_path / "run.sh")
    gone = tmp_path / "gone" / "venv"
    rules = [
        f"a={gone}",
        f"b={gone}/bin/python -m x",
        "c=~/no-such",
        f"d={tmp_path}/run.sh x",
        f"e={venv}",
        "f=tool /x",
    ]
    warnings = ImageMap(rules, [f"g={gone}"], path).warnings
    assert [text.split("=")[0][-1] for text in warnings] == ["a", "b", "c", "g"]
    assert f"{gone}/bin/python" in warnings[1]
    assert ImageMap(["*=tool"], path=path).warnings == ()
