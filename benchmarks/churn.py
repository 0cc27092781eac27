"""The churn template, whole: its first run against the same functions in plain Python, and a run again unchanged.

    python benchmarks/churn.py [--rounds N] [--customers N] [--json]

Both sides get one thread for each BLAS, OpenMP and Polars pool, and the same parameters; the metrics must be equal to
the last bit. CPU is that of the command's process tree. What only the pipeline does is in it too (register, deploy,
verify); the endpoints outlive the command, so theirs is told apart, once they were stopped.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from measuring import CLOUDML, Claim, Cost, cost, forget, interleave, median, parser, table, tell, workplace

HERE = Path(__file__).parent
TEMPLATE = HERE.parent / "templates" / "cloudml_templates" / "churn"
ENDPOINTS = ("churn-staging", "churn")
_PR_SET_CHILD_SUBREAPER = 36
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "POLARS_MAX_THREADS")
THREADS = dict.fromkeys(POOLS, "1")


class Churn:
    """A project made from the template, and the last answers of both sides."""

    def __init__(self, folder: Path, customers: int) -> None:
        self.place = folder / "churn"
        self.customers = customers
        self.plain_answer: dict[str, Any] = {}
        self.run_answer: dict[str, Any] = {}
        self.endpoint_cpu: list[float] = []
        shutil.copytree(TEMPLATE, self.place, ignore=shutil.ignore_patterns(".*", "__pycache__"))

    def plain(self) -> Cost:
        """The functions in one process."""
        script = str(HERE / "churn_plain.py")
        given = ["--project", str(self.place), "--set", f"customers={self.customers}"]
        found = cost([sys.executable, script, *given], self.place, THREADS)
        self.plain_answer = json.loads(found.output.splitlines()[-1])
        return found

    def cold(self) -> Cost:
        """The pipeline's first run. Its endpoints are left running for `warm`."""
        self.stop()
        forget(self.place)
        return self._run()

    def warm(self) -> Cost:
        """The same again: nothing to compute."""
        return self._run()

    def _run(self) -> Cost:
        command = [*CLOUDML, "run", "--quiet", "--param", f"customers={self.customers}", "--output", "json"]
        found = cost(command, self.place, THREADS)
        self.run_answer = json.loads(found.output)["run"]
        return found

    def stop(self) -> None:
        """Stop the endpoints; they become our children when their parents end, so their CPU can be read."""
        if not (self.place / ".cloudml").exists():
            return
        for name in ENDPOINTS:
            cost([*CLOUDML, "stop", name], self.place)
        self.endpoint_cpu.append(reap())


def adopt_orphans() -> None:
    """Become the parent of what outlives its own (Linux)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def reap() -> float:
    """CPU seconds of all adopted processes that ended, or end within three seconds."""
    total, deadline = 0.0, time.monotonic() + 3.0
    while time.monotonic() < deadline:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid:
            total += usage.ru_utime + usage.ru_stime
        else:
            time.sleep(0.02)
    return total


def equal(plain: dict[str, Any], run: dict[str, Any]) -> bool:
    """Whether both sides found the same best trial and the same scores."""
    values = {task["id"]: task["values"] for task in run["tasks"]}
    found = (values["evaluate"]["scores"], values["fit"]["best_parameters"])
    return bool(found == (plain["metrics"], plain["best"]["parameters"]))


def recomputed(run: dict[str, Any]) -> list[str]:
    """Jobs that were not taken from the cache."""
    kept = ("cached", "skipped")
    return [task["id"] for task in run["tasks"] if task["kind"] != "condition" and task["status"] not in kept]


def main() -> int:
    """Read the command line, measure, print."""
    options = parser(__doc__, rounds=3)
    options.add_argument("--customers", type=int, default=10_000)
    given = options.parse_args()
    adopt_orphans()
    with workplace() as folder:
        churn = Churn(folder, given.customers)
        try:
            costs = interleave({"plain": churn.plain, "cloudml, first run": churn.cold}, given.rounds)
            is_equal = equal(churn.plain_answer, churn.run_answer)
            warm = [churn.warm() for _ in range(3 * given.rounds)]
            anew = recomputed(churn.run_answer)
        finally:
            churn.stop()
        costs["cloudml, unchanged"] = median(warm)
        quickest = min(one.wall for one in warm)
    base = costs["plain"]
    rows: list[tuple[Any, ...]] = [
        (name, one.wall, one.cpu, one.cpu / base.cpu, one.peak) for name, one in costs.items()
    ]
    rows.append(("endpoints, apart", "", median([Cost(0, cpu, 0) for cpu in churn.endpoint_cpu]).cpu, "", ""))
    claims = [
        Claim("CPU of the first run / plain", costs["cloudml, first run"].cpu / base.cpu, 1.10),
        Claim("unchanged run, wall from process start", costs["cloudml, unchanged"].wall, 0.35, " s"),
        Claim("metrics and best trial equal to plain", float(is_equal), 1, at_least=True),
        Claim("tasks computed anew in the unchanged run", len(anew), 0),
    ]
    text = table(rows, ("", "wall s", "CPU s", "CPU ratio", "peak MiB"))
    metrics = churn.plain_answer["metrics"]
    text += f"\nquickest unchanged run {quickest:.3f} s; metrics {metrics}"
    return tell(given.json, text, claims, costs=costs, metrics=metrics, anew=anew, endpoint_cpu=churn.endpoint_cpu)


if __name__ == "__main__":
    sys.exit(main())
