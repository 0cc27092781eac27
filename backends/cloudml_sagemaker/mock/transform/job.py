"""A transform job: the model's server with batch variables, requests for every object, outputs written as `KEY.out`.

One server stands for all instances: what they would share out among them it does alone.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core import s3
from cloudml_sagemaker.mock.core.logs import ship
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.hosting.containers import InvocationFailed, ModelDataFailed, ModelServer, StartFailed
from cloudml_sagemaker.mock.hosting.models import runnable
from cloudml_sagemaker.mock.jobs.life import JobFailed, Run, begin
from cloudml_sagemaker.mock.transform.filters import FilterFailed
from cloudml_sagemaker.mock.transform.records import (
    Batch,
    InputRefused,
    Plan,
    asked,
    assembled,
    batches,
    plan,
    settings,
)

log = logging.getLogger(__name__)

KIND = "TransformJob"
STATUS = "TransformJobStatus"
PATIENCE = 240.0
"""Real seconds until the server must be healthy: four minutes, as in hosting."""
_SEE_LOGS = "See job logs for more information"
_TIMEOUT_SECONDS = 600
_RETRIES = 3
"""Of ModelClientConfig (API reference): ten minutes for an answer, three retries."""
_PARAMETERS_SECONDS = 10.0

_BAD_INPUT = (InputRefused, FilterFailed, UnicodeDecodeError, s3.S3Error)


class TransformRun(Run):
    """One transform job on its way."""

    kind = KIND
    status = STATUS
    group = "/aws/sagemaker/TransformJobs"

    def __init__(self, world: World, scope: Scope, name: str) -> None:
        super().__init__(world, scope, name)
        self._server: ModelServer | None = None

    def started(self) -> None:
        """Note the start."""
        self.update(TransformStartTime=self.world.now())

    def ended(self, status: str, reason: str) -> None:
        """Note the end."""
        updates = {"FailureReason": reason} if reason else {}
        self.change(status, TransformEndTime=self.world.now(), **updates)

    def limits(self) -> Sequence[tuple[float, str]]:
        """A transform job has no time limit."""
        return ()

    def stop_begins(self) -> None:
        """Note it, and take the server down: the requests under way end."""
        super().stop_begins()
        server = self._server
        if server is not None:
            threading.Thread(target=server.stop, name="mock-stop-transform", daemon=True).start()

    def _work(self) -> None:
        self._clean()
        self.folder.mkdir(parents=True)
        with self.world.lock:
            job = dict(self.document)
            model = self.world.table("Model", self.scope).get(job["ModelName"])
        if model is None:
            raise JobFailed(f"ClientError: Could not find model {job['ModelName']}.")
        source = job["TransformInput"]["DataSource"]["S3DataSource"]
        wanted = s3.entries(self.world, self.scope, source["S3Uri"], source["S3DataType"])
        if not wanted:
            raise s3.S3Missing(source["S3Uri"])
        stream = f"{self.name}/i-{self.world.unique('instance')}-{int(self.world.now())}"
        server = self._server = self._new_server(job, runnable(model), stream)
        try:
            self._start(server)
            objects = Objects(self, job, server, stream)
            objects.transform(wanted)
        finally:
            self._server = None
            server.stop()
        self.check()
        objects.upload()
        if objects.failure:
            raise JobFailed(objects.failure)
        _capture(self.world, self.scope, job, wanted)
        self._end("Completed", "")

    def _new_server(self, job: Document, model: Document, stream: str) -> ModelServer:
        """The model's server with the variables of batch transform.

        Settings are told to the container only when the request has them (developer guide, "Use Your Own Inference
        Code with Batch Transform").
        """
        given = asked(job)
        names = {
            "MaxPayloadInMB": "SAGEMAKER_MAX_PAYLOAD_IN_MB",
            "BatchStrategy": "SAGEMAKER_BATCH_STRATEGY",
            "MaxConcurrentTransforms": "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS",
        }
        environment = {
            **(job.get("Environment") or {}),
            "SAGEMAKER_BATCH": "true",
            **{names[key]: str(value) for key, value in given.items()},
        }
        return ModelServer(
            self.world,
            self.scope,
            model,
            folder=self.folder / "model",
            group=self.group,
            stream=stream,
            environment=environment,
        )

    def _start(self, server: ModelServer) -> None:
        self.check()
        try:
            server.start(PATIENCE)
        except (StartFailed, ModelDataFailed) as error:
            self.check()
            kind = "ClientError" if isinstance(error, ModelDataFailed) else "AlgorithmError"
            raise JobFailed(f"{kind}: {error}. {_SEE_LOGS}") from error
        self.check()
        if self._fault and self._fault.kind == "die":
            for container in server.containers:
                if container.process is not None:
                    container.process.kill()
            raise JobFailed(f"AlgorithmError: the container was killed. {_SEE_LOGS}")


class Objects:
    """The objects of one job on their way through the server. What came back is kept in the job's folder until the
    end: a job that is stopped stores no output (API reference, StopTransformJob)."""

    def __init__(self, run: TransformRun, job: Document, server: ModelServer, stream: str) -> None:
        told = _told(server)
        found = settings(job, told)
        self._run = run
        self._job = job
        self._server = server
        self._stream = stream
        inclusive = run.world.switches["filter-slice-end"] == "inclusive"
        self._plan = plan(job, told, inclusive=inclusive)
        self._parallel = found["MaxConcurrentTransforms"]
        self._done: list[tuple[Path, str]] = []
        self._log = run.folder / "data-log"
        self.failure = ""
        """Why the job fails, when an object did."""
        self._say("".join(f"{key}={found[key]}, " for key in found).removesuffix(", "))

    def transform(self, wanted: Sequence[s3.Entry]) -> None:
        """Every object; one that fails does not keep the others from being done (developer guide, "Batch Transform
        Errors"). Raises JobStopped."""
        shipper = ship(self._run.world, self._run.scope, self._run.group, f"{self._stream}/data-log", self._log)
        try:
            with ThreadPoolExecutor(self._parallel, thread_name_prefix="mock-transform") as pool:
                for entry in wanted:
                    self._run.check()
                    self._try(pool, entry)
        finally:
            shipper.stop()

    def _try(self, pool: ThreadPoolExecutor, entry: s3.Entry) -> None:
        try:
            answer = self._object(pool, entry)
        except (*_BAD_INPUT, InvocationFailed) as error:
            self._run.check()
            algorithm = isinstance(error, InvocationFailed) and not 400 <= error.status < 500
            kind = "AlgorithmError" if algorithm else "ClientError"
            self._say(f"{entry.bucket}/{entry.key}: {kind}: {error}")
            self.failure = self.failure or f"{kind}: {entry.uri}: {error}. {_SEE_LOGS}"
        else:
            path = self._run.folder / f"output-{len(self._done)}"
            path.write_bytes(answer)
            self._done.append((path, f"{_base(self._job)}{entry.path}.out"))

    def _object(self, pool: ThreadPoolExecutor, entry: s3.Entry) -> bytes:
        data = s3.read(self._run.world, self._run.scope, entry.uri)
        futures = [pool.submit(self._ask, batch) for batch in batches(self._plan, data)]
        try:
            return b"".join(future.result() for future in futures)
        finally:
            for future in futures:
                future.cancel()

    def _ask(self, batch: Batch) -> bytes:
        how: Plan = self._plan
        headers = {"Content-Type": how.content_type or "application/octet-stream"}
        if how.accept:
            headers["Accept"] = how.accept
        client = self._job.get("ModelClientConfig") or {}
        timeout = float(client.get("InvocationsTimeoutInSeconds", _TIMEOUT_SECONDS))
        left = int(client.get("InvocationsMaxRetries", _RETRIES))
        while True:
            try:
                reply = self._server.request("POST", "/invocations", batch.body, headers, timeout)
            except InvocationFailed as failed:
                # Only what may be better next time is asked again: a 5xx, or an answer that did not come.
                if left <= 0 or 400 <= failed.status < 500 or not self._server.healthy:
                    raise
                left -= 1
            else:
                return assembled(how, batch, reply.body, reply.media)

    def upload(self) -> None:
        """Write the outputs. Raises S3Missing."""
        for path, uri in self._done:
            s3.write(self._run.world, self._run.scope, uri, path.read_bytes(), self._plan.accept or None)

    def _say(self, text: str) -> None:
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"[sagemaker logs]: {text}\n")


def _base(job: Document) -> str:
    return str(job["TransformOutput"]["S3OutputPath"]).rstrip("/") + "/"


def _told(server: ModelServer) -> Document:
    """What the container's own /execution-parameters say; {} when it has none."""
    try:
        told: Any = json.loads(server.request("GET", "/execution-parameters", timeout=_PARAMETERS_SECONDS).body)
    except (InvocationFailed, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _capture(world: World, scope: Scope, job: Document, wanted: Sequence[s3.Entry]) -> None:
    """The manifests of data capture: which inputs and outputs there were (developer guide, "Capture data from batch
    transform job")."""
    config = job.get("DataCaptureConfig")
    if not config:
        return
    hour = datetime.fromtimestamp(world.now(), UTC).strftime("%Y/%m/%d/%H")
    base = config["DestinationS3Uri"].rstrip("/")
    given = wanted[0].uri[: len(wanted[0].uri) - len(wanted[0].path)]
    token = world.unique("capture")
    for side, prefix, ending in (("input", given, ""), ("output", _base(job), ".out")):
        manifest = [{"prefix": prefix}, *(f"{entry.path}{ending}" for entry in wanted)]
        uri = f"{base}/{side}/{hour}/{token}.json"
        s3.write(world, scope, uri, json.dumps(manifest), "application/json")


def resume(world: World) -> None:
    """Run again what was under way when the mock ended."""
    with world.lock:
        for table in world.store.tables(KIND):
            for name, job in table.items():
                if job[STATUS] == "InProgress":
                    begin(TransformRun(world, table.scope, name))
                elif job[STATUS] == "Stopping":
                    world.change(table, name, STATUS, "Stopped", TransformEndTime=world.now())
