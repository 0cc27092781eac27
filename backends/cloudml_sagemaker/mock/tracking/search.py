"""Search over what the mock keeps (API reference, Search, SearchExpression, Filter, NestedFilters)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import ge, gt, le, lt
from typing import Any

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.errors import validation
from cloudml_sagemaker.mock.core.listing import page
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.service.model import output_shape

SUGGESTIONS = 10
LARGEST = 50
"""Recursive filters, nested filters and sub-expressions of a search (API reference, Search)."""


@dataclass(frozen=True)
class Resource:
    """What a SearchRecord's member is called, the table behind it, and the member with the ARN."""

    member: str
    table: str
    arn: str


RESOURCES = {
    "TrainingJob": Resource("TrainingJob", "TrainingJob", "TrainingJobArn"),
    "HyperParameterTuningJob": Resource(
        "HyperParameterTuningJob", "HyperParameterTuningJob", "HyperParameterTuningJobArn"
    ),
    "Experiment": Resource("Experiment", "Experiment", "ExperimentArn"),
    "ExperimentTrial": Resource("Trial", "Trial", "TrialArn"),
    "ExperimentTrialComponent": Resource("TrialComponent", "TrialComponent", "TrialComponentArn"),
    "Endpoint": Resource("Endpoint", "Endpoint", "EndpointArn"),
    "Model": Resource("Model", "Model", "ModelArn"),
    "ModelCard": Resource("ModelCard", "ModelCard", "ModelCardArn"),
    "ModelPackage": Resource("ModelPackage", "ModelPackage", "ModelPackageArn"),
    "ModelPackageGroup": Resource("ModelPackageGroup", "ModelPackageGroup", "ModelPackageGroupArn"),
    "Pipeline": Resource("Pipeline", "Pipeline", "PipelineArn"),
    "PipelineExecution": Resource("PipelineExecution", "PipelineExecution", "PipelineExecutionArn"),
    "PipelineVersion": Resource("PipelineVersion", "PipelineVersion", "PipelineArn"),
}

Test = Callable[[Document], bool]


@operation("Search", executes="looks through what the mock keeps")
def search(call: Call) -> Parameters:
    """Filter, sort, one page. Raises ValidationException for a filter that makes no sense."""
    resource = _resource(call)
    expression = call.params.get("SearchExpression") or {}
    if _size(expression) > LARGEST:
        raise validation(f"A SearchExpression has at most {LARGEST} filters, nested filters and sub-expressions.")
    test = _expression(expression)
    by = call.params.get("SortBy", "LastModifiedTime")
    rows = [row for row in _rows(call, resource) if test(row)]
    rows.sort(key=lambda row: _sortable(next(values(row, by), None)))
    if call.params.get("SortOrder", "Descending") == "Descending":
        rows.reverse()
    total = {"Value": len(rows), "Relation": "EqualTo"}
    return {**page(call, [_record(resource, row) for row in rows], "Results"), "TotalHits": total}


@operation("GetSearchSuggestions", executes="names properties of what the mock keeps")
def get_search_suggestions(call: Call) -> Parameters:
    """Properties whose names begin as the hint does."""
    resource = _resource(call)
    query = (call.params.get("SuggestionQuery") or {}).get("PropertyNameQuery") or {}
    hint = str(query.get("PropertyNameHint", "")).lower()
    shape = output_shape("Search").members["Results"].member.members[resource.member]
    names = {*shape.members}
    for row in _rows(call, resource):
        names.update(f"{member}.{key}" for member in _MAPS for key in row.get(member) or {})
        names.update(f"Tags.{tag['Key']}" for tag in row["Tags"])
        names.update(f"Metrics.{item['MetricName']}" for member in _METRICS for item in row.get(member) or [])
    found = sorted(name for name in names if name.lower().startswith(hint))
    return {"PropertyNameSuggestions": [{"PropertyName": name} for name in found[:SUGGESTIONS]]}


_METRICS = ("FinalMetricDataList", "Metrics")
_MAPS = ("HyperParameters", "Parameters", "CustomerMetadataProperties")


def _resource(call: Call) -> Resource:
    found = RESOURCES.get(call.params["Resource"])
    if found is None:
        raise validation(f"cloudml mock sagemaker keeps no {call.params['Resource']} to search.")
    return found


def _rows(call: Call, resource: Resource) -> Iterator[Document]:
    tags, more = call.table("_tags"), _MORE.get(resource.table)
    for row in call.table(resource.table):
        told = tags.get(str(row.get(resource.arn, ""))) or {}
        found = {**row, "Tags": [{"Key": key, "Value": value} for key, value in told.items()]}
        yield {**found, **more(call, row)} if more is not None else found


def _parents(call: Call, row: Document) -> Document:
    """The trials of a component (API reference, DisassociateTrialComponent: they are listed by Search)."""
    trials = [trial for name in row.get("_trials", ()) if (trial := call.table("Trial").get(name)) is not None]
    return {"Parents": [{name: trial[name] for name in ("TrialName", "ExperimentName")} for trial in trials]}


def _schedules(call: Call, row: Document) -> Document:
    name = row["EndpointName"]
    return {"MonitoringSchedules": [one for one in call.table("MonitoringSchedule") if one.get("EndpointName") == name]}


_MORE: dict[str, Callable[[Call, Document], Document]] = {"TrialComponent": _parents, "Endpoint": _schedules}
"""What a search record tells beside the Describe response."""


def _record(resource: Resource, row: Document) -> Document:
    return {resource.member: {"Model": row} if resource.member == "Model" else row}


def _sortable(value: Any) -> tuple[int, float, str]:
    if isinstance(value, int | float):
        return (1, float(value), "")
    return (0, 0.0, "") if value is None else (2, 0.0, str(value))


def values(row: Any, path: str) -> Iterator[Any]:
    """Every value that a property's name leads to: through members, maps, lists, tags by key and metrics by name."""
    if isinstance(row, list):
        named = _named(row, path)
        if named is not None:
            yield from named
        else:
            for item in row:
                yield from values(item, path)
        return
    if not isinstance(row, dict):
        return
    if path in row:
        yield from row[path] if isinstance(row[path], list) else [row[path]]
    head, dot, rest = path.partition(".")
    if dot and path not in row and head in row:
        yield from values(row[head], rest)
    if dot and head == "Metrics" and "FinalMetricDataList" in row:
        yield from _named(row["FinalMetricDataList"], rest) or ()


def _named(items: list[Any], name: str) -> list[Any] | None:
    """Values of tags by key, of metrics by name; None for other lists."""
    for key, value in (("Key", "Value"), ("MetricName", "Value"), ("MetricName", "Last")):
        if items and all(isinstance(item, dict) and key in item and value in item for item in items):
            head = name.partition(".")[0]
            return [item[value] for item in items if item[key] == head]
    return None


def _expression(given: Document) -> Test:
    tests = [_filter(item) for item in given.get("Filters") or []]
    tests += [_nested(item) for item in given.get("NestedFilters") or []]
    tests += [_expression(item) for item in given.get("SubExpressions") or []]
    join = any if given.get("Operator") == "Or" and tests else all
    return lambda row: join(test(row) for test in tests)


def _size(given: Document) -> int:
    inside = given.get("SubExpressions") or []
    return sum(len(given.get(name) or []) for name in ("Filters", "NestedFilters")) + sum(
        1 + _size(one) for one in inside
    )


def _nested(given: Document) -> Test:
    """All filters hold for one and the same item of a list."""
    name = given["NestedPropertyName"]
    inner = [_filter({**item, "Name": item["Name"].removeprefix(f"{name}.")}) for item in given["Filters"]]
    return lambda row: any(all(test(item) for test in inner) for item in values(row, name) if isinstance(item, dict))


def _filter(given: Document) -> Test:
    name, sign, value = given["Name"], given.get("Operator", "Equals"), given.get("Value")
    if sign in {"Exists", "NotExists"}:
        if value is not None:
            raise validation(f"Value must not be given with the operator {sign}.")
        return lambda row: (next(values(row, name), None) is not None) == (sign == "Exists")
    if value is None:
        raise validation(f"Value is required with the operator {sign}.")
    if sign == "NotEquals":
        return lambda row: not any(_equal(found, value) for found in values(row, name))
    test = _TESTS[sign]
    return lambda row: any(test(found, value) for found in values(row, name))


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _comparable(found: Any, value: str) -> tuple[float, float] | None:
    """Both as numbers; a time in the filter is seconds since the epoch or ISO 8601."""
    left, right = _number(found), _number(value)
    if right is None and isinstance(found, int | float):
        try:
            right = datetime.fromisoformat(value).timestamp()
        except ValueError:
            return None
    return None if left is None or right is None else (left, right)


def _equal(found: Any, value: str) -> bool:
    if isinstance(found, bool):
        return str(found).lower() == value.lower()
    if isinstance(found, int | float):
        pair = _comparable(found, value)
        return pair is not None and pair[0] == pair[1]
    return str(found) == value


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, str], bool]:
    def test(found: Any, value: str) -> bool:
        pair = _comparable(found, value)
        return pair is not None and compare(*pair)

    return test


_TESTS: dict[str, Callable[[Any, str], bool]] = {
    "Equals": _equal,
    "GreaterThan": _ordered(gt),
    "GreaterThanOrEqualTo": _ordered(ge),
    "LessThan": _ordered(lt),
    "LessThanOrEqualTo": _ordered(le),
    "Contains": lambda found, value: isinstance(found, str) and value in found,
    "In": lambda found, value: any(_equal(found, one.strip()) for one in value.split(",")),
}
