"""Four independent CPU steps of about two seconds each: how much of two cores the engine uses.

    python benchmarks/parallel.py [--rounds N] [--seconds S] [--json]

Ideal is what two plain processes take that do two of the steps each: all that the two cores can give, which on a shared
machine is less than twice one core. Half of the steps one after the other is told too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from measuring import CLOUDML, Claim, Cost, cost, forget, interleave, parser, project, table, tell, workplace

WORK = """
def work(rounds: int) -> int:
    value = 1
    for _ in range(rounds):
        value = (value * 1103515245 + 12345) % 2147483648
    return value
"""

STEPS = """
import cloudml as ml
{work}
@ml.processing
def busy(rounds: int, number: int) -> int:
    return work(rounds) + number

@ml.pipeline(max_parallel=2)
def pipeline() -> None:
    for number in range(4):
        busy.options(name=f"busy{{number}}")({rounds}, number)
"""

PLAIN = """
import sys
{work}
for _ in range(int(sys.argv[1])):
    work({rounds})
"""

TWO = "import subprocess, sys\nboth = [subprocess.Popen([sys.executable, 'plain.py', '2']) for _ in range(2)]\n"
TWO += "sys.exit(max(one.wait() for one in both))\n"


TIMED = """
import time
{work}
started = time.process_time()
work({rounds})
print(time.process_time() - started)
"""


def rounds_for(seconds: float) -> int:
    """How many rounds of the work take this long on one core, now."""
    trial = 2_000_000
    command = [sys.executable, "-c", TIMED.format(work=WORK, rounds=trial)]
    return int(trial * seconds / min(float(cost(command, Path()).output) for _ in range(3)))


def main() -> int:
    """Read the command line, measure, print."""
    options = parser(__doc__, rounds=3)
    options.add_argument("--seconds", type=float, default=2.0, help="CPU seconds of one step (default 2)")
    given = options.parse_args()
    if (os.cpu_count() or 1) < 2:
        sys.exit("this benchmark needs two cores")
    rounds = rounds_for(given.seconds)
    with workplace() as folder:
        place = project(folder / "cloudml", "parallel", STEPS.format(work=WORK, rounds=rounds))
        (folder / "plain.py").write_text(PLAIN.format(work=WORK, rounds=rounds))
        (folder / "two.py").write_text(TWO)

        def cloudml() -> Cost:
            forget(place)
            return cost([*CLOUDML, "run", "--quiet"], place)

        costs = interleave(
            {
                "plain, one after the other": lambda: cost([sys.executable, "plain.py", "4"], folder),
                "plain, two processes": lambda: cost([sys.executable, "two.py"], folder),
                "cloudml": cloudml,
            },
            given.rounds,
        )
    serial, two, ours = costs.values()
    claims = [Claim("share of ideal (two plain processes)", two.wall / ours.wall, 0.9, at_least=True)]
    text = table([(name, one.wall, one.cpu) for name, one in costs.items()], ("", "wall s", "CPU s"))
    text += f"\nhalf of one after the other: {serial.wall / 2:.3f} s"
    return tell(given.json, text, claims, costs=costs)


if __name__ == "__main__":
    sys.exit(main())
