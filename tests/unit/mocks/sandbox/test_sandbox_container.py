"""A container engine by its command line: a script stands for it, that obeys as Docker's documentation says."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudml.errors import Refused
from cloudml.mocks.sandbox import Command, Mount, Sandbox, open_sandbox

Until = Callable[[Callable[[], object]], None]

ENGINE = """#!{python} -IS
import json, os, signal, subprocess, sys, time
home = {home!r}
words = sys.argv[1:]
with open(home + "/calls", "a") as calls:
    calls.write(json.dumps(words) + "\\n")
if os.path.exists(home + "/down"):
    sys.exit("Cannot connect to the Docker daemon")
if words[0] == "version":
    print("27.0.0")
elif words[:2] == ["image", "inspect"]:
    sys.exit(words[-1] != "there:1")
elif words[0] == "port":
    print(open(home + "/port").read())
elif words[0] in ("kill", "rm"):
    name = words[-1]
    try:
        pid = int(open(home + "/" + name).read())
    except OSError:
        sys.exit("No such container: " + name)
    number = signal.SIGTERM if "TERM" in words else signal.SIGKILL
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        sys.exit("not running")
elif words[0] == "run":
    name = words[words.index("--name") + 1]
    entrypoint = [words[words.index("--entrypoint") + 1]] if "--entrypoint" in words else ["/bin/echo", "image"]
    env = dict(words[i + 1].split("=", 1) for i, word in enumerate(words) if word == "--env")
    rest = words[words.index("--") + 2:]
    child = subprocess.Popen(entrypoint + rest, env=env)
    with open(home + "/" + name + ".new", "w") as file:
        file.write(str(child.pid))
    os.rename(home + "/" + name + ".new", home + "/" + name)
    code = child.wait()
    sys.exit(128 - code if code < 0 else code)
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the engine keeps what it was asked."""
    home = tmp_path / "engine"
    home.mkdir()
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(ENGINE.format(python=sys.executable, home=str(home)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return home


@pytest.fixture
def containers(engine: Path) -> Iterator[Sandbox]:
    with open_sandbox("container") as sandbox:
        yield sandbox


def calls(engine: Path, verb: str) -> list[list[str]]:
    return [call for call in map(json.loads, (engine / "calls").read_text().splitlines()) if call[0] == verb]


def shell(tmp_path: Path, line: str, **fields: Any) -> Command:
    fields = {"env": {}, "mounts": (), "image": "there:1", **fields}
    return Command(argv=("/bin/sh", "-c", line), log=tmp_path / "log", **fields)


def test_a_container_runs_logs_and_ends(containers: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    assert containers.start(shell(tmp_path, "echo out; echo err >&2; echo $A; exit 3", env={"A": "1"})).wait() == 3
    assert (tmp_path / "log").read_text() == "before\nout\nerr\n1\n"
    assert containers.kind == "container"


def test_the_words_for_the_engine(containers: Sandbox, engine: Path, tmp_path: Path) -> None:
    mounts = (Mount(tmp_path / "in,ner", "/opt/ml/model", read_only=True), Mount(tmp_path / "out", "/opt/ml"))
    env = {"A": "1", "PATH": "/of/the/host"}
    containers.start(shell(tmp_path, "true", mounts=mounts, env=env, cwd="/opt/ml", hosts=("algo-1",))).wait()
    [run] = calls(engine, "run")
    name = run[run.index("--name") + 1]
    assert name.startswith("cloudml-mock-")
    assert run == [
        "run", "--rm", "--init", "--name", name, "--workdir", "/opt/ml", "--network", "host",
        "--mount", f"type=bind,source={tmp_path}/out,target=/opt/ml",
        "--mount", f'type=bind,"source={tmp_path}/in,ner",target=/opt/ml/model,readonly',
        "--add-host", "algo-1:127.0.0.1", "--env", "A=1",
        "--entrypoint", "/bin/sh", "--", "there:1", "-c", "true",
    ]  # fmt: skip


def test_the_images_own_entrypoint_may_be_kept(containers: Sandbox, tmp_path: Path) -> None:
    command = Command(("train",), {}, (), tmp_path / "log", image="there:1", keep_entrypoint=True)
    assert containers.start(command).wait() == 0
    assert (tmp_path / "log").read_text() == "image train\n"


def test_stop_and_kill_are_signals_and_a_programs_own_137_is_not(
    containers: Sandbox, tmp_path: Path, until: Until
) -> None:
    answering = containers.start(shell(tmp_path, "trap 'exit 4' TERM; echo ready; while :; do sleep 0.02; done"))
    until(lambda: (tmp_path / "log").exists() and "ready" in (tmp_path / "log").read_text())
    assert answering.wait(0) is None
    answering.terminate()
    assert answering.wait(20) == 4
    stopped = containers.start(shell(tmp_path, "exec sleep 60"))
    stopped.terminate()
    assert stopped.wait(20) == -15
    killed = containers.start(shell(tmp_path, "exec sleep 60"))
    killed.kill()
    assert killed.wait(20) == -9
    assert containers.start(shell(tmp_path, "exit 137")).wait() == 137


def test_closing_removes_what_runs(containers: Sandbox, engine: Path, tmp_path: Path) -> None:
    process = containers.start(shell(tmp_path, "exec sleep 60"))
    containers.close()
    assert process.wait(20) == -9
    assert len(calls(engine, "rm")) == 1


def test_a_port_is_published_and_found(containers: Sandbox, engine: Path, tmp_path: Path, until: Until) -> None:
    process = containers.start(shell(tmp_path, "exec sleep 60", port=8080))
    until(lambda: calls(engine, "run"))
    [run] = calls(engine, "run")
    assert run[run.index("--publish") + 1] == "127.0.0.1::8080"
    assert "--network" not in run
    with socket.create_server(("127.0.0.1", 0)) as server:
        (engine / "port").write_text(f"127.0.0.1:{server.getsockname()[1]}\n")
        process.connect(5).close()
        server.settimeout(10)
        server.accept()[0].close()
    with pytest.raises(ConnectionRefusedError):
        process.connect(5)
    process.close()


@pytest.mark.parametrize(
    ("fields", "problem", "hint"),
    [
        ({"image": "absent:2"}, "absent:2", "docker pull absent:2"),
        ({"image": ""}, "image", "image"),
        ({"image": "--privileged"}, "--privileged", "docker pull"),
        ({"port": 8080, "reach": (("127.0.0.1", 1),)}, "loopback", "namespaces"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(
    containers: Sandbox, engine: Path, tmp_path: Path, fields: dict[str, Any], problem: str, hint: str
) -> None:
    with pytest.raises(Refused, match=problem) as caught:
        containers.start(shell(tmp_path, "true", **fields))
    assert hint in caught.value.hint
    assert calls(engine, "run") == []
    assert calls(engine, "pull") == []


def test_an_engine_that_does_not_answer_is_refused(engine: Path) -> None:
    (engine / "down").touch()
    with pytest.raises(Refused, match="Cannot connect to the Docker daemon"):
        open_sandbox("container")
