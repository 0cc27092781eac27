"""The shapes a pipeline can have: chains, branches, maps, groups, finally blocks."""

from __future__ import annotations

import cloudml as ml

OPERATIONS = ml.log_alert("operations")


@ml.processing
def numbers(count: int) -> list[int]:
    return list(range(1, count + 1))


@ml.processing
def total(values: list[int]) -> int:
    return sum(values)


@ml.processing
def double(value: int) -> int:
    return 2 * value


@ml.processing
def add(left: int, right: int) -> int:
    return left + right


@ml.processing
def describe(value: int) -> dict[str, int]:
    return {"value": value, "square": value * value}


@ml.processing
def refuse(value: int) -> int:
    """Fails for three."""
    if value == 3:
        raise ValueError("three is refused")
    return value


@ml.processing
def rows_of(region: str) -> list[int]:
    return {"north": [1, 2], "south": [3], "nowhere": []}[region]


@ml.pipeline
def chain(count: ml.Param[int] = 4) -> None:
    double(total(numbers(count)))


@ml.pipeline
def diamond() -> None:
    start = double.options(name="start")(1)
    left = double.options(name="left")(start)
    right = add.options(name="right")(start, 5)
    add.options(name="join")(left, right)


@ml.pipeline
def branches(limit: ml.Param[int] = 5) -> None:
    """The total of 1, 2, 3 is 6."""
    found = total(numbers(3))
    with ml.when(found > limit, name="large") as large:
        double.options(name="yes")(found)
        with ml.when((found == 6) | (found == 7), ~(found < 0), name="inner") as inner:
            add.options(name="deep")(found, 1)
        with inner.otherwise():
            add.options(name="shallow")(found, -1)
    with large.otherwise():
        add.options(name="no")(found, 100)
    add.options(name="behind", after=[large])(1, 1)


@ml.pipeline
def arithmetic(offset: ml.Param[int] = 2) -> None:
    made = describe(3)
    with ml.when(made["square"] - offset == 7, name="seven"):
        double.options(name="right")(made["value"])
    with ml.when(made["square"] / offset > 4.4, made["value"] * offset >= 6, name="both"):
        double.options(name="more")(made["square"])


@ml.pipeline
def mapped(count: ml.Param[int] = 4) -> None:
    with ml.map(numbers(count), parallel=2, name="each") as value:
        twice = double(value)
        more = add.options(name="more")(twice, value)
    total(ml.collect(more))


@ml.pipeline
def mapped_literal() -> None:
    with ml.map([{"name": "a", "size": 1}, {"name": "b", "size": 2}], name="each") as item:
        size = double(item["size"])
    total(ml.collect(size))


@ml.pipeline
def mapped_failure() -> None:
    with ml.map(numbers(4), name="each") as value:
        kept = refuse(value)
        twice = double(kept)
    total(ml.collect(twice))
    add.options(name="beside")(1, 1)


@ml.pipeline
def mapped_branches() -> None:
    with ml.map(numbers(4), name="each") as value:
        with ml.when(value > 2, name="large") as large:
            double(value)
        with large.otherwise():
            add(value, 10)


@ml.pipeline
def nested_maps() -> None:
    with ml.map(["north", "south", "nowhere"], name="regions") as region:  # noqa: SIM117 - as one writes it
        with ml.map(rows_of(region), name="rows") as row:
            double(row)


@ml.pipeline
def grouped() -> None:
    with ml.group("small") as small:
        first = double.options(name="first")(1)
        with ml.when(first > 100, name="never"):
            double.options(name="inside")(first)
    add.options(name="behind", after=[small])(1, 2)


@ml.pipeline
def with_exit(fails: ml.Param[bool] = False) -> None:
    value = double.options(name="start")(1)
    with ml.when(fails == True, name="bad"):  # noqa: E712 - a reference, not a bool
        ml.fail("asked to fail at {value}", value=value, name="halt")
    refuse(add(value, 1))
    with ml.on_exit():
        late = double.options(name="always")(21)
        double.options(name="with_data")(late)


@ml.pipeline
def messages() -> None:
    value = double(4)
    ml.notify(OPERATIONS, "the value is {value:.1f}", value=value, name="tell")


@ml.pipeline
def empty() -> None:
    """No steps at all."""
