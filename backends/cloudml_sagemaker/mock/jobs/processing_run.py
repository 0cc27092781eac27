"""A processing job's container: what it is given and what becomes of what it leaves.

Developer guide, "Build Your Own Processing Container", and there how input and output are configured.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from cloudml.mocks.sandbox import Process
from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core import container, s3
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.jobs import rules
from cloudml_sagemaker.mock.jobs.folders import Mirror, read_text, shard, untouched, within
from cloudml_sagemaker.mock.jobs.life import Host, JobFailed, Run

PREFIX = "/opt/ml/processing"
_MESSAGE = "/opt/ml/output/message"
_MESSAGE_LENGTH = 1024
"""Bytes of the message file that become the ExitMessage (developer guide)."""


class ProcessingRun(Run):
    """See `Run`."""

    kind = "ProcessingJob"
    status = "ProcessingJobStatus"
    group = "/aws/sagemaker/ProcessingJobs"

    def __init__(self, world: World, scope: Scope, name: str) -> None:
        super().__init__(world, scope, name)
        self._message = ""
        self._mirror = Mirror(world, scope, [])

    def instances(self) -> int:
        return rules.instances(self.document["ProcessingResources"]["ClusterConfig"], "ClusterConfig")

    def started(self) -> None:
        now = self.world.now()
        self.update(ProcessingStartTime=now, LastModifiedTime=now)

    def limits(self) -> Sequence[tuple[float, str]]:
        document = self.document
        seconds = document["StoppingCondition"]["MaxRuntimeInSeconds"]
        return [(document["ProcessingStartTime"] + seconds, "max-runtime")]

    def prepare(self, hosts: Sequence[Host]) -> None:
        document = self.document
        config = {key: value for key, value in document.items() if key in _CONFIG}
        names = [host.name for host in hosts]
        for number, host in enumerate(hosts):
            folder = host.root / "config"
            folder.mkdir()
            (folder / "processingjobconfig.json").write_text(json.dumps(config))
            resources = {"current_host": host.name, "hosts": names}
            (folder / "resourceconfig.json").write_text(json.dumps(resources))
            (host.root / "output").mkdir()
            for _, local, _ in self._outputs():
                within(host.root, local).mkdir(parents=True, exist_ok=True)
            for source in self._inputs():
                self._bring(source, host.root, number, len(hosts))

    def _bring(self, source: Document, root: Path, number: int, count: int) -> None:
        uri, kind = source["S3Uri"], source["S3DataType"]
        try:
            found = s3.entries(self.world, self.scope, uri, kind)
            mine = shard(found, source.get("S3DataDistributionType", ""), number, count)
            s3.fetch(self.world, self.scope, mine, within(root, source["LocalPath"]))
        except s3.S3Missing as missing:
            raise JobFailed(f"ClientError: Failed to download data. {missing}") from missing
        except s3.S3Error as error:
            raise JobFailed(f"ClientError: Failed to download data. {error}") from error

    def _inputs(self) -> list[Document]:
        found: list[Document] = self.document.get("ProcessingInputs") or []
        return [one["S3Input"] for one in found if not one.get("AppManaged")]

    def _outputs(self) -> list[tuple[str, str, str]]:
        """Upload mode, local path and URI of each output that is not the application's own business."""
        found: list[Document] = (self.document.get("ProcessingOutputConfig") or {}).get("Outputs") or []
        outputs = [one["S3Output"] for one in found if not one.get("AppManaged")]
        return [(one["S3UploadMode"], one["LocalPath"], one["S3Uri"]) for one in outputs]

    def launch(self, host: Host) -> Process:
        document = self.document
        app = document["AppSpecification"]
        return container.start(
            self.world,
            self.scope,
            image=app["ImageUri"],
            entrypoint=app.get("ContainerEntrypoint") or (),
            arguments=app.get("ContainerArguments") or (),
            env=document.get("Environment") or {},
            root=host.root,
            log=host.log,
            hosts=[f"algo-{number + 1}" for number in range(self.instances())],
        )

    def running(self, hosts: Sequence[Host]) -> int:
        places = [
            (host.root, within(host.root, local), uri)
            for host in hosts
            for mode, local, uri in self._outputs()
            if mode == "Continuous"
        ]
        self._mirror = Mirror(self.world, self.scope, places)
        self._mirror.start()
        try:
            return self.wait()
        finally:
            self._mirror.halt()
            if not self.world.closing.is_set():
                self._upload(self._mirror.stop)

    def finish(self, hosts: Sequence[Host], code: int) -> None:
        messages = (read_text(host.root, _MESSAGE, _MESSAGE_LENGTH) for host in hosts)
        self._message = next(filter(None, messages), "")
        failed = code != 0 or bool(self.stopping)
        if not failed or self.world.switches["outputs-after-failure"] == "upload":
            self._upload(lambda: self._send(hosts))
        for left in self.world.rooms.get("processing-left", ()):  # Model Monitor's metrics lie beside the outputs
            left(self.scope, self.name, [host.root for host in hosts])
        if code and not self.stopping:
            raise JobFailed(f"AlgorithmError: , exit code: {code}")

    def _send(self, hosts: Sequence[Host]) -> None:
        for host in hosts:
            for mode, local, uri in self._outputs():
                folder = within(host.root, local)
                if mode == "EndOfJob" and untouched(host.root, folder):
                    s3.upload_folder(self.world, self.scope, folder, uri)

    def _upload(self, send: Callable[[], None]) -> None:
        try:
            send()
        except s3.S3Error as error:
            raise JobFailed(f"ClientError: Failed to upload output to {error.uri}: {error}") from error

    def ended(self, status: str, reason: str) -> None:
        if self.stopping == "max-runtime" and self.world.switches["processing-timeout"] == "failed":
            status = "Failed"
            reason = "ClientError: The job reached its maximum run time (MaxRuntimeInSeconds)."
        more = {"FailureReason": reason, "ExitMessage": self._message}
        self.change(status, ProcessingEndTime=self.world.now(), **{key: text for key, text in more.items() if text})


_CONFIG = frozenset(
    {
        "ProcessingJobArn",
        "ProcessingJobName",
        "AppSpecification",
        "Environment",
        "ProcessingInputs",
        "ProcessingOutputConfig",
        "ProcessingResources",
        "NetworkConfig",
        "RoleArn",
        "StoppingCondition",
        "ExperimentConfig",
    }
)
"""What processingjobconfig.json repeats of the request, with the job's name and ARN."""
