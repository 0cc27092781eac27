"""Script mode by itself, in a folder that stands for /opt/ml: what a script is told, how it ends, how it serves."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloudml.mocks.images import ImageMap
from cloudml_sagemaker.mock import toolkit
from cloudml_sagemaker.mock.toolkit import script_mode

SHOW = (
    "import json, os, sys\n"
    "print(json.dumps({'arguments': sys.argv[1:], 'variables': dict(os.environ), 'cwd': os.getcwd()}))"
)


def lay_out(base: Path, hyperparameters: dict[str, str], code: dict[str, str], place: str = "code") -> None:
    config = base / "input" / "config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    (config / "inputdataconfig.json").write_text(json.dumps({"train": {"TrainingInputMode": "File"}}))
    hosts = {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"], "network_interface_name": "eth0"}
    (config / "resourceconfig.json").write_text(json.dumps(hosts))
    for name, text in code.items():
        path = base / place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def command(role: str) -> list[str]:
    return [sys.executable, str(toolkit.SCRIPT), role]


def train(base: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "SAGEMAKER_BASE_DIR": str(base), **environment}
    return subprocess.run(command("train"), env=variables, capture_output=True, text=True, timeout=60, check=False)


def failure(base: Path) -> str:
    return (base / "output" / "failure").read_text()


def test_a_script_gets_hyperparameters_as_arguments_and_variables(tmp_path: Path) -> None:
    given = {
        "sagemaker_program": '"show.py"',
        "sagemaker_region": '"us-east-1"',
        "_tuning_objective_metric": "auc",
        "epochs": "3",
        "learning-rate": "0.1",
        "name": '"quoted"',
        "plain": "as it is",
        "layers": "[1, 2]",
        "on": "true",
        "nothing": "null",
        "pairs": '{"b": 2, "a": 1}',
        "k": "5",
    }
    lay_out(tmp_path, given, {"show.py": SHOW})
    done = train(tmp_path, TRAINING_JOB_NAME="job-1")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    expected = {
        "epochs": 3,
        "k": 5,
        "layers": [1, 2],
        "learning-rate": 0.1,
        "name": "quoted",
        "nothing": None,
        "on": True,
        "pairs": {"a": 1, "b": 2},
        "plain": "as it is",
    }
    pairs = list(zip(told["arguments"][::2], told["arguments"][1::2], strict=True))
    assert pairs == [
        ("--epochs", "3"),
        ("-k", "5"),
        ("--layers", "[1, 2]"),
        ("--learning-rate", "0.1"),
        ("--name", "quoted"),
        ("--nothing", ""),
        ("--on", "True"),
        ("--pairs", "a=1,b=2"),
        ("--plain", "as it is"),
    ]
    variables = told["variables"]
    assert json.loads(variables["SM_HPS"]) == expected
    assert variables["SM_HP_EPOCHS"] == "3"
    assert variables["SM_HP_LEARNING-RATE"] == "0.1"
    # Variables are JSON, other than arguments (the toolkit's mapping.py).
    names = ("ON", "LAYERS", "PAIRS", "NOTHING", "NAME")
    assert [variables[f"SM_HP_{name}"] for name in names] == ["true", "[1,2]", '{"a":1,"b":2}', "", "quoted"]
    assert variables["SM_CHANNEL_TRAIN"] == str(tmp_path / "input" / "data" / "train")
    assert json.loads(variables["SM_CHANNELS"]) == ["train"]
    assert variables["SM_MODEL_DIR"] == str(tmp_path / "model")
    assert variables["SM_OUTPUT_DATA_DIR"] == str(tmp_path / "output" / "data")
    assert (variables["SM_CURRENT_HOST"], json.loads(variables["SM_HOSTS"])) == ("algo-2", ["algo-1", "algo-2"])
    environment = json.loads(variables["SM_TRAINING_ENV"])
    assert environment["hyperparameters"] == expected
    assert environment["job_name"] == "job-1"
    assert told["cwd"] == str(tmp_path / "code")
    assert (tmp_path / "model").is_dir()


def test_a_script_finds_its_own_modules_and_a_shell_script_is_run_by_a_shell(tmp_path: Path) -> None:
    code = {
        "main.py": "import helper; print(helper.VALUE)",
        "helper.py": "VALUE = 'helped'",
        "run.sh": 'echo "shell $2"',
    }
    lay_out(tmp_path, {"sagemaker_program": "main.py"}, code)
    assert train(tmp_path).stdout == "helped\n"
    (tmp_path / "input" / "config" / "hyperparameters.json").write_text(
        json.dumps({"sagemaker_program": "run.sh", "size": "4"})
    )
    assert train(tmp_path).stdout == "shell 4\n"


def test_failures_are_told_in_the_failure_file(tmp_path: Path) -> None:
    lay_out(tmp_path, {"sagemaker_program": "bad.py", "a": "1"}, {"bad.py": "raise SystemExit(7)"})
    assert train(tmp_path).returncode == 7
    assert failure(tmp_path).splitlines()[:2] == ["ExecuteUserScriptError:", "ExitCode 7"]
    assert "bad.py -a 1" in failure(tmp_path)
    own = "import os; open(os.environ['SM_OUTPUT_DIR'] + '/failure', 'w').write('my reason'); raise SystemExit(1)"
    (tmp_path / "output" / "failure").unlink()
    (tmp_path / "code" / "bad.py").write_text(own)
    assert train(tmp_path).returncode == 1
    assert failure(tmp_path) == "my reason"


def test_no_program_is_a_failure(tmp_path: Path) -> None:
    lay_out(tmp_path, {}, {})
    assert train(tmp_path).returncode == 1
    assert "sagemaker_program" in failure(tmp_path)


def test_sigterm_reaches_the_script(tmp_path: Path) -> None:
    script = (
        "import pathlib, signal, sys, time\n"
        "def stop(*_):\n    pathlib.Path('stopped').write_text('yes'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop)\nprint('ready', flush=True)\ntime.sleep(60)\n"
    )
    lay_out(tmp_path, {"sagemaker_program": "wait.py"}, {"wait.py": script})
    variables = {**os.environ, "SAGEMAKER_BASE_DIR": str(tmp_path)}
    with subprocess.Popen(command("train"), env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert (tmp_path / "code" / "stopped").read_text() == "yes"


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@contextmanager
def bucket(data: bytes) -> Iterator[str]:
    """A server that gives `data` at /code/sourcedir.tar.gz and 404 elsewhere."""

    class Objects(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/code/my%20source/sourcedir.tar.gz"
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(data) if found else 0))
            self.end_headers()
            self.wfile.write(data if found else b"")

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Objects) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


SOURCE = "s3://code/my source/sourcedir.tar.gz"


def test_code_comes_from_an_archive_in_s3(tmp_path: Path) -> None:
    data = archive((member("train.py"), b"import pkg.part; print(pkg.part.X)"), (member("pkg/part.py"), b"X = 1"))
    lay_out(tmp_path, {"sagemaker_program": "train.py", "sagemaker_submit_directory": SOURCE}, {})
    with bucket(data) as url:
        done = train(tmp_path, AWS_ENDPOINT_URL=url)
    assert done.stdout == "1\n", done.stderr


@pytest.mark.parametrize(
    "bad",
    [
        member("../escaped.py"),
        member("/tmp/escaped.py"),
        member("a/../../escaped.py"),
        member("link", tarfile.SYMTYPE, "/etc"),
        member("hard", tarfile.LNKTYPE, "train.py"),
        member("device", tarfile.CHRTYPE),
    ],
    ids=lambda info: info.name,
)
def test_archives_that_lead_outside_are_refused(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    base = tmp_path / "ml"
    lay_out(base, {"sagemaker_program": "train.py", "sagemaker_submit_directory": SOURCE}, {})
    with bucket(archive((member("train.py"), b"print('ran')"), (bad, b""))) as url:
        done = train(base, AWS_ENDPOINT_URL=url)
    assert done.returncode == 1
    assert "ran" not in done.stdout
    assert "not a plain file inside of it" in failure(base)
    assert [path.name for path in tmp_path.iterdir()] == ["ml"]


@pytest.mark.parametrize("token", [None, "a/session+token="])
def test_requests_for_code_are_signed_as_botocore_signs_them(
    monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    now = datetime(2026, 11, 23, 18, 30, 5, tzinfo=UTC)
    for name, value in {"ACCESS_KEY_ID": "AKIA", "SECRET_ACCESS_KEY": "secret", "SESSION_TOKEN": token}.items():
        monkeypatch.setenv(f"AWS_{name}", value) if value else monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: now.replace(tzinfo=None))
    url = "http://127.0.0.1:5000/code/my%20source/sourcedir.tar.gz"
    request = AWSRequest("GET", url)
    S3SigV4Auth(Credentials("AKIA", "secret", token), "s3", "eu-west-1").add_auth(request)
    assert script_mode.signature(url, now)["Authorization"] == request.headers["Authorization"]


def test_code_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    lay_out(tmp_path, {"sagemaker_program": "t.py", "sagemaker_submit_directory": "s3://code/none.tar.gz"}, {})
    with bucket(b"") as url:
        assert train(tmp_path, AWS_ENDPOINT_URL=url).returncode == 1
    assert "s3://code/none.tar.gz" in failure(tmp_path)


Ask = Callable[..., tuple[int, bytes, str]]


@contextmanager
def serving(base: Path, script: str, name: str = "inference.py", **environment: str) -> Iterator[Ask]:
    """A function (body, content_type, accept, path) -> status, body, content type of a server with that script."""
    folder = base / "model" / "code"
    folder.mkdir(parents=True)
    (folder / name).write_text(script)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {**os.environ, "SAGEMAKER_BASE_DIR": str(base), "SAGEMAKER_BIND_TO_PORT": str(port), **environment}
    process = subprocess.Popen(command("serve"), env=variables, stderr=subprocess.DEVNULL)

    def ask(body: bytes | None, kind: str = "", accept: str = "", path: str = "/invocations") -> tuple[int, bytes, str]:
        headers = {key: value for key, value in (("Content-Type", kind), ("Accept", accept)) if value}
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read(), answer.headers["Content-Type"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), error.headers["Content-Type"]

    try:
        limit = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < limit:
            try:
                assert ask(None, path="/ping")[0] == 200
                break
            except urllib.error.URLError:
                time.sleep(0.05)
        yield ask
    finally:
        process.terminate()
        process.wait(20)


LINEAR = """
class Model:
    def predict(self, data):
        assert data.dtype == "float32", data.dtype
        return data.sum(axis=1)

def model_fn(folder):
    assert folder.endswith("/model")
    return Model()
"""


def test_default_functions(tmp_path: Path) -> None:
    rows = np.array([[1, 2], [3, 4]], dtype=np.float32)
    packed = io.BytesIO()
    np.save(packed, rows)
    with serving(tmp_path, LINEAR) as ask:
        assert ask(b"1,2\n3,4\n", "text/csv") == (200, b"[3.0, 7.0]", "application/json")
        assert ask(b"1,2", "text/csv", "*/*") == (200, b"[3.0]", "application/json")
        assert ask(b"[[1, 2], [3, 4]]", "application/json", "text/csv") == (200, b"3.0\n7.0\n", "text/csv")
        status, body, kind = ask(packed.getvalue(), "application/x-npy", "application/x-npy")
        assert (status, kind) == (200, "application/x-npy")
        assert np.load(io.BytesIO(body)).tolist() == [3, 7]
        assert ask(b"1,2", "text/csv; charset=utf-8")[0] == 200
        assert ask(b"x", "image/png")[0] == 415
        assert ask(b"1,2", "text/csv", "image/png")[0] == 415
        status, body, _ = ask(b"{", "application/json")
        assert status == 500
        assert b"JSONDecodeError" in body
        assert ask(b"", path="/elsewhere")[0] == 404


CUSTOM = """
def model_fn(folder): return 10
def input_fn(body, content_type): return (type(body).__name__, len(body), content_type)
def predict_fn(data, model): return (*data, model)
def output_fn(prediction, accept): return repr(prediction), "text/x-" + accept.split("/")[1]
def execution_parameters_fn(): return {"MaxConcurrentTransforms": 4}
"""


def test_functions_of_the_script(tmp_path: Path) -> None:
    with serving(tmp_path, CUSTOM, "my_code.py", SAGEMAKER_PROGRAM="my_code.py") as ask:
        assert ask(b"abc", "text/csv", "a/b") == (200, b"('str', 3, 'text/csv', 10)", "text/x-b")
        assert ask(b"abc", "image/png", "a/b")[1] == b"('bytes', 3, 'image/png', 10)"
        assert json.loads(ask(None, path="/execution-parameters")[1]) == {"MaxConcurrentTransforms": 4}


TRANSFORM = """
def model_fn(folder): return "model"
def transform_fn(model, data, content_type, accept): return f"{model} {data} {content_type} {accept}"
"""


def test_transform_fn_does_it_all(tmp_path: Path) -> None:
    with serving(tmp_path, TRANSFORM, SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="text/csv") as ask:
        assert ask(b"abc", "application/json") == (200, b"model abc application/json text/csv", "text/csv")


@pytest.mark.parametrize(
    "script", ["def input_fn(body, kind): return body", TRANSFORM + "def predict_fn(data, model): return 1"]
)
def test_scripts_that_cannot_serve_end_the_container(tmp_path: Path, script: str) -> None:
    with serving(tmp_path, script) as ask, pytest.raises(urllib.error.URLError):
        ask(None, path="/ping")


@pytest.mark.parametrize(
    "image",
    [
        "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
        "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.3-cpu-py311",
        "763104351884.dkr.ecr.us-east-1.amazonaws.com/tensorflow-training:2.14-cpu-py310",
    ],
)
def test_the_framework_images_of_aws_run_it(image: str) -> None:
    images = ImageMap((), toolkit.rules())
    assert images.resolve(image, (), (), ("train",)).argv == (sys.executable, str(toolkit.SCRIPT), "train")
    own = images.resolve(image, ("python3", "x.py"), ("--a",))
    assert own.argv == (sys.executable, "x.py", "--a")
