"""What all benchmarks share: cost of a process tree, interleaved rounds, medians, a table and JSON."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLOUDML = [str(Path(sys.executable).with_name("cloudml"))]
"""The command as a user types it, of the environment that runs the benchmark."""


@dataclass(frozen=True)
class Cost:
    """What one run cost: wall and CPU seconds, peak MiB of the largest process. CPU counts every descendant that
    was waited for; what outlives the command, such as an endpoint, is not in it."""

    wall: float
    cpu: float
    peak: float
    output: str = ""


def cost(command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end. Raises RuntimeError, with what it said, when it fails."""
    environment = {**os.environ, "PYTHONHASHSEED": "0", **(variables or {})}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else every start compiles what pip would have compiled once
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    if process.returncode:
        raise RuntimeError(
            f"{' '.join(command)} ended with {process.returncode}:\n{texts[0][-2000:]}{texts[1][-4000:]}"
        )
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, texts[0])


def interleave(contestants: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, Cost]:
    """Each contestant once a round, A B C A B C: a slow minute of the machine meets all of them. Medians by name."""
    seen: dict[str, list[Cost]] = {name: [] for name in contestants}
    for number in range(rounds):
        names = list(contestants)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            seen[name].append(contestants[name]())
    return {name: median(costs) for name, costs in seen.items()}


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each number by itself; the output of the last."""
    walls, cpus, peaks = zip(*((one.wall, one.cpu, one.peak) for one in costs), strict=True)
    middle = statistics.median
    return Cost(middle(walls), middle(cpus), middle(peaks), costs[-1].output)


@dataclass(frozen=True)
class Claim:
    """A measured number beside its limit."""

    name: str
    value: float
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def holds(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        verdict = "holds" if self.holds else "MISSED"
        return f"{verdict:6}  {self.name}: {self.value:.3g}{self.unit} (limit {sign} {self.limit:g}{self.unit})"


def table(rows: Sequence[Sequence[Any]], head: Sequence[str]) -> str:
    """Columns wide enough for what stands in them; numbers with three digits."""
    cells = [list(head), *([f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = []
    for line in cells:
        first, *rest = (
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        lines.append("  ".join([first, *rest]))
    return "\n".join(lines)


def cost_table(costs: Mapping[str, Cost], floor: str) -> str:
    """One line a contestant, with its ratio to the floor."""
    base = costs[floor]
    rows = [
        (name, one.wall, one.cpu, one.wall / base.wall, one.cpu / base.cpu, one.peak) for name, one in costs.items()
    ]
    return table(rows, ("", "wall s", "CPU s", "wall ratio", "CPU ratio", "peak MiB"))


def parser(doc: str | None, rounds: int) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    made = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    made.add_argument("--rounds", type=int, default=rounds, help=f"how often each contestant runs (default {rounds})")
    made.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    return made


def tell(as_json: bool, text: str, claims: Sequence[Claim], **data: Any) -> int:
    """Print the tables and claims, or all of it as JSON. 0 when every claim holds, else 1."""
    if as_json:
        told = [{**vars(claim), "holds": claim.holds} for claim in claims]
        json.dump({"claims": told, **data}, sys.stdout, default=_plain)
        sys.stdout.write("\n")
    else:
        sys.stdout.write("\n".join([text, "", *map(str, claims), ""]))
    return 0 if all(claim.holds for claim in claims) else 1


def _plain(value: Any) -> Any:
    if isinstance(value, Cost):
        return {"wall": value.wall, "cpu": value.cpu, "peak_mib": value.peak}
    return str(value)


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="cloudml-benchmark-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def project(folder: Path, name: str, source: str) -> Path:
    """A project with one module, `steps.py`, whose pipeline is `steps:pipeline`."""
    folder.mkdir(parents=True)
    (folder / "cloudml.toml").write_text(f'[project]\nname = "{name}"\npipeline = "steps:pipeline"\n')
    (folder / "steps.py").write_text(source)
    return folder


def forget(folder: Path) -> None:
    """Remove all state of a project: the next run is the first."""
    state = folder / ".cloudml"
    for path in state.rglob("*") if state.exists() else ():
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(state, ignore_errors=True)
