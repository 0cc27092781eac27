"""Who waits for whom: the bookkeeping alone, without clock, disk or process."""

from __future__ import annotations

from typing import Any

from cloudml_local.engine.graph import Graph, Instance


def task(name: str, kind: str = "processing", **more: Any) -> dict[str, Any]:
    """A task of a document with everything that the graph looks at."""
    usual = {"needs": [], "guards": [], "maps": [], "final": False, "reads": {"parallel": None}}
    return {"id": name, "kind": kind, **usual, **more}


def names(instances: list[Instance]) -> list[str]:
    return [instance.id for instance in instances]


def test_what_waits_for_nothing_starts_and_the_rest_follows_its_needs() -> None:
    graph = Graph([task("a"), task("b", needs=["a"]), task("c", needs=["a", "b"]), task("d")])
    assert names(graph.start()) == ["a", "d"]
    assert names(graph.end(graph.instances["a"], "succeeded")) == ["b"]
    assert names(graph.end(graph.instances["b"], "cached")) == ["c"]
    assert (graph.open(final=False), graph.open(final=True)) == (2, 0)


def test_a_failed_need_skips_and_says_why() -> None:
    graph = Graph([task("a"), task("b", needs=["a"]), task("c", needs=["b"])])
    graph.start()
    graph.end(graph.instances["a"], "failed", "no good")
    assert graph.verdict(graph.instances["b"]) == "a failed"
    graph.end(graph.instances["b"], "skipped")
    assert graph.verdict(graph.instances["c"]) == "b was skipped"


def branch(graph: Graph, taken: str) -> None:
    graph.instances["if"].values = {"branch": taken}
    graph.end(graph.instances["if"], "succeeded")


def test_only_the_branch_that_was_taken_may_run() -> None:
    then, other = [["if", "then"]], [["if", "otherwise"]]
    tasks = [task("if", "condition"), task("a", needs=["if"], guards=then), task("b", needs=["if"], guards=other)]
    graph = Graph(tasks)
    graph.start()
    branch(graph, "otherwise")
    assert graph.verdict(graph.instances["a"]) == "if was false"
    assert graph.verdict(graph.instances["b"]) is None


def test_what_only_waits_for_a_block_runs_though_a_branch_in_it_was_not_taken() -> None:
    reading = {"kind": "output", "step": "a", "output": "output"}
    tasks = [
        task("if", "condition"),
        task("a", needs=["if"], guards=[["if", "then"]]),
        task("behind", needs=["if", "a"]),
        task("reader", needs=["a"], reads={"arguments": {"value": reading}}),
    ]
    graph = Graph(tasks)
    graph.start()
    branch(graph, "otherwise")
    graph.end(graph.instances["a"], "skipped")
    assert graph.verdict(graph.instances["behind"]) is None
    assert graph.verdict(graph.instances["reader"]) == "a was skipped"


def test_a_step_in_a_branch_that_failed_stops_what_waits_for_the_block() -> None:
    tasks = [task("if", "condition"), task("a", needs=["if"], guards=[["if", "then"]]), task("behind", needs=["a"])]
    graph = Graph(tasks)
    graph.start()
    branch(graph, "then")
    graph.end(graph.instances["a"], "failed")
    assert graph.verdict(graph.instances["behind"]) == "a failed"


def mapped(parallel: int | None) -> Graph:
    body = [task("x", needs=["m"], maps=["m"]), task("y", needs=["m", "x"], maps=["m"])]
    return Graph([task("m", "map", reads={"parallel": parallel}), *body, task("end", needs=["m"])])


def test_a_map_opens_as_many_items_as_may_run_at_once() -> None:
    graph = mapped(2)
    [owner] = graph.start()
    assert names(graph.expand(owner, ["p", "q", "r"])) == ["x[0]", "x[1]"]
    assert names(graph.end(graph.instances["x[0]"], "succeeded")) == ["y[0]"]
    assert names(graph.end(graph.instances["y[0]"], "succeeded")) == ["x[2]"]
    assert graph.instances["x[2]"].items == {"m": "r"}
    done = [graph.expansions["m"].finished]
    for name in ("x[1]", "y[1]", "x[2]", "y[2]"):
        graph.end(graph.instances[name], "succeeded")
    done.append(graph.expansions["m"].finished)
    assert done == [False, True]
    assert names(graph.end(owner, "succeeded")) == ["end"]


def test_items_see_their_own_iteration_and_outsiders_see_all() -> None:
    graph = mapped(None)
    [owner] = graph.start()
    graph.expand(owner, [1, 2, 3])
    near = graph.instances["y[1]"]
    found = graph.find("x", near)
    assert found is not None and found.id == "x[1]"
    assert names(graph.all_of("x", graph.instances["end"])) == ["x[0]", "x[1]", "x[2]"]
    assert names(graph.all_of("x", near)) == ["x[1]"]


def test_failures_of_items_are_the_maps() -> None:
    graph = mapped(None)
    [owner] = graph.start()
    graph.expand(owner, [1])
    graph.end(graph.instances["x[0]"], "failed")
    graph.end(graph.instances["y[0]"], "skipped")
    assert (graph.expansions["m"].failed, graph.expansions["m"].finished) == (["x[0]"], True)


def test_a_finally_step_runs_after_failures_but_not_without_its_data() -> None:
    reading = {"kind": "output", "step": "b", "output": "output"}
    tasks = [
        task("a"),
        task("b", needs=["a"], final=True),
        task("c", needs=["b"], final=True, reads={"arguments": {"value": reading}}),
    ]
    graph = Graph(tasks)
    graph.start()
    graph.end(graph.instances["a"], "failed")
    assert graph.verdict(graph.instances["b"]) is None
    graph.end(graph.instances["b"], "failed")
    assert graph.verdict(graph.instances["c"]) == "b failed"
    assert graph.open(final=True) == 1
