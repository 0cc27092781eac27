"""How soon a command answers, and what it imports: `--help`, `--version`, `check` on the churn template.

python benchmarks/startup.py [--rounds N] [--json]
"""

from __future__ import annotations

import json
import shutil
import sys
from functools import partial
from pathlib import Path

from measuring import CLOUDML, Claim, cost, cost_table, interleave, parser, tell, workplace

TEMPLATE = Path(__file__).parents[1] / "templates" / "cloudml_templates" / "churn"

HEAVY = (
    "aiohttp", "boto3", "botocore", "click", "google", "numpy", "optuna", "pandas", "polars", "pyarrow", "pydantic",
    "rich", "scipy", "skops", "sklearn", "sqlite3", "starlette", "uvicorn", "yaml",
)  # fmt: skip
"""Modules that cost more than ten milliseconds to import."""
NEVER = ("boto3", "botocore", "google", "pandas", "scipy", "sklearn", "skops", "optuna")
"""Of these, what may not be imported before a step needs it."""

REPORT = """
import json, sys
from cloudml.cli import main
main(sys.argv[1:])
sys.stderr.write(json.dumps(sorted(sys.modules)))
"""


def imported(arguments: list[str], folder: Path) -> list[str]:
    """The heavy modules that a command imports."""
    script = REPORT.replace("sys.stderr", "open('modules.json', 'w')")
    cost([sys.executable, "-c", script, *arguments], folder)
    found = json.loads((folder / "modules.json").read_text())
    return [name for name in HEAVY if name in found]


def main() -> int:
    """Read the command line, measure, print."""
    given = parser(__doc__, rounds=15).parse_args()
    commands = {"--help": ["--help"], "--version": ["--version"], "check (churn)": ["check"]}
    with workplace() as folder:
        place = folder / "churn"
        shutil.copytree(TEMPLATE, place, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        contestants = {"python -c pass": partial(cost, [sys.executable, "-c", "pass"], place)}
        for name, arguments in commands.items():
            contestants[f"cloudml {name}"] = partial(cost, [*CLOUDML, *arguments], place)
        costs = interleave(contestants, given.rounds)
        modules = {name: imported(arguments, place) for name, arguments in commands.items()}
    floor = costs["python -c pass"]
    forbidden = sorted({one for names in modules.values() for one in names if one in NEVER})
    claims = [
        Claim("--help / python -c pass, wall", costs["cloudml --help"].wall / floor.wall, 3),
        Claim("--help / python -c pass, CPU", costs["cloudml --help"].cpu / floor.cpu, 3),
        Claim("check on churn, wall", costs["cloudml check (churn)"].wall, 1, " s"),
        Claim("SDKs, pandas, scikit-learn imported", len(forbidden), 0),
    ]
    lists = "\n".join(f"{name} imports: {', '.join(names) or 'nothing heavy'}" for name, names in modules.items())
    text = f"{cost_table(costs, 'python -c pass')}\n\n{lists}"
    return tell(given.json, text, claims, costs=costs, modules=modules)


if __name__ == "__main__":
    sys.exit(main())
