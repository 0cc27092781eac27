"""One look of the portable engine at an endpoint of the mock's: verdicts, and what follows of each."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from vertex_monitor_lab import (
    ENDPOINT,
    MAIN,
    NUMBERS,
    PARENT,
    TEMPLATE,
    MonitorBench,
    threshold,
)

from cloudml.jobs.failure import Refused
from cloudml_vertex.container.control.telling import OWN, stamp
from cloudml_vertex.container.google import call, pages

RULES = {"cooldown": 7200.0, "limit": None, "period": None}


def pipeline(bench: MonitorBench) -> None:
    """The document of a pipeline of one importer, which is over at once."""
    importer = {
        "artifactUri": {"constant": "gs://data/x"},
        "typeSchema": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"},
    }
    spec = {
        "schemaVersion": "2.1.0", "sdkVersion": "cloudml", "pipelineInfo": {"name": MAIN},
        "components": {"comp-a": {
            "executorLabel": "exec-a",
            "outputDefinitions": {"artifacts": {"artifact": {"artifactType": importer["typeSchema"]}}},
        }},
        "deploymentSpec": {"executors": {"exec-a": {"importer": importer}}},
        "root": {"dag": {"tasks": {"a": {"componentRef": {"name": "comp-a"}, "taskInfo": {"name": "a"}}}}},
    }  # fmt: skip
    document = {
        "displayName": MAIN, "labels": {"cloudml-pipeline": "made"}, "pipelineSpec": spec,
        "runtimeConfig": {"gcsOutputDirectory": "gs://data/root"},
    }  # fmt: skip
    bench.store.put(TEMPLATE, json.dumps(document).encode())


def test_without_a_baseline_nothing_is_judged(bench: MonitorBench) -> None:
    assert bench.watch()["verdict"] == "no_baseline"
    assert [one["verdict"] for one in bench.reports()] == ["no_baseline"]


@pytest.mark.parametrize(
    ("count", "value", "expected"),
    [(0, 1.0, "insufficient_data"), (19, 99.0, "insufficient_data"), (20, 99.0, "breach")],
)
def test_few_samples_are_no_pass(bench: MonitorBench, count: int, value: float, expected: str) -> None:
    now = bench.now
    bench.baseline(bench.served(), now - timedelta(hours=2), age=NUMBERS)
    if count:
        bench.captured(now - timedelta(minutes=10), [{"age": value}] * count)
    report = bench.watch()
    assert (report["verdict"], report["traffic"]["rows"]) == (expected, count)


def test_only_the_window_and_the_version_that_is_watched_count(bench: MonitorBench) -> None:
    """What was served before the baseline was put, and by another deployment, is other traffic."""
    now = bench.now
    bench.baseline(bench.served(), now - timedelta(minutes=30), age=NUMBERS)
    for minutes, identifier in ((45, "11"), (20, "12"), (10, "11")):
        bench.captured(now - timedelta(minutes=minutes), [{"age": value} for value in NUMBERS], identifier)
    report = bench.watch()
    assert (report["verdict"], report["traffic"]["rows"]) == ("pass", 100)
    assert report["window"]["start"] == (now - timedelta(minutes=30)).isoformat()


def test_drift_is_told_and_starts_the_pipeline_once_in_its_cooldown(bench: MonitorBench) -> None:
    pipeline(bench)
    now = bench.drifted()
    first = bench.watch(now, retrain=RULES)
    assert (first["verdict"], first["checks"][0]["feature"]) == ("breach", "age")
    assert bench.watch(now, retrain=RULES)["retrain"] == first["retrain"]  # the same window, tried again
    bench.mock.advance(1800)
    second = bench.watch(retrain=RULES)
    assert "waits until" in second["retrain"]["held"] or "goes on" in second["retrain"]["held"]
    runs = list(pages("PipelineService.ListPipelineJobs", "pipeline_jobs", parent=PARENT))
    assert [one["name"].partition("/locations/")[2] for one in runs] == [
        first["retrain"]["started"].partition("/locations/")[2]
    ]
    assert runs[0]["labels"]["cloudml-pipeline"] == "made"
    assert runs[0]["name"].rpartition("/")[2].startswith(f"{MAIN}-retrain-drift-")


def test_a_pipeline_that_is_gone_is_said_so(bench: MonitorBench) -> None:
    now = bench.drifted()
    with pytest.raises(Refused, match="deploy the pipeline again"):
        bench.watch(now, retrain=RULES)
    assert "failed" in bench.reports()[0]["retrain"]


def test_values_and_counts_are_metrics_and_a_second_attempt_is_none(bench: MonitorBench) -> None:
    now = bench.drifted()
    report = bench.watch(now)
    bench.watch(now)
    interval = {"start_time": stamp(now - timedelta(minutes=1)), "end_time": stamp(now + timedelta(minutes=1))}

    def told(metric: str) -> list[tuple[dict[str, str], float]]:
        asked = {"name": "projects/mock-project", "filter": f'metric.type="{OWN}/{metric}"', "interval": interval}
        found = pages("MetricService.ListTimeSeries", "time_series", **asked)
        return [(one["metric"]["labels"], one["points"][0]["value"]["double_value"]) for one in found]

    about = {"project": "samples", "target": "mock", "pipeline": "made", "monitor": "drift"}
    assert told("rows") == [(about, 25.0)]
    assert told("breaches") == [(about, 1.0)]
    assert told("psi") == [({**about, "feature": "age"}, report["checks"][0]["value"])]


def test_errors_of_the_endpoint_are_told_to_a_topic(bench: MonitorBench) -> None:
    """Six of ten requests fail; Cloud Monitoring tells so when its minute is over and seen."""
    bench.deploy("11")
    begun = bench.now
    bench.baseline(bench.served(), begun - timedelta(minutes=5), age=NUMBERS)
    topic = "projects/mock-project/topics/team"
    _publishing(bench, topic)
    for number in range(10):
        bench.ask("fail" if number < 6 else {"age": 1.0})
    bench.mock.advance(600)
    alerts = [{"name": "team", "channel": "email", "topic": topic}]
    wanted = [threshold("error_rate", 0.5, min_samples=10), threshold("latency_p95", 60_000.0, min_samples=10)]
    report = bench.watch(alerts=alerts, thresholds=wanted)
    errors, latency = report["checks"]
    assert (errors["verdict"], errors["value"], errors["samples"]) == ("breach", 0.6, 10)
    assert latency["verdict"] == "pass"
    assert 0 < latency["value"] < 60_000
    assert report["alerts"] == {"told": ["team"], "problems": []}
    (message,) = _heard(bench)
    assert "error_rate is 0.6, above 0.5" in message


def _publishing(bench: MonitorBench, topic: str) -> None:
    bench.rest("PUT", f"/v1/{topic}", {})
    bench.rest("PUT", "/v1/projects/mock-project/subscriptions/ear", {"topic": topic})


def _heard(bench: MonitorBench) -> list[str]:
    found = bench.rest("POST", "/v1/projects/mock-project/subscriptions/ear:pull", {"maxMessages": 10})
    return [base64.b64decode(one["message"]["data"]).decode() for one in found.get("receivedMessages", [])]


def test_a_look_at_a_window_before_the_baseline_judges_nothing(bench: MonitorBench) -> None:
    now = bench.now
    bench.baseline(bench.served(), now + timedelta(minutes=5), age=NUMBERS)
    report = bench.watch(now, thresholds=[threshold(), threshold("error_rate", 0.1), threshold("latency_p99", 1.0)])
    assert {one["verdict"] for one in report["checks"]} <= {"insufficient_data", "not_applicable"}
    assert report["verdict"] == "insufficient_data"


def test_a_rollback_waits_for_nothing_that_serves_no_more(bench: MonitorBench) -> None:
    """Another version took over since the baseline was put: there is nothing to go back from."""
    bench.deploy("11")
    bench.deploy("12")
    now = bench.drifted()
    report = bench.watch(now, rollback=True)
    assert report["rollback"] == {"held": "the endpoint serves something else by now"}
    assert call("EndpointService.GetEndpoint", name=ENDPOINT)["traffic_split"]["12"] == 100


def test_a_breach_goes_back_to_what_was_served_before(bench: MonitorBench) -> None:
    """The one that was deployed before, and is still there; what was deployed since does not count."""
    for identifier, share in (("10", 100), ("11", 100), ("12", 0)):
        bench.deploy(identifier, share)
        bench.mock.advance(1)
    call("EndpointService.UpdateEndpoint", update_mask="traffic_split",
         endpoint={"name": ENDPOINT, "traffic_split": {"10": 0, "11": 100, "12": 0}})  # fmt: skip
    report = bench.watch(bench.drifted(), rollback=True)
    assert report["rollback"] == {"serves": "10"}
    assert {key for key, share in bench.endpoint()["traffic_split"].items() if share} == {"10"}


def test_nothing_to_go_back_to_is_told_and_all_else_is_done(bench: MonitorBench) -> None:
    bench.deploy("11")
    with pytest.raises(Refused, match="deploy the version that is wanted"):
        bench.watch(bench.drifted(), rollback=True)
    (report,) = bench.reports()
    assert report["verdict"] == "breach"
    assert "failed" in report["rollback"]
    assert bench.endpoint()["traffic_split"] == {"11": 100}
