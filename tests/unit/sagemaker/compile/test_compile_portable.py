"""`tuning = "portable"`: a tuning step becomes one Training step, from which every consumer reads."""

from __future__ import annotations

import pytest
from compile_lab import RUN, compiled, literal, target

from cloudml import spec
from cloudml.errors import SpecError
from cloudml.spec import Argument, Distribution, FunctionRef, OutputRef, Port, Spot
from cloudml.testing.harness import build

PORTABLE = target(tuning="portable")
SEARCH = ("direction", "max_failed", "objective", "parallel", "pruning", "seed", "strategy", "trials")


def tuning(**changes: object) -> spec.Pipeline:
    """The sample's bayesian search with another job."""
    made = build("sample_tuning:bayesian")
    (step,) = made.steps
    assert isinstance(step, spec.TuningStep)
    job = step.job.model_copy(update=changes)
    return made.model_copy(update={"steps": (step.model_copy(update={"job": job}),)})


def test_the_whole_search_is_one_training_job() -> None:
    made = compiled("sample_tuning:bayesian", PORTABLE)
    assert made.top == ["parabola"]
    step = made.steps["parabola"]
    assert (step["Type"], step["CacheConfig"]["Enabled"]) == ("Training", True)
    arguments = made.arguments("parabola")
    assert arguments["AlgorithmSpecification"]["ContainerEntrypoint"][0] == "python3"
    names = [one["Name"] for one in arguments["AlgorithmSpecification"]["MetricDefinitions"]]
    assert names == ["objective", "scores.loss"]
    document = made.step_json("parabola")
    assert (document["kind"], document["task"]["kind"]) == ("search", "tuning")
    assert {name: document["search"][name] for name in SEARCH} == {
        "direction": "minimize", "max_failed": 0, "objective": "loss", "parallel": 2, "pruning": None, "seed": 5,
        "strategy": "bayesian", "trials": 14,
    }  # fmt: skip
    assert document["search"]["outputs"] == ["scores", "weights"]
    ports = [port["name"] for port in document["outputs"]]
    assert ports == ["scores", "weights", "best_parameters", "best_value", "trials"]


def test_consumers_read_the_archive() -> None:
    made = compiled("sample_tuning:grid", PORTABLE)
    assert made.inputs("use") == {"in-0": {"Get": "Steps.parabola.ModelArtifacts.S3ModelArtifacts"}}
    assert made.step_json("use")["sources"] == {"in-0": {"form": "archive"}}


def test_a_condition_on_it_is_decided_by_a_job() -> None:
    found = build("sample_tuning:bayesian")
    best = OutputRef(step="parabola", output="best_value")
    condition = spec.Comparison(op="lt", left=best, right=literal(1.0))
    double = spec.ProcessingStep(
        name="double",
        function=FunctionRef(module="sample_flow", name="double"),
        inputs=(Port(name="x", type="int"),),
        outputs=(Port(name="output", type="int"),),
        arguments=(Argument(name="x", value=literal(1)),),
    )
    judged = spec.ConditionStep(name="good", condition=condition, then=(double,))
    made = compiled(found.model_copy(update={"steps": (*found.steps, judged)}), PORTABLE)
    assert made.inputs("good-decide") == {"in-0": {"Get": "Steps.parabola.ModelArtifacts.S3ModelArtifacts"}}


def test_the_time_is_that_of_all_trials_and_spot_keeps_what_is_done() -> None:
    made = compiled(tuning(timeout=100.0, spot=Spot(max_wait=None)), PORTABLE)
    arguments = made.arguments("parabola")
    assert arguments["StoppingCondition"] == {"MaxRuntimeInSeconds": 2000, "MaxWaitTimeInSeconds": 2000}, (
        "14 × 100 + 600"
    )
    assert arguments["EnableManagedSpotTraining"] is True
    uri = {"Std:Join": {"On": "/", "Values": ["s3://my-bucket/samples/aws/runs", RUN, "parabola", "checkpoints"]}}
    assert arguments["CheckpointConfig"] == {"S3Uri": uri, "LocalPath": "/opt/ml/checkpoints"}
    assert "CacheConfig" not in made.steps["parabola"]
    document = made.step_json("parabola")
    assert document["checkpoint"] is True
    assert "trial_checkpoints" not in document, "the function itself has asked for none"


def test_several_machines_are_refused() -> None:
    with pytest.raises(SpecError, match=r"CML350.*one machine"):
        compiled(tuning(distribution=Distribution(nodes=2, processes=1)), PORTABLE)


def test_the_setting_has_two_values() -> None:
    with pytest.raises(SpecError, match="it must be 'native' or 'portable'"):
        compiled("sample_tuning:grid", target(tuning="mine"))
    assert compiled("sample_tuning:bayesian", target(tuning="native")).top == ["parabola", "parabola-best"]
