"""What cannot be a command: refused before any process starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudml.mocks.sandbox import Command, Mount

PLAIN: dict[str, Any] = {"argv": ("true",), "env": {}, "mounts": (), "log": Path("log")}


@pytest.mark.parametrize(
    "target", ["", "/", "opt/ml", "/opt/../etc", "/opt/./ml", "/opt//ml", "//opt", "/opt/ml/", "/..", "/opt/m\0l"]
)
def test_a_target_is_a_plain_absolute_path(target: str) -> None:
    with pytest.raises(ValueError, match="no plain absolute path"):
        Mount(Path("x"), target)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"argv": ("a\0b",)}, "NUL"),
        ({"env": {"A": "\0"}}, "NUL"),
        ({"cwd": "/\0"}, "NUL"),
        ({"env": {"": "1"}}, "name of a variable"),
        ({"env": {"A=B": "1"}}, "name of a variable"),
        ({"hosts": ("algo-1\n6.6.6.6 bank",)}, "name of a host"),
        ({"hosts": ("a b",)}, "name of a host"),
        ({"hosts": ("algo-1\n",)}, "name of a host"),
        ({"hosts": ("-x",)}, "name of a host"),
        ({"hosts": ("",)}, "name of a host"),
        ({"hosts": ("a" * 64,)}, "name of a host"),
        ({"mounts": (Mount(Path("a"), "/x"), Mount(Path("b"), "/x"))}, "one target"),
        ({"port": 8080, "reach": (("127.0.0.1", 8080),)}, "port 8080"),
    ],
)
def test_nonsense_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Command(**{**PLAIN, **fields})


def test_names_of_hosts_as_resolvers_take_them() -> None:
    Command(**{**PLAIN, "hosts": ("algo-1", "a.b-c.example", "x" * 63)})
