from __future__ import annotations

from itertools import pairwise

from cloudml.serving.telemetry import BOUNDS, LatencyHistogram, RequestCounters, prometheus


def test_bounds_are_five_a_decade_from_a_tenth_of_a_millisecond_to_100_seconds() -> None:
    assert BOUNDS[0] == 0.0001
    assert BOUNDS[-1] == 100.0
    assert len(BOUNDS) == 31
    assert all(abs(b / a - 10**0.2) < 1e-9 for a, b in pairwise(BOUNDS))


def test_quantiles_are_right_to_one_bucket() -> None:
    histogram = LatencyHistogram()
    for milliseconds in range(1, 1001):
        histogram.observe(milliseconds / 1000)
    for q in (0.5, 0.9, 0.99):
        bound = histogram.quantile(q)
        assert bound is not None
        assert q <= bound <= q * 10**0.2
    assert LatencyHistogram().quantile(0.5) is None


def test_what_is_longer_than_the_last_bucket_is_still_counted() -> None:
    counters = RequestCounters()
    counters.observe(200, 500.0)
    assert counters.to_dict()["latency_ms"]["p50"] == 200_000.0


def test_client_errors_are_not_server_errors() -> None:
    counters = RequestCounters()
    for status in (200, 201, 400, 404, 500):
        counters.observe(status, 0.01)
    found = counters.to_dict()
    assert (found["requests"], found["4xx"], found["5xx"]) == (5, 2, 1)


def test_prometheus_text() -> None:
    counters = RequestCounters()
    counters.observe(200, 0.01)
    counters.observe(400, 0.02)
    text = prometheus(counters, {"model": 'a"b'}, [("cloudml_ready", "Ready.", 1.0)])
    assert 'cloudml_requests_total{model="a\\"b",outcome="ok"} 1\n' in text
    assert 'cloudml_requests_total{model="a\\"b",outcome="4xx"} 1\n' in text
    assert 'cloudml_request_seconds_bucket{model="a\\"b",le="+Inf"} 2\n' in text
    assert 'cloudml_request_seconds_bucket{model="a\\"b",le="0.01"} 1\n' in text
    assert text.endswith('cloudml_ready{model="a\\"b"} 1\n')
