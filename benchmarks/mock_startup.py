"""From the command to the first answer: the SageMaker mock against moto's own server.

python benchmarks/mock_startup.py [--rounds N] [--json]

The first answer is that of ListModels, so that loading SageMaker's service model is counted, and for the mock also that
of S3's ListBuckets, for which moto must have been loaded behind it.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

from measuring import CLOUDML, Claim, Cost, interleave, parser, table, tell
from mock_api import free_port

SIGNED = "AWS4-HMAC-SHA256 Credential=mock/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"
LIST_MODELS = ("POST", "/", {"X-Amz-Target": "SageMaker.ListModels", "Authorization": SIGNED.format("sagemaker")})
LIST_BUCKETS = ("GET", "/", {"Authorization": SIGNED.format("s3")})

Call = tuple[str, str, dict[str, str]]


def ask(port: int, call: Call) -> None:
    """One call, again until somebody listens. Raises RuntimeError when it is not answered well within a minute."""
    method, path, headers = call
    limit = time.monotonic() + 60
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(method, path, "{}" if method == "POST" else None, headers)
            answer = connection.getresponse()
            text = answer.read()
        except OSError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.01)
            continue
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {text[:500]!r}")
        return


def start(command: Callable[[int], list[str]], calls: tuple[Call, ...]) -> Cost:
    """Start the server, make the calls, end it; what that cost until the last answer, and its CPU until its end."""
    port = free_port()
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    process = subprocess.Popen(
        command(port), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    try:
        for call in calls:
            ask(port, call)
        wall = time.perf_counter() - started
    finally:
        process.terminate()
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def mock(port: int) -> list[str]:
    """Ours."""
    return [*CLOUDML, "mock", "sagemaker", "--port", str(port)]


def moto(port: int) -> list[str]:
    """moto's."""
    return [sys.executable, "-m", "moto.server", "-p", str(port)]


def main() -> int:
    """Read the command line, measure, print."""
    given = parser(__doc__, rounds=7).parse_args()
    contestants = {
        "mock: ListModels": partial(start, mock, (LIST_MODELS,)),
        "moto: ListModels": partial(start, moto, (LIST_MODELS,)),
        "mock: both": partial(start, mock, (LIST_MODELS, LIST_BUCKETS)),
        "moto: both": partial(start, moto, (LIST_MODELS, LIST_BUCKETS)),
    }
    costs = interleaved(contestants, given.rounds)
    rows = [(name, one.wall, one.cpu, one.peak) for name, one in costs.items()]
    claims = [
        Claim(f"{what}, mock / moto", costs[f"mock: {what}"].wall / costs[f"moto: {what}"].wall, 1.2)
        for what in ("ListModels", "both")
    ]
    text = table(rows, ("first answer", "wall s", "CPU s", "peak MiB"))
    return tell(given.json, text, claims, costs=costs)


def interleaved(contestants: dict[str, Callable[[], Cost]], rounds: int) -> dict[str, Cost]:
    """Medians by name; everybody runs once before it counts."""
    for contestant in contestants.values():
        contestant()
    return interleave(contestants, rounds)


if __name__ == "__main__":
    sys.exit(main())
