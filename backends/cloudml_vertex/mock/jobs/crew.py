"""The containers of one custom job: all replicas at once, their logs, and what becomes of the job when one ends."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

from cloudml.mocks.bus import Change
from cloudml.mocks.processes import exit_code, terminate
from cloudml.mocks.sandbox import Mount, Process
from cloudml.mocks.store import Document, Scope
from cloudml.mocks.tail import Tail, follow
from cloudml_vertex.mock.core import container, logs, names
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.jobs import packages
from cloudml_vertex.mock.jobs.cluster import METRICS, Cluster, Replica, expand, output_variables

GRACE_SECONDS = 30.0
"""Real seconds between SIGTERM and SIGKILL: what Compute Engine gives a preempted machine and Kubernetes a pod."""
METRIC_KIND = "TrialMetrics"
"""Of changes on the bus: a trial's container wrote lines to its metric file; they are `details["lines"]`."""


class Crew:
    """Every replica of a job, from the start to the end of its process."""

    def __init__(self, world: World, scope: Scope, job: Document, members: Sequence[Replica]) -> None:
        self._world = world
        self._scope = scope
        self._job = job
        self._members = members
        self._id = names.id_of(job["name"])
        self._trial: str = (job.get("_trial") or {}).get("id", "")
        named = world.sandbox.kind != "paths"
        self._cluster = Cluster(job["job_spec"], self._id, members, named=named)
        self._running: list[tuple[Replica, Process]] = []
        self._tails: list[Tail] = []

    def launch(self) -> None:
        """Start every replica. Raises ImageRefused, PackageRefused."""
        for replica in self._members:
            replica.folder.mkdir(parents=True)
            process = self._start(replica)
            self._running.append((replica, process))
            self._tails.append(
                logs.ship(
                    self._world,
                    self._scope,
                    {"type": "ml_job", "labels": self._labels(replica)},
                    replica.name,
                    replica.log,
                    labels={"ml.googleapis.com/trial_id": self._trial} if self._trial else None,
                )
            )

    def _labels(self, replica: Replica) -> dict[str, str]:
        """Of the monitored resource ml_job (Cloud Logging, "Monitored resource types")."""
        project = self._world.project_id(self._scope.account)
        return {"project_id": project, "job_id": self._id, "task_name": replica.name}

    def _start(self, replica: Replica) -> Process:
        service = {
            **container.environment(self._world, self._scope),
            "CLOUD_ML_JOB_ID": self._id,
            **output_variables(self._job["job_spec"]),
            **self._cluster.variables(replica, self._trial),
        }
        mounts = []
        if self._trial:
            mounts.append(self._metrics(replica))
            service |= {"CLOUD_ML_TRIAL_ID": self._trial, "CLOUD_ML_HP_METRIC_FILE": f"{METRICS}/output.metrics"}
        image, command, args, given, more = self._task(replica)
        return container.start(
            self._world,
            self._scope,
            image=image,
            command=command,
            args=args,
            env={**service, **expand(given, service), **more},
            log=replica.log,
            hosts=self._cluster.hosts,
            mounts=mounts,
        )

    def _metrics(self, replica: Replica) -> Mount:
        folder = replica.folder / "hypertune"
        folder.mkdir()
        if replica.chief:
            self._tails.append(follow(self._world, folder / "output.metrics", self._measured, logs.LINE_BYTES))
        return Mount(folder, METRICS)

    def _measured(self, lines: Sequence[str]) -> None:
        name = self._job["name"]
        details = {"lines": list(lines)}
        self._world.bus.publish(Change(METRIC_KIND, self._scope, name, "", "", self._job, details))

    def _task(self, replica: Replica) -> tuple[str, Sequence[str], Sequence[str], Sequence[Document], dict[str, str]]:
        """Image, command, arguments and variables of the request, and variables that come with packages."""
        found: dict[str, Any] | None = replica.spec.get("container_spec")
        if found is not None:
            return found["image_uri"], found.get("command") or (), found.get("args") or (), found.get("env") or (), {}
        found = replica.spec["python_package_spec"]
        roots = packages.bring(self._world, found["package_uris"], replica.folder / "packages")
        command = ("python3", "-m", found["python_module"])
        path = {"PYTHONPATH": ":".join(roots)}
        return found["executor_image_uri"], command, found.get("args") or (), found.get("env") or (), path

    def wait(self, stopping: Callable[[], bool]) -> list[tuple[str, int]]:
        """Until the primary replica has ended well, or any has failed: then the others are ended. Who failed, and how.

        Google's page "Distributed training": the primary replica manages the others and reports status for the job as
        a whole. While the job is `stopping` all are waited for.
        """
        ended: queue.SimpleQueue[tuple[Replica, int]] = queue.SimpleQueue()
        for replica, process in self._running:
            threading.Thread(target=_watch, args=(ended, replica, process), name="mock-wait", daemon=True).start()
        for _ in self._running:
            replica, code = ended.get()
            if stopping():
                continue
            if code:
                return [(replica.name, code)]
            if replica.chief:
                self.stop()
                return []
        return []

    def over(self) -> bool:
        """Whether the primary replica has ended."""
        return self._running[0][1].wait(0) is not None

    def stop(self) -> None:
        """SIGTERM to every container, and SIGKILL to one that does not mind; returns when all have ended."""
        terminate([process for _, process in list(self._running)], GRACE_SECONDS)

    def stop_soon(self) -> None:
        """`stop` on a thread of its own."""
        threading.Thread(target=self.stop, name="mock-stop", daemon=True).start()

    def kill(self) -> None:
        """SIGKILL to all."""
        for _, process in list(self._running):
            process.kill()

    def settle(self) -> None:
        """Nothing of the containers is left, and all that they said is told."""
        for _, process in self._running:
            process.close()
        for tail in self._tails:
            if not self._world.closing.is_set():
                tail.stop()


def _watch(ended: queue.SimpleQueue[tuple[Replica, int]], replica: Replica, process: Process) -> None:
    ended.put((replica, exit_code(process)))
