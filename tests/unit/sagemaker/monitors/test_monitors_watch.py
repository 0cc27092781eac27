"""A monitor on the mock: its schedule fires, traffic is read, a breach is told, the pipeline starts again, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from monitor_account import Account, monitor, of_kind, pipeline, record, until

from cloudml import spec

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
NUMBERS = [float(number) for number in range(100)]


def _rows(value: float | None, count: int) -> list[dict[str, Any]]:
    return [{"age": value} for _ in range(count)]


def test_a_breach_is_told_and_starts_the_pipeline_once_in_its_cooldown(account: Account) -> None:
    """Half past nine (a rate begins at once) and half past ten; all live values lie in one decile of the baseline."""
    account.baseline(age=NUMBERS)
    old, first = (
        record(NINE - timedelta(minutes=5), _rows(1.0, 500)),
        record(NINE + timedelta(minutes=10), _rows(99.0, 20)),
    )
    second = record(NINE + timedelta(minutes=40), _rows(99.0, 25))
    account.captured("2026/11/23/08", old)
    account.captured("2026/11/23/09", first, "no record", second)
    watched = monitor(alerts=("team",), retrain=spec.Retrain(cooldown=2 * 3600.0))
    alert = spec.Alert(name="team", channel="slack")
    resources = account.prepare(pipeline(watched, alerts=(alert,)))
    heard = account.listen(of_kind(resources, "topic")[0].name)
    account.start(resources)
    until(lambda: len(account.reports()) == 1)
    account.mock.advance(3600)
    until(lambda: len(account.reports()) == 2)

    one, other = account.reports()
    assert [one["verdict"], other["verdict"]] == ["breach", "breach"]
    # The baseline is of nine o'clock: what was served before it is another version's traffic.
    assert (one["window"]["start"], one["traffic"]["rows"], one["traffic"]["broken"]) == (
        "2026-11-23T09:00:00+00:00", 20, 1,
    )  # fmt: skip
    assert other["traffic"]["rows"] == 25
    assert one["checks"][0]["feature"] == "age"
    started = [run for run in account.executions() if run["PipelineExecutionDisplayName"].startswith("retrain-drift-")]
    assert [run["PipelineExecutionArn"] for run in started] == [one["retrain"]["started"]]
    assert "held" in other["retrain"]
    messages = heard()
    assert len(messages) == 2
    assert all("psi of age is" in text and "above 0.2" in text for text in messages)

    dimensions = [
        {"Name": key, "Value": value}
        for key, value in {"Project": "samples", "Target": "mock", "Pipeline": "made", "Monitor": "drift"}.items()
    ]
    told = account.client.call(
        "cloudwatch", "GetMetricStatistics", Namespace="cloudml/monitors", MetricName="rows", Dimensions=dimensions,
        StartTime=NINE, EndTime=NINE + timedelta(hours=3), Period=10_800, Statistics=["Sum"],
    )  # fmt: skip
    assert sum(point["Sum"] for point in told["Datapoints"]) == 45
