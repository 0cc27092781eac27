"""Points, measurements and early stopping, by arithmetic."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from cloudml_vertex.mock.tuning import measured, stopping
from cloudml_vertex.mock.tuning.driver import trial_spec
from cloudml_vertex.mock.tuning.points import Points

UP = [{"metric_id": "m", "goal": "MAXIMIZE"}]


def study(*parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"metrics": UP, "parameters": list(parameters), **more}


def integer(name: str, low: int, high: int, **more: Any) -> dict[str, Any]:
    return {"parameter_id": name, "integer_value_spec": {"min_value": low, "max_value": high}, **more}


def double(name: str, low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"parameter_id": name, "double_value_spec": {"min_value": low, "max_value": high}, **more}


BRANCH = {
    "parameter_id": "kind",
    "categorical_value_spec": {"values": ["tree", "line"]},
    "conditional_parameter_specs": [
        {"parent_categorical_values": {"values": ["tree"]}, "parameter_spec": integer("depth", 2, 3)}
    ],
}


def test_a_grid_is_every_combination_once_and_conditional_ones_only_where_active() -> None:
    points = Points(study(BRANCH, integer("n", 1, 2), algorithm="GRID_SEARCH"), "job")
    found = list(iter(lambda: points.ask("x"), None))
    trees = [{"kind": "tree", "depth": depth, "n": n} for depth, n in itertools.product((2, 3), (1, 2))]
    assert found == [*trees, {"kind": "line", "n": 1}, {"kind": "line", "n": 2}]


def test_a_grid_goes_on_after_a_restart() -> None:
    points = Points(study(integer("n", 1, 5), algorithm="GRID_SEARCH"), "job", asked=3)
    assert points.ask("4") == {"n": 4}


@pytest.mark.parametrize("algorithm", ["RANDOM_SEARCH", "ALGORITHM_UNSPECIFIED"])
def test_points_are_within_bounds_and_repeatable(algorithm: str) -> None:
    spec = study(
        BRANCH,
        double("lr", 1e-4, 0.1, scale_type="UNIT_LOG_SCALE"),
        double("keep", 0.5, 0.999, scale_type="UNIT_REVERSE_LOG_SCALE"),
        {"parameter_id": "b", "discrete_value_spec": {"values": [16, 32]}},
        algorithm=algorithm,
    )
    runs = []
    for _ in range(2):
        points = Points(spec, "job")
        found = []
        for number in range(20):
            point = points.ask(str(number))
            assert point is not None
            points.tell(str(number), [point["lr"]])
            found.append(point)
        runs.append(found)
    assert runs[0] == runs[1]
    for point in runs[0]:
        assert 1e-4 <= point["lr"] <= 0.1 and 0.5 <= point["keep"] <= 0.999 and point["b"] in {16, 32}
        assert ("depth" in point) == (point["kind"] == "tree")


def test_a_random_search_goes_on_after_a_restart() -> None:
    spec = study(double("x", 0.0, 1.0), algorithm="RANDOM_SEARCH")
    whole = Points(spec, "job")
    expected = [whole.ask(str(number)) for number in range(4)]
    assert Points(spec, "job", asked=3).ask("4") == expected[3]


def test_reverse_log_has_more_points_near_the_top() -> None:
    spec = study(double("x", 1.0, 1000.0, scale_type="UNIT_REVERSE_LOG_SCALE"), algorithm="RANDOM_SEARCH")
    points = Points(spec, "job")
    values = sorted((points.ask(str(number)) or {})["x"] for number in range(101))
    # Half of a logarithmic scale from 1 to 1000 lies below 31.6: mirrored, above 969.4.
    assert values[50] > 900


def test_the_default_search_learns() -> None:
    spec = study(double("x", 0.0, 1.0))
    points = Points(spec, "job")
    seen = []
    for number in range(60):
        seen.append((points.ask(str(number)) or {})["x"])
        points.tell(str(number), [-abs(seen[-1] - 0.7)])
    assert sum(abs(x - 0.7) < 0.2 for x in seen[40:]) >= 14  # of a random search 8 would be expected


def line(**values: Any) -> str:
    return json.dumps({key: str(value) for key, value in values.items()})


def test_measurements_are_ordered_by_step_and_one_step_is_one_measurement() -> None:
    metrics = [*UP, {"metric_id": "loss", "goal": "MINIMIZE"}]
    trial: dict[str, Any] = {}
    assert measured.take_in(trial, metrics, line(m=0.5, global_step=1), 1)
    assert measured.take_in(trial, metrics, line(loss=2, global_step=1), 2)
    assert measured.take_in(trial, metrics, line(m=0.6, loss=1, global_step=3), 3.5)
    for left_out in (line(m=0.7, global_step=2), line(other=1, global_step=9), line(m="nan"), "[1]", "{", "7"):
        assert not measured.take_in(trial, metrics, left_out, 4)
    assert [one["step_count"] for one in trial["measurements"]] == [1, 3]
    assert [measured.values_of(one, metrics) for one in trial["measurements"]] == [[0.5, 2.0], [0.6, 1.0]]
    assert trial["measurements"][1]["elapsed_duration"] == "3.5s"


def test_a_measurement_counts_only_with_every_metric() -> None:
    metrics = [*UP, {"metric_id": "loss", "goal": "MINIMIZE"}]
    trial: dict[str, Any] = {}
    measured.take_in(trial, metrics, line(m=0.5, loss=2, global_step=1), 1)
    measured.take_in(trial, metrics, line(m=0.9, global_step=2), 2)
    found = measured.final(trial, {"metrics": metrics})
    assert found is not None and found["step_count"] == 1


def test_the_median_rule() -> None:
    completed = [[(1, 0.25), (2, 0.25)], [(1, 0.25), (2, 0.75)], [(1, 0.5), (2, 1.0), (3, 9.0)]]
    # Running averages up to step 2: 0.25, 0.5, 0.75; the median is 0.5.
    assert stopping.median_says_stop([(1, 0.1), (2, 0.49)], completed)
    assert not stopping.median_says_stop([(1, 0.1), (2, 0.5)], completed)
    assert not stopping.median_says_stop([(1, 0.55), (2, 0.1)], completed)  # its best counts
    assert not stopping.median_says_stop([(2, 0.0)], [])


def test_the_convex_rule_predicts_by_the_slope() -> None:
    completed = [[(float(step), 0.1 * step) for step in range(1, 11)]] * 6  # 1.0 at step 10
    spec = {"max_step_count": 10, "min_step_count": 0, "min_measurement_count": 5}
    slow = [(float(step), 0.05 * step) for step in range(1, 6)]  # 0.25 at 5, 0.05 a step: 0.5 at 10
    assert stopping.convex_says_stop(slow, completed, spec) == pytest.approx((10.0, 0.5))
    fast = [(float(step), 0.2 * step) for step in range(1, 6)]
    assert stopping.convex_says_stop(fast, completed, spec) is None
    assert stopping.convex_says_stop(slow[:4], completed, spec) is None  # too few measurements
    assert stopping.convex_says_stop(slow, completed[:5], spec) is None  # too few completed trials
    assert stopping.convex_says_stop([(float(step), 0.1) for step in range(1, 6)], completed, spec) is None  # flat
    assert stopping.convex_says_stop(slow, completed, {**spec, "min_step_count": 5}) is None


def test_the_decay_curve_rule() -> None:
    completed = [[(1.0, 0.5), (10.0, 0.9)]]
    assert stopping.decay_says_stop([(1, 0.1), (2, 0.12), (3, 0.13), (4, 0.135)], completed)
    assert not stopping.decay_says_stop([(1, 0.1), (2, 0.3), (3, 0.5), (4, 0.7)], completed)


def test_a_trials_job_has_its_arguments_and_its_folder() -> None:
    spec = {
        "worker_pool_specs": [
            {"container_spec": {"image_uri": "i", "args": ["--epochs=1"]}},
            {},
            {"python_package_spec": {"python_module": "m"}},
        ],
        "base_output_directory": {"output_uri_prefix": "gs://b/out/"},
    }
    found = trial_spec(spec, "3", {"lr": 0.25, "units": 64.0, "n": 7, "opt": "adam"})
    words = ["--lr=0.25", "--units=64", "--n=7", "--opt=adam"]
    assert found["worker_pool_specs"][0]["container_spec"]["args"] == ["--epochs=1", *words]
    assert found["worker_pool_specs"][2]["python_package_spec"]["args"] == words
    assert found["base_output_directory"]["output_uri_prefix"] == "gs://b/out/3"
    assert spec["base_output_directory"] == {"output_uri_prefix": "gs://b/out/"}
