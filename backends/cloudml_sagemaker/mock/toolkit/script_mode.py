"""Script mode of SageMaker's framework images: `script_mode.py train` and `script_mode.py serve`.

It follows the documented contract of sagemaker-training-toolkit and sagemaker-inference-toolkit: hyperparameters
`sagemaker_program` and `sagemaker_submit_directory`, variables SM_*, arguments `--name value`; functions model_fn,
input_fn, predict_fn, output_fn or transform_fn. A file of its own that imports only the standard library: it runs in
whatever Python stands for the image. Requirements files are not installed: that Python must have what they name.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import traceback
import urllib.parse
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NoReturn

BASE = os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")
CODE = os.path.join(BASE, "code")
MODEL = os.path.join(BASE, "model")


def read_json(*parts: str) -> Any:
    """A configuration file below /opt/ml/input/config; {} when it is not there."""
    path = os.path.join(BASE, "input", "config", *parts)
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def decoded(value: str) -> Any:
    """A hyperparameter as it was before it became text: the toolkits read each as JSON, else as plain text."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def fetch_code(source: str | None) -> str:
    """Bring the user's code to /opt/ml/code and return the folder: from an archive in S3, or a folder that is there."""
    if not source or not source.startswith("s3://"):
        folder = source or CODE
        return folder if os.path.isdir(folder) else CODE
    bucket, _, key = source[len("s3://") :].partition("/")
    url = f"{os.environ['AWS_ENDPOINT_URL'].rstrip('/')}/{bucket}/{urllib.parse.quote(key)}"
    # The address comes from the platform.
    request = urllib.request.Request(url, headers=signature(url, datetime.now(UTC)))  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        data = answer.read()
    os.makedirs(CODE, exist_ok=True)
    if key.endswith(".tar.gz"):
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            extract(archive, CODE)
    else:
        with open(os.path.join(CODE, os.path.basename(key)), "wb") as file:
            file.write(data)
    return CODE


def signature(url: str, now: datetime) -> dict[str, str]:
    """The headers that sign a GET of S3 with the container's credentials (AWS Signature Version 4)."""
    parts = urllib.parse.urlsplit(url)
    empty = hashlib.sha256(b"").hexdigest()
    stamp, region = now.strftime("%Y%m%dT%H%M%SZ"), os.environ.get("AWS_REGION", "us-east-1")
    headers = {"host": parts.netloc, "x-amz-content-sha256": empty, "x-amz-date": stamp}
    if "AWS_SESSION_TOKEN" in os.environ:
        headers["x-amz-security-token"] = os.environ["AWS_SESSION_TOKEN"]
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"GET\n{parts.path}\n\n{lines}\n{names}\n{empty}"
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{os.environ.get('AWS_SECRET_ACCESS_KEY', '')}".encode()
    for word in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"):
        key = hmac.digest(key, word.encode(), "sha256")
    who = f"{os.environ.get('AWS_ACCESS_KEY_ID', '')}/{scope}"
    headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={who}, SignedHeaders={names}, Signature={key.hex()}"
    return headers


def extract(archive: tarfile.TarFile, folder: str) -> None:
    """Unpack plain files and folders that stay inside of `folder`."""
    top = os.path.realpath(folder)
    for member in archive.getmembers():
        target = os.path.realpath(os.path.join(top, member.name))
        if not (member.isfile() or member.isdir()) or os.path.commonpath((top, target)) != top:
            raise ValueError(f"{member.name!r} in the code archive is not a plain file inside of it")
        if member.isdir():
            os.makedirs(target, exist_ok=True)
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        source = archive.extractfile(member)
        assert source is not None
        with source, open(target, "wb") as file:
            shutil.copyfileobj(source, file)


def training_settings(hyperparameters: dict[str, Any], program: str) -> dict[str, Any]:
    """What the training toolkit tells a script of its surroundings (its ENVIRONMENT_VARIABLES.md)."""
    resources = read_json("resourceconfig.json")
    channels = {name: os.path.join(BASE, "input", "data", name) for name in sorted(read_json("inputdataconfig.json"))}
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "model_dir": MODEL,
        "input_dir": os.path.join(BASE, "input"),
        "input_config_dir": os.path.join(BASE, "input", "config"),
        "output_dir": os.path.join(BASE, "output"),
        "output_data_dir": os.path.join(BASE, "output", "data"),
        "output_intermediate_dir": os.path.join(BASE, "output", "intermediate"),
        "channel_input_dirs": channels,
        "hyperparameters": hyperparameters,
        "user_entry_point": program,
        "module_name": program.rpartition(".")[0] or program,
        "module_dir": CODE,
        "job_name": os.environ.get("TRAINING_JOB_NAME", ""),
        "current_host": resources.get("current_host", "algo-1"),
        "current_instance_type": resources.get("current_instance_type", ""),
        "hosts": resources.get("hosts", ["algo-1"]),
        "network_interface_name": resources.get("network_interface_name", "eth0"),
        "resource_config": resources,
        "input_data_config": read_json("inputdataconfig.json"),
        "num_cpus": cpus,
        "num_gpus": 0,
        "log_level": 20,
    }


def training_environment(hyperparameters: dict[str, Any], program: str) -> dict[str, str]:
    """The SM_* variables of the training toolkit."""
    settings = training_settings(hyperparameters, program)
    named = {key: value for key, value in settings.items() if key not in {"channel_input_dirs", "hyperparameters"}}
    channels = settings["channel_input_dirs"]
    return {
        **{f"SM_{key.upper()}": variable(value) for key, value in named.items()},
        "SM_CHANNELS": json.dumps(list(channels)),
        "SM_HPS": json.dumps(hyperparameters),
        "SM_USER_ARGS": json.dumps(arguments(hyperparameters)),
        "SM_TRAINING_ENV": json.dumps(settings),
        **{f"SM_CHANNEL_{name.upper()}": path for name, path in channels.items()},
        **{f"SM_HP_{name.upper()}": variable(value) for name, value in hyperparameters.items()},
    }


def variable(value: Any) -> str:
    """A value as the training toolkit writes it into a variable: JSON (`true`, `[1,2]`), a text as it is."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))


def argument(value: Any) -> str:
    """A value as the training toolkit writes it on the command line: as Python does (`True`, `[1, 2]`), a mapping as
    `key=value,key=value`."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return ",".join(f"{key}={value[key]}" for key in sorted(value))
    return str(value)


def arguments(hyperparameters: dict[str, Any]) -> list[str]:
    """`--name value` for each hyperparameter, by name."""
    words: list[str] = []
    for name in sorted(hyperparameters):
        words += [f"--{name}" if len(name) > 1 else f"-{name}", argument(hyperparameters[name])]
    return words


def train() -> NoReturn:
    """Run the user's training script; its exit code is the container's."""
    given = {name: decoded(value) for name, value in read_json("hyperparameters.json").items()}
    program = given.get("sagemaker_program") or os.environ.get("SAGEMAKER_PROGRAM")
    if not program:
        fail("the hyperparameter sagemaker_program does not name a script")
    source = given.get("sagemaker_submit_directory") or os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY")
    try:
        folder = fetch_code(source)
    except (OSError, ValueError, tarfile.TarError) as error:
        fail(f"the code cannot be had from {source}: {error}")
    own = {name: value for name, value in given.items() if not name.startswith(("sagemaker_", "_tuning_"))}
    for path in (MODEL, os.path.join(BASE, "output", "data")):
        os.makedirs(path, exist_ok=True)
    environment = {**os.environ, **training_environment(own, program)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH", ""))))
    script = os.path.join(folder, program)
    command = [*(["/bin/sh"] if program.endswith(".sh") else [sys.executable]), script, *arguments(own)]
    code = run(command, environment, folder)
    if code:
        write_failure(f"ExecuteUserScriptError:\nExitCode {code}\nCommand {json.dumps(' '.join(command))}")
    raise SystemExit(code if code >= 0 else 128 - code)


def run(command: list[str], environment: dict[str, str], folder: str) -> int:
    """Run the script; SIGTERM is passed on to it, also when it comes before the script has started."""
    asked = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def stop(*_: object) -> None:
        asked.set()
        for child in running:
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    child = subprocess.Popen(command, env=environment, cwd=folder)  # noqa: S603
    running.append(child)
    if asked.is_set():
        child.terminate()
    return child.wait()


def fail(reason: str) -> NoReturn:
    """End as failed, with the reason where the platform reads it."""
    write_failure(reason)
    print(reason, file=sys.stderr, flush=True)  # noqa: T201 - the container's log
    raise SystemExit(1)


def write_failure(reason: str) -> None:
    """The failure file, unless the script wrote its own."""
    path = os.path.join(BASE, "output", "failure")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(reason)


class Unsupported(Exception):
    """A content type that the default functions do not know: HTTP 415."""


TEXTS = ("application/json", "text/csv")
"""Content types whose body the functions get as text; of others they get bytes."""


def default_input(data: str | bytes, content_type: str) -> Any:
    """numpy arrays from JSON, CSV and NPY; numbers of texts become float32, a single row stays a row.

    As in sagemaker-scikit-learn-container.
    """
    import numpy as np

    if content_type == "application/json":
        array = np.array(json.loads(data)).astype(np.float32)
    elif content_type == "text/csv":
        array = np.genfromtxt(io.StringIO(str(data)), dtype=np.float32, delimiter=",")
    elif content_type == "application/x-npy" and isinstance(data, bytes):
        array = np.load(io.BytesIO(data), allow_pickle=False)
    else:
        raise Unsupported(f"the content type {content_type} is not supported")
    return array.reshape(1, -1) if array.ndim == 1 else array


def default_output(prediction: Any, accept: str) -> tuple[str | bytes, str]:
    """JSON, CSV or NPY from what predict_fn gave."""
    import numpy as np

    array = np.asarray(prediction)
    if accept in ("application/json", "*/*", ""):
        return json.dumps(array.tolist()), "application/json"
    if accept == "text/csv":
        stream = io.StringIO()
        np.savetxt(stream, array, delimiter=",", fmt="%s")
        return stream.getvalue(), accept
    if accept == "application/x-npy":
        buffer = io.BytesIO()
        np.save(buffer, array)
        return buffer.getvalue(), accept
    raise Unsupported(f"the content type {accept} is not supported")


class Inference:
    """The user's functions, with the documented defaults for those that are missing."""

    def __init__(self, module: Mapping[str, Any]) -> None:
        model_fn = module.get("model_fn")
        if model_fn is None:
            raise NotImplementedError("the script has no model_fn: the images have no default for it")
        self.transform_fn = module.get("transform_fn")
        self.input_fn = module.get("input_fn", default_input)
        self.predict_fn = module.get("predict_fn", lambda data, model: model.predict(data))
        self.output_fn = module.get("output_fn", default_output)
        if self.transform_fn and {"input_fn", "predict_fn", "output_fn"} & set(module):
            raise ValueError("transform_fn stands beside input_fn, predict_fn or output_fn: give one or the others")
        self.parameters = module.get("execution_parameters_fn")
        self.model = model_fn(MODEL)

    def __call__(self, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        """The answer to one request: body and content type."""
        data = body.decode("utf-8") if content_type in TEXTS else body
        if self.transform_fn:
            result = self.transform_fn(self.model, data, content_type, accept)
        else:
            result = self.output_fn(self.predict_fn(self.input_fn(data, content_type), self.model), accept)
        answer, kind = result if isinstance(result, tuple) else (result, accept)
        return (answer.encode("utf-8") if isinstance(answer, str) else bytes(answer)), kind


def load_inference() -> Inference:
    """Import the user's serving script as the images do."""
    program = os.environ.get("SAGEMAKER_PROGRAM") or "inference.py"
    source = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY") or os.path.join(MODEL, "code")
    sys.path.insert(0, fetch_code(source))
    return Inference(vars(importlib.import_module(program.removesuffix(".py").replace("/", "."))))


class Handler(BaseHTTPRequestHandler):
    """The routes of the hosting contract."""

    inference: Inference
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet

    def do_GET(self) -> None:
        """Health, and what the script chooses for batch transform."""
        parameters = self.inference.parameters
        if self.path == "/execution-parameters" and parameters is not None:
            self.reply(200, json.dumps(parameters()).encode(), "application/json")
        else:
            self.reply(200 if self.path == "/ping" else 404, b"", "text/plain")

    def do_POST(self) -> None:
        """Inference: 415 for content types that nobody knows, 500 for whatever else the script raises."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/invocations":
            self.reply(404, b"", "text/plain")
            return
        kind = (self.headers.get("Content-Type") or "application/json").partition(";")[0].strip()
        default = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "application/json")
        accept = self.headers.get("Accept") or default
        try:
            answer, content_type = self.inference(body, kind, default if accept == "*/*" else accept)
        except Unsupported as problem:
            self.reply(415, str(problem).encode(), "text/plain")
        except Exception:  # noqa: BLE001 - whatever the user's code raises is the answer
            traceback.print_exc()
            self.reply(500, traceback.format_exc().encode(), "text/plain")
        else:
            self.reply(200, answer, content_type)

    def reply(self, status: int, body: bytes, content_type: str) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
        """Every request but the health checks."""
        if self.path != "/ping":
            super().log_message(format, *args)


def serve() -> None:
    """Serve /ping and /invocations at 8080, or at SAGEMAKER_BIND_TO_PORT."""
    Handler.inference = load_inference()
    address = "127.0.0.1" if os.environ.get("SAGEMAKER_BIND_TO_PORT") else "0.0.0.0"  # noqa: S104 - inside the container
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT") or 8080)
    ThreadingHTTPServer((address, port), Handler).serve_forever()


if __name__ == "__main__":
    sys.path.pop(0)  # this file's folder: the user's imports are the user's own
    role = sys.argv[1] if len(sys.argv) > 1 else ""
    if role == "train":
        train()
    if role != "serve":
        fail("script mode has two roles: train and serve")
    serve()
