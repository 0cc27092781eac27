"""A large array between two steps: written, hashed, read and verified, against saving and loading it with numpy.

    python benchmarks/large_array.py [--rounds N] [--megabytes N] [--json]

Once in one process, with the functions that a step's process calls; once as a pipeline of two steps against a plain
script. Both sides sum the array after reading it, so that mapping it does not count as reading. The pipeline is also
run with a tiny array, and so is the script: the difference is what the bytes themselves cost.
"""

from __future__ import annotations

import gc
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from measuring import (
    CLOUDML,
    Claim,
    Cost,
    cost,
    forget,
    interleave,
    parser,
    project,
    table,
    tell,
    workplace,
)

STEPS = """
import numpy as np
import cloudml as ml

@ml.processing
def make(count: int) -> np.ndarray:
    return np.arange(count, dtype="f8")

@ml.processing
def use(array: np.ndarray) -> float:
    return float(array.sum())

@ml.pipeline
def pipeline(count: ml.Param[int] = 1) -> None:
    use(make(count))
"""

PLAIN = """
import os, sys
import numpy as np
np.save("array.npy", np.arange(int(sys.argv[1]), dtype="f8"))
print(float(np.load("array.npy").sum()))
os.unlink("array.npy")
"""


def in_process(folder: Path, megabytes: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Median wall and CPU seconds of both ways, by name; `write` and `read` apart."""
    import numpy as np

    from cloudml.runtime.codecs import codec_for_value, read_value
    from cloudml.runtime.digest import Background, measure, write_measured

    array = np.arange(megabytes * 125_000, dtype="f8")
    path = str(folder / "array.npy")
    codec = codec_for_value(array, "numpy.ndarray")
    assert codec.pieces is not None
    kept: dict[str, Any] = {}

    def save() -> None:
        np.save(path, array)

    def load() -> None:
        np.load(path).sum()

    def write() -> None:
        pieces = codec.pieces(array) if codec.pieces is not None else None
        assert pieces is not None
        kept["digest"] = write_measured(path, pieces)[0]

    def read() -> None:
        checked = Background(lambda: measure(path, kept["digest"]))
        value = read_value(path, "numpy.ndarray", "npy")
        assert checked.finish()[0] == kept["digest"]
        value.sum()

    seen: dict[str, list[tuple[float, float]]] = {}
    ways: dict[str, Callable[[], None]] = {
        "numpy save": save,
        "numpy load": load,
        "cloudml write": write,
        "cloudml read": read,
    }
    for _ in range(rounds):
        for name, action in ways.items():
            if name in ("numpy save", "cloudml write") and os.path.exists(path):
                os.unlink(path)
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            action()
            seen.setdefault(name, []).append((time.perf_counter() - wall, time.process_time() - cpu))
    middle = {n: (statistics.median(w for w, _ in s), statistics.median(c for _, c in s)) for n, s in seen.items()}
    for side, (first, second) in {"numpy": ("save", "load"), "cloudml": ("write", "read")}.items():
        parts = zip(seen[f"{side} {first}"], seen[f"{side} {second}"], strict=True)
        sums = [(one[0] + two[0], one[1] + two[1]) for one, two in parts]
        middle[side] = (statistics.median(w for w, _ in sums), statistics.median(c for _, c in sums))
    return middle


def pipelines(folder: Path, megabytes: int, rounds: int) -> dict[str, Cost]:
    """The pipeline of two steps and the plain script, with the large array and with a tiny one."""
    place = project(folder / "cloudml", "array", STEPS)
    (folder / "plain.py").write_text(PLAIN)
    counts = {"large": megabytes * 125_000, "tiny": 1}

    def cloudml(count: int) -> Cost:
        forget(place)
        return cost([*CLOUDML, "run", "--quiet", "--param", f"count={count}"], place)

    def plain(count: int) -> Cost:
        return cost([sys.executable, "plain.py", str(count)], folder)

    contestants: dict[str, Callable[[], Cost]] = {}
    for name, count in counts.items():
        contestants[f"plain, {name}"] = partial(plain, count)
        contestants[f"cloudml, {name}"] = partial(cloudml, count)
    return interleave(contestants, rounds)


def main() -> int:
    """Read the command line, measure, print."""
    options = parser(__doc__, rounds=7)
    options.add_argument("--megabytes", type=int, default=200)
    given = options.parse_args()
    with workplace() as folder:
        inside = in_process(folder, given.megabytes, given.rounds)
        whole = pipelines(folder, given.megabytes, given.rounds)
    plain = whole["plain, large"].wall - whole["plain, tiny"].wall
    ours = whole["cloudml, large"].wall - whole["cloudml, tiny"].wall
    claims = [
        Claim("write, hash, read, verify / save and load", inside["cloudml"][0] / inside["numpy"][0], 1.3),
        Claim("what the bytes add to the pipeline / to the script", ours / plain, 1.3),
    ]
    rows: list[tuple[Any, ...]] = [(name, wall, cpu) for name, (wall, cpu) in inside.items()]
    rows += [(name, one.wall, one.cpu) for name, one in whole.items()]
    return tell(given.json, table(rows, ("", "wall s", "CPU s")), claims, in_process=inside, costs=whole)


if __name__ == "__main__":
    sys.exit(main())
