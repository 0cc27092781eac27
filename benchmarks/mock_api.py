"""API calls a second: the SageMaker mock against moto's own server, same client, same calls, taking turns.

python benchmarks/mock_api.py [--rounds N] [--json]
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from measuring import CLOUDML, Claim, parser, table, tell

BATCH = 60
"""Calls of one turn."""
ROLE = "arn:aws:iam::123456789012:role/ml"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/ml:1"


@contextmanager
def served(command: list[str], url: str = "") -> Iterator[str]:
    """A server's url while it runs; one that has none given prints it as JSON."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield url or json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.communicate(timeout=30)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def client(url: str, service: str) -> Any:
    """A boto3 client as anybody makes it."""
    import boto3

    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="mock",
        aws_secret_access_key="mock",
    )


def calls(url: str) -> dict[str, Callable[[int], Any]]:
    """The calls, each taking its number; what they need is made first."""
    sagemaker, s3 = client(url, "sagemaker"), client(url, "s3")
    s3.create_bucket(Bucket="bench")
    sagemaker.create_model(
        ModelName="first", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE, "Environment": {"A": "1"}}
    )
    sagemaker.create_model_package_group(ModelPackageGroupName="group")
    return {
        "CreateModel": lambda n: sagemaker.create_model(
            ModelName=f"model-{n}", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE}
        ),
        "DescribeModel": lambda _: sagemaker.describe_model(ModelName="first"),
        "ListModels": lambda _: sagemaker.list_models(MaxResults=10),
        "DescribeModelPackageGroup": lambda _: sagemaker.describe_model_package_group(ModelPackageGroupName="group"),
        "ListTags": lambda _: sagemaker.list_tags(ResourceArn="arn:aws:sagemaker:us-east-1:123456789012:model/first"),
        "s3:PutObject": lambda n: s3.put_object(Bucket="bench", Key=f"k{n}", Body=b"x" * 1000),
        "s3:GetObject": lambda _: s3.get_object(Bucket="bench", Key="k0")["Body"].read(),
    }


def measure(contestants: dict[str, dict[str, Callable[[int], Any]]], rounds: int) -> dict[str, dict[str, float]]:
    """Calls a second by call and contestant: the median of the rounds, the contestants taking turns."""
    names = list(next(iter(contestants.values())))
    seen: dict[str, dict[str, list[float]]] = {name: {who: [] for who in contestants} for name in names}
    number = 0
    for turn in range(rounds):
        order = list(contestants) if turn % 2 else list(reversed(contestants))
        for name in sorted(names, key=lambda name: name == "s3:GetObject"):
            for who in order:
                call = contestants[who][name]
                started = time.perf_counter()
                for position in range(BATCH):
                    call(number + position)
                seen[name][who].append(BATCH / (time.perf_counter() - started))
            number += BATCH
    return {name: {who: statistics.median(rates) for who, rates in by.items()} for name, by in seen.items()}


def main() -> int:
    """Read the command line, measure, print."""
    given = parser(__doc__, rounds=5).parse_args()
    port = free_port()
    moto = [sys.executable, "-m", "moto.server", "-p", str(port)]
    with (
        served([*CLOUDML, "mock", "sagemaker", "--output", "json"]) as ours,
        served(moto, f"http://127.0.0.1:{port}") as theirs,
    ):
        wait_for(port)
        contestants = {"mock": calls(ours), "moto": calls(theirs)}
        for by_name in contestants.values():
            for call in by_name.values():
                call(0 if call is by_name["s3:PutObject"] else 10**6)
        rates = measure(contestants, given.rounds)
    rows = [(name, by["mock"], by["moto"], by["mock"] / by["moto"]) for name, by in rates.items()]
    claims = [Claim(f"{name}, mock / moto", by["mock"] / by["moto"], 1, at_least=True) for name, by in rates.items()]
    text = table(rows, ("calls a second", "mock", "moto", "ratio"))
    return tell(given.json, text, claims, rates=rates)


def wait_for(port: int) -> None:
    """Until somebody listens. Raises TimeoutError after a minute."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nobody listens on port {port}")


if __name__ == "__main__":
    sys.exit(main())
