"""What CreateHyperparameterTuningJob refuses of a study: docstrings of aiplatform_v1.types.StudySpec."""

from __future__ import annotations

from typing import Any

import pytest

from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.tuning.rules import check

DOUBLE = {"parameter_id": "lr", "double_value_spec": {"min_value": 0.1, "max_value": 1.0}}
WORD = {"parameter_id": "opt", "categorical_value_spec": {"values": ["adam", "sgd"]}}
NUMBER = {"parameter_id": "n", "integer_value_spec": {"min_value": 1, "max_value": 4}}
STEPS = {"parameter_id": "b", "discrete_value_spec": {"values": [16, 32, 64]}}


def job(*parameters: dict[str, Any], count: int = 4, **study: Any) -> dict[str, Any]:
    spec = {"metrics": [{"metric_id": "auc", "goal": "MAXIMIZE"}], "parameters": list(parameters or (DOUBLE,)), **study}
    return {"study_spec": spec, "max_trial_count": count, "parallel_trial_count": 2}


def child(parent: dict[str, Any], *conditions: tuple[str, list[Any], dict[str, Any]]) -> dict[str, Any]:
    found = [{name: {"values": values}, "parameter_spec": spec} for name, values, spec in conditions]
    return {**parent, "conditional_parameter_specs": found}


def value(kind: str, **spec: Any) -> dict[str, Any]:
    scale = {"scale_type": spec.pop("scale")} if "scale" in spec else {}
    return {"parameter_id": "p", f"{kind}_value_spec": spec, **scale}


@pytest.mark.parametrize(
    "right",
    [
        job(DOUBLE, WORD, NUMBER, STEPS),
        job(value("double", max_value=1.0)),  # from 0, which the wire leaves out
        job(value("double", min_value=1e-5, max_value=0.1, scale="UNIT_LOG_SCALE")),
        job(NUMBER, WORD, STEPS, algorithm="GRID_SEARCH"),
        job(child(WORD, ("parent_categorical_values", ["sgd"], DOUBLE))),
        job(child(NUMBER, ("parent_int_values", [1], DOUBLE), ("parent_int_values", [2, 3], DOUBLE))),
        job(child(STEPS, ("parent_discrete_values", [16 + 1e-12], DOUBLE))),
        job(DOUBLE, metrics=[{"metric_id": "a", "goal": "MINIMIZE"}, {"metric_id": "b", "goal": "MAXIMIZE"}]),
        job(DOUBLE, median_automated_stopping_spec={}),
    ],
)
def test_right_ones_are_taken(right: dict[str, Any]) -> None:
    check(right, "j")


P = "study_spec.parameters"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (job(count=0), "max_trial_count"),
        ({**job(), "parallel_trial_count": 0}, "parallel_trial_count"),
        ({**job(), "max_failed_trial_count": -1}, "max_failed_trial_count"),
        (job(metrics=[{"metric_id": "my metric"}]), "study_spec.metrics[0].metric_id"),
        (job(metrics=[{"metric_id": "a"}, {"metric_id": "a"}]), "study_spec.metrics[1].metric_id"),
        (job({**DOUBLE, "parameter_id": "l r"}), f"{P}[0].parameter_id"),
        (job(DOUBLE, {**NUMBER, "parameter_id": "lr"}), f"{P}[1].parameter_id"),
        (job({"parameter_id": "p"}), f"{P}[0]"),
        (job(value("double", min_value=2.0, max_value=1.0)), f"{P}[0].double_value_spec"),
        (job(value("integer", min_value=0, max_value=9, scale="UNIT_LOG_SCALE")), f"{P}[0].scale_type"),
        (job(value("double", min_value=-1.0, max_value=1.0, scale="UNIT_REVERSE_LOG_SCALE")), f"{P}[0].scale_type"),
        (job(value("categorical", values=["a"], scale="UNIT_LINEAR_SCALE")), f"{P}[0].scale_type"),
        (job(value("categorical", values=[])), f"{P}[0].categorical_value_spec.values"),
        (job(value("discrete", values=[2, 1])), f"{P}[0].discrete_value_spec.values"),
        (job(value("discrete", values=[1, 1 + 1e-12])), f"{P}[0].discrete_value_spec.values"),
        (job(value("discrete", values=list(range(1001)))), f"{P}[0].discrete_value_spec.values"),
        (job(value("double", max_value=1.0, default_value=0.5)), f"{P}[0].double_value_spec.default_value"),
        (job(child(WORD, ("parent_int_values", [1], DOUBLE))), f"{P}[0].conditional_parameter_specs[0]"),
        (job(child(WORD, ("parent_categorical_values", ["x"], DOUBLE))), f"{P}[0].conditional_parameter_specs[0]"),
        (job(child(NUMBER, ("parent_int_values", [5], DOUBLE))), f"{P}[0].conditional_parameter_specs[0]"),
        (
            job(child(NUMBER, ("parent_int_values", [1, 2], DOUBLE), ("parent_int_values", [2], DOUBLE))),
            f"{P}[0].conditional_parameter_specs[1]",
        ),
        (job(NUMBER, DOUBLE, algorithm="GRID_SEARCH"), "study_spec.algorithm"),
        (job(observation_noise="HIGH"), "study_spec.observation_noise"),
        (
            job(metrics=[{"metric_id": "a"}, {"metric_id": "b"}], median_automated_stopping_spec={}),
            "study_spec",
        ),
    ],
)
def test_wrong_ones_are_refused_by_field(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(GoogleError) as refused:
        check(wrong, "j")
    assert refused.value.code == "INVALID_ARGUMENT"
    assert [one["field"] for one in refused.value.details[0]["field_violations"]] == [f"j.{field}"]


@pytest.mark.parametrize(
    "given",
    [job(study_stopping_config={"max_num_trials": 3}), job(metrics=[{"metric_id": "a", "safety_config": {}}])],
)
def test_what_the_mock_cannot_do_is_refused_by_name(given: dict[str, Any]) -> None:
    with pytest.raises(GoogleError) as refused:
        check(given, "j")
    assert refused.value.code == "UNIMPLEMENTED"
