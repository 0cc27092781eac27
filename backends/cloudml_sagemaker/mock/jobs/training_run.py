"""A training job's container: its life through the secondary statuses, and what becomes of what it leaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cloudml.mocks.faults import Fault
from cloudml.mocks.sandbox import Mount, Process
from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core import container, s3
from cloudml_sagemaker.mock.core.container import BASE
from cloudml_sagemaker.mock.core.logs import Lines
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.jobs.folders import Mirror, read_text, tar, untouched, within
from cloudml_sagemaker.mock.jobs.life import Host, JobFailed, Run
from cloudml_sagemaker.mock.jobs.metrics import Collector
from cloudml_sagemaker.mock.jobs.pipes import Pipe
from cloudml_sagemaker.mock.jobs.training_files import bring, lay_out
from cloudml_sagemaker.mock.jobs.training_rules import hosts as machines

_CHECKPOINTS = "/opt/ml/checkpoints"
_FAILURE = "/opt/ml/output/failure"
_FAILURE_LENGTH = 1024
"""Of the failure file's beginning (developer guide, "How Amazon SageMaker Signals Algorithm Success and Failure")."""
_LOOK_SECONDS = 0.05

_MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Interrupted": "Training job interrupted: the managed spot instances were reclaimed",
    "Restarting": "Restarting the training job",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "MaxWaitTimeExceeded": "Training job wait time exceeded MaxWaitTimeInSeconds provided",
    "Failed": "Training job failed",
}
"""Status messages: AWS calls them subject to change (API reference, SecondaryStatusTransition)."""
_ENDS = {"stop": "Stopped", "max-runtime": "MaxRuntimeExceeded", "max-wait": "MaxWaitTimeExceeded"}


def transition(document: Document, secondary: str, now: float) -> Document:
    """The members that change when a job goes over to a secondary status."""
    past = [{**one, "EndTime": one.get("EndTime", now)} for one in document.get("SecondaryStatusTransitions") or []]
    entry = {"Status": secondary, "StartTime": now, "StatusMessage": _MESSAGES[secondary]}
    if secondary in {"Completed", "Failed", *_ENDS.values()}:
        entry["EndTime"] = now
    return {"SecondaryStatus": secondary, "SecondaryStatusTransitions": [*past, entry]}


class TrainingRun(Run):
    """See `Run`."""

    kind = "TrainingJob"
    status = "TrainingJobStatus"
    group = "/aws/sagemaker/TrainingJobs"

    def __init__(self, world: World, scope: Scope, name: str) -> None:
        super().__init__(world, scope, name)
        definitions = self.document["AlgorithmSpecification"].get("MetricDefinitions") or []
        self._metrics = Collector(world, scope, name, definitions)
        self._measured = bool(definitions)
        self._pipes: list[Pipe] = []
        self._mirror = Mirror(world, scope, [])
        self._artifacts = ""
        self._interruption: Fault | None = None
        """The spot interruption that is to come."""
        self._struck: Fault | None = None
        """The one that has just come."""
        self._lost = 0.0
        """Seconds between interruptions and new starts, which are not billed."""
        self._interrupted_at = 0.0

    def instances(self) -> int:
        return len(machines(self.document["ResourceConfig"]))

    def started(self) -> None:
        self.update(TrainingStartTime=self.world.now())
        if self.document.get("EnableManagedSpotTraining"):
            self._interruption = self.world.faults.strike("spot", *self.subjects())

    def limits(self) -> Sequence[tuple[float, str]]:
        document = self.document
        stopping = document["StoppingCondition"]
        found = [(document["TrainingStartTime"] + stopping["MaxRuntimeInSeconds"], "max-runtime")]
        if "MaxWaitTimeInSeconds" in stopping:
            found.append((document["CreationTime"] + stopping["MaxWaitTimeInSeconds"], "max-wait"))
        return found

    def secondary(self, status: str, primary: str = "InProgress") -> None:
        """Go over to a secondary status, unless the job is told to stop."""
        with self.world.lock:
            if primary == "InProgress" and self.stopping:
                return
            self.change(primary, **transition(self.document, status, self.world.now()))

    def stop_begins(self) -> None:
        self.secondary("Stopping", "Stopping")

    def prepare(self, hosts: Sequence[Host]) -> None:
        if self._interrupted_at:
            self._lost += self.world.now() - self._interrupted_at
            self._interrupted_at = 0.0
            self.secondary("Starting")
        lay_out(self.document, hosts)
        self.secondary("Downloading")
        try:
            self._pipes = bring(self.world, self.scope, self.document, hosts)
            for _, folder, uri in self._checkpoints(hosts):
                folder.mkdir(parents=True, exist_ok=True)
                if s3.exists(self.world, self.scope, uri):
                    s3.download(self.world, self.scope, uri, folder)
        except s3.S3Error as error:
            raise JobFailed(f"ClientError: Data download failed:{error}") from error
        self._mirror = Mirror(self.world, self.scope, self._checkpoints(hosts))
        self._mirror.note()
        self.secondary("Training")

    def _checkpoints(self, hosts: Sequence[Host]) -> list[tuple[Path, Path, str]]:
        """Root, folder and URI of each host's checkpoints, when the job keeps any."""
        config = self.document.get("CheckpointConfig")
        if not config:
            return []
        prefix = config["S3Uri"].rstrip("/") + "/"
        return [(host.root.parent, self._checkpoint_folder(host), prefix) for host in hosts]

    def _checkpoint_folder(self, host: Host) -> Path:
        path = self._checkpoint_path()
        return within(host.root, path) if path.startswith(BASE + "/") else host.root.parent / "checkpoints"

    def _checkpoint_path(self) -> str:
        config = self.document.get("CheckpointConfig") or {}
        return str(config.get("LocalPath") or _CHECKPOINTS).rstrip("/")

    def launch(self, host: Host) -> Process:
        document = self.document
        algorithm = document["AlgorithmSpecification"]
        path = self._checkpoint_path()
        outside = document.get("CheckpointConfig") and not path.startswith(BASE + "/")
        names = {"TRAINING_JOB_NAME": self.name, "TRAINING_JOB_ARN": document["TrainingJobArn"]}
        return container.start(
            self.world,
            self.scope,
            image=algorithm["TrainingImage"],
            entrypoint=algorithm.get("ContainerEntrypoint") or (),
            arguments=algorithm.get("ContainerArguments") or (),
            default=("train",),
            env={**names, **(document.get("Environment") or {})},
            root=host.root,
            log=host.log,
            hosts=[f"algo-{number + 1}" for number in range(self.instances())],
            mounts=[Mount(self._checkpoint_folder(host), path)] if outside else (),
        )

    def lines(self, host: Host) -> Lines | None:
        return self._metrics.lines if self._measured else None

    def running(self, hosts: Sequence[Host]) -> int:
        self._mirror.start()
        for pipe in self._pipes:
            pipe.start()
        try:
            self._struck = self._interrupted(hosts)
            return self.wait()
        finally:
            for pipe in self._pipes:
                pipe.stop()
            self._mirror.halt()
            if not self.world.closing.is_set():
                self._send(self._mirror.stop)

    def again(self) -> float | None:
        struck, self._struck = self._struck, None
        if struck is None:
            return None
        self._interrupted_at = self.world.now()
        self.secondary("Interrupted")
        return struck.seconds

    def _interrupted(self, hosts: Sequence[Host]) -> Fault | None:
        """Let a spot interruption strike, once there is a checkpoint; None when none does, or the job was quicker."""
        fault, self._interruption = self._interruption, None
        places = self._checkpoints(hosts)
        while fault is not None and places and not any(s3.files_of(folder) for _, folder, _ in places):
            time.sleep(_LOOK_SECONDS)
            if self.stopping or self.over():
                return None
        if fault is not None:
            self.interrupt()
        return fault

    def finish(self, hosts: Sequence[Host], code: int) -> None:
        failed = code != 0 and not self.stopping
        base = f"{self.document['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output"
        self.secondary("Uploading")
        if not failed:
            self._send(lambda: self._upload_model(hosts, base))
        if not failed or self.world.switches["outputs-after-failure"] == "upload":
            self._send(lambda: self._upload(hosts, "output/data", base, "output.tar.gz", "data"))
        if failed:
            texts = (read_text(host.root, _FAILURE, _FAILURE_LENGTH).strip() for host in hosts)
            raise JobFailed(_algorithm_error(next(filter(None, texts), ""), code))

    def _upload_model(self, hosts: Sequence[Host], base: str) -> None:
        self._artifacts = self._upload(hosts, "model", base, "model.tar.gz", "model", always=True)

    def _upload(
        self, hosts: Sequence[Host], name: str, base: str, archive: str, prefix: str, *, always: bool = False
    ) -> str:
        """Send a folder of every host as one archive, or file by file without compression; the URI it has then."""
        folders = [host.root / name for host in hosts if untouched(host.root, host.root / name)]
        if self.document["OutputDataConfig"].get("CompressionType") == "NONE":
            for folder in folders:
                s3.upload_folder(self.world, self.scope, folder, f"{base}/{prefix}")
            return f"{base}/{prefix}/"
        packed = self.folder / archive
        if tar(folders, packed) or always:
            s3.upload_file(self.world, self.scope, packed, f"{base}/{archive}")
        return f"{base}/{archive}"

    def _send(self, send: Callable[[], object]) -> None:
        try:
            send()
        except s3.S3Error as error:
            raise JobFailed(f"ClientError: Artifact upload failed:{error}") from error

    def ended(self, status: str, reason: str) -> None:
        now = self.world.now()
        document = self.document
        more: Document = {"FailureReason": reason} if reason else {}
        if "TrainingStartTime" in document:
            seconds = now - document["TrainingStartTime"]
            idle = self._lost + (now - self._interrupted_at if self._interrupted_at else 0.0)
            more["TrainingEndTime"] = now
            more["TrainingTimeInSeconds"] = int(seconds)
            more["BillableTimeInSeconds"] = int(seconds - idle)
        if self._artifacts:
            more["ModelArtifacts"] = {"S3ModelArtifacts": self._artifacts}
        final = self._metrics.final()
        if final:
            more["FinalMetricDataList"] = final
        secondary = _ENDS[self.stopping or "stop"] if status == "Stopped" else status
        with self.world.lock:
            self.change(status, **transition(document, secondary, now), **more)


def _algorithm_error(text: str, code: int) -> str:
    """AWS's form, with the text shortened so that the exit code stays in the FailureReason's length."""
    end = f", exit code: {code}"
    return f"AlgorithmError: {text[: _FAILURE_LENGTH - len('AlgorithmError: ') - len(end)]}{end}"
