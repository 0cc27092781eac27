"""Drawings: well formed, self-contained, safe with any text, readable, and of bounded cost."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET
from itertools import combinations
from typing import Any

import pytest
from cli_world import record, task

from cloudml import spec
from cloudml.operations import draw
from cloudml.operations.draw.layout import Box, layout
from cloudml.operations.draw.words import show_condition, show_value


def ref(step: str, output: str = "output", **more: Any) -> dict[str, Any]:
    return {"kind": "output", "step": step, "output": output, **more}


def job(name: str, *sources: dict[str, Any], **more: Any) -> dict[str, Any]:
    arguments = [{"name": f"a{index}", "value": source} for index, source in enumerate(sources)]
    return {
        "kind": "processing",
        "name": name,
        "function": {"module": "m", "name": "f"},
        "arguments": arguments,
        **more,
    }


NOTIFY = {"kind": "notify", "name": "refused", "alerts": ["log"], "message": "no"}

PIPELINE = spec.from_dict(
    {
        "spec_version": "1",
        "name": "churn",
        "parameters": [{"name": "min_auc", "type": "float", "default": 0.8}],
        "schedule": {"kind": "cron", "expression": "0 2 * * MON", "timezone": "Europe/Prague"},
        "alerts": [{"name": "log", "channel": "log"}],
        "steps": [
            job("extract"),
            job("features", ref("extract", "customers"), ref("extract", "activity")),
            job("evaluate", ref("features"), {"kind": "parameter", "name": "min_auc"}, purpose="evaluation"),
            {
                "kind": "condition",
                "name": "when_1",
                "condition": {
                    "kind": "compare",
                    "op": "ge",
                    "left": ref("evaluate", "metrics", field="auc"),
                    "right": {"kind": "parameter", "name": "min_auc"},
                },
                "then": [job("publish", ref("features")), job("tell", after=["publish"])],
                "otherwise": [NOTIFY],
            },
            {
                "kind": "map",
                "name": "map_1",
                "items": ref("extract", "regions"),
                "body": [job("score", ref("features"))],
            },
            {"kind": "finally", "name": "on_exit", "body": [job("clean")]},
        ],
    }
)


def graph(count: int, edges: list[tuple[int, int]]) -> draw.Graph:
    nodes = {f"s{index}": draw.GraphNode(f"s{index}", "processing") for index in range(count)}
    return draw.Graph("big", (), nodes, tuple(draw.Edge(f"s{a}", f"s{b}", "output") for a, b in edges))


def test_the_graph_has_the_steps_the_data_and_the_order() -> None:
    found = draw.graph_of(PIPELINE)
    assert list(found.nodes) == [step.name for step in spec.walk(PIPELINE.steps)]
    assert draw.Edge("extract", "features", "customers") in found.edges
    assert draw.Edge("publish", "tell") in found.edges
    assert found.nodes["publish"].parent == "when_1"
    assert found.nodes["refused"].branch == "otherwise"
    assert found.nodes["evaluate"].kind == "evaluation"
    assert found.nodes["when_1"].note == "evaluate.auc >= min_auc"


def test_the_text_is_an_indented_tree_with_what_each_step_reads() -> None:
    lines = draw.text(draw.graph_of(PIPELINE), {}).splitlines()
    assert lines[0] == "churn"
    assert "  min_auc: float = 0.8" in lines
    assert "  schedule 0 2 * * MON Europe/Prague" in lines
    squeezed = [re.sub(" +", " ", line) for line in lines]
    assert "├─ features processing ← extract.customers, extract.activity" in squeezed
    assert "│ ├─ publish processing ← features" in squeezed
    assert "│  └─ otherwise" in lines
    assert lines[lines.index("│  └─ otherwise") + 1].startswith("│     └─ refused")
    assert draw.text(draw.graph_of(PIPELINE), {}, unicode=False).isascii()


def test_states_of_a_run_in_both_drawings() -> None:
    tasks = [task("extract", "cached"), task("score[0]", duration=1.0), task("score[1]", "failed", duration=2.0)]
    states = draw.states_of(record("failed", tasks))
    assert states["score"] == draw.State("failed", 3.0, 2), "the items of a map are one step here"
    found = draw.graph_of(PIPELINE)
    assert re.search(r"extract +processing +cached", draw.text(found, states))
    assert "failed ×2 · 3.0 s" in draw.svg(found, states)
    assert draw.to_dict(found, states)["nodes"][0]["status"] == "cached"


def test_the_svg_stands_alone() -> None:
    text = draw.svg(draw.graph_of(PIPELINE), {})
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert re.findall(r"(?:href|src|@import|url\((?!#))", text) == []
    assert [found for found in re.findall(r"https?://[^\"' ]+", text) if found != "http://www.w3.org/2000/svg"] == []
    assert "<script" not in text
    assert "prefers-color-scheme:dark" in text


NASTY = "<script>alert('x')</script>&amp;\"]]>\x00\x1b\ud800"


def test_text_of_users_cannot_leave_its_place() -> None:
    nodes = {
        "a": draw.GraphNode("a", "processing", note=NASTY, reads=(NASTY,)),
        NASTY: draw.GraphNode(NASTY, "map", note=NASTY),
    }
    found = draw.Graph(NASTY, (NASTY,), nodes, (draw.Edge("a", NASTY, NASTY),))
    text = draw.svg(found, {})
    text.encode("utf-8")
    root = ET.fromstring(text)
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    assert "\x1b" not in draw.text(found, {})


def boxes(drawn: draw.Graph) -> list[Box]:
    return layout(drawn, lambda node: (80.0, 40.0)).boxes


def overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def holds(outer: Box, inner: Box) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.x + inner.width <= outer.x + outer.width + 0.01
        and inner.y + inner.height <= outer.y + outer.height + 0.01
    )


def test_boxes_lie_in_their_containers_and_never_on_one_another() -> None:
    found = draw.graph_of(PIPELINE)
    placed = {box.name: box for box in boxes(found)}
    for name, node in found.nodes.items():
        if node.parent:
            assert holds(placed[node.parent], placed[name]), name
    for one, other in combinations(placed.values(), 2):
        assert not overlap(one, other) or holds(one, other) or holds(other, one), (one.name, other.name)


def test_data_flows_downwards_and_finally_is_last() -> None:
    found = draw.graph_of(PIPELINE)
    placed = {box.name: box for box in boxes(found)}
    for edge in found.edges:
        assert placed[edge.source].y + placed[edge.source].height < placed[edge.target].y, edge
    bottom = placed["on_exit"].y
    assert all(box.y + box.height < bottom for name, box in placed.items() if name not in ("on_exit", "clean"))


def test_random_graphs_never_overlap() -> None:
    import random

    chance = random.Random(5)
    for _ in range(20):
        count = chance.randrange(2, 40)
        edges = [(chance.randrange(b), b) for b in range(1, count) for _ in range(chance.randrange(3))]
        for one, other in combinations(boxes(graph(count, edges)), 2):
            assert not overlap(one, other)


def test_a_cycle_does_not_hang_the_drawing() -> None:
    assert len(boxes(graph(3, [(0, 1), (1, 2), (2, 1)]))) == 3


def test_an_empty_pipeline_is_drawn() -> None:
    ET.fromstring(draw.svg(graph(0, []), {}))
    assert draw.text(graph(0, []), {}).strip() == "big"


@pytest.mark.parametrize(
    "edges",
    [
        pytest.param([(index, index + 1) for index in range(4999)], id="chain"),
        pytest.param([(0, index) for index in range(1, 5000)], id="fan"),
        pytest.param([], id="loose"),
    ],
)
def test_5000_steps(edges: list[tuple[int, int]]) -> None:
    found = graph(5000, edges)
    began = time.process_time()
    drawn = draw.svg(found, {})
    assert time.process_time() - began < 6
    assert len(drawn) < 8_000_000
    width = re.search(r'width="(\d+)"', drawn)
    assert width is not None
    assert int(width[1]) < 4000


def test_values_and_conditions_in_words() -> None:
    champion = spec.ChampionRef(model="churn", metric="auc")
    less = spec.Arithmetic(op="sub", left=champion, right=spec.LiteralValue(value=0.002))
    assert show_value(less) == "champion(churn).auc - 0.002"
    assert (
        show_value(spec.Arithmetic(op="mul", left=less, right=spec.LiteralValue(value=2)))
        == "(champion(churn).auc - 0.002) * 2"
    )
    assert show_value(spec.OutputRef(step="score", output="output", collected=True)) == "score[*]"
    low = spec.Comparison(op="lt", left=spec.ParameterRef(name="a"), right=spec.LiteralValue(value=1))
    both = spec.AllOf(conditions=(low, spec.AnyOf(conditions=(low, spec.Not(condition=low)))))
    assert show_condition(both) == "a < 1 and (a < 1 or not (a < 1))"
