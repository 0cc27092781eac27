"""What is installed to deploy to SageMaker: cloudml with its extra `sagemaker`, and AWS's own SDK. MiB and packages.

    python benchmarks/sagemaker_install.py --install FOLDER [--json]
    python benchmarks/sagemaker_install.py --ours PYTHON --sdk PYTHON [--json]

--install makes two fresh environments in FOLDER with pip (more than 1 GiB). Else two interpreters are asked that have
the one and the other. Counted are the files, without byte code, of each package and of all that it requires; what else
lies in the environments is left out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from measuring import Claim, table, tell

ROOT = Path(__file__).parents[1]
OURS, SDK = "cloudml-pipelines[sagemaker]", "sagemaker"
MOST = 0.25
"""Of the SDK's size."""

PROGRAM = """
import importlib.metadata as metadata, json, re, sys
try:
    from packaging.requirements import Requirement
except ImportError:
    from pip._vendor.packaging.requirements import Requirement

seen, sizes = set(), {}
stack = [Requirement(sys.argv[1])]
while stack:
    wanted = stack.pop()
    name = re.sub(r"[-_.]+", "-", wanted.name).lower()
    todo = {(name, extra) for extra in ("", *wanted.extras)} - seen
    if not todo:
        continue
    seen |= todo
    found = metadata.distribution(wanted.name)
    missing = wanted.extras - set(found.metadata.get_all("Provides-Extra") or ())
    if missing and wanted.name == Requirement(sys.argv[1]).name:
        sys.exit(f"{wanted.name} as installed there has no extra {', '.join(sorted(missing))}: install it anew")
    if name not in sizes:
        kept = [one.locate() for one in found.files or () if one.suffix != ".pyc"]
        sizes[name] = sum(path.stat().st_size for path in kept if path.is_file())
    for line in found.requires or ():
        one = Requirement(line)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for _, extra in todo):
            stack.append(one)
print(json.dumps(sizes))
"""


def installed(folder: Path, requirement: str) -> str:
    """The interpreter of a fresh environment that has a requirement."""
    venv.create(folder, with_pip=True, clear=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", requirement], check=True, cwd=folder)
    return python


def measure(python: str, requirement: str) -> dict[str, int]:
    """Bytes of a package and of all that it requires, by name."""
    done = subprocess.run([python, "-c", PROGRAM, requirement], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, int] = json.loads(done.stdout)
    return found


def row(name: str, sizes: dict[str, int]) -> tuple[Any, ...]:
    """A line of the table, with the three largest packages."""
    largest = sorted(sizes, key=lambda one: -sizes[one])[:3]
    heavy = ", ".join(f"{one} {sizes[one] / 2**20:.0f}" for one in largest)
    return name, sum(sizes.values()) / 2**20, len(sizes), heavy


def options() -> argparse.Namespace:
    """The command line."""
    made = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    made.add_argument("--install", type=Path, metavar="FOLDER", help="make the environments there")
    made.add_argument("--ours", metavar="PYTHON", default=sys.executable, help="has cloudml-pipelines[sagemaker]")
    made.add_argument("--sdk", metavar="PYTHON", help="has the SDK")
    made.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    given = made.parse_args()
    if (given.install is None) == (given.sdk is None):
        made.error("say --install FOLDER, or --sdk PYTHON")
    return given


def main() -> int:
    """Read the command line, measure, print."""
    given = options()
    ours, theirs = given.ours, given.sdk
    if given.install is not None:
        ours = installed(given.install / "ours", f"{ROOT}[sagemaker]")
        theirs = installed(given.install / "sdk", "sagemaker>=3,<4")
    sizes = {OURS: measure(ours, OURS), SDK: measure(theirs, SDK)}
    total = {name: sum(one.values()) for name, one in sizes.items()}
    text = table([row(name, one) for name, one in sizes.items()], ("", "MiB", "packages", "the largest, MiB"))
    claims = [Claim("[sagemaker] / the SDK, installed size", total[OURS] / total[SDK], MOST)]
    return tell(given.json, text, claims, sizes=sizes)


if __name__ == "__main__":
    sys.exit(main())
