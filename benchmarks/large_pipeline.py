"""Five thousand steps in one pipeline, and five hundred: whether each part grows with the number, and the memory.

    python benchmarks/large_pipeline.py [--rounds N] [--steps N] [--json]

The steps form a tree (each reads one result and waits for another). They are run once, a tenth of them in processes:
the rest are items that a condition skips, so that the driver schedules all and the machine is not kept busy for
minutes. Then the same run again, all from the cache.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

from measuring import Claim, cost, forget, parser, project, table, tell, workplace

STEPS = """
import cloudml as ml

@ml.processing
def add(x: int) -> int:
    return x + 1

@ml.pipeline
def pipeline() -> None:
    first = add.options(name="first")(0)
    values = [first]
    with ml.when(first >= 1, name="few"):
        for number in range({few}):
            values.append(add.options(name=f"few{{number}}")(values[(number + 1) // 2]))
    skipped = [first]
    with ml.when(first >= 2, name="many"):
        for number in range({many}):
            skipped.append(add.options(name=f"many{{number}}")(skipped[(number + 1) // 2]))
"""

PARTS = """
import json, resource, sys, time
from pathlib import Path
sys.path.insert(0, ".")
from cloudml import graph
from cloudml.discovery import load_backend
from cloudml.operations.load import load_spec, sources_of
from cloudml.operations.project import load_project
from cloudml.validation import validate

times = {}
def timed(name, work):
    started = time.process_time()
    result = work()
    times[name] = time.process_time() - started
    return result

project = load_project()
target = project.target()
backend = load_backend("local")
pipeline, locations = timed("build", lambda: load_spec(project, "pipeline"))
timed("check", lambda: validate(pipeline, locations))
timed("order", lambda: graph.order(pipeline))
sources = sources_of(pipeline, project)
timed("compile", lambda: backend.compile(pipeline, target, sources))
print(json.dumps(times))
"""

RUN = """
import json, resource, sys, time
from cloudml.operations.project import load_project
from cloudml.operations.run import run

started = time.perf_counter()
own = time.process_time()
project = load_project()
record = run(project, project.target())
states = {}
for task in record.tasks:
    states[task.status] = states.get(task.status, 0) + 1
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"wall": time.perf_counter() - started, "cpu": time.process_time() - own,
                  "peak": usage.ru_maxrss / 1024, "states": states, "status": record.status}))
"""


def parts(place: Path, rounds: int) -> dict[str, float]:
    """Median CPU seconds of each part that needs no process."""
    seen = [json.loads(cost([sys.executable, "-c", PARTS], place).output) for _ in range(rounds)]
    return {name: statistics.median(one[name] for one in seen) for name in seen[0]}


def driven(place: Path) -> dict[str, dict[str, float]]:
    """A first run and the same again: the driver's own CPU seconds and peak MiB."""
    forget(place)
    runs = {name: json.loads(cost([sys.executable, "-c", RUN], place).output) for name in ("run", "run again")}
    assert all(one["status"] == "succeeded" for one in runs.values()), runs
    return runs


def main() -> int:
    """Read the command line, measure, print."""
    options = parser(__doc__, rounds=3)
    options.add_argument("--steps", type=int, default=5000)
    given = options.parse_args()
    sizes = (given.steps // 10, given.steps)
    times: dict[str, dict[int, float]] = {}
    peak = 0.0
    states: dict[int, object] = {}
    with workplace() as folder:
        for size in sizes:
            few = size // 10
            source = STEPS.format(few=few, many=size - few - 3)
            place = project(folder / str(size), "large", source)
            for name, seconds in parts(place, given.rounds).items():
                times.setdefault(name, {})[size] = seconds
            for name, run in driven(place).items():
                times.setdefault(f"{name}, driver", {})[size] = run["cpu"]
                peak = max(peak, run["peak"])
                states[size] = run["states"]
    small, large = sizes
    rows = [(name, one[small], one[large], one[large] / one[small]) for name, one in times.items()]
    claims = [Claim(f"{name}: growth for ten times the steps", ratio, 14) for name, _, _, ratio in rows]
    claims.append(Claim("peak memory of the driver", peak, 300, " MiB"))
    text = table(rows, ("CPU s", f"{small} steps", f"{large} steps", "growth")) + f"\nstates {states}"
    return tell(given.json, text, claims, times=times, peak_mib=peak, states=states)


if __name__ == "__main__":
    sys.exit(main())
