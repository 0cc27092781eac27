"""Pipelines that cloudml's compiler is held against, compiled with Google's own kfp and kept as data.

Needs kfp's environment (see compile.py). Each is something that can be written in cloudml too, in container steps only:

    kfpenv/bin/python tests/kfp_sdk/equal.py [NAME ...]

Result: tests/data/kfp_equal/<name>.json with sdk (kfp's version), about (one sentence) and spec (as kfp wrote it).
"""

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

from compile import compiled
from kfp import dsl

DATA = Path(__file__).parent.parent / "data" / "kfp_equal"
IMAGE = "python:3.11-slim"
PIPELINES: list[Any] = []


def container(*arguments: Any) -> dsl.ContainerSpec:
    """What every step runs: commands are no part of the comparison."""
    return dsl.ContainerSpec(image=IMAGE, command=["python3"], args=list(arguments))


@dsl.container_component
def load(data: dsl.Output[dsl.Dataset]):
    return container(data.uri)


@dsl.container_component
def train(data: dsl.Input[dsl.Dataset], rate: float, model: dsl.Output[dsl.Model]):
    return container(data.uri, rate, model.uri)


@dsl.container_component
def evaluate(model: dsl.Input[dsl.Model], data: dsl.Input[dsl.Dataset], auc: dsl.OutputPath(float)):
    return container(model.uri, data.uri, auc)


@dsl.container_component
def measure(auc: dsl.OutputPath(float)):
    return container(auc)


@dsl.container_component
def count(rows: dsl.OutputPath(int)):
    return container(rows)


@dsl.container_component
def test(good: dsl.OutputPath(bool)):
    return container(good)


@dsl.container_component
def choose(kind: dsl.OutputPath(str)):
    return container(kind)


@dsl.container_component
def enumerate_items(items: dsl.OutputPath(list)):
    return container(items)


@dsl.container_component
def tell(text: str):
    return container(text)


@dsl.container_component
def square(number: float, squared: dsl.OutputPath(float)):
    return container(number, squared)


@dsl.container_component
def total(numbers: list):
    return container(numbers)


@dsl.container_component
def work():
    return container()


def pipeline(function: Any) -> Any:
    """A pipeline of the bench, called as its function is."""
    made = dsl.pipeline(name=function.__name__.replace("_", "-"))(function)
    PIPELINES.append((function.__name__, " ".join(function.__doc__.split()), made))
    return made


@pipeline
def single():
    """One step without inputs or outputs."""
    work()


@pipeline
def chain():
    """Three steps that wait for one another and hand nothing over."""
    first = work()
    second = work().after(first)
    work().after(second)


@pipeline
def fan_out_fan_in():
    """Two steps after one, and one after both."""
    first = work()
    left, right = work().after(first), work().after(first)
    work().after(left, right)


@pipeline
def artifacts():
    """Data and a model go from step to step as artifacts."""
    data = load()
    model = train(data=data.outputs["data"], rate=0.1)
    evaluate(model=model.outputs["model"], data=data.outputs["data"])


@pipeline
def parameters(rate: float = 0.1, text: str = "hello"):
    """Parameters of the pipeline with defaults."""
    train(data=load().outputs["data"], rate=rate)
    tell(text=text)


@pipeline
def required_parameter(text: str):
    """A parameter of the pipeline without a default."""
    tell(text=text)


@pipeline
def typed_parameters(
    whole: int = 3,
    real: float = 0.5,
    flag: bool = True,
    words: list = ["a", "b"],  # noqa: B006
    facts: dict = {"a": 1},  # noqa: B006
):
    """A parameter of each type; one of them is read."""
    square(number=real)


@pipeline
def values():
    """A number that one step puts out is a parameter of the next."""
    square(number=measure().outputs["auc"])


@pipeline
def retries():
    """Retries with backoff."""
    work().set_retry(num_retries=3, backoff_duration="10s", backoff_factor=2, backoff_max_duration="60s")


@pipeline
def caching():
    """A step that is never cached beside one that is."""
    work().set_caching_options(False)
    work()


@pipeline
def resources():
    """Processors and memory, in the old fields and the new."""
    work().set_cpu_limit("2").set_memory_limit("8G")


@pipeline
def accelerator():
    """A graphics processor."""
    work().set_cpu_limit("8").set_memory_limit("30G").set_accelerator_type("NVIDIA_TESLA_T4").set_accelerator_limit(1)


@pipeline
def display_name():
    """A task with a name for people."""
    work().set_display_name("Clean the rows")


@pipeline
def importing():
    """Data that exists already comes in by an importer."""
    found = dsl.importer(artifact_uri="gs://bucket/data.csv", artifact_class=dsl.Dataset, reimport=False)
    train(data=found.output, rate=0.1)


@pipeline
def condition_number():
    """A step that runs only when a real number is above a limit."""
    with dsl.If(measure().outputs["auc"] > 0.8):
        work()


@pipeline
def condition_whole_number():
    """A whole number is compared with a whole number."""
    with dsl.If(count().outputs["rows"] >= 100):
        work()


@pipeline
def condition_text():
    """A text is compared with a literal."""
    with dsl.If(choose().outputs["kind"] == "plain"):
        work()


@pipeline
def condition_truth():
    """A truth value is compared with true."""
    with dsl.If(test().outputs["good"] == True):  # noqa: E712
        work()


@pipeline
def condition_parameter(rate: float = 0.1):
    """A condition on a parameter of the pipeline."""
    with dsl.If(rate < 0.5):
        work()


@pipeline
def condition_two_values():
    """Two outputs are compared with one another."""
    with dsl.If(measure().outputs["auc"] > measure().outputs["auc"]):
        work()


@pipeline
def condition_else():
    """One step or the other."""
    with dsl.If(measure().outputs["auc"] > 0.8):
        work()
    with dsl.Else():
        tell(text="too low")


@pipeline
def condition_elif():
    """One step of three."""
    auc = measure().outputs["auc"]
    with dsl.If(auc > 0.8):
        tell(text="good")
    with dsl.Elif(auc > 0.6):
        tell(text="fair")
    with dsl.Else():
        tell(text="poor")


@pipeline
def condition_nested():
    """A condition within a condition, on a value from outside of both."""
    auc, kind = measure().outputs["auc"], choose().outputs["kind"]
    with dsl.If(auc > 0.5):
        work()
        with dsl.If(kind == "plain"):
            work()


@pipeline
def condition_artifact():
    """A branch reads an artifact from outside."""
    data = load().outputs["data"]
    with dsl.If(measure().outputs["auc"] > 0.8):
        train(data=data, rate=0.1)


@pipeline
def loop_fixed():
    """A loop over written-down numbers."""
    with dsl.ParallelFor([1.0, 2.0, 3.0]) as number:
        square(number=number)


@pipeline
def loop_limited():
    """A loop of which two iterations run at a time."""
    with dsl.ParallelFor([1.0, 2.0, 3.0], parallelism=2) as number:
        square(number=number)


@pipeline
def loop_parameter(words: list = ["a", "b"]):  # noqa: B006
    """A loop over a parameter of the pipeline."""
    with dsl.ParallelFor(words) as word:
        tell(text=word)


@pipeline
def loop_output():
    """A loop over what a step has put out."""
    with dsl.ParallelFor(enumerate_items().outputs["items"]) as item:
        tell(text=item)


@pipeline
def loop_collected():
    """What the iterations put out is one list afterwards."""
    with dsl.ParallelFor([1.0, 2.0, 3.0]) as number:
        one = square(number=number)
    total(numbers=dsl.Collected(one.outputs["squared"]))


@pipeline
def loop_artifact():
    """Every iteration reads one artifact from outside."""
    data = load().outputs["data"]
    with dsl.ParallelFor([0.1, 0.2]) as rate:
        train(data=data, rate=rate)


@pipeline
def loop_in_condition():
    """A loop that begins only when a condition holds."""
    with dsl.If(measure().outputs["auc"] > 0.8), dsl.ParallelFor([1.0, 2.0]) as number:
        square(number=number)


@pipeline
def condition_in_loop():
    """A condition on what the iteration itself has put out."""
    with dsl.ParallelFor([1.0, 2.0]) as number:
        one = square(number=number)
        with dsl.If(one.outputs["squared"] > 1.0):
            work()


@pipeline
def exit_handler():
    """A task that runs whatever comes of the others."""
    with dsl.ExitHandler(work().set_caching_options(False)):
        data = load()
        train(data=data.outputs["data"], rate=0.1)


@pipeline
def exit_handler_parameter(text: str = "done"):
    """The exit task reads a parameter of the pipeline."""
    with dsl.ExitHandler(tell(text=text).set_caching_options(False)):
        work()


@pipeline
def exit_handler_condition():
    """A condition among what the exit task waits for."""
    with dsl.ExitHandler(work().set_caching_options(False)), dsl.If(measure().outputs["auc"] > 0.8):
        tell(text="good")


def main(names: list[str]) -> None:
    """Compile the named pipelines, or all."""
    DATA.mkdir(parents=True, exist_ok=True)
    version = importlib.metadata.version("kfp")
    for name, about, made in PIPELINES:
        if names and name not in names:
            continue
        document = {"sdk": {"kfp": version}, "about": about, "spec": compiled(made)}
        text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)
        (DATA / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
