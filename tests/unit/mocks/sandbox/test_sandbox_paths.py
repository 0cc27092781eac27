"""Without isolation: which words are rewritten, and what stands in for the rest."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudml.errors import Refused
from cloudml.mocks.sandbox import Command, Mount, Sandbox
from cloudml.mocks.sandbox.paths import Translation

Make = Callable[..., Command]
MOUNTS = (Mount(Path("/run/a"), "/opt/ml"), Mount(Path("/run/b"), "/opt/ml/model"), Mount(Path("/opt/ml/x"), "/gcs"))


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("/opt/ml", "/run/a"),
        ("/opt/ml/", "/run/a/"),
        ("/opt/ml/input/data", "/run/a/input/data"),
        ("/opt/ml/model", "/run/b"),
        ("/opt/ml/model/m.bin", "/run/b/m.bin"),
        ("/opt/ml/models", "/run/a/models"),
        ("/opt/ml/model.tar.gz", "/run/a/model.tar.gz"),
        ("/opt/ml/model-2", "/run/a/model-2"),
        ("--dir=/opt/ml/model,/opt/ml/output", "--dir=/run/b,/run/a/output"),
        ('{"a": "/opt/ml", "b": ["/gcs/x"]}', '{"a": "/run/a", "b": ["/opt/ml/x/x"]}'),
        ("cd /opt/ml; ls", "cd /run/a; ls"),
        ("PATH=/bin:/opt/ml:/usr/bin", "PATH=/bin:/run/a:/usr/bin"),
        ("file:///opt/ml/a", "file:///run/a/a"),
        ("Look into /opt/ml.", "Look into /run/a."),
        ("/opt/mlx", "/opt/mlx"),
        ("/opt/ml-ops", "/opt/ml-ops"),
        ("/opt/ml.old", "/opt/ml.old"),
        ("/srv/opt/ml", "/srv/opt/ml"),
        ("s3://bucket/opt/ml/model", "s3://bucket/opt/ml/model"),
        ("../opt/ml", "../opt/ml"),
        ("opt/ml", "opt/ml"),
        ("", ""),
    ],
)
def test_whole_paths_are_rewritten_and_nothing_else(text: str, rewritten: str) -> None:
    assert Translation(MOUNTS)(text) == rewritten


def test_without_mounts_nothing_is_rewritten() -> None:
    assert Translation(())("/opt/ml") == "/opt/ml"


def test_a_backslash_in_a_source_is_no_reference() -> None:
    assert Translation((Mount(Path(r"/run/\1\g<0>"), "/opt/ml"),))("/opt/ml/x") == r"/run/\1\g<0>/x"


def test_arguments_environment_and_folder_are_rewritten(paths: Sandbox, shell: Make, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    mounts = (Mount(data, "/opt/ml"),)
    line = 'pwd; echo "$DIR" "$BASE"; echo made > /opt/ml/x'
    env = {"DIR": "/opt/ml/model"}
    command = shell(line, cwd="/opt/ml", env=env, mounts=mounts, relocate={"BASE": "/opt/ml", "ELSE": "/gcs"})
    assert paths.start(command).wait() == 0
    assert (tmp_path / "log").read_text() == f"{data}\n{data}/model {data}\n"
    assert (data / "x").read_text() == "made\n"


def test_a_server_is_told_its_port(paths: Sandbox, shell: Make, tmp_path: Path) -> None:
    assert paths.start(shell('echo "$BIND"', port=8080, port_env="BIND")).wait() == 0
    assert 1024 <= int((tmp_path / "log").read_text()) != 8080


def test_a_server_that_cannot_be_told_its_port_is_refused(paths: Sandbox, shell: Make) -> None:
    with pytest.raises(Refused, match="port 8080"):
        paths.start(shell("true", port=8080))


def test_links_for_inner_mounts_go_with_the_job_and_spare_what_is_there(
    paths: Sandbox, shell: Make, tmp_path: Path
) -> None:
    for name in ("base/full", "base/empty", "one", "two", "three"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "base" / "full" / "own").touch()
    targets = {"one": "/opt/ml/new/one", "two": "/opt/ml/full", "three": "/opt/ml/empty"}
    mounts = (Mount(tmp_path / "base", "/opt/ml"), *(Mount(tmp_path / name, to) for name, to in targets.items()))
    assert paths.start(shell("find . -type l | sort", cwd="/opt/ml", mounts=mounts)).wait() == 0
    assert (tmp_path / "log").read_text().split() == ["./empty", "./new/one"]
    assert not any(path.is_symlink() for path in (tmp_path / "base").rglob("*"))
    assert (tmp_path / "base" / "full" / "own").exists()


def test_a_link_that_leads_out_of_a_given_folder_is_not_followed(paths: Sandbox, shell: Make, tmp_path: Path) -> None:
    for name in ("base", "victim", "inner"):
        (tmp_path / name).mkdir()
    (tmp_path / "base" / "out").symlink_to(tmp_path / "victim")
    mounts = (Mount(tmp_path / "base", "/opt/ml"), Mount(tmp_path / "inner", "/opt/ml/out/deep/inner"))
    assert paths.start(shell("true", mounts=mounts)).wait() == 0
    assert os.listdir(tmp_path / "victim") == []
