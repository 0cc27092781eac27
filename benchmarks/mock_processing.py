"""A processing job of the SageMaker mock against the bare process: `true`, with one input and one output in S3.

    python benchmarks/mock_processing.py [--rounds N] [--jobs N] [--json]

The mock's time is from the request (CreateProcessingJob over HTTP) to the change to Completed, as the mock tells it on
its bus; the input is one small object and the program copies it to the output. Needs the extra `mock`.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from measuring import Claim, parser, table, tell

from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import Mock, start

ROLE = "arn:aws:iam::123456789012:role/ml"
IN, OUT = "/opt/ml/processing/in", "/opt/ml/processing/out"


def bare(folder: Path) -> float:
    """Seconds of the process alone."""
    begun = time.perf_counter()
    subprocess.run(["cp", folder / "a", folder / "b"], check=True)
    return time.perf_counter() - begun


def client(url: str, service: str) -> Any:
    """A boto3 client of the mock."""
    import boto3

    keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s"}
    return boto3.client(service, region_name="us-east-1", endpoint_url=url, **keys)


def request(name: str) -> dict[str, Any]:
    """CreateProcessingJob's parameters."""
    source = {"S3Uri": "s3://bench/in", "LocalPath": IN, "S3DataType": "S3Prefix", "S3InputMode": "File"}
    target = {"S3Uri": f"s3://bench/out/{name}", "LocalPath": OUT, "S3UploadMode": "EndOfJob"}
    return {
        "ProcessingJobName": name,
        "RoleArn": ROLE,
        "AppSpecification": {"ImageUri": "bench", "ContainerEntrypoint": ["cp", f"{IN}/a", f"{OUT}/b"]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
        "ProcessingInputs": [{"InputName": "in", "S3Input": source}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": target}]},
    }


class Jobs:
    """Processing jobs, one after the other."""

    def __init__(self, mock: Mock) -> None:
        self._sagemaker = client(mock.url, "sagemaker")
        self._ended = threading.Event()
        self._status = ""
        self._number = 0
        mock.world.bus.subscribe(self._told, "ProcessingJob")

    def _told(self, change: Any) -> None:
        if change.after in {"Completed", "Failed"}:
            self._status = change.after
            self._ended.set()

    def run(self) -> float:
        """Seconds from the request to the end. Raises RuntimeError when the job fails."""
        self._number += 1
        self._ended.clear()
        begun = time.perf_counter()
        self._sagemaker.create_processing_job(**request(f"job-{self._number}"))
        if not self._ended.wait(60) or self._status != "Completed":
            raise RuntimeError(f"the job ended as {self._status or 'nothing'}")
        return time.perf_counter() - begun


def main() -> int:
    """Read the command line, measure, print."""
    options = parser(__doc__, rounds=5)
    options.add_argument("--jobs", type=int, default=20, help="jobs a round (default 20)")
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="cloudml-benchmark-"))
    mock = start(Options(images=("*=/usr",)))
    try:
        (folder / "a").write_text("text")
        storage = client(mock.url, "s3")
        storage.create_bucket(Bucket="bench")
        storage.put_object(Bucket="bench", Key="in/a", Body=b"text")
        jobs = Jobs(mock)
        jobs.run()
        ours: list[float] = []
        floor: list[float] = []
        for _ in range(given.rounds):
            floor += [bare(folder) for _ in range(given.jobs)]
            ours += [jobs.run() for _ in range(given.jobs)]
    finally:
        mock.stop()
        shutil.rmtree(folder, ignore_errors=True)
    rows = [
        (name, 1000 * statistics.median(times), 1000 * min(times)) for name, times in (("bare", floor), ("job", ours))
    ]
    claims = [Claim("overhead of a processing job", rows[1][1] - rows[0][1], 60, " ms")]
    kind, reason = mock.isolation
    text = f"isolation: {kind} ({reason})\n" + table(rows, ("", "median ms", "best ms"))
    return tell(given.json, text, claims, isolation=kind)


if __name__ == "__main__":
    sys.exit(main())
