"""Points lie in their ranges, scaled as asked; the rules of early stopping, by arithmetic."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.tuning import rules
from cloudml_sagemaker.mock.tuning.points import Points
from cloudml_sagemaker.mock.tuning.stopping import halving_says_stop, median_says_stop

RANGES = {
    "IntegerParameterRanges": [{"Name": "depth", "MinValue": "2", "MaxValue": "9"}],
    "ContinuousParameterRanges": [
        {"Name": "eta", "MinValue": "0.001", "MaxValue": "1", "ScalingType": "Logarithmic"},
        {"Name": "beta", "MinValue": "0.9", "MaxValue": "0.999", "ScalingType": "ReverseLogarithmic"},
    ],
    "CategoricalParameterRanges": [{"Name": "kind", "Values": ["a", "b"]}],
}


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_points_are_texts_within_their_ranges(strategy: str) -> None:
    points = Points(RANGES, strategy, 1, "job", maximize=True)
    for _ in range(40):
        point = points.ask()
        assert point is not None
        assert 2 <= int(point["depth"]) <= 9
        assert 0.001 <= float(point["eta"]) <= 1
        assert 0.9 <= float(point["beta"]) <= 0.999 + 1e-12
        assert point["kind"] in {"a", "b"}
        points.tell(point, float(point["eta"]))


def test_logarithmic_scaling_spreads_points_over_decades() -> None:
    points = Points(RANGES, "Random", 3, "job", maximize=True)
    etas = [float((points.ask() or {})["eta"]) for _ in range(600)]
    # Three decades: a third of the points in each; binomial deviation of 600 at 1/3 is 11.5, so five of them.
    in_first = sum(0.001 <= eta < 0.01 for eta in etas)
    assert abs(in_first - 200) < 58
    # Linear scaling would put 0.9 % of them there.


def test_reverse_logarithmic_scaling_crowds_near_one() -> None:
    points = Points(RANGES, "Random", 4, "job", maximize=True)
    betas = [float((points.ask() or {})["beta"]) for _ in range(600)]
    # 1-beta runs over two decades, 0.001..0.1; half of the points lie above 0.99.
    assert abs(sum(beta > 0.99 for beta in betas) - 300) < 62


def test_a_search_finds_the_better_half_more_often_than_chance() -> None:
    space = {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1"}]}
    points = Points(space, "Bayesian", 5, "job", maximize=False)
    seen: list[float] = []
    for _ in range(40):
        point = points.ask()
        assert point is not None
        seen.append(float(point["x"]))
        points.tell(point, (seen[-1] - 0.2) ** 2)
    late = seen[20:]
    assert sum(abs(x - 0.2) < 0.2 for x in late) > 12  # chance: 8 of 20


def test_the_same_seed_gives_the_same_points_and_another_gives_others() -> None:
    def first(seed: int | None, name: str = "job") -> list[dict[str, str] | None]:
        points = Points(RANGES, "Random", seed, name, maximize=True)
        return [points.ask() for _ in range(5)]

    assert first(1) == first(1)
    assert first(1) != first(2)
    assert first(None) == first(None)
    assert first(None) != first(None, "other")


def test_a_grid_gives_every_point_once() -> None:
    values = {"x": ["1", "2", "3"], "y": ["a", "b"]}
    ranges = {"CategoricalParameterRanges": [{"Name": name, "Values": those} for name, those in values.items()]}
    points = Points(ranges, "Grid", None, "job", maximize=True)
    asked = [points.ask() for _ in range(7)]
    assert asked[6] is None
    expected = [{"x": x, "y": y} for x, y in itertools.product(values["x"], values["y"])]
    assert sorted(asked[:6], key=str) == sorted(expected, key=str)


def test_results_from_before_are_remembered_when_they_fit() -> None:
    space = {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1"}]}
    points = Points(space, "Bayesian", 1, "job", maximize=True)
    for n in range(30):
        points.learn({"x": str(n / 30)}, -abs(n / 30 - 0.8))
    points.learn({"x": "7"}, 1.0)
    points.learn({"y": "0.5"}, 1.0)
    near = [float((points.ask() or {})["x"]) for _ in range(20)]
    assert sum(abs(x - 0.8) < 0.2 for x in near) > 12


@pytest.mark.parametrize(
    ("trial", "others", "up", "stops"),
    [
        # Running averages up to step 2 of the others: 0.5, 0.6, 0.7; their median is 0.6.
        ([0.4, 0.59], [[0.4, 0.6], [0.5, 0.7], [0.6, 0.8, 0.9]], True, True),
        ([0.4, 0.61], [[0.4, 0.6], [0.5, 0.7], [0.6, 0.8, 0.9]], True, False),
        ([0.4, 0.61], [[0.4, 0.6], [0.5, 0.7], [0.6, 0.8]], False, True),
        ([0.1], [[0.9], [0.9]], True, False),
        ([0.1, 0.1], [[0.9]], True, False),
        ([0.1, 0.1], [], True, False),
    ],
)
def test_the_median_rule(trial: list[float], others: list[list[float]], up: bool, stops: bool) -> None:
    assert median_says_stop(trial, others, maximize=up) is stops


def test_successive_halving_keeps_the_best_third_at_each_rung() -> None:
    reports = {name: [value] for name, value in zip("abcdef", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], strict=True)}
    kept = [name for name in reports if not halving_says_stop(name, reports, 1, 27, maximize=True)]
    assert kept == ["e", "f"]
    kept = [name for name in reports if not halving_says_stop(name, reports, 1, 27, maximize=False)]
    assert kept == ["a", "b"]
    # Two reports are between the rungs 1 and 3.
    assert not halving_says_stop("a", {"a": [0.1, 0.1], "f": [0.9, 0.9]}, 1, 27, maximize=True)
    assert halving_says_stop("f", {"f": [0.9] * 27}, 1, 27, maximize=True)


def _request(**config: Any) -> dict[str, Any]:
    return {
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "auc"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.1", "MaxValue": "1"}]},
            **config,
        },
        "TrainingJobDefinition": {
            "AlgorithmSpecification": {"TrainingImage": "i", "MetricDefinitions": [{"Name": "auc", "Regex": "x"}]},
            "StaticHyperParameters": {"epochs": "3"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        },
    }


def test_a_right_request_is_taken() -> None:
    rules.check(_request())


def _range(**one: str) -> dict[str, Any]:
    return {"ContinuousParameterRanges": [{"Name": "x", **one}]}


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 2}}, "MaxParallel"),
        ({"ResourceLimits": {"MaxParallelTrainingJobs": 2}}, "MaxNumberOfTrainingJobs"),
        ({"HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "acc"}}, "auc"),
        ({"HyperParameterTuningJobObjective": None}, "TuningObjective"),
        ({"ParameterRanges": {}}, "At least one"),
        ({"ParameterRanges": _range(MinValue="2", MaxValue="1")}, "greater"),
        ({"ParameterRanges": _range(MinValue="a", MaxValue="1")}, "numbers"),
        ({"ParameterRanges": _range(MinValue="nan", MaxValue="1")}, "greater"),
        ({"ParameterRanges": _range(MinValue="0", MaxValue="1", ScalingType="Logarithmic")}, "greater than 0"),
        ({"ParameterRanges": _range(MinValue="0", MaxValue="1", ScalingType="ReverseLogarithmic")}, "[0, 1)"),
        ({"ParameterRanges": {"CategoricalParameterRanges": [{"Name": "k", "Values": ["a", "a"]}]}}, "distinct"),
        ({"ParameterRanges": {"CategoricalParameterRanges": [{"Name": "epochs", "Values": ["a"]}]}}, "more than once"),
        ({"Strategy": "Grid"}, "categorical"),
        ({"Strategy": "Hyperband", "TrainingJobEarlyStoppingType": "Auto"}, "Off"),
        ({"StrategyConfig": {"HyperbandStrategyConfig": {}}}, "Hyperband"),
        (
            {"Strategy": "Grid", "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "k", "Values": ["a"]}]}},
            "must be 1",
        ),
        ({"ParameterRanges": {"AutoParameters": [{"Name": "x", "ValueHint": "1"}]}}, "not executed"),
    ],
)
def test_each_rule_refuses(config: dict[str, Any], word: str) -> None:
    with pytest.raises(AwsError) as refused:
        rules.check(_request(**config))
    assert refused.value.code == "ValidationException"
    assert word in refused.value.message


def test_hyperband_finds_its_largest_resource_in_the_request_or_among_the_static_hyperparameters() -> None:
    request = _request(Strategy="Hyperband")
    (definition,) = rules.definitions(request)
    definition["StaticHyperParameters"] = {"num_epochs": "27"}
    assert rules.band(request, definition) == (1, 27)
    config = {"HyperbandStrategyConfig": {"MinResource": 3, "MaxResource": 9}}
    request["HyperParameterTuningJobConfig"]["StrategyConfig"] = config
    assert rules.band(request, definition) == (3, 9)
    rules.check(request)
    config["HyperbandStrategyConfig"]["MinResource"] = 10
    with pytest.raises(AwsError, match="greater"):
        rules.check(request)
    definition["StaticHyperParameters"] = {"num_epochs": "many"}
    config["HyperbandStrategyConfig"] = {"MinResource": 1}
    with pytest.raises(AwsError, match="cannot be inferred"):
        rules.check(request)


def test_random_points_go_on_after_a_restart_where_they_were() -> None:
    whole = Points(RANGES, "Random", 5, "job", maximize=True)
    expected = [whole.ask() for _ in range(6)]
    again = Points(RANGES, "Random", 5, "job", maximize=True, asked=4)
    assert [again.ask() for _ in range(2)] == expected[4:]


def test_infinite_bounds_are_refused() -> None:
    with pytest.raises(AwsError, match="greater"):
        rules.check(_request(ParameterRanges=_range(MinValue="0", MaxValue="inf")))
