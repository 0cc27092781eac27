"""A chain of no-op steps from process start to end: what a step costs beside what it does.

    python benchmarks/chain.py [--rounds N] [--peers DIR] [--json]

Every step runs in a process of its own, with its result on disk and its state in the journal; each run is a first
run. `--peers` names a folder for an environment with DVC, Luigi and doit (made if it is not there, with pip); without
it those three are left out. Peers do the same chain: one command or task a step, each step's number in a file.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

from measuring import CLOUDML, Claim, Cost, cost, cost_table, forget, interleave, parser, project, tell, workplace

LENGTHS = (1, 3, 20, 100)
PEERS = ("dvc", "luigi", "doit")

STEPS = """
import cloudml as ml

@ml.processing
def add(x: int) -> int:
    return x + 1

@ml.pipeline
def pipeline() -> None:
    value = 0
    for number in range({length}):
        value = add.options(name=f"step{{number}}")(value)
"""

PLAIN = """
import json, pathlib
value = 0
for number in range({length}):
    value = value + 1
    pathlib.Path(f"step{{number}}.json").write_text(json.dumps(value))
"""

ONE_STEP = "import json, sys; json.dump(int(sys.argv[1]) + 1, open(sys.argv[2], 'w'))"

PROCESSES = """
import json, subprocess, sys
value = 0
for number in range({length}):
    subprocess.run([sys.executable, "-c", {step!r}, str(value), f"step{{number}}.json"], check=True)
    value = json.load(open(f"step{{number}}.json"))
"""

LUIGI = """
import luigi

class Step(luigi.Task):
    number = luigi.IntParameter()

    def requires(self):
        return [Step(self.number - 1)] if self.number else []

    def output(self):
        return luigi.LocalTarget(f"step{self.number}.txt")

    def run(self):
        value = int(self.input()[0].open().read()) if self.number else 0
        with self.output().open("w") as file:
            file.write(str(value + 1))
"""

DOIT = """
def add(number, targets):
    value = int(open(f"step{{number - 1}}.txt").read()) if number else 0
    open(targets[0], "w").write(str(value + 1))

def task_step():
    for number in range({length}):
        yield {{
            "name": str(number),
            "actions": [(add, [number])],
            "targets": [f"step{{number}}.txt"],
            "file_dep": [f"step{{number - 1}}.txt"] if number else [],
        }}
"""


def cloudml(folder: Path, length: int) -> Callable[[], Cost]:
    """A first run of the chain."""
    place = project(folder / f"cloudml-{length}", "chain", STEPS.format(length=length))

    def run() -> Cost:
        forget(place)
        return cost([*CLOUDML, "run", "--quiet"], place)

    return run


def script(folder: Path, name: str, source: str, length: int) -> Callable[[], Cost]:
    """A plain Python script."""
    place = folder / f"{name}-{length}"
    place.mkdir()
    (place / "chain.py").write_text(source.format(length=length, step=ONE_STEP))
    return lambda: cost([sys.executable, "chain.py"], place)


def luigi(folder: Path, programs: Path, length: int) -> Callable[[], Cost]:
    """Luigi with its local scheduler: all tasks in one process."""
    place = folder / f"luigi-{length}"
    place.mkdir()
    (place / "chain.py").write_text(LUIGI)
    command = [str(programs / "luigi"), "--module", "chain", "Step", "--number", str(length - 1), "--local-scheduler"]

    def run() -> Cost:
        _remove(place, "step*.txt")
        return cost([*command, "--log-level", "ERROR"], place, {"PYTHONPATH": str(place)})

    return run


def doit(folder: Path, programs: Path, length: int) -> Callable[[], Cost]:
    """doit: all tasks in one process, file digests in its database."""
    place = folder / f"doit-{length}"
    place.mkdir()
    (place / "dodo.py").write_text(DOIT.format(length=length))

    def run() -> Cost:
        _remove(place, "step*.txt", ".doit.db*")
        return cost([str(programs / "doit"), "run"], place)

    return run


def dvc(folder: Path, programs: Path, length: int) -> Callable[[], Cost]:
    """DVC without git: one command a stage."""
    place = folder / f"dvc-{length}"
    place.mkdir()
    program = str(programs / "dvc")
    lines = ["stages:"]
    for number in range(length):
        before = f"$(cat step{number - 1}.txt)" if number else "0"
        lines += [f"  step{number}:", f"    cmd: echo $(({before} + 1)) > step{number}.txt"]
        lines += ["    deps:", f"    - step{number - 1}.txt"] if number else []
        lines += ["    outs:", f"    - step{number}.txt"]
    settings = {"DVC_NO_ANALYTICS": "1", "DVC_TEST": "true"}

    def run() -> Cost:
        for path in sorted(place.iterdir()):
            subprocess.run(["rm", "-rf", str(path)], check=True)
        cost([program, "init", "--no-scm", "--quiet"], place, settings)
        (place / "dvc.yaml").write_text("\n".join(lines) + "\n")
        return cost([program, "repro", "--quiet"], place, settings)

    return run


def peers(place: Path) -> Path:
    """The folder of the peers' programs; the environment is made when it is not there."""
    if not (place / "bin" / "dvc").exists():
        venv.create(place, with_pip=True)
        subprocess.run([str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", *PEERS], check=True)
    return place / "bin"


def _remove(place: Path, *patterns: str) -> None:
    for pattern in patterns:
        for path in place.glob(pattern):
            path.unlink()


def main() -> int:
    """Read the command line, measure, print."""
    options = parser(__doc__, rounds=5)
    options.add_argument("--peers", type=Path, metavar="DIR", help="environment with the peers, made if missing")
    given = options.parse_args()
    with workplace() as folder:
        contestants: dict[str, Callable[[], Cost]] = {}
        for length in LENGTHS:
            contestants[f"plain {length}"] = script(folder, "plain", PLAIN, length)
            contestants[f"plain, one process a step {length}"] = script(folder, "processes", PROCESSES, length)
            contestants[f"cloudml {length}"] = cloudml(folder, length)
        if given.peers is not None:
            programs = peers(given.peers)
            for name, make in (("doit", doit), ("luigi", luigi), ("dvc", dvc)):
                contestants[f"{name} 3"] = make(folder, programs, 3)
        costs = interleave(contestants, given.rounds)
    slope = 1000 * (costs["cloudml 100"].wall - costs["cloudml 1"].wall) / 99
    claims = [Claim("overhead of a step, slope between 1 and 100 steps", slope, 15, " ms")]
    if given.peers is None:
        claims.append(Claim("CPU of three steps (limit: DVC as once recorded)", costs["cloudml 3"].cpu, 0.68, " s"))
    else:
        claims.append(Claim("CPU of three steps / DVC's", costs["cloudml 3"].cpu / costs["dvc 3"].cpu, 1.0))
    return tell(given.json, cost_table(costs, "plain 3"), claims, costs=costs, slope_ms=slope)


if __name__ == "__main__":
    sys.exit(main())
