"""Five thousand steps: time stays linear, memory small. Measured apart, with workers that do nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_MEASURE = """
import json, resource, sys, time
from pathlib import Path
from typing import Any

from cloudml import spec
from cloudml.graph import order
from cloudml.validation import validate
from fakes import Bench, FakeWorkers

count, folder = int(sys.argv[1]), Path(sys.argv[2])


def step(index):
    value = spec.LiteralValue(value=index)
    if index % 10:
        value = spec.OutputRef(step=f"step_{index - 1}", output="output")
    return spec.ProcessingStep(
        name=f"step_{index}",
        function=spec.FunctionRef(module="steps", name="work"),
        inputs=(spec.Port(name="value", type="int"),),
        outputs=(spec.Port(name="output", type="int"),),
        arguments=(spec.Argument(name="value", value=value),),
    )


def timed(action):
    begun = time.process_time()
    result = action()
    return result, time.process_time() - begun


def peak_mib():
    status = Path("/proc/self/status")
    if status.exists():  # getrusage's figure would include what the tests' own process took before its exec
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


pipeline = spec.Pipeline(name="wide", steps=tuple(step(index) for index in range(count)))
findings, check = timed(lambda: validate(pipeline))
ordered, sort = timed(lambda: order(pipeline))
bench = Bench(folder)
run = bench.create(pipeline)
bench.document(pipeline)
workers = FakeWorkers(lambda envelope: {"output": envelope["arguments"]["value"]})
states, drive = timed(lambda: bench.drive(run, workers))
second = FakeWorkers(lambda envelope: {"output": 0})
again, recall = timed(lambda: bench.drive(run, second))
print(json.dumps({
    "findings": len(findings), "ordered": len(ordered), "succeeded": list(states.values()).count("succeeded"),
    "started": len(workers.started), "started_again": len(second.started), "status": bench.status,
    "check": check, "order": sort, "drive": drive, "recall": recall,
    "peak_mib": peak_mib(),
}))
"""


def measure(count: int, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(count), str(folder)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found["findings"], found["ordered"], found["succeeded"], found["started"]) == (0, count, count, count)
    assert (found["started_again"], found["status"]) == (0, "succeeded")
    return found


@pytest.mark.slow
def test_ten_times_the_steps_take_about_ten_times_as_long(tmp_path: Path) -> None:
    small, large = measure(500, tmp_path / "small"), measure(5000, tmp_path / "large")
    for part in ("check", "order", "drive", "recall"):
        # CPU time; quadratic work would show as a factor of a hundred. A tenth of a second is noise.
        assert large[part] < 25 * max(small[part], 0.1), f"{part}: {small[part]:.2f} s -> {large[part]:.2f} s"
    assert large["peak_mib"] < 300, "the spec's nodes and what the fake workers remember included"
