"""A model from its training to the alarm: served, asked for what it never saw, watched, told of, trained again."""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sagemaker_runs import Sagemaker, states

from cloudml import spec
from cloudml.code import SourceIndex
from cloudml.mocks.port import MockOptions
from cloudml.plan import diff
from cloudml.testing.mocks import MockInUse, running_sagemaker

PROJECT = '''
"""Ages, and a model of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cloudml as ml

if TYPE_CHECKING:
    import polars as pl
    from sklearn.base import BaseEstimator

SCORES = ml.Endpoint("scores", capture=True)
TEAM = ml.slack("team", None)
DRIFT = ml.Monitor(
    "drift",
    schedule=ml.cron("0 20 * * *"),
    thresholds=[ml.threshold("psi", above=0.2, min_samples=100), ml.threshold("error_rate", above=0.5, min_samples=1)],
    features=["age"],
    alerts=[TEAM],
    retrain=ml.retrain(),
)


@ml.processing(cache=False)
def load() -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame({"age": [float(age) for age in range(20, 70)], "y": [2.0 * age for age in range(20, 70)]})


@ml.training(cache=False)
def fit(data: pl.DataFrame) -> BaseEstimator:
    from sklearn.linear_model import LinearRegression

    return LinearRegression().fit(data.select("age").to_pandas(), data["y"].to_numpy())


@ml.pipeline(alerts=[TEAM])
def watched() -> None:
    data = load()
    live = ml.deploy(ml.register(fit(data), "ages"), SCORES)
    ml.monitor(live, DRIFT, baseline=data)
'''


@pytest.fixture
def watched_mock(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockInUse]:
    """Nine in the morning, and time passes only when it is told to."""
    with running_sagemaker(MockOptions(hold=True, start=datetime(2026, 11, 23, 9, 0, tzinfo=UTC))) as mock:
        for name in [name for name in os.environ if name.startswith(mock.running.hides)]:
            monkeypatch.delenv(name)
        for name, value in mock.environment.items():
            monkeypatch.setenv(name, value)
        yield mock


@contextmanager
def passing(mock: MockInUse) -> Iterator[None]:
    """Half a minute each time that one looks: what AWS takes its time for comes to an end."""
    over = threading.Event()

    def go() -> None:
        while not over.wait(0.5):
            mock.advance(30)

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _until(done: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.2)


def _pipeline(folder: Path, monkeypatch: pytest.MonkeyPatch) -> spec.Pipeline:
    (folder / "aging.py").write_text(PROJECT)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "aging", raising=False)
    return importlib.import_module("aging").watched.build_with_locations()[0]  # type: ignore[no-any-return]


@pytest.mark.slow
def test_drift_is_found_told_and_answered(
    watched_mock: MockInUse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _pipeline(tmp_path, monkeypatch)
    jobs = [(str(step.function), step.files) for step in spec.walk(made.steps) if isinstance(step, spec.JobStep)]
    account = Sagemaker(tmp_path)
    resources = account.compile(made, SourceIndex(tmp_path).sources(jobs))
    session, call = account.session, account.client.call
    session.apply(resources, diff(resources, session.observe(resources)))
    topic = next(one.name for one in resources if one.kind == "topic")
    queue = call("sqs", "CreateQueue", QueueName="ear")["QueueUrl"]
    arns = [f"arn:aws:{name}:us-east-1:123456789012" for name in ("sns", "sqs")]
    call("sns", "Subscribe", TopicArn=f"{arns[0]}:{topic}", Protocol="sqs", Endpoint=f"{arns[1]}:ear")

    with passing(watched_mock):
        record = account.start(resources, {})
    assert set(states(record).values()) == {"succeeded"}, states(record)

    rows = [{"age": 90.0 + number} for number in range(200)]
    answer = session.endpoints.invoke("scores", json.dumps({"instances": rows}).encode(), "application/json")
    assert len(json.loads(answer.body)["predictions"]) == 200
    evening = datetime(2026, 11, 23, 20, 0, 5, tzinfo=UTC)
    watched_mock.advance((evening - watched_mock.now()).total_seconds())

    def told() -> list[str]:
        got = call("sqs", "ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [json.loads(one["Body"])["Message"] for one in got.get("Messages", [])]

    _until(lambda: bool(told()))
    (message,) = told()
    assert "Endpoint scores (model ages/1)" in message
    assert "psi of age is" in message
    runs = list(session.runs.list())
    assert [run.status for run in runs[1:]] == ["succeeded"]
    assert len(runs) == 2, "the pipeline has started again, once"
    assert not diff(resources, session.observe(resources)).has_changes

    with passing(watched_mock):
        removed = session.destroy(dry_run=False, keep_data=False)
    assert removed.complete, [one for one in removed.removed if one.problem]
    assert {"topic", "pipeline", "schedule", "endpoint"} <= {one.kind for one in removed.removed}
    assert not call("sns", "ListTopics").get("Topics")
    assert not call("scheduler", "ListSchedules")["Schedules"]
