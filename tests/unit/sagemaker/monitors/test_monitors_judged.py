"""The watch's action itself, in this process: every verdict, and what follows of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from monitor_account import ENDPOINT, FOLDER, SERVED, Account, compiled, monitor, pipeline, record, step_json

from cloudml import spec
from cloudml.jobs.failure import Refused
from cloudml_sagemaker.container.control import watch as watching
from cloudml_sagemaker.container.control.aws import Asking
from cloudml_sagemaker.container.layout import Layout
from cloudml_sagemaker.container.platform import SageMaker
from cloudml_sagemaker.hosting import rollback as rolling

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
PLATFORM = SageMaker(Layout(Path("/nowhere"), False))
NUMBERS = [float(number) for number in range(100)]


def watch(account: Account, now: datetime = NOW, **fields: Any) -> dict[str, Any]:
    """The report of one look."""
    alerts = tuple(spec.Alert(name=name, channel="slack") for name in fields.get("alerts", ()))
    step = step_json(compiled(pipeline(monitor(**fields), alerts=alerts)), "watched-watch")
    context = SimpleNamespace(
        values=SimpleNamespace(json=lambda _: now.isoformat()), step=step, run="run", platform=PLATFORM
    )
    report: dict[str, Any] = watching.watch(step["action"], context)["report"]  # type: ignore[arg-type]
    return report


def traffic(account: Account, rows: list[dict[str, Any]]) -> None:
    account.captured("2026/11/23/09", record(NOW - timedelta(minutes=10), rows))


def test_without_a_baseline_nothing_is_judged(account: Account) -> None:
    assert watch(account)["verdict"] == "no_baseline"
    assert [one["verdict"] for one in account.reports()] == ["no_baseline"]


@pytest.mark.parametrize(
    ("count", "value", "expected"),
    [(0, 1.0, "insufficient_data"), (19, 99.0, "insufficient_data"), (20, 99.0, "breach")],
)
def test_few_samples_are_no_pass(account: Account, count: int, value: float, expected: str) -> None:
    account.baseline(age=NUMBERS)
    if count:
        traffic(account, [{"age": value}] * count)
    assert watch(account)["verdict"] == expected


def test_traffic_like_the_baseline_passes_and_nothing_follows(account: Account) -> None:
    account.baseline(age=NUMBERS)
    traffic(account, [{"age": value} for value in NUMBERS])
    report = watch(account, retrain=spec.Retrain(), rollback=True)
    assert report["verdict"] == "pass"
    assert not {"retrain", "rollback", "alerts"} & set(report)


def test_a_label_that_requests_never_have_is_passed_over(account: Account) -> None:
    account.baseline(age=NUMBERS, churned=[True, False])
    traffic(account, [{"age": value} for value in NUMBERS])
    nulls = (spec.Threshold(statistic="null_share", limit=0.5, min_samples=20),)
    report = watch(account, thresholds=nulls)
    assert report["verdict"] == "pass"
    assert report["traffic"]["unseen"] == ["churned"]


def test_a_feature_that_is_named_and_missing_is_a_breach(account: Account) -> None:
    account.baseline(age=NUMBERS, income=NUMBERS)
    traffic(account, [{"age": value} for value in NUMBERS])
    nulls = (spec.Threshold(statistic="null_share", limit=0.5, min_samples=20),)
    report = watch(account, thresholds=nulls, features=("age", "income"))
    assert {one["feature"]: one["verdict"] for one in report["checks"]} == {"age": "pass", "income": "breach"}


def test_a_damaged_baseline_is_refused(account: Account) -> None:
    pointer = account.baseline(age=NUMBERS)
    key = pointer["profiles"].removeprefix("s3://data/")
    account.client.call("s3", "PutObject", Bucket="data", Key=key, Body=b"{}")
    with pytest.raises(Refused, match="is damaged: run the pipeline again"):
        watch(account)


def test_the_service_s_errors_are_read_from_its_metrics(account: Account) -> None:
    account.baseline(age=NUMBERS)
    dimensions = [{"Name": "EndpointName", "Value": ENDPOINT}, {"Name": "VariantName", "Value": "main"}]
    counts = {"Invocations": 1000.0, "Invocation5XXErrors": 30.0}
    data = [
        {"MetricName": name, "Dimensions": dimensions, "Value": value, "Timestamp": NOW - timedelta(minutes=5)}
        for name, value in counts.items()
    ]
    account.client.call("cloudwatch", "PutMetricData", Namespace="AWS/SageMaker", MetricData=data)
    report = watch(account, thresholds=(spec.Threshold(statistic="error_rate", limit=0.02),))
    assert [(one["verdict"], one["value"], one["samples"]) for one in report["checks"]] == [("breach", 0.03, 1000)]


def _breach(account: Account) -> None:
    account.baseline(age=NUMBERS)
    traffic(account, [{"age": 99.0}] * 50)


def test_a_reaction_that_fails_keeps_no_other_from_happening(account: Account) -> None:
    _breach(account)
    with pytest.raises(Refused) as caught:  # neither the pipeline nor the topic is there
        watch(account, retrain=spec.Retrain(), alerts=("team",))
    assert "retrain: ResourceNotFound" in str(caught.value)
    assert "alert team: the message was not taken" in str(caught.value)
    (report,) = account.reports()
    assert report["verdict"] == "breach"
    assert "failed" in report["retrain"]


def _live(monkeypatch: pytest.MonkeyPatch, config: str | None) -> list[tuple[Any, ...]]:
    """What the endpoint serves just now, and how it was asked to go back."""
    asked: list[tuple[Any, ...]] = []
    found = None if config is None else {"EndpointConfigName": config}
    monkeypatch.setattr(Asking, "find", lambda *_, **__: found)

    def rollback(_: Any, name: str, who: str, reason: str, patience: Any) -> dict[str, Any]:
        asked.append((name, who, reason))
        return {"EndpointConfigName": "config-1"}

    monkeypatch.setattr(rolling, "rollback", rollback)
    return asked


def test_a_breach_takes_the_endpoint_back_and_says_why(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _live(monkeypatch, SERVED["deployment"])  # type: ignore[arg-type]
    _breach(account)
    assert watch(account, rollback=True)["rollback"] == {"serves": "config-1"}
    ((name, who, reason),) = asked
    assert (name, who) == (ENDPOINT, "monitor drift")
    assert "psi of age is" in reason


@pytest.mark.parametrize("config", ["config-1", None])
def test_what_was_taken_back_already_is_not_taken_back_again(
    account: Account, monkeypatch: pytest.MonkeyPatch, config: str | None
) -> None:
    asked = _live(monkeypatch, config)
    _breach(account)
    assert "held" in watch(account, rollback=True)["rollback"]
    assert not asked


def test_reports_lie_by_the_end_of_their_windows(account: Account) -> None:
    account.baseline(age=NUMBERS)
    watch(account)
    watch(account)
    found = account.client.pages("s3", "ListObjectsV2", "Contents", Bucket="data", Prefix="samples/mock/monitors/")
    keys = [one["Key"] for one in found if "/reports/" in one["Key"]]
    assert keys == [f"{FOLDER.removeprefix('s3://data/')}/reports/20261123T093000Z.json"]
