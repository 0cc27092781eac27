"""Order and reach, against small graphs worked out by hand."""

from __future__ import annotations

import pytest

from cloudml import graph
from cloudml.errors import SpecError
from cloudml.spec import Pipeline, from_dict


def fail(name: str, *after: str, **more: object) -> dict[str, object]:
    return {"kind": "fail", "name": name, "message": "x", "after": list(after), **more}


def group(name: str, *body: dict[str, object], after: tuple[str, ...] = ()) -> dict[str, object]:
    return {"kind": "group", "name": name, "body": list(body), "after": list(after)}


def pipeline(*steps: dict[str, object]) -> Pipeline:
    return from_dict({"spec_version": "1", "name": "p", "steps": list(steps)})


def test_order_is_as_written_where_the_graph_leaves_it_open() -> None:
    assert graph.order(pipeline(fail("c"), fail("a"), fail("b"))) == ("c", "a", "b")


def test_order_follows_dependencies() -> None:
    assert graph.order(pipeline(fail("c", "b"), fail("a"), fail("b", "a"))) == ("a", "b", "c")


def test_a_container_begins_before_its_steps_and_ends_after_them() -> None:
    made = pipeline(fail("last", "g"), group("g", fail("x", "y"), fail("y"), after=("first",)), fail("first"))
    assert graph.order(made) == ("first", "g", "y", "x", "last")
    assert graph.dependencies(made) == {
        "last": ("g",),
        "g": ("first",),
        "x": ("g", "y"),
        "y": ("g",),
        "first": (),
    }


def test_upstream_and_downstream() -> None:
    made = pipeline(
        fail("first"), group("g", fail("y"), fail("x", "y"), after=("first",)), fail("last", "g"), fail("z")
    )
    assert graph.upstream(made, "y") == ("first", "g")
    assert graph.upstream(made, "last") == ("first", "g", "y", "x")
    assert graph.downstream(made, "y") == ("x", "last")
    assert graph.downstream(made, "g") == ("y", "x", "last")
    assert graph.downstream(made, "z") == ()


def test_finally_comes_after_everything_at_the_top() -> None:
    ends = {"kind": "finally", "name": "end", "body": [fail("bye")]}
    made = pipeline(ends, fail("a"), group("g", fail("b")))
    assert graph.order(made) == ("a", "g", "b", "end", "bye")
    assert graph.dependencies(made)["end"] == ("a", "g")


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        ((fail("a", "b"), fail("b", "c"), fail("c", "a")), "a -> b -> c -> a"),
        ((fail("a", "a"),), "a -> a"),
        ((group("g", fail("x", "y")), fail("y", "g")), "g -> x -> y -> g"),
        ((group("g", fail("x", "g")),), "g -> x -> g"),
    ],
)
def test_a_cycle_is_named(steps: tuple[dict[str, object], ...], path: str) -> None:
    with pytest.raises(SpecError) as caught:
        graph.order(pipeline(*steps))
    (finding,) = caught.value.diagnostics
    assert finding.code == "CML218"
    assert path in finding.message


def test_unknown_step() -> None:
    with pytest.raises(KeyError):
        graph.upstream(pipeline(fail("a")), "b")
