"""A batch prediction job: the model's container, requests for every batch of instances, files of results.

One container stands for all replicas: what they would share out among them it does alone.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from cloudml.mocks.store import Document, Scope
from cloudml.mocks.wire import Reply
from cloudml_vertex.mock.batch import instances, rules
from cloudml_vertex.mock.batch.instances import Instance
from cloudml_vertex.mock.batch.results import Results
from cloudml_vertex.mock.core import gcs
from cloudml_vertex.mock.core.errors import GoogleError, invalid
from cloudml_vertex.mock.core.times import seconds
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.hosting.fleet import fleet
from cloudml_vertex.mock.hosting.predict import code_of
from cloudml_vertex.mock.hosting.server import ModelServer, Unreachable, never_ready, plan
from cloudml_vertex.mock.jobs.running import JobFailed, JobRun

KIND = "BatchPredictionJob"
ANSWER_SECONDS = 600.0
"""Real seconds for an answer (Google's page "Troubleshooting", "Exceeded retries error")."""
_PAUSES = (0.1, 0.3, 1.0)
"""Real seconds before each of the three retries (the same page) of a batch, when the container was not reached."""
_RESTART_SECONDS = 60.0
"""Real seconds that a container which ended has to serve again."""
_LOOK_SECONDS = 0.02
_PARTIAL = 20
"""Most entries of BatchPredictionJob.partial_failures."""
_FAILS = "Post request fails. Cannot get predictions. Error: "
_HOUR = 3600.0


class BatchRun(JobRun):
    """One batch prediction job on its way."""

    kind = KIND

    def __init__(self, world: World, scope: Scope, name: str) -> None:
        super().__init__(world, scope, name)
        self._server: ModelServer | None = None
        self._stopper: threading.Thread | None = None
        self._results: Results | None = None

    def provisioned(self) -> None:
        """The machines are there."""
        self.run(output_info={"gcs_output_directory": self.document["_directory"]})

    def interrupt(self) -> None:
        """End the container: the request under way ends with it."""
        if self._server is not None:
            self._stopper = threading.Thread(target=self._server.stop, name="mock-stop", daemon=True)
            self._stopper.start()

    def last(self) -> Document:
        """The statistics, as far as the job has come."""
        job = self.document
        if "start_time" not in job:
            return {}
        count = job["dedicated_resources"]["starting_replica_count"]
        hours = count * max(0.0, self.world.now() - seconds(job["start_time"])) / _HOUR
        stats = self._results.stats if self._results is not None else {"incomplete_count": -1}
        return {"completion_stats": stats, "resources_consumed": {"replica_hours": hours}}

    def work(self) -> None:
        """From the input to the files of results."""
        self.clean()
        self.check()
        job = self.document
        try:
            found = self._read(job)
            form = job["output_config"]["predictions_format"]
            self._results = results = Results(self.world, job["_directory"], form, len(found))
            self._serve(job, found, results)
        except gcs.GcsError as missing:
            raise JobFailed("NOT_FOUND", str(missing)) from missing
        failed = results.stats["failed_count"]
        error = results.first_error
        if error is not None and failed == len(found) and self.world.switches["batch-all-failed"] == "fail":
            raise JobFailed(error.code, f"No instance could be predicted. The first error: {error.message}")
        self.end("JOB_STATE_SUCCEEDED", None)

    def _read(self, job: Document) -> list[Instance]:
        found = instances.read(self.world, job["input_config"], job.get("instance_config") or {})
        if found.failures:
            with self.world.lock:
                job["partial_failures"] = [one.status() for one in found.failures[:_PARTIAL]]
                self.table.put(self.name, job)
        if not found.instances:
            raise found.failures[0] if found.failures else invalid("The input has no instances.")
        return found.instances

    def _serve(self, job: Document, found: Sequence[Instance], results: Results) -> None:
        """Predict everything. What was done when the job is stopped is written too."""
        server = self._new(job)
        with self.lock:
            self._server = server
        try:
            self._start(job, server)
            try:
                for batch in _batches(job, found):
                    self._predict(job, server, batch, results)
            finally:
                if not self.world.closing.is_set():
                    results.close()
        finally:
            with self.lock:
                self._server = None
            server.stop()
            if self._stopper is not None:
                self._stopper.join()
        self.check()

    def _new(self, job: Document) -> ModelServer:
        endpoint, deployed = job["_deployed"]
        what = plan(
            self.world,
            f"{KIND} {self.id}", job["_spec"], job["_artifacts"],
            endpoint_id=endpoint, deployed_id=deployed, extra=job["_variables"],
        )  # fmt: skip
        if not job.get("disable_container_logging"):
            project = self.world.project_id(self.scope.account)
            labels = {"project_id": project, "job_id": self.id, "task_name": "prediction"}
            what = replace(what, resource={"type": "ml_job", "labels": labels})
        return ModelServer(self.world, self.scope, what, self.folder)

    def _start(self, job: Document, server: ModelServer) -> None:
        """Wait until it is healthy. Raises GoogleError, JobStopped."""
        self.check()
        try:
            server.start(fleet(self.world).patience_for(job["_spec"]))
        except GoogleError:
            self.check()
            raise
        process = server.process
        if self.fault and self.fault.kind == "die" and process is not None:
            process.kill()

    def _predict(self, job: Document, server: ModelServer, batch: Sequence[Instance], results: Results) -> None:
        sent = [one.sent for one in batch if not one.problem]
        answers: Iterator[Any] = iter(())
        error: GoogleError | None = None
        try:
            answers = iter(self._ask(job, server, sent) if sent else [])
        except GoogleError as refused:
            error = refused
        for one in batch:
            if one.problem:
                results.failed(one, invalid(one.problem))
            elif error is not None:
                results.failed(one, error)
            else:
                results.predicted(one, next(answers))

    def _ask(self, job: Document, server: ModelServer, sent: list[Any]) -> list[Any]:
        """The predictions of a batch. Raises GoogleError for the batch, JobStopped, JobFailed."""
        body: Document = {"instances": sent}
        if "model_parameters" in job:
            body["parameters"] = job["model_parameters"]
        data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        error = GoogleError("INTERNAL", _FAILS)
        for pause in (*_PAUSES, 0.0):
            self._await(server)
            try:
                reply = server.post(server.plan.predict_route, data, headers, ANSWER_SECONDS)
            except Unreachable as lost:
                code, status = ("DEADLINE_EXCEEDED", 504) if lost.timed_out else ("UNAVAILABLE", 503)
                error = _exceeded(code, status, str(lost))
                time.sleep(pause)  # whether the container has ended is known a moment later
                continue
            if reply.status // 100 == 2:
                return _predictions(reply, len(sent))
            told = reply.body.decode("utf-8", "replace")[:4096]
            error = _exceeded(code_of(reply.status), reply.status, told)
        self.check()
        raise error

    def _await(self, server: ModelServer) -> None:
        """A container that ended is started again; wait for that."""
        limit = time.monotonic() + _RESTART_SECONDS
        self.check()
        while server.wire is None:
            if time.monotonic() >= limit:
                error = never_ready(self.world, self.scope)
                raise JobFailed(error.code, error.message)
            time.sleep(_LOOK_SECONDS)
            self.check()


def _batches(job: Document, found: Sequence[Instance]) -> Iterator[Sequence[Instance]]:
    size = int((job.get("manual_batch_tuning_parameters") or {}).get("batch_size") or rules.BATCH)
    return (found[at : at + size] for at in range(0, len(found), size))


def _exceeded(code: str, status: int, told: str) -> GoogleError:
    message = f"{_FAILS}Exceeded retries: Non-OK result {status} ({told}) from server, retry={len(_PAUSES)}."
    return GoogleError(code, message)


def _predictions(reply: Reply, count: int) -> list[Any]:
    try:
        answer = json.loads(reply.body)
    except (ValueError, RecursionError):
        answer = None
    found = answer.get("predictions") if isinstance(answer, dict) else None
    if not isinstance(found, list):
        raise GoogleError("INTERNAL", f'{_FAILS}The answer is not JSON of the form {{"predictions": [...]}}.')
    if len(found) != count:
        raise GoogleError("INTERNAL", f"{_FAILS}{len(found)} predictions for {count} instances.")
    return found
