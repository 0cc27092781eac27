"""Which time series a Cloud Monitoring filter takes (cloud.google.com/monitoring/api/v3/filters)."""

from __future__ import annotations

import re
from collections.abc import Callable

from cloudml_vertex.mock.around.expressions import Comparison, Expression, parse
from cloudml_vertex.mock.core.errors import invalid
from cloudml_vertex.mock.core.series import Series

_FUNCTIONS: dict[str, Callable[[str, tuple[str, ...]], bool]] = {
    "starts_with": lambda text, given: text.startswith(given[0]),
    "ends_with": lambda text, given: text.endswith(given[0]),
    "has_substring": lambda text, given: given[0] in text,
    "one_of": lambda text, given: text in given,
    "monitoring.regex.full_match": lambda text, given: re.fullmatch(given[0], text) is not None,
}
_COMPARE = ("=", "!=", ":")
_LABELS = {"labels", "label"}
_TOP = {"project", "group"}


def expression(text: str, *, resource: bool = False) -> tuple[Expression, str]:
    """The filter and the one metric type that it names. Raises INVALID_ARGUMENT.

    "The filter must specify a single metric type" (ListTimeSeriesRequest.filter); an alert's also the resource type.
    """
    found = parse(text)
    types = set()
    for comparison in found.comparisons:
        check(comparison)
        if comparison.path == ("metric", "type") and comparison.operator == "=" and not comparison.value.function:
            types.add(comparison.value.text)
    if len(types) != 1:
        raise invalid(f'The filter {text!r} must specify a single metric type: metric.type = "TYPE".')
    if resource and not any(comparison.path == ("resource", "type") for comparison in found.comparisons):
        raise invalid(f'The filter {text!r} must specify a restriction on "resource.type".')
    return found, types.pop()


def check(comparison: Comparison) -> None:
    """Raises INVALID_ARGUMENT for what no time series has, or no comparison of texts is."""
    path, value = comparison.path, comparison.value
    labelled = len(path) == 3 and path[0] in {"metric", "resource"} and path[1] in _LABELS
    typed = len(path) == 2 and path[0] in {"metric", "resource"} and path[1] == "type"
    if not (labelled or typed or (len(path) == 1 and path[0] in _TOP)):
        raise invalid(f"Invalid filter: unknown selector {'.'.join(path) or value.text!r}.")
    if comparison.operator not in _COMPARE:
        raise invalid(f"Invalid filter: {comparison.operator!r} does not compare {'.'.join(path)!r}.")
    if not value.function:
        return
    if (
        value.function not in _FUNCTIONS
        or not value.arguments
        or (value.function != "one_of" and len(value.arguments) > 1)
    ):
        raise invalid(f"Invalid filter: {value.function}{value.arguments} is no function of Monitoring's filters.")
    if value.function == "monitoring.regex.full_match":
        try:
            re.compile(value.arguments[0])
        except re.error as error:
            raise invalid(f"Invalid filter: {value.arguments[0]!r} is no regular expression: {error}.") from None


def wanted(found: Expression) -> Callable[[Series], bool]:
    """A test of series."""
    return lambda series: found.test(lambda comparison: _holds(series, comparison))


def read(series: Series, path: tuple[str, ...]) -> str | None:
    """A selector's value; None when the series has no such label."""
    if path == ("metric", "type"):
        return series.metric_type
    if path == ("resource", "type"):
        return series.resource_type
    labels = series.metric_labels if path[0] == "metric" else series.resource_labels
    return labels.get(path[2]) if len(path) == 3 else None


def _holds(series: Series, comparison: Comparison) -> bool:
    if comparison.path[0] in _TOP:
        return True  # the request's own project is the only one there is
    return holds_text(read(series, comparison.path), comparison)


def holds_text(text: str | None, comparison: Comparison) -> bool:
    """Whether a comparison holds for a text; None: there is none, which equals an empty one."""
    value = comparison.value
    if value.function:
        same = _FUNCTIONS[value.function](text or "", value.arguments)
    elif comparison.operator == ":":
        same = value.text in (text or "") if value.text != "*" else text is not None
    else:
        same = (text or "") == value.text
    return same != (comparison.operator == "!=")
