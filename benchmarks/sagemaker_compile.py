"""Compiling for SageMaker, validation against AWS's model included: CPU seconds and bytes by number of steps.

    python benchmarks/sagemaker_compile.py [--rounds N] [--json] [--sdk PYTHON [--sdk-steps N ...]]

With --sdk, an interpreter that has AWS's own `sagemaker` SDK 3.x, the SDK builds the same chain of the same jobs in the
same run, once (tests/sagemaker_sdk/chain.py: minutes for 500 steps); it checks nothing against AWS's model.

A definition may have 1 MiB. The largest size here exceeds that: it is compiled and checked whole, and what is measured
there is the time to the finding that says so. The SDK writes such a definition, which AWS then refuses.

The floor is `json.dumps` of the same documents: no compiler can write them faster than that. Each size is measured in a
process of its own, after the service model is loaded (told apart, since it is paid once a process).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from measuring import Claim, parser, table, tell

SIZES = (10, 100, 500, 1000)
MANY = 500
"""The size of the claims: the largest whose definition AWS takes."""
SDK_CHAIN = Path(__file__).parents[1] / "tests" / "sagemaker_sdk" / "chain.py"
SDK_TIMES = 1000
"""How many times faster than the SDK it is to be."""

PROGRAM = """
import json, sys, time
from pathlib import Path
from cloudml import spec
from cloudml.backend.port import Target
from cloudml.code import FunctionSource, Sources
from cloudml.errors import SpecError
from cloudml_sagemaker.compile import compile_pipeline

def chain(count):
    steps = []
    for number in range(count):
        value = spec.OutputRef(step=f"s{number - 1}", output="output") if number else spec.LiteralValue(value=0)
        steps.append(spec.ProcessingStep(
            name=f"s{number}", function=spec.FunctionRef(module="steps", name="add"),
            inputs=(spec.Port(name="x", type="int"),), outputs=(spec.Port(name="output", type="int"),),
            arguments=(spec.Argument(name="x", value=value),),
        ))
    return spec.Pipeline(name="chain", steps=tuple(steps))

target = Target("aws", "sagemaker", "bench", Path("/"), {
    "region": "us-east-1", "role": "arn:aws:iam::123456789012:role/pipelines", "bucket": "bench", "requirements": "",
})
sources = Sources(Path("/"), {"steps:add": FunctionSource("0" * 64, (("steps.py", "0" * 64),))}, "")
begin = time.process_time()
compile_pipeline(chain(1), target, sources)
loading = time.process_time() - begin
pipeline = chain(int(sys.argv[1]))
begin = time.process_time()
try:
    found = compile_pipeline(pipeline, target, sources)
except SpecError as refused:
    compiling = time.process_time() - begin
    [finding] = refused.diagnostics
    print(json.dumps({"loading": loading, "compiling": compiling, "refused": f"{finding.code}: {finding.message}"}))
    sys.exit()
compiling = time.process_time() - begin
begin = time.process_time()
text = json.dumps([one.document for one in found])
floor = time.process_time() - begin
definition = next(one.document["definition"] for one in found if one.kind == "pipeline")
size = len(json.dumps(definition, separators=(",", ":")))
print(json.dumps({"loading": loading, "compiling": compiling, "floor": floor, "bytes": size}))
"""


def measure(steps: int) -> dict[str, Any]:
    """One process: seconds of loading AWS's model, compiling, writing the same as JSON; bytes of the definition."""
    command = [sys.executable, "-c", PROGRAM, str(steps)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def measure_sdk(python: str, steps: int) -> dict[str, Any]:
    """One process of the SDK's: CPU seconds of making the steps and of writing the definition, and its bytes."""
    command = [python, str(SDK_CHAIN), str(steps)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def medians(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each number; of a refusal its text."""
    first = rounds[0]
    return {
        name: first[name] if name == "refused" else statistics.median(one[name] for one in rounds) for name in first
    }


def own_table(sizes: dict[int, dict[str, Any]]) -> str:
    """Ours beside its floor."""
    rows = []
    for size, one in sizes.items():
        times = (size, 1000 * one["compiling"])
        if "refused" in one:
            rows.append((*times, "-", "-", "too large", one["loading"]))
            continue
        floor = (1000 * one["floor"], one["compiling"] / one["floor"])
        rows.append((*times, *floor, one["bytes"] / 1024, one["loading"]))
    head = ("steps", "compile + check ms", "json.dumps ms", "ratio", "definition KiB", "model loaded in s")
    refused = [f"{size} steps are refused: {one['refused']}" for size, one in sizes.items() if "refused" in one]
    return "\n".join([table(rows, head), *refused])


def sdk_table(sizes: dict[int, dict[str, Any]], theirs: dict[int, dict[str, Any]]) -> str:
    """The SDK's CPU seconds beside ours."""
    rows = [
        (size, one["constructing"], one["writing"], sizes[size]["compiling"], ratio(sizes, theirs, size))
        for size, one in theirs.items()
    ]
    return table(rows, ("steps", "SDK: steps s", "SDK: definition s", "compile + check s", "ratio"))


def ratio(sizes: dict[int, dict[str, Any]], theirs: dict[int, dict[str, Any]], size: int) -> float:
    """How many times our CPU time the SDK takes."""
    return (theirs[size]["constructing"] + theirs[size]["writing"]) / sizes[size]["compiling"]


def options() -> argparse.Namespace:
    """The command line."""
    made = parser(__doc__, rounds=5)
    made.add_argument("--sdk", metavar="PYTHON", help="an interpreter that has the SDK: measure it, too")
    made.add_argument(
        "--sdk-steps", type=int, nargs="+", choices=SIZES, default=[10, 100, MANY], help="sizes that the SDK builds"
    )
    return made.parse_args()


def main() -> int:
    """Read the command line, measure, print."""
    given = options()
    seen: dict[int, list[dict[str, Any]]] = {size: [] for size in SIZES}
    for _ in range(given.rounds):
        for size in SIZES:
            seen[size].append(measure(size))
    sizes = {size: medians(rounds) for size, rounds in seen.items()}
    few = SIZES[0]
    growth = (sizes[MANY]["compiling"] / MANY) / (sizes[few]["compiling"] / few)
    claims = [
        Claim(f"compile and check {MANY} steps, CPU", sizes[MANY]["compiling"], 0.5, " s"),
        Claim(f"CPU time a step at {MANY} steps / at {few}", growth, 2),
    ]
    text = own_table(sizes)
    theirs: dict[int, dict[str, Any]] = {}
    if given.sdk:
        theirs = {size: measure_sdk(given.sdk, size) for size in sorted(given.sdk_steps)}
        text += f"\n\n{sdk_table(sizes, theirs)}"
        claims += [
            Claim(f"the SDK's CPU time / ours, {size} steps", ratio(sizes, theirs, size), SDK_TIMES, at_least=True)
            for size in theirs
            if size == MANY
        ]
    return tell(given.json, text, claims, sizes=sizes, sdk=theirs)


if __name__ == "__main__":
    sys.exit(main())
