"""Kill a driver at random moments, resume, compare. One JSON line for each seed, read by test_kill.py.

    python chaos.py FOLDER FIRST COUNT

It stands apart from pytest because it forks drivers, which a process with threads must not do.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from worlds import TAG, World, outcome, wait_until

SOURCE = """
class Scores(ml.Metrics):
    loss: float


class Fit(NamedTuple):
    scores: Scores
    model: bytes


@ml.processing
def numbers(size: int) -> list[int]:
    count("numbers")
    return list(range(size))


@ml.processing
def square_sum(values: list[int]) -> int:
    count("square_sum")
    return sum(value * value for value in values)


@ml.processing
def twice(value: int) -> int:
    count(f"twice[{value}]")
    return 2 * value


@ml.processing
def add(left: int, right: list[int]) -> int:
    count("add")
    return left + sum(right)


@ml.training
def fit(base: int, rate: float, depth: int) -> Fit:
    count("trial-" + os.environ["CLOUDML_TRIAL"])
    loss = (rate - 0.25) ** 2 + 0.01 * abs(depth - 3) + base
    return Fit(Scores(loss=loss), f"{rate!r} {depth}".encode())


@ml.processing
def size_of(model: bytes) -> int:
    count("size_of")
    return len(model)


@ml.processing
def bye() -> str:
    count("bye")
    return "bye"


@ml.pipeline
def pipeline() -> None:
    values = numbers(4)
    squares = square_sum(values)
    with ml.map(values, parallel=2) as value:
        doubled = twice(value)
    total = add(squares, ml.collect(doubled))
    best = ml.tune(
        fit, base=total, minimize=Scores.loss, trials=6, parallel=2, seed=3,
        space={"rate": ml.log_uniform(0.01, 1.0), "depth": ml.ints(1, 6)},
    )
    with ml.when(best.loss < total + 5) as good:
        size_of(best.model)
    with good.otherwise():
        ml.fail("loss {loss}", loss=best.loss)
    with ml.on_exit():
        bye()
"""


STEPS = 15
"""How many notes an undisturbed run leaves: nine steps and six trials."""


def drive(world: World, run: bool) -> int:
    """Fork a driver; its process id. It leads a process group, as a command of a shell does."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setpgid(0, 0)
        os.environ[TAG] = str(world.root)
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        record = world.run() if run else world.resume()
        os._exit(0 if record.status == "succeeded" else 1)
    except BaseException:
        os._exit(2)


def kill(world: World, pid: int, how: str) -> None:
    """The driver itself, its group, its zygote, or one of the zygote's children."""
    if how == "driver":
        os.kill(pid, signal.SIGKILL)
    elif how == "group":
        os.killpg(pid, signal.SIGKILL)
    else:
        zygotes = _children(pid)
        victims = zygotes if how == "zygote" else [child for zygote in zygotes for child in _children(zygote)]
        for victim in victims[:1]:
            os.kill(victim, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def finished(world: World) -> set[str]:
    """The names under which steps and trials that are written down as ended made their notes."""
    try:
        base = sqlite3.connect(f"file:{world.state / 'state.db'}?mode=ro", uri=True)
        names = [row[0] for row in base.execute("SELECT id FROM tasks WHERE status = 'succeeded'")]
        trials = [f"trial-{row[0]}" for row in base.execute("SELECT number FROM trials WHERE state = 'succeeded'")]
        base.close()
    except sqlite3.OperationalError:
        return set()  # killed before the state was made
    return {name for name in [*names, *trials] if world.count(name)} - {"bye"}  # a finally block runs each time


def damaged(world: World) -> list[str]:
    """Artifacts that are not what their digest says."""
    with world.session() as session:
        return list(session.collect(1000, True, True).corrupt)


def healthy(world: World) -> str:
    base = sqlite3.connect(world.state / "state.db")
    answer = str(base.execute("PRAGMA integrity_check").fetchone()[0])
    base.close()
    return answer


def forget(world: World) -> None:
    """As if nothing had run; the prepared pipeline is kept, so that a driver begins at once."""
    for place in world.state.iterdir():
        if place.is_dir() and place.name != "prepared":
            shutil.rmtree(place)
        elif place.is_file():
            place.unlink()
    for note in (world.root / "side").iterdir():
        note.unlink()


def _wait(world: World, chance: random.Random, span: float) -> str:
    """Half of the moments are drawn from the clock, half from the run's own progress, which load does not move."""
    if chance.random() < 0.5:
        delay = chance.uniform(0.0, span)
        time.sleep(delay)
        return f"after {delay:.3f} s"
    notes, delay = chance.randint(1, STEPS), chance.uniform(0.0, 0.05)
    wait_until(lambda: sum(world.counts().values()) >= notes, 20.0)
    time.sleep(delay)
    return f"{delay:.3f} s after note {notes}"


def attempt(world: World, seed: int, wanted: dict[str, Any], span: float, how: str) -> dict[str, Any]:
    """One kill and what came of it."""
    chance = random.Random(seed)
    forget(world)
    pid = drive(world, run=True)
    moment = _wait(world, chance, span)
    kill(world, pid, how)
    _, status = os.waitpid(pid, 0)
    strays = not wait_until(lambda: not world.processes(), 5.0)
    ended = finished(world)
    before = world.counts()
    begun = (world.state / "state.db").exists() and _runs(world) > 0
    code = os.waitstatus_to_exitcode(os.waitpid(drive(world, run=not begun), 0)[1])
    after = world.counts()
    found = json.loads(json.dumps(outcome(world.get())))
    return {
        "seed": seed,
        "how": how,
        "moment": moment,
        "killed": os.WIFSIGNALED(status),
        "ended": len(ended),
        "code": code,
        "differs": {name: [one, wanted.get(name)] for name, one in found.items() if one != wanted.get(name)},
        "again": sorted(name for name in ended if after[name] != before[name]),
        "damaged": damaged(world),
        "integrity": healthy(world),
        "strays": strays or not wait_until(lambda: not world.processes(), 5.0),
    }


def _runs(world: World) -> int:
    try:
        base = sqlite3.connect(f"file:{world.state / 'state.db'}?mode=ro", uri=True)
        answer = int(base.execute("SELECT count(*) FROM runs").fetchone()[0])
        base.close()
        return answer
    except sqlite3.OperationalError:
        return 0


def main(folder: Path, first: int, count: int, how: str) -> None:
    import optuna  # noqa: F401 - imported here once: the forked drivers have it

    world = World(folder, SOURCE)
    world.resources()
    forget(world)
    started = time.monotonic()
    assert os.waitstatus_to_exitcode(os.waitpid(drive(world, run=True), 0)[1]) == 0
    span = 1.05 * (time.monotonic() - started)
    wanted = json.loads(json.dumps(outcome(world.get())))
    states = {name: one[0] for name, one in wanted.items()}
    print(json.dumps({"span": round(span, 3), "states": states, "counts": world.counts()}))
    for seed in range(first, first + count):
        print(json.dumps(attempt(world, seed, wanted, span, how)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
