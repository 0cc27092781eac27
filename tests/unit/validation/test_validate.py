"""Findings in hand-written documents: each mutation of a good one gives its code, and nothing hides another."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from cloudml.errors import SpecError
from cloudml.spec import from_dict, from_yaml, to_dict
from cloudml.validation import errors, raise_errors, validate

GOOD = """
spec_version: '1'
name: churn
parameters:
- {name: least, type: float, default: 0.8, minimum: 0, maximum: 1}
- {name: names, type: json, default: [a, b]}
steps:
- kind: processing
  name: rows
  function: {module: churn.data, name: rows}
  outputs:
  - {name: output, type: polars.DataFrame}
  - {name: regions, type: 'list[str]'}
- kind: tuning
  name: fit
  job:
    kind: training
    name: fit
    function: {module: churn.training, name: fit}
    inputs:
    - {name: train, type: polars.DataFrame}
    - {name: eta, type: float, optional: true}
    - {name: depth, type: int, optional: true}
    outputs:
    - {name: model, type: cloudml.Model, mode: handle}
    - {name: metrics, type: churn.training.Fit, mode: metrics, fields: [auc]}
    arguments:
    - {name: train, value: {kind: output, step: rows, output: output}}
    - {name: depth, value: {kind: literal, value: 3}}
    retry: {on: [transient, ConnectionError]}
  objective: auc
  direction: maximize
  trials: 4
  space:
  - {name: eta, type: float, low: 0.01, high: 0.3, log: true}
- kind: map
  name: each
  items: {kind: output, step: rows, output: regions}
  body:
  - kind: processing
    name: count
    function: {module: churn.data, name: count}
    inputs: [{name: region, type: str}]
    outputs: [{name: output, type: int}]
    arguments: [{name: region, value: {kind: item, map: each}}]
- kind: processing
  name: total
  function: {module: churn.data, name: total}
  inputs: [{name: counts, type: 'list[int]'}]
  outputs: [{name: output, type: int}]
  arguments: [{name: counts, value: {kind: output, step: count, output: output, collected: true}}]
- kind: condition
  name: good
  condition:
    kind: compare
    op: ge
    left: {kind: output, step: fit, output: metrics, field: auc}
    right: {kind: parameter, name: least}
  then:
  - kind: register
    name: register
    model: {kind: output, step: fit, output: model}
    model_name: churn
    metrics: [{kind: output, step: fit, output: metrics}]
  - kind: deploy
    name: deploy
    version: {kind: output, step: register, output: version}
    endpoint: churn
  - kind: verify
    name: verify
    endpoint: {kind: output, step: deploy, output: endpoint}
    sample: {kind: output, step: rows, output: output}
  - kind: monitor
    name: watch
    endpoint: {kind: output, step: deploy, output: endpoint}
    monitor: drift
    baseline: {kind: output, step: rows, output: output}
  otherwise:
  - kind: notify
    name: tell
    alerts: [log]
    message: 'AUC {auc}'
    arguments: [{name: auc, value: {kind: output, step: fit, output: metrics, field: auc}}]
- kind: map
  name: names
  items: {kind: parameter, name: names}
  body:
  - {kind: fail, name: stop, message: stop}
- kind: finally
  name: end
  body:
  - {kind: notify, name: bye, alerts: [log], message: bye}
endpoints:
- {name: churn}
monitors:
- name: drift
  schedule: {kind: cron, expression: 0 * * * *, timezone: Europe/Prague}
  thresholds: [{statistic: psi, limit: 0.2}]
  alerts: [log]
alerts:
- {name: log, channel: log}
schedule: {kind: cron, expression: 0 2 * * MON}
"""

Document = dict[str, Any]
READ: Document = to_dict(from_yaml(GOOD))
ROWS, FIT, EACH, TOTAL, WHEN, NAMES, END = range(7)


def good() -> Document:
    return copy.deepcopy(READ)


def found(document: Document) -> list[tuple[str, str, str]]:
    return [(one.code, one.where, one.message) for one in validate(from_dict(document))]


def put(*path: Any, value: Any) -> Callable[[Document], None]:
    """A mutation: set what lies at a path."""

    def change(document: Document) -> None:
        place: Any = document
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value

    return change


def add(*path: Any, value: Any) -> Callable[[Document], None]:
    """A mutation: append to the list at a path."""

    def change(document: Document) -> None:
        place: Any = document
        for part in path[:-1]:
            place = place[part]
        place.setdefault(path[-1], []).append(value) if isinstance(place, dict) else place[path[-1]].append(value)

    return change


def out(step: str, output: str = "output", **more: Any) -> Document:
    return {"kind": "output", "step": step, "output": output, **more}


FAIL: Document = {"kind": "fail", "name": "f", "message": "x"}
THEN = ("steps", WHEN, "then")
JOB = ("steps", FIT, "job")
CONDITION = ("steps", WHEN, "condition")
SPACE = ("steps", FIT, "space", 0)

MUTATIONS: list[tuple[Callable[[Document], None], str, str]] = [
    (add("steps", value={**FAIL, "name": "stop"}), "CML210", "2 steps have the name 'stop'"),
    (add("parameters", value={"name": "least", "type": "float", "default": 0.5}), "CML210", "2 parameters"),
    (add("endpoints", value={"name": "churn"}), "CML210", "2 endpoints"),
    (put("steps", TOTAL, "after", value=["rowz"]), "CML211", "'rowz'"),
    (put(*JOB, "arguments", 0, "value", value=out("rowz")), "CML211", "'rowz'"),
    (put(*JOB, "arguments", 0, "value", value=out("rows", "outputs")), "CML212", "no output 'outputs'"),
    (put(*CONDITION, "left", "field", value="auk"), "CML213", "no metric 'auk'"),
    (put("steps", EACH, "items", "field", value="x"), "CML232", "no list"),
    (put(*JOB, "arguments", 0, "value", value=out("total", field="x")), "CML213", "no member 'x'"),
    (put(*CONDITION, "right", "name", value="lest"), "CML214", "'lest'"),
    (put(*THEN, 1, "endpoint", value="chrun"), "CML215", "endpoint 'chrun'"),
    (put(*THEN, 3, "monitor", value="drifts"), "CML215", "monitor 'drifts'"),
    (put("steps", WHEN, "otherwise", 0, "alerts", value=["team"]), "CML215", "alert 'team'"),
    (put("monitors", 0, "alerts", value=["team"]), "CML215", "alert 'team'"),
    (put("steps", TOTAL, "arguments", 0, "value", value={"kind": "item", "map": "each"}), "CML216", "outside"),
    (put("steps", EACH, "body", 0, "arguments", 0, "value", "map", value="rows"), "CML216", "no map"),
    (
        put("steps", TOTAL, "arguments", 0, "value", "collected", value=False),
        "CML217",
        "one for each item of map 'each'",
    ),
    (put("steps", TOTAL, "after", value=["count"]), "CML217", "another block"),
    (put("steps", TOTAL, "arguments", 0, "value", value=out("register", "version")), "CML217", "branch of 'good'"),
    (put("steps", END, "body", 0, "message", value="{n}"), "CML234", "{n}"),
    (
        add(
            "steps", END, "body", value={**FAIL, "message": "{n}", "arguments": [{"name": "n", "value": out("total")}]}
        ),
        "CML217",
        "also runs when that step has not succeeded",
    ),
    (put("steps", ROWS, "after", value=["total"]), "CML218", "rows -> "),
    (put(*JOB, "arguments", 0, "value", value=out("rows", "regions")), "CML219", "takes polars.DataFrame"),
    (put(*JOB, "arguments", 1, "value", "value", value="three"), "CML219", "'three' is str"),
    (put(*JOB, "arguments", 0, "value", value={"kind": "literal", "value": 1}), "CML219", "cannot be written"),
    (add(*THEN, value={"kind": "finally", "name": "inner", "body": [FAIL]}), "CML220", "inside another block"),
    (
        add(
            "steps",
            END,
            "body",
            value={"kind": "map", "name": "m", "items": {"kind": "literal", "value": []}, "body": [FAIL]},
        ),
        "CML220",
        "a map stands in a finally block",
    ),
    (put(*THEN, 1, "version", value=out("fit", "model")), "CML221", "version is cloudml.Model"),
    (put(*THEN, 2, "endpoint", value=out("register", "version")), "CML221", "endpoint is cloudml.ModelVersion"),
    (put(*THEN, 0, "model", value=out("total")), "CML221", "model is int"),
    (put(*THEN, 2, "sample", value=out("total")), "CML221", "sample is int"),
    (put(*THEN, 1, "version", value={"kind": "literal", "value": 3}), "CML221", "a literal"),
    (put("steps", FIT, "objective", value="auk"), "CML222", "'auk'"),
    (put(*SPACE, "name", value="etta"), "CML223", "no input 'etta'"),
    (put(*SPACE, "high", value=0.001), "CML223", "not below high"),
    (put(*SPACE, "low", value=0), "CML223", "not above zero"),
    (put(*SPACE, value={"name": "eta", "type": "choice", "choices": ["a"]}), "CML223", "choice 'a' is not"),
    (put(*SPACE, value={"name": "depth", "type": "int", "low": 1, "high": 3}), "CML223", "also given"),
    (put("steps", FIT, "strategy", value="grid"), "CML223", "never ends"),
    (put("parameters", 0, "default", value="high"), "CML224", "'high' is str"),
    (put("parameters", 0, "default", value=2), "CML224", "above its maximum"),
    (put("parameters", 0, "choices", value=[0.5]), "CML224", "none of 0.5"),
    (add(*JOB, "arguments", value={"name": "x", "value": {"kind": "literal", "value": 1}}), "CML225", "no input 'x'"),
    (put(*JOB, "arguments", value=[]), "CML225", "'train' of function churn.training:fit is not filled"),
    (put(*JOB, "retry", "on", value=["sometimes"]), "CML226", "'sometimes'"),
    (put("schedule", "expression", value="61 2 * * MON"), "CML227", "'61' is no minute"),
    (put("monitors", 0, "schedule", "timezone", value="Mars/Base"), "CML227", "'Mars/Base'"),
    (put("monitors", 0, "thresholds", 0, "limit", value=-1), "CML228", "below zero"),
    (put("monitors", 0, "thresholds", 0, "statistic", value="quality"), "CML228", "`field`"),
    (
        put("endpoints", 0, "rollout", value={"guards": [{"metric": "error_rate", "limit": 5}]}),
        "CML228",
        "limit 5 is no share",
    ),
    (put("steps", ROWS, "function", "name", value="class"), "CML229", "churn.data:class"),
    (put("steps", ROWS, "function", "module", value="__main__"), "CML229", "__main__"),
    (put(*CONDITION, "right", value={"kind": "secret", "name": "crm"}), "CML230", "'crm'"),
    (
        put("native", value=[{"backend": "vertex", "document": {}}, {"backend": "vertex", "document": {}}]),
        "CML231",
        "2 native documents",
    ),
    (put("steps", EACH, "items", value=out("total")), "CML218", "total"),
    (put("steps", EACH, "items", value={"kind": "literal", "value": 3}), "CML232", "3, which is no list"),
    (put("steps", EACH, "items", value={"kind": "parameter", "name": "least"}), "CML232", "float, which is no list"),
    (put(*CONDITION, "left", value=out("rows")), "CML233", "polars.DataFrame, which cannot be compared"),
    (put(*CONDITION, "right", value={"kind": "literal", "value": "high"}), "CML233", "float is compared with str"),
    (put(*CONDITION, "op", value="in"), "CML233", "not a list"),
    (
        put("steps", TOTAL, "arguments", 0, "value", value=out("rows", "regions", collected=True)),
        "CML235",
        "directly in a map",
    ),
    (put(*JOB, "name", value="other"), "CML236", "named 'other'"),
    (add(*JOB, "outputs", value={"name": "trials", "type": "int"}), "CML236", "'trials'"),
]
WARNINGS: list[tuple[Callable[[Document], None], str, str]] = [
    (add("parameters", value={"name": "spare", "type": "int", "default": 1}), "CML250", "parameter spare"),
    (
        put("endpoints", 0, "rollout", value={"steps": [{"weight": 10}, {"weight": 100}]}),
        "CML251",
        "endpoint churn",
    ),
    (
        put(*CONDITION, value={"kind": "compare", "op": "lt", "left": {"kind": "literal", "value": 1}, "right": {"kind": "literal", "value": 2}}),  # noqa: E501
        "CML252",
        "step good",
    ),
    (
        add("steps", value={"kind": "condition", "name": "void", "condition": READ["steps"][WHEN]["condition"]}),
        "CML253",
        "step void",
    ),
    (add("endpoints", value={"name": "spare"}), "CML254", "endpoint spare"),
]  # fmt: skip


def test_the_good_one_has_no_findings() -> None:
    assert found(good()) == []


@pytest.mark.parametrize(("change", "code", "fragment"), MUTATIONS)
def test_each_fault_has_its_code(change: Callable[[Document], None], code: str, fragment: str) -> None:
    document = good()
    change(document)
    findings = validate(from_dict(document))
    assert any(one.code == code and fragment in one.message and one.severity == "error" for one in findings), findings
    assert all(one.hint for one in findings)


@pytest.mark.parametrize(("change", "code", "where"), WARNINGS)
def test_warnings_do_not_forbid(change: Callable[[Document], None], code: str, where: str) -> None:
    document = good()
    change(document)
    findings = validate(from_dict(document))
    assert [(one.code, one.where, one.severity) for one in findings if one.code == code] == [(code, where, "warning")]
    assert errors(findings) == ()
    assert raise_errors(from_dict(document)) == findings


def test_on_is_a_name_in_yaml_and_no_truth_value() -> None:
    assert READ["steps"][FIT]["job"]["retry"] == {"on": ["transient", "ConnectionError"]}


def test_all_at_once_errors_first() -> None:
    document = good()
    for change, _, _ in (MUTATIONS[3], MUTATIONS[9], MUTATIONS[10], WARNINGS[0]):
        change(document)
    with pytest.raises(SpecError) as caught:
        raise_errors(from_dict(document))
    assert {one.code for one in caught.value.diagnostics} >= {"CML211", "CML214", "CML215"}
    severities = [one.severity for one in validate(from_dict(document))]
    assert severities == sorted(severities)


def test_locations_stand_in_front() -> None:
    document = good()
    MUTATIONS[3][0](document)
    (finding,) = validate(from_dict(document), {"total": "churn/pipeline.py:12"})
    assert finding.where == "churn/pipeline.py:12 (step total, after)"


def test_hint_suggests_the_near_name() -> None:
    document = good()
    put(*CONDITION, "left", "field", value="auk")(document)
    (finding,) = validate(from_dict(document))
    assert finding.hint == "did you mean 'auc'?"
