"""The parts of a monitor's job: captured bodies, rules of retraining, messages and where they may go."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
import urllib.response
from datetime import UTC, datetime, timedelta
from email.message import Message as Headers
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cloudml.jobs.control import notify, posting
from cloudml.jobs.control.posting import Message, NotPosted
from cloudml.jobs.control.retraining import prefix
from cloudml.jobs.control.traffic import Reader
from cloudml.runtime.drift import profile
from cloudml_sagemaker.container.control import retraining
from cloudml_sagemaker.container.control.captured import body, exchange
from cloudml_sagemaker.container.control.native_baseline import constraints, feature, statistics
from cloudml_sagemaker.container.control.telling import told
from cloudml_sagemaker.container.layout import Layout
from cloudml_sagemaker.container.platform import SageMaker

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PROFILES = {"age": profile([1.0, 2.0]), "plan": profile(["a", "b"])}
ROW = {"age": 3, "plan": "b"}


def side(data: str, media: str = "application/json", encoding: str = "JSON") -> dict[str, str]:
    return {"observedContentType": media, "mode": "INPUT", "data": data, "encoding": encoding}


def rows(entry: dict[str, str], order: tuple[str, ...] = ("age", "plan"), **sides: Any) -> list[dict[str, Any]]:
    known = {name: one for name, one in PROFILES.items() if one is not None}
    if "endpointOutput" in sides:
        known["prediction"] = known["age"]
    return Reader(known, order).rows(exchange({"endpointInput": entry, **sides}))


@pytest.mark.parametrize(
    "entry",
    [
        side(json.dumps({"instances": [ROW]})),
        side(json.dumps([ROW])),
        side(json.dumps({"dataframe_split": {"columns": ["age", "plan"], "data": [[3, "b"]]}})),
        side(json.dumps({"instances": [[3, "b"]]})),
        side(json.dumps(ROW) + "\n", "application/jsonlines"),
        side("3,b\n", "text/csv", "CSV"),
        side("plan,age\nb,3\n", "text/csv; header=present", "CSV"),
        side(base64.b64encode(json.dumps({"instances": [ROW]}).encode()).decode(), encoding="BASE64"),
    ],
)
def test_bodies_are_read_as_the_endpoint_reads_them(entry: dict[str, str]) -> None:
    assert rows(entry) == [ROW]


def test_rows_keep_fields_that_the_order_does_not_name() -> None:
    assert rows(side(json.dumps([{"age": 1, "new": 2}])), ()) == [{"age": 1, "new": 2}]


def test_answers_are_a_column_when_there_is_one_for_each_row() -> None:
    entry = side(json.dumps([ROW, ROW]))
    answer = side(json.dumps({"predictions": [0.1, 0.9]}))
    assert [row["prediction"] for row in rows(entry, endpointOutput=answer)] == [0.1, 0.9]
    short = side(json.dumps({"predictions": [0.1]}))
    assert all("prediction" not in row for row in rows(entry, endpointOutput=short))


@pytest.mark.parametrize("entry", [side("{"), side("x", "image/png", "BASE64"), side("!", encoding="BASE64")])
def test_what_cannot_be_read_is_said_so(entry: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        rows(entry)


def test_a_base64_body_is_decoded_and_all_else_is_text() -> None:
    assert body(side(base64.b64encode(b"\x00x").decode(), encoding="BASE64")) == b"\x00x"
    assert body(side("é", encoding="CSV")) == "é".encode()


# -- retraining ---------------------------------------------------------------------------------------------------


class Pipelines:
    """ListPipelineExecutions and StartPipelineExecution, two executions a page."""

    def __init__(self, *executions: tuple[str, float, str]) -> None:
        self.rows = [
            {
                "PipelineExecutionDisplayName": name, "PipelineExecutionStatus": status,
                "StartTime": NOON - timedelta(hours=hours), "PipelineExecutionArn": f"arn-{number}",
            }
            for number, (name, hours, status) in enumerate(executions)
        ]  # fmt: skip
        self.started: list[dict[str, Any]] = []

    def call(self, service: str, operation: str, /, **request: Any) -> dict[str, Any]:
        if operation == "StartPipelineExecution":
            self.started.append(request)
            return {"PipelineExecutionArn": "arn-new"}
        begin = int(request.get("NextToken", 0))
        more = {"NextToken": str(begin + 2)} if begin + 2 < len(self.rows) else {}
        return {"PipelineExecutionSummaries": self.rows[begin : begin + 2], **more}

    def find(self, service: str, operation: str, /, **request: Any) -> dict[str, Any] | None:
        raise AssertionError(operation)


OWN = prefix("drift")
HOUR = 3600.0


def rules(cooldown: float = HOUR, limit: int | None = None, period: float | None = None) -> dict[str, Any]:
    return {"cooldown": cooldown, "limit": limit, "period": period}


def retrain(aws: Pipelines, **given: Any) -> dict[str, Any]:
    return retraining.retrain(aws, "p", "drift", rules(**given), NOON)


def test_the_first_breach_starts_the_pipeline_by_a_token_of_its_window() -> None:
    one, other = Pipelines(), Pipelines(("somebody-elses", 0.1, "Executing"))
    assert retrain(one) == retrain(other) == {"started": "arn-new"}
    assert one.started == other.started
    assert len(one.started[0]["PipelineExecutionDisplayName"]) <= 82
    assert len(one.started[0]["ClientRequestToken"]) == 64


@pytest.mark.parametrize(
    ("earlier", "given", "words"),
    [
        ([(0.5, "Succeeded")], {}, "waits until 2026-11-23 12:30"),
        ([(5, "Executing")], {}, "goes on"),
        ([(2, "Failed"), (5, "Succeeded")], {"limit": 2, "period": 6 * HOUR}, "2 are allowed"),
        ([(2, "Failed"), (400, "Succeeded")], {"limit": 2}, "2 in all"),
    ],
)
def test_it_is_held_back(earlier: list[tuple[float, str]], given: dict[str, Any], words: str) -> None:
    aws = Pipelines(*((f"{OWN}{number}", hours, status) for number, (hours, status) in enumerate(earlier)))
    assert words in retrain(aws, **given)["held"]
    assert not aws.started


def test_what_lies_outside_the_period_does_not_count() -> None:
    aws = Pipelines((f"{OWN}a", 2, "Succeeded"), (f"{OWN}b", 7, "Succeeded"))
    assert "started" in retrain(aws, limit=2, period=6 * HOUR)


def test_the_same_window_again_starts_nothing() -> None:
    aws = Pipelines((f"{OWN}{NOON:%Y%m%dT%H%M%SZ}", 0, "Executing"))
    assert retrain(aws) == {"started": "arn-0"}
    assert not aws.started


def test_monitors_with_names_alike_do_not_count_for_one_another() -> None:
    assert not prefix("drift-2").startswith(prefix("drift"))
    assert prefix("a_b") != prefix("a-b")


# -- metrics of the service -----------------------------------------------------------------------------------------


class Metrics:
    """GetMetricStatistics of an endpoint with 200 requests."""

    def __init__(self, **sums: float) -> None:
        self.sums, self.asked = sums, []  # type: ignore[var-annotated]

    def call(self, service: str, operation: str, /, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        if "ExtendedStatistics" in request:
            name = request["ExtendedStatistics"][0]
            return {"Datapoints": [{"ExtendedStatistics": {name: value}} for value in (40_000.0, 90_000.0)]}
        found = self.sums.get(request["MetricName"])
        return {"Datapoints": [] if found is None else [{"Sum": found / 2}, {"Sum": found / 2}]}

    def find(self, service: str, operation: str, /, **request: Any) -> dict[str, Any] | None:
        raise AssertionError(operation)


def test_errors_are_a_share_of_requests_and_latencies_milliseconds() -> None:
    aws = Metrics(Invocations=200, Invocation5XXErrors=4)
    window = (NOON - timedelta(minutes=90), NOON)
    found = told(aws, "live", "main", window, ["error_rate", "latency_p99"])
    assert (found["error_rate"].value, found["error_rate"].samples) == (0.02, 200)
    assert found["latency_p99"].value == 90.0
    assert {one["Period"] for one in aws.asked} == {5400}
    assert told(Metrics(), "live", "main", window, ["error_rate"])["error_rate"].value is None
    assert told(aws, "live", "main", window, []) == {}


def test_old_data_has_coarser_periods() -> None:
    aws = Metrics(Invocations=1)
    told(aws, "live", "main", (NOON - timedelta(days=20, seconds=60), NOON), ["error_rate"])
    assert aws.asked[0]["Period"] % 300 == 0


# -- messages -------------------------------------------------------------------------------------------------------

CONTEXT: Any = SimpleNamespace(platform=SageMaker(Layout(Path("/nowhere"), False)), step={"project": "p"})
MESSAGE = Message("cloudml: x", "two\nlines", "churn", "key", {"verdict": "breach"})


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What would have gone over the network."""
    found: list[tuple[str, dict[str, Any]]] = []

    def open_(self: Any, request: urllib.request.Request, *_: Any, **__: Any) -> BytesIO:
        assert isinstance(request.data, bytes)
        found.append((request.full_url, json.loads(request.data)))
        return BytesIO()

    monkeypatch.setattr(urllib.request.OpenerDirector, "open", open_)
    return found


def test_each_channel_has_its_own_form(sent: list[tuple[str, dict[str, Any]]]) -> None:
    posting.post("slack", "https://hooks.example.com/a", MESSAGE)
    posting.post("webhook", "https://example.com/b\n", MESSAGE)
    posting.post("pagerduty", "routing", MESSAGE)
    slack, hook, pager = sent
    assert slack == ("https://hooks.example.com/a", {"text": "*cloudml: x*\ntwo\nlines"})
    assert hook[0] == "https://example.com/b"
    assert hook[1]["detail"] == {"verdict": "breach"}
    assert pager[0] == "https://events.pagerduty.com/v2/enqueue"
    assert (pager[1]["routing_key"], pager[1]["event_action"]) == ("routing", "trigger")


@pytest.mark.parametrize(
    "address", ["http://example.com/x", "file:///etc/passwd", "ftp://example.com", "x", "https://["]
)
def test_only_https_is_posted_to_and_no_address_is_told(address: str, sent: list[tuple[str, dict[str, Any]]]) -> None:
    with pytest.raises(NotPosted) as caught:
        posting.post("webhook", address, MESSAGE)
    assert not sent
    assert "example.com" not in str(caught.value)


def test_an_address_that_refuses_is_told_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, request: urllib.request.Request, *_: Any, **__: Any) -> None:
        raise urllib.error.HTTPError(request.full_url, 410, "Gone", Headers(), BytesIO())

    monkeypatch.setattr(urllib.request.OpenerDirector, "open", refuse)
    problems = notify.send([{"name": "team", "channel": "slack", "target": "https://e.com/secret"}], MESSAGE, CONTEXT)
    assert problems == ["alert team: its address answered 410"]


def test_an_address_that_is_no_url_after_all_is_not_told_by_the_library_s_error() -> None:
    """http.client refuses the space before it connects, with a text that holds the path."""
    secret = [{"name": "team", "channel": "slack", "target": "https://127.0.0.1/services/the secret"}]
    (problem,) = notify.send(secret, MESSAGE, CONTEXT)
    assert problem == "alert team: its address could not be reached (InvalidURL)"


def test_redirects_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The opener's own machinery is asked: an answer 302 ends as an error, and nobody else is asked."""
    asked: list[str] = []

    def answer(self: Any, request: urllib.request.Request) -> Any:
        asked.append(request.full_url)
        headers = Headers()
        headers["Location"] = "https://elsewhere.example.com/"
        response = urllib.response.addinfourl(BytesIO(), headers, request.full_url, 302)
        response.msg = "Found"  # type: ignore[attr-defined]
        return response

    monkeypatch.setattr(urllib.request.HTTPSHandler, "https_open", answer)
    with pytest.raises(NotPosted, match="answered 302"):
        posting.post("webhook", "https://example.com/x", MESSAGE)
    assert asked == ["https://example.com/x"]


def test_a_secret_address_is_read_where_it_is_used(
    monkeypatch: pytest.MonkeyPatch, sent: list[tuple[str, dict[str, Any]]]
) -> None:
    monkeypatch.setenv("CLOUDML_SECRET_HOOK", "https://hooks.example.com/s3cret")
    alerts = [{"name": "team", "channel": "slack", "secret": "HOOK"}]
    assert notify.send(alerts, MESSAGE, CONTEXT) == []
    assert sent[0][0] == "https://hooks.example.com/s3cret"


@pytest.mark.parametrize("text", ["x" * 300, "ü\nä", "\n", "a\tb"])
def test_a_subject_is_one_line_of_ascii(text: str) -> None:
    found = notify.headline(text)
    assert 0 < len(found) <= 100
    assert found.isascii()
    assert found.isprintable()


# -- the native baseline --------------------------------------------------------------------------------------------


def _feature(name: str, values: list[Any]) -> dict[str, Any]:
    known = profile(values)
    assert known is not None
    return feature(name, values, known)


def test_statistics_have_the_published_form() -> None:
    found = statistics([_feature("n", [1, 2, 3, None]), _feature("x", [0.5, 1.5]), _feature("c", ["a", "a", "b"])])
    assert found["dataset"]["item_count"] == 4
    whole, real, text = found["features"]
    assert (whole["inferred_type"], real["inferred_type"], text["inferred_type"]) == (
        "Integral",
        "Fractional",
        "String",
    )
    numbers = whole["numerical_statistics"]
    assert numbers["common"] == {"num_present": 3, "num_missing": 1}
    assert (numbers["mean"], numbers["sum"], numbers["min"], numbers["max"]) == (2, 6, 1, 3)
    buckets = numbers["distribution"]["kll"]["buckets"]
    assert (len(buckets), sum(one["count"] for one in buckets)) == (10, 3)
    assert (buckets[0]["lower_bound"], buckets[-1]["upper_bound"]) == (1, 3)
    assert text["string_statistics"]["distribution"]["categorical"]["buckets"] == [
        {"value": "a", "count": 2},
        {"value": "b", "count": 1},
    ]


def test_only_what_the_author_limits_is_checked() -> None:
    features = [_feature("n", [1, 2])]
    none = constraints(features, {"completeness": 0.2})
    assert none["features"][0]["completeness"] == pytest.approx(0.8)
    assert none["monitoring_config"]["distribution_constraints"]["perform_comparison"] == "Disabled"
    compared = constraints(features, {"comparison_threshold": 0.1})
    limits = compared["monitoring_config"]["distribution_constraints"]
    assert (limits["perform_comparison"], limits["comparison_threshold"]) == ("Enabled", 0.1)
    assert limits["categorical_comparison_threshold"] == 1.0
    assert compared["features"][0]["completeness"] == 0.0


def test_a_sketch_of_many_values_keeps_their_quantiles() -> None:
    values = [float(number) for number in range(10_000)]
    data = _feature("x", values)["numerical_statistics"]["distribution"]["kll"]["sketch"]["data"][0]
    assert len(data) == 2048
    assert data == sorted(data)
    assert data[1024] == pytest.approx(5000, abs=5)
