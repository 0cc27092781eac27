"""The outputs of a DAG, each by itself: one whose producer did not run is absent, and only who needs it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cloudml_vertex.mock.pipelines.definition import flow
from cloudml_vertex.mock.pipelines.definition.flow import Unresolved, Values
from cloudml_vertex.mock.pipelines.definition.model import Component, Definition
from cloudml_vertex.mock.pipelines.definition.values import Artifact, Value


def dag_outputs(definition: Definition, component: Component, inputs: Values, produced: Mapping[str, Values]) -> Values:
    """What the DAG gives to the tasks around it."""
    try:
        return flow.dag_outputs(definition, component, inputs, produced)
    except Unresolved:
        pass  # something is missing: see what
    dag = component.dag
    assert dag is not None
    parameters: dict[str, Value] = {}
    artifacts: dict[str, tuple[Artifact, ...]] = {}
    for name, rule in dag.parameters.items():
        single = replace(component, dag=replace(dag, parameters={name: rule}, artifacts={}))
        parameters.update(_one(definition, single, inputs, produced).parameters)
    for name, selectors in dag.artifacts.items():
        single = replace(component, dag=replace(dag, parameters={}, artifacts={name: selectors}))
        artifacts.update(_one(definition, single, inputs, produced).artifacts)
    return Values(parameters=parameters, artifacts=artifacts)


def _one(definition: Definition, component: Component, inputs: Values, produced: Mapping[str, Values]) -> Values:
    try:
        return flow.dag_outputs(definition, component, inputs, produced)
    except Unresolved:
        return Values(parameters={}, artifacts={})
