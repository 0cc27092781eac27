"""The server as a process: what an orchestrator sees of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudml.serving.options import OptionError, read_options

Serve = Callable[..., Any]


def listening_addresses(pid: int) -> set[str]:
    """The addresses on which a process listens, from the kernel's tables (hexadecimal, little endian)."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        # One may be closed while we look.
        with contextlib.suppress(FileNotFoundError):
            inodes.add(os.readlink(descriptor).removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(fields[1].split(":")[0])
    return found


def test_it_serves_after_a_warm_up_on_loopback_only_and_ends_with_0(serve: Serve) -> None:
    server = serve()
    port = server.wait_ready()
    answer = server.request(port, "POST", "/invocations", [{"x": 21}])
    assert (answer.status, answer.json) == (200, {"predictions": [42]})
    assert answer.headers["x-cloudml-model-version"] == "3"
    assert listening_addresses(server.process.pid) == {"0100007F"}
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0


def test_it_answers_503_while_the_model_warms_up(serve: Serve) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = serve(predictor="stub:slow_start", port=str(port))
    seen: list[int] = []
    deadline = time.monotonic() + 60
    while 200 not in seen and time.monotonic() < deadline:
        with contextlib.suppress(ConnectionRefusedError):
            seen.append(server.request(port, "GET", "/ping").status)
        time.sleep(0.05)
    assert seen[0] == 503
    assert seen[-1] == 200


def test_sigterm_lets_a_request_end(serve: Serve) -> None:
    server = serve(sample=[{"x": 1, "sleep": 0.0}])
    port = server.wait_ready()
    answers: list[Any] = []
    slow = threading.Thread(
        target=lambda: answers.append(server.request(port, "POST", "/invocations", [{"x": 2, "sleep": 1.0}]))
    )
    slow.start()
    time.sleep(0.3)
    server.process.send_signal(signal.SIGTERM)
    slow.join(60)
    assert [answer.status for answer in answers] == [200]
    assert server.process.wait(60) == 0


def test_health_fails_first_while_it_drains(serve: Serve) -> None:
    server = serve("--drain", "1.0")
    port = server.wait_ready()
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert server.request(port, "GET", "/ping").status == 503
    assert server.request(port, "POST", "/invocations", [{"x": 1}]).status == 200
    assert server.process.wait(60) == 0


@pytest.mark.parametrize(
    ("predictor", "sample", "words"),
    [
        ("stub:missing", [{"x": 1}], "missing"),
        ("stub:wrong_count", [{"x": 1}, {"x": 2}], "2"),
        ("stub:predict", [{"y": 1}], "KeyError"),
    ],
)
def test_a_model_that_cannot_serve_ends_it_with_1_and_says_why(
    serve: Serve, predictor: str, sample: object, words: str
) -> None:
    server = serve(predictor=predictor, sample=sample)
    assert server.process.wait(60) == 1
    last = server.log.read_text().strip().splitlines()
    assert any("the model cannot be served" in line and words in line for line in last)
    assert not server.ready_file.exists()


def test_an_estimators_own_features_are_what_rows_must_have(serve: Serve, tmp_path: Path) -> None:
    sklearn_linear = pytest.importorskip("sklearn.linear_model")
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})
    estimator = sklearn_linear.LogisticRegression().fit(frame, [0, 0, 1, 1])
    import joblib  # type: ignore[import-untyped]

    joblib.dump(estimator, tmp_path / "estimator.joblib")
    server = serve(predictor="", sample=[], model=tmp_path / "estimator.joblib")
    port = server.wait_ready()
    answer = server.request(port, "POST", "/invocations", [{"b": 1.0, "a": 2.0, "other": "ignored"}])
    expected = float(estimator.predict_proba(frame[2:3])[0, 1])
    assert answer.json["predictions"] == pytest.approx([expected])
    refused = server.request(port, "POST", "/invocations", [{"a": 2.0}])
    assert (refused.status, "'b'" in refused.json["error"]) == (400, True)


def test_it_ends_with_its_parent(serve: Serve, project: Path, tmp_path: Path) -> None:
    ready = tmp_path / "child.json"
    code = (
        "import os, subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-m', 'cloudml.serving', '--model', {str(project / 'model.joblib')!r},"
        f"'--predictor', 'stub:predict', '--path', {str(project)!r}, '--port', '0', '--ready-file', {str(ready)!r},"
        "'--parent', str(os.getpid())])\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    while not ready.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    child = json.loads(ready.read_text())["pid"]
    parent.kill()
    parent.wait(60)
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            break
        if state == "Z":
            break
        time.sleep(0.05)
    else:
        os.kill(child, signal.SIGKILL)
        pytest.fail("the server outlived its parent")


def test_the_clouds_choose_port_and_routes_and_open_every_interface() -> None:
    arguments = ["--model", "m", "--port", "9000"]
    plain = read_options(arguments, {})
    assert (plain.host, plain.port) == ("127.0.0.1", 9000)
    aws = read_options(arguments, {"SAGEMAKER_BIND_TO_PORT": "8081"})
    assert (aws.host, aws.port) == ("0.0.0.0", 8081)
    both = {
        "AIP_HTTP_PORT": "8082",
        "SAGEMAKER_BIND_TO_PORT": "8081",
        "AIP_HEALTH_ROUTE": "/h",
        "AIP_PREDICT_ROUTE": "/p",
    }
    vertex = read_options(arguments, both)
    assert (vertex.host, vertex.port, vertex.health_route, vertex.predict_route) == ("0.0.0.0", 8082, "/h", "/p")


@pytest.mark.parametrize(
    ("extra", "environment"),
    [
        ([], {"AIP_HTTP_PORT": "http"}),
        ([], {"SAGEMAKER_BIND_TO_PORT": "70000"}),
        (["--features", "a,b"], {}),
        (["--sample", "/nonexistent/sample.json"], {}),
    ],
)
def test_unusable_options_are_refused(extra: list[str], environment: dict[str, str]) -> None:
    with pytest.raises(OptionError):
        read_options(["--model", "m", *extra], environment)


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, cloudml.serving.app, cloudml.serving.server\n"
        "print([m for m in ('starlette', 'uvicorn', 'pydantic', 'numpy', 'polars') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
