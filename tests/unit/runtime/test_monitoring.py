"""Thresholds held against columns and the service: who is judged, and when nothing can be said."""

from __future__ import annotations

from typing import Any

import pytest

from cloudml import spec
from cloudml.runtime.drift import Column, profile
from cloudml.runtime.monitoring import Check, Told, judge, verdict


def threshold(statistic: Any, limit: float, **more: Any) -> dict[str, Any]:
    return spec.Threshold(statistic=statistic, limit=limit, **more).model_dump(mode="json")


def column(reference: list[Any], live: list[Any]) -> Column:
    known = profile(reference)
    assert known is not None
    found = Column(known)
    for one in live:
        found.add(one)
    return found


def verdicts(checks: list[Check]) -> dict[str, str]:
    return {f"{check.statistic}:{check.feature}": check.verdict for check in checks}


NUMBERS = list(range(10))


def test_every_column_is_judged_and_a_field_names_one() -> None:
    columns = {"same": column(NUMBERS, NUMBERS), "moved": column(NUMBERS, [0] * 10)}
    checks = judge([threshold("psi", 0.2, min_samples=10)], columns, {})
    assert verdicts(checks) == {"psi:same": "pass", "psi:moved": "breach"}
    assert verdict(checks) == "breach"
    only = judge([threshold("psi", 0.2, min_samples=10, field="same")], columns, {})
    assert verdict(only) == "pass"


def test_too_few_values_are_never_a_pass() -> None:
    columns = {"a": column(NUMBERS, NUMBERS)}
    checks = judge([threshold("psi", 0.2, min_samples=11)], columns, {})
    assert verdicts(checks) == {"psi:a": "insufficient_data"}
    assert verdict(checks) == "insufficient_data"


def test_one_that_cannot_be_judged_spoils_a_pass_but_no_breach() -> None:
    columns = {"a": column(NUMBERS, NUMBERS)}
    few = [threshold("psi", 0.2, min_samples=1), threshold("latency_p95", 100)]
    assert verdict(judge(few, columns, {})) == "insufficient_data"
    broken = judge(few, {"a": column(NUMBERS, [0] * 9)}, {})
    assert verdict(broken) == "breach"


def test_a_statistic_that_no_column_has_is_said_so() -> None:
    checks = judge([threshold("ks", 0.1, min_samples=1)], {"a": column(["x"], ["x"])}, {})
    assert verdicts(checks) == {"ks:": "not_applicable"}
    assert verdict(checks) == "insufficient_data"


def test_what_the_service_tells_is_judged_by_its_requests() -> None:
    told = {"error_rate": Told(0.02, 1000), "latency_p95": Told(80.0, 100)}
    checks = judge([threshold("error_rate", 0.01), threshold("latency_p95", 100)], {}, told)
    assert verdicts(checks) == {"error_rate:": "breach", "latency_p95:": "insufficient_data"}


@pytest.mark.parametrize("direction", ["above", "below"])
def test_a_limit_itself_is_kept(direction: str) -> None:
    checks = judge([threshold("error_rate", 0.5, direction=direction, min_samples=1)], {}, {"error_rate": Told(0.5, 9)})
    assert checks[0].verdict == "pass"


def test_below_is_the_other_way_round() -> None:
    found = judge([threshold("error_rate", 0.5, direction="below", min_samples=1)], {}, {"error_rate": Told(0.4, 9)})
    assert found[0].verdict == "breach"
    assert found[0].text() == "error_rate is 0.4, below 0.5"


def test_a_value_without_bound_can_be_written_as_json() -> None:
    columns = {"flat": column([2.0, 2.0], [3.0])}
    found = judge([threshold("wasserstein", 0.5, min_samples=1)], columns, {})
    assert found[0].verdict == "breach"
    assert found[0].to_dict()["value"] == "inf"
