"""What Vertex AI demands of a hyperparameter tuning job (docstrings of aiplatform_v1.types.study).

Everything wrong is told at once, as google.rpc.BadRequest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from cloudml_vertex.mock.core.errors import field_violations, not_executed

Document = dict[str, Any]
Violation = tuple[str, str]

KINDS = ("double_value_spec", "integer_value_spec", "categorical_value_spec", "discrete_value_spec")
STOPPING = ("decay_curve_stopping_spec", "median_automated_stopping_spec", "convex_automated_stopping_spec")
_LOGARITHMIC = frozenset({"UNIT_LOG_SCALE", "UNIT_REVERSE_LOG_SCALE"})
_DISCRETE_VALUES = 1000
_APART = 1e-10
_PARENTS = {
    "parent_discrete_values": "discrete_value_spec",
    "parent_int_values": "integer_value_spec",
    "parent_categorical_values": "categorical_value_spec",
}


def check(job: Document, where: str) -> None:
    """Refuse counts and a study that Vertex AI would refuse, and what this mock cannot do. Raises GoogleError."""
    spec = job.get("study_spec") or {}
    if spec.get("study_stopping_config"):
        raise not_executed("study_stopping_config", "use max_trial_count")
    if any("safety_config" in metric for metric in spec.get("metrics") or []):
        raise not_executed("A safety metric", "leave safety_config out")
    found = [*_counts(job, where), *_metrics(spec.get("metrics") or [], f"{where}.study_spec.metrics")]
    found += _parameters(spec.get("parameters") or [], f"{where}.study_spec.parameters")
    found += _algorithm(spec, f"{where}.study_spec")
    if found:
        raise field_violations(found)


def kind_of(parameter: Document) -> str:
    """Which value spec a parameter has; "" for none."""
    return next((kind for kind in KINDS if kind in parameter), "")


def condition(child: Document) -> tuple[str, list[Any]]:
    """The parent's kind and the values of it that make a conditional parameter active."""
    for name, kind in _PARENTS.items():
        if name in child:
            return kind, list((child[name] or {}).get("values") or [])
    return "", []


def every(parameters: Sequence[Document]) -> Iterator[Document]:
    """The parameters and those that hang on them."""
    for parameter in parameters:
        yield parameter
        yield from every([child["parameter_spec"] for child in parameter.get("conditional_parameter_specs") or []])


def _counts(job: Document, where: str) -> Iterator[Violation]:
    for name in ("max_trial_count", "parallel_trial_count"):
        if (job.get(name) or 0) < 1:
            yield f"{where}.{name}", "The count must be positive."
    if (job.get("max_failed_trial_count") or 0) < 0:
        yield f"{where}.max_failed_trial_count", "The count is negative."


def _metrics(metrics: list[Document], where: str) -> Iterator[Violation]:
    yield from _names([metric.get("metric_id", "") for metric in metrics], where, "metric_id")


def _names(names: Sequence[str], where: str, member: str) -> Iterator[Violation]:
    for number, name in enumerate(names):
        if not name or any(letter.isspace() for letter in name):
            yield f"{where}[{number}].{member}", f"{name!r} must not be empty or contain whitespace."
        if name in names[:number]:
            yield f"{where}[{number}].{member}", f"{name!r} is not unique."


def _parameters(parameters: list[Document], where: str) -> Iterator[Violation]:
    yield from _names([parameter.get("parameter_id", "") for parameter in parameters], where, "parameter_id")
    for number, parameter in enumerate(parameters):
        yield from _parameter(parameter, f"{where}[{number}]")


def _parameter(parameter: Document, where: str) -> Iterator[Violation]:
    kind = kind_of(parameter)
    if not kind:
        yield where, f"One of {', '.join(KINDS)} is required."
        return
    spec = parameter[kind]
    if "default_value" in spec:
        yield f"{where}.{kind}.default_value", "A default value is not supported by HyperparameterTuningJob."
    scale = parameter.get("scale_type", "SCALE_TYPE_UNSPECIFIED")
    values = list(_range(spec)) if kind in KINDS[:2] else list(spec.get("values") or [])
    yield from (_bounds if kind in KINDS[:2] else _listed)(values, kind, f"{where}.{kind}")
    if kind == "categorical_value_spec" and scale != "SCALE_TYPE_UNSPECIFIED":
        yield f"{where}.scale_type", "Leave the scale of a CATEGORICAL parameter unset."
    elif scale in _LOGARITHMIC and any(value <= 0 for value in values):
        yield f"{where}.scale_type", f"{scale} needs a feasible space that is strictly positive."
    yield from _children(parameter, kind, where)


def _range(spec: Document) -> tuple[float, float]:
    return spec.get("min_value", 0), spec.get("max_value", 0)


def _bounds(values: list[Any], kind: str, where: str) -> Iterator[Violation]:
    low, high = values
    if isinstance(low, str) or isinstance(high, str):  # NaN and infinity travel as text
        yield where, "The bounds must be finite."
    elif low > high:
        yield where, f"min_value {low} is greater than max_value {high}."


def _listed(values: list[Any], kind: str, where: str) -> Iterator[Violation]:
    if not values:
        yield f"{where}.values", "At least one value is required."
    if kind == "categorical_value_spec":
        if len(set(values)) != len(values):
            yield f"{where}.values", "The values are not unique."
        return
    if len(values) > _DISCRETE_VALUES:
        yield f"{where}.values", f"{len(values)} values, and at most {_DISCRETE_VALUES} are allowed."
    if any(isinstance(value, str) for value in values):
        yield f"{where}.values", "The values must be finite."
    elif any(after - before < _APART for before, after in pairwise(values)):
        yield f"{where}.values", "The values must be in increasing order and at least 1e-10 apart."


def _children(parameter: Document, kind: str, where: str) -> Iterator[Violation]:
    taken: list[tuple[str, Any]] = []
    for number, child in enumerate(parameter.get("conditional_parameter_specs") or []):
        place = f"{where}.conditional_parameter_specs[{number}]"
        parent, values = condition(child)
        if parent != kind:
            yield place, f"The condition on the parent is for another type than {kind}."
            continue
        if not values or not all(_holds(parameter[kind], kind, value) for value in values):
            yield place, f"The values {values} are not all values of {parameter.get('parameter_id', '')!r}."
        inner = child["parameter_spec"]
        claims = [(inner.get("parameter_id", ""), value) for value in values]
        if any(claim in taken for claim in claims):
            yield place, f"Two conditions of {claims[0][0]!r} are not disjoint."
        taken += claims
        yield from _names([inner.get("parameter_id", "")], f"{place}.parameter_spec", "parameter_id")
        yield from _parameter(inner, f"{place}.parameter_spec")


def _holds(spec: Document, kind: str, value: Any) -> bool:
    if kind == "integer_value_spec":
        low, high = _range(spec)
        return bool(low <= value <= high)
    if kind == "discrete_value_spec":
        return any(abs(value - known) <= _APART for known in spec["values"])
    return value in spec["values"]


def _algorithm(spec: Document, where: str) -> Iterator[Violation]:
    if spec.get("observation_noise", "OBSERVATION_NOISE_UNSPECIFIED") != "OBSERVATION_NOISE_UNSPECIFIED":
        yield f"{where}.observation_noise", "The observation noise is not supported by HyperparameterTuningJob."
    parameters = every(spec.get("parameters") or [])
    if spec.get("algorithm") == "GRID_SEARCH" and any(kind_of(one) == "double_value_spec" for one in parameters):
        yield f"{where}.algorithm", "GRID_SEARCH needs parameters that are all INTEGER, CATEGORICAL or DISCRETE."
    if len(spec.get("metrics") or []) > 1 and any(name in spec for name in STOPPING):
        yield where, "Automated stopping is for studies with one metric."
