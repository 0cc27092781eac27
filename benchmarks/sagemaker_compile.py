"""Compiling for SageMaker, validation against AWS's model included: CPU seconds and bytes by number of steps.

    python benchmarks/sagemaker_compile.py [--rounds N] [--json]

The floor is `json.dumps` of the same documents: no compiler can write them faster than that. Each size is measured in a
process of its own, after the service model is loaded (told apart, since it is paid once a process).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

from measuring import Claim, parser, table, tell

SIZES = (10, 100, 500)
"""AWS's limit of a definition, 1 MiB, is reached soon after the last."""

PROGRAM = """
import json, sys, time
from pathlib import Path
from cloudml import spec
from cloudml.backend.port import Target
from cloudml.code import FunctionSource, Sources
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
found = compile_pipeline(pipeline, target, sources)
compiling = time.process_time() - begin
begin = time.process_time()
text = json.dumps([one.document for one in found])
floor = time.process_time() - begin
definition = next(one.document["definition"] for one in found if one.kind == "pipeline")
size = len(json.dumps(definition, separators=(",", ":")))
print(json.dumps({"loading": loading, "compiling": compiling, "floor": floor, "bytes": size}))
"""


def measure(steps: int) -> dict[str, float]:
    """One process: seconds of loading AWS's model, compiling, writing the same as JSON; bytes of the definition."""
    command = [sys.executable, "-c", PROGRAM, str(steps)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def main() -> int:
    given = parser(__doc__, rounds=5).parse_args()
    seen: dict[int, list[dict[str, float]]] = {size: [] for size in SIZES}
    for _ in range(given.rounds):
        for size in SIZES:
            seen[size].append(measure(size))
    medians = {
        size: {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
        for size, rounds in seen.items()
    }
    rows = [
        (
            size,
            1000 * one["compiling"],
            1000 * one["floor"],
            one["compiling"] / one["floor"],
            one["bytes"] / 1024,
            one["loading"],
        )
        for size, one in medians.items()
    ]
    head = ("steps", "compile + check ms", "json.dumps ms", "ratio", "definition KiB", "model loaded in s")
    few, many = SIZES[0], SIZES[-1]
    growth = (medians[many]["compiling"] / many) / (medians[few]["compiling"] / few)
    claims = [
        Claim(f"compile and check {many} steps, CPU", medians[many]["compiling"], 0.5, " s"),
        Claim(f"CPU time a step at {many} steps / at {few}", growth, 2),
    ]
    return tell(given.json, table(rows, head), claims, sizes=medians)


if __name__ == "__main__":
    sys.exit(main())
