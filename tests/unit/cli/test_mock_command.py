"""`cloudml mock`: what is listed and refused, and a real mock that serves, ends on signals and runs a command."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cloudml import discovery
from cloudml.errors import BackendError, MockError
from cloudml.mocks.port import MockCloud, MockOptions
from cloudml.mocks.remote import MockControl

if TYPE_CHECKING:
    from cli_world import Invoke

CLOUDML = [sys.executable, "-m", "cloudml"]


def test_the_mocks_are_listed(cloudml: Invoke) -> None:
    shown = cloudml("mock", "--output", "json")
    assert shown.code == 0
    found = json.loads(shown.out)["mocks"]
    assert [(one["name"], one["error"]) for one in found] == [("sagemaker", ""), ("vertex", "")]
    listed = cloudml("mock").out
    assert "sagemaker" in listed
    assert "vertex" in listed


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [("sagemaker", "moto", "mock"), ("vertex", "grpc", "mock-vertex"), ("vertex", "kfp.pipeline_spec", "mock-vertex")],
)
def test_a_missing_extra_is_told_with_its_command(
    name: str, module: str, extra: str, cloudml: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    real = importlib.util.find_spec

    def without(asked: str, package: str | None = None) -> ModuleSpec | None:
        return None if asked == module else real(asked, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    shown = cloudml("mock", name, "--output", "json")
    assert shown.code == 4
    [problem] = json.loads(shown.out)["error"]["diagnostics"]
    assert (problem["code"], problem["hint"]) == ("CML312", f"pip install 'cloudml-pipelines[{extra}]'")
    assert f"pip install 'cloudml-pipelines[{extra}]'" in cloudml("mock").out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["azure"], "there is no mock 'azure'"),
        (["sagemaker", "--switch", "no-such=x"], "there is no switch 'no-such'"),
        (["sagemaker", "--switch", "unknown-members"], "NAME=CHOICE"),
        (["sagemaker", "--function", "score"], "write NAME=MODULE:FUNCTION"),
        (["sagemaker", "--function", "=m:f"], "write NAME=MODULE:FUNCTION"),
        (["sagemaker", "--switch", "=x"], "write NAME=CHOICE"),
        (["sagemaker", "--function", "score=nowhere"], "write NAME=module:function"),
        (["sagemaker", "--function", "score=no_such_module_here:f"], "cannot be imported"),
        (["sagemaker", "--fault", "explode:*"], "there is no fault 'explode'"),
        (["sagemaker", "--fault", "throttle:*,often=1"], "no option of a fault rule"),
        (["sagemaker", "--start", "2026-01-01"], "--hold-clock"),
        (["sagemaker", "--hold-clock", "--start", "noon"], "is no time"),
        (["sagemaker", "--isolation", "hope"], "hope"),
        (["sagemaker", "--port", "70000"], "70000"),
        (["sagemaker", "--", "no-such-program-anywhere"], "cannot be started"),
        (["vertex", "--switch", "no-such=x"], "there is no switch 'no-such'"),
        (["vertex", "--switch", "metric-lag=hour"], "metric-lag"),
        (["vertex", "--fault", "explode:*"], "there is no fault 'explode'"),
        (["vertex", "--function", "score=json:loads"], "calls functions"),
    ],
)
def test_wrong_options_are_refused_with_what_is_right(cloudml: Invoke, words: list[str], says: str) -> None:
    shown = cloudml("mock", *words)
    assert shown.code == 64
    assert says in shown.err


@pytest.mark.parametrize("name", ["sagemaker", "vertex"])
def test_a_port_that_is_taken_is_told(name: str, cloudml: Invoke) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        shown = cloudml("mock", name, "--port", str(port))
    assert shown.code == 64
    assert f"port {port} cannot be had" in shown.err


def test_a_state_path_that_is_no_folder_is_refused(cloudml: Invoke, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert cloudml("mock", "sagemaker", "--state", str(tmp_path / "file")).code == 64
    assert cloudml("mock", "sagemaker", "--state", str(tmp_path / "file" / "below")).code == 64


def descendants(pid: int) -> set[int]:
    """Processes below `pid`, as /proc tells."""
    found: set[int] = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            child = int(path.parent.name)
            found |= {child} | descendants(child)
    return found


@pytest.mark.parametrize(
    ("name", "variable", "number"),
    [
        ("sagemaker", "AWS_ENDPOINT_URL", signal.SIGINT),
        ("sagemaker", "AWS_ENDPOINT_URL", signal.SIGTERM),
        ("vertex", "STORAGE_EMULATOR_HOST", signal.SIGTERM),
    ],
)
def test_it_serves_until_a_signal_and_leaves_no_process(name: str, variable: str, number: signal.Signals) -> None:
    command = [*CLOUDML, "mock", name, "--output", "json", "--hold-clock", "--start", "2026-01-01T00:00:00"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        control = MockControl(told["url"])
        assert control.now().isoformat() == "2026-01-01T00:00:00+00:00"
        assert told["environment"][variable] == told["url"]
        assert told["isolation"] in {"namespaces", "paths"}
        assert told["reason"]
        assert told["pid"] == process.pid
        below = descendants(process.pid)
        process.send_signal(number)
        process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert [pid for pid in below if Path(f"/proc/{pid}").exists()] == []
    assert not control.health()


def test_a_command_runs_as_its_client_and_gives_its_exit_code() -> None:
    script = (
        "import os, sys, boto3\n"
        "boto3.client('s3').create_bucket(Bucket='made-by-command')\n"
        "names = [b['Name'] for b in boto3.client('s3').list_buckets()['Buckets']]\n"
        "assert names == ['made-by-command'], names\n"
        "assert 'AWS_PROFILE' not in os.environ and 'AWS_ENDPOINT_URL_S3' not in os.environ\n"
        "sys.exit(7)\n"
    )
    past = {**os.environ, "AWS_PROFILE": "production", "AWS_ENDPOINT_URL_S3": "https://s3.amazonaws.com"}
    command = [*CLOUDML, "mock", "sagemaker", "--", sys.executable, "-c", script]
    done = subprocess.run(command, check=False, env=past, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (7, "")


def test_a_command_of_google_runs_as_its_client() -> None:
    script = (
        "import os, sys\n"
        "from google.cloud import storage\n"
        "storage.Client().create_bucket('made-by-command')\n"
        "names = [bucket.name for bucket in storage.Client().list_buckets()]\n"
        "assert names == ['made-by-command'], names\n"
        "assert 'GOOGLE_CLOUD_QUOTA_PROJECT' not in os.environ and 'CLOUDSDK_CORE_PROJECT' not in os.environ\n"
        "sys.exit(7)\n"
    )
    past = {**os.environ, "GOOGLE_CLOUD_QUOTA_PROJECT": "production", "CLOUDSDK_CORE_PROJECT": "production"}
    command = [*CLOUDML, "mock", "vertex", "--", sys.executable, "-c", script]
    done = subprocess.run(command, check=False, env=past, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (7, "")


def test_a_mock_of_another_distribution_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = MockCloud("mini", "a small one", "mini", start=_never, modules=("no_such_module",))
    module = type(sys)("mini_cloud")
    module.__dict__.update(mock=cloud, wrong="text")
    monkeypatch.setitem(sys.modules, "mini_cloud", module)
    places = {"mini": ("mini_cloud:mock", "mini-dist"), "bad": ("mini_cloud:wrong", "mini-dist")}
    monkeypatch.setattr(discovery, "entry_points", lambda group="": places)
    assert discovery.load_mock("mini") is cloud
    found = {item.name: item for item in discovery.mocks()}
    assert set(found) == {"mini", "bad", "sagemaker", "vertex"}
    assert "cloudml-pipelines[mini]" in found["mini"].error
    with pytest.raises(BackendError, match="not a cloudml"):
        discovery.load_mock("bad")


def _never(_options: MockOptions) -> object:
    raise MockError("not to be started")
