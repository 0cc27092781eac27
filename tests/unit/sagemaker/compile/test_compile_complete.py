"""Nothing that is declared is dropped without a word: every field, changed alone, changes what is compiled."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

import pytest
from compile_lab import TARGET, literal, out
from whole_pipeline import DAILY, TAGS, TWICE, VARIABLES, whole

from cloudml import spec
from cloudml.code import Sources
from cloudml.errors import SpecError
from cloudml.spec.node import Node
from cloudml.testing.harness import sources_of
from cloudml_sagemaker.compile import compile_pipeline

STRUCTURE = frozenset({
    "name", "kind", "spec_version", "step", "map", "output", "monitor", "objective", "files",
    "inputs", "arguments", "monitors",
})  # fmt: skip
"""What ties nodes to one another, lists of nodes that are each changed by themselves, and files, which change the code
and not the definition."""

SILENT = {
    ("Guard", "confidence"): "the table of features says that alarms know none",
    ("ProcessingStep", "purpose"): "of pictures only",
    ("ProcessingStep", "spot"): "the table of features says so",
    ("Pruning", "startup_trials"): "the table of features says that SageMaker has a rule of its own",
    ("Pruning", "warmup_reports"): "the same",
    ("Rollout", "sticky_header"): "of routing 'sticky', which is refused",
}
"""Fields that make no difference, and why that is right."""

OTHERS: tuple[Any, ...] = (
    "x", 1, 300.0, 0.5, "%Y", "stable", literal(1), out("first", "table"), TWICE, DAILY, TAGS, VARIABLES,
    spec.Shadow(), spec.Spot(), spec.Retry(attempts=7), spec.Distribution(nodes=3), ("first",), (literal(1),),
    (spec.NativeOption(backend="sagemaker", document={"Tags": [{"Key": "n", "Value": "v"}]}),),
)  # fmt: skip
"""Values of all kinds, for a field that is empty: its type takes one of them."""


def alternatives(node: Node, name: str) -> Iterator[Any]:
    """Other values for a field; not all of them fit its type."""
    value = getattr(node, name)
    annotation = type(node).model_fields[name].annotation
    words = [one for part in (annotation, *typing.get_args(annotation))
             if typing.get_origin(part) is typing.Literal for one in typing.get_args(part)]  # fmt: skip
    if isinstance(value, Node):
        return
    if words:
        yield from (one for one in words if one != value)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, (int, float)):
        yield from (value + 1, value * 2, value + 60, value * 0.9)
    elif isinstance(value, str) and value:
        yield from (f"{value}x", f"{value}1", "Europe/Prague", "0 7 * * *")
    elif isinstance(value, (tuple, list)) and value:
        yield from (value[:-1], (*value, value[0]))
    else:
        yield from OTHERS


def fields(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Node, str]]:
    """Every field of every node, with where the node lies."""
    if isinstance(node, tuple):
        for number, item in enumerate(node):
            yield from fields(item, (*path, number))
    elif isinstance(node, Node):
        for name in type(node).model_fields:
            yield path, node, name
            yield from fields(getattr(node, name), (*path, name))


def put(tree: Any, path: tuple[Any, ...], node: Node) -> Any:
    """The tree with another node in that place."""
    if not path:
        return node
    first, *rest = path
    if isinstance(first, int):
        return (*tree[:first], put(tree[first], tuple(rest), node), *tree[first + 1 :])
    return tree.model_copy(update={first: put(getattr(tree, first), tuple(rest), node)})


def compiled(pipeline: spec.Pipeline, sources: Sources) -> Any:
    """What is compiled, or what is said against it."""
    try:
        return [(one.kind, one.name, one.digest) for one in compile_pipeline(pipeline, TARGET, sources)]
    except SpecError as error:
        return str(error)
    except (AssertionError, KeyError, StopIteration, ValueError):
        return None  # validation refuses it before a compiler sees it: it tells nothing


@pytest.fixture(scope="module")
def noticed() -> dict[tuple[str, str], bool]:
    """Whether a change of the field made a difference anywhere; what could not be changed is not there."""
    pipeline = whole()
    sources = sources_of(pipeline)
    before = compiled(pipeline, sources)
    assert isinstance(before, list), before
    found: dict[tuple[str, str], bool] = {}
    for path, node, name in fields(pipeline):
        key = (type(node).__name__, name)
        if name in STRUCTURE or found.get(key):
            continue
        for value in alternatives(node, name):
            try:
                changed = type(node).model_validate({**dict(node), name: value})
            except ValueError:
                continue
            after = before if changed == node else compiled(put(pipeline, path, changed), sources)
            if changed == node or after is None:
                continue
            found[key] = after != before
            if found[key]:
                break
    return found


def test_only_what_is_meant_to_be_silent_is(noticed: dict[tuple[str, str], bool]) -> None:
    silent = {key for key, told in noticed.items() if not told}
    assert silent - set(SILENT) == set(), "dropped"
    assert set(SILENT) - silent == set(), "told after all"


def test_every_node_of_the_model_was_looked_at(noticed: dict[tuple[str, str], bool]) -> None:
    """All but those that hold nothing of their own, or that the sample's kind of compilation has no use for."""
    looked = {name for name, _ in noticed}
    steps = {one.__name__ for one in vars(spec).values() if isinstance(one, type) and issubclass(one, spec.BaseStep)}
    assert steps - looked <= {"BaseStep", "JobStep", "FinallyStep"}
    assert {
        "Endpoint",
        "Guard",
        "Rollout",
        "Monitor",
        "Threshold",
        "Retrain",
        "Alert",
        "Parameter",
        "Pipeline",
    } <= looked
