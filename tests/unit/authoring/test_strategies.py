"""Properties of random pipelines."""

from __future__ import annotations

from hypothesis import given, settings

from cloudml import graph
from cloudml.spec import OutputRef, Pipeline, arguments, from_yaml, references, to_yaml, walk
from cloudml.testing.strategies import pipeline_functions, pipelines
from cloudml.validation import errors, validate

quick = settings(max_examples=25, deadline=None)


@quick
@given(pipelines())
def test_yaml_is_the_identity(pipeline: Pipeline) -> None:
    text = to_yaml(pipeline)
    assert from_yaml(text) == pipeline
    assert to_yaml(from_yaml(text)) == text


@quick
@given(pipeline_functions())
def test_building_twice_gives_the_same_bytes(function) -> None:
    assert to_yaml(function.build()).encode() == to_yaml(function.build()).encode()


@quick
@given(pipelines())
def test_what_authoring_lets_through_is_valid(pipeline: Pipeline) -> None:
    assert errors(validate(pipeline)) == ()


@quick
@given(pipelines())
def test_order_is_respected(pipeline: Pipeline) -> None:
    order = graph.order(pipeline)
    assert sorted(order) == sorted(step.name for step in walk(pipeline.steps))
    place = {name: position for position, name in enumerate(order)}
    for step in walk(pipeline.steps):
        for _, value in arguments(step):
            for leaf in references(value):
                if isinstance(leaf, OutputRef):
                    assert place[leaf.step] < place[step.name]
        for child in (*getattr(step, "body", ()), *getattr(step, "then", ()), *getattr(step, "otherwise", ())):
            assert place[step.name] < place[child.name]


@quick
@given(pipelines())
def test_upstream_and_downstream_mirror_each_other(pipeline: Pipeline) -> None:
    leaves = [step.name for step in walk(pipeline.steps) if not hasattr(step, "body") and not hasattr(step, "then")]
    above = {name: set(graph.upstream(pipeline, name)) for name in leaves}
    for name in leaves[:8]:
        below = set(graph.downstream(pipeline, name)) & set(leaves)
        assert below == {other for other in leaves if name in above[other]}
