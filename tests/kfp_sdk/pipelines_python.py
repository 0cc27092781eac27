"""Pipelines of lightweight Python components: kfp's own executor runs in the container."""

from typing import NamedTuple

from harness import DONE, FAILED, REGISTRY, Case, Run
from kfp import dsl
from parts import SAID

IMAGE = f"{REGISTRY}/kfp:1"
"""It has kfp, so that nothing is installed when the container starts."""


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def generate(rows: int, data: dsl.Output[dsl.Dataset]) -> NamedTuple("Outputs", [("count", int), ("names", list)]):
    from collections import namedtuple

    with open(data.path, "w") as file:
        file.writelines(f"{n}\n" for n in range(rows))
    data.metadata["rows"] = rows
    return namedtuple("Outputs", "count names")(rows, ["a", "b"])


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def fit(
    data: dsl.Input[dsl.Dataset], metrics: dsl.Output[dsl.Metrics], model: dsl.Output[dsl.Model], rate: float = 0.5
) -> float:
    with open(data.path) as file:
        numbers = [int(line) for line in file]
    score = sum(numbers) * rate
    metrics.log_metric("score", score)
    model.framework = "own"
    with open(model.path, "w") as file:
        file.write(f"{score} {data.metadata['rows']}")
    return score


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def tell_all(model: dsl.Input[dsl.Model], names: list, table: dict, said: str):
    with open(model.path) as file, open(said, "a") as out:
        print(file.read(), model.metadata["framework"], names, table, file=out)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def gather(many: dsl.Input[list[dsl.Dataset]], said: str) -> list:
    lines = sorted(open(one.path).read().count("\n") for one in many)
    with open(said, "a") as out:
        print("gathered", lines, file=out)
    return lines


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def refuse(text: str):
    raise ValueError(f"no {text}")


def lightweight() -> Case:
    @dsl.pipeline(name="lightweight", description="Python functions: artifacts, metadata, metrics, several outputs.")
    def pipeline(rows: int = 5):
        made = generate(rows=rows)
        fitted = fit(data=made.outputs["data"])
        with dsl.If(fitted.outputs["Output"] > 1.0):
            tell_all(model=fitted.outputs["model"], names=made.outputs["names"], table={"x": 1}, said=SAID)

    return Case(
        pipeline,
        (
            Run(
                "run",
                "KFP user guide, lightweight Python components: return values are outputs, .metadata and log_metric "
                "are the artifact's metadata",
                DONE,
                {"generate": DONE, "fit": DONE, "condition-1": DONE, "condition-1.tell-all": DONE},
                said=("5.0 5 own ['a', 'b'] {'x': 1}",),
                values={"generate": {"count": 5, "names": ["a", "b"]}, "fit": {"Output": 5.0}},
                artifacts={
                    "generate": {
                        "data": {"type": "system.Dataset", "metadata": {"rows": 5}, "text": "0\n1\n2\n3\n4\n"}
                    },
                    "fit": {
                        "metrics": {"type": "system.Metrics", "metadata": {"score": 5.0}},
                        "model": {"type": "system.Model", "metadata": {"framework": "own"}, "text": "5.0 5"},
                    },
                },
            ),
        ),
        needs=("kfp",),
    )


def lightweight_loop() -> Case:
    @dsl.pipeline(name="lightweight-loop", description="Artifacts of a loop, collected; a function that raises.")
    def pipeline():
        with dsl.ParallelFor(items=[1, 2, 3]) as rows:
            made = generate(rows=rows)
        gathered = gather(many=dsl.Collected(made.outputs["data"]), said=SAID)
        refuse(text="more").after(gathered)

    return Case(
        pipeline,
        (
            Run(
                "run",
                "KFP user guide, control flow: Collected artifacts are an Input[List[...]]; an exception fails the task",
                FAILED,
                {"for-loop-2": DONE, "for-loop-2.generate": [DONE] * 3, "gather": DONE, "refuse": FAILED},
                said=("gathered [1, 2, 3]",),
                values={"gather": {"Output": [1, 2, 3]}},
                errors={"refuse": ("1",)},
            ),
        ),
        needs=("kfp",),
    )


CASES = (lightweight, lightweight_loop)
