"""Processing and training: requests as the API reference has them, hand-over by property, limits."""

from __future__ import annotations

import json

import pytest
from compile_lab import RUN, TARGET, Compiled, compiled, job, literal, out, pipeline, project_sources, target

from cloudml import spec
from cloudml.errors import SpecError
from cloudml_sagemaker.compile import compile_pipeline


def test_a_chain_is_handed_over_by_property_references() -> None:
    """Developer guide, pipelines: a step's property is its Describe response, list members are found by name."""
    made = compiled("sample_flow:chain")
    assert made.top == ["numbers", "total", "double"]
    assert made.inputs("numbers") == {}
    assert made.inputs("total") == {
        "in-0": {"Get": "Steps.numbers.ProcessingOutputConfig.Outputs['output'].S3Output.S3Uri"}
    }
    folder = ["s3://my-bucket/samples/aws/runs", RUN, "numbers", "output"]
    assert made.outputs("numbers")["output"] == {"Std:Join": {"On": "/", "Values": folder}}
    application = made.arguments("numbers")["AppSpecification"]
    assert application["ContainerEntrypoint"] == ["python3", "/opt/ml/processing/input/cloudml/start.py"]
    values = ["parameters.count", {"Get": "Parameters.count"}]
    salt = ["fresh", {"Get": "Parameters.cloudml-fresh"}]
    joins = [{"Std:Join": {"On": "=", "Values": one}} for one in (salt, values)]
    assert application["ContainerArguments"] == ["--set", joins[0], "--set", joins[1]]
    assert made.parameters == [{"Name": "count", "Type": "Integer", "DefaultValue": 4}]


def told(made: Compiled, step: str) -> dict[str, object]:
    """What a processing step is told by `--set`."""
    words = made.arguments(step)["AppSpecification"].get("ContainerArguments", [])
    pairs = [word["Std:Join"]["Values"] for word in words if isinstance(word, dict)]
    return dict(pairs)


def test_a_run_can_ask_for_everything_anew() -> None:
    """Developer guide, pipelines-caching: ContainerArguments are compared, so that another salt finds nothing."""
    made = compiled(
        pipeline(job("a", ("value", literal(1))), job("b", ("value", out("a")), cache=spec.Cache(enabled=False)))
    )
    assert told(made, "a") == {"fresh": {"Get": "Parameters.cloudml-fresh"}}
    assert told(made, "b") == {"run.id": RUN}, "what is never reused needs no salt, and may know its run"
    own = {one["Name"]: one["DefaultValue"] for one in made.definition["Parameters"]}
    assert own == {"cloudml-fresh": "same", "cloudml-content": "same"}


def test_what_reads_files_from_outside_is_told_what_they_hold() -> None:
    made = compiled("sample_jobs:external")
    assert told(made, "read_file")["content"] == {"Get": "Parameters.cloudml-content"}
    assert "content" not in told(compiled("sample_flow:chain"), "total")


def test_a_definition_keeps_what_sagemaker_has_no_words_for() -> None:
    """The published schema has Metadata as a map; here of texts, in which the declared parameters travel."""
    found = json.loads(compiled("sample_flow:chain").definition["Metadata"]["cloudml"])
    assert (found["format"], found["pipeline"]) == (1, "chain")
    [count] = found["parameters"]
    assert (count["name"], count["type"], count["default"], count["required"]) == ("count", "int", 4, False)


def test_step_json_says_what_the_function_takes() -> None:
    document = compiled("sample_flow:chain").step_json("total")
    assert document["kind"] == "job"
    assert document["function"] == "sample_flow:total"
    assert document["task"] == {"name": "total", "kind": "processing", "part": "main", "needs": ["numbers"]}
    assert document["sources"] == {"in-0": {"form": "port"}}
    [given] = document["inputs"]
    assert given["from"] == {"input": "in-0", "port": "output", "field": None}


def test_one_input_serves_every_reference_to_the_same_output() -> None:
    made = compiled(pipeline(job("a", ("value", literal(1))), job("b", ("left", out("a")), ("right", out("a")))))
    assert list(made.inputs("b")) == ["in-0"]


def test_nothing_of_the_run_is_in_a_cached_request() -> None:
    """Facts 4.2: `Execution.*` in inputs or arguments defeats the cache; outputs are not in its key."""
    made = compiled("sample_flow:diamond")
    for name, step in made.steps.items():
        arguments = {key: one for key, one in step["Arguments"].items() if key != "ProcessingOutputConfig"}
        assert "Execution." not in str(arguments), name
        assert step["CacheConfig"] == {"Enabled": True, "ExpireAfter": "P365D"}


@pytest.mark.parametrize(
    ("cache", "expected"),
    [
        (spec.Cache(ttl=2 * 86_400), {"Enabled": True, "ExpireAfter": "P2D"}),
        (spec.Cache(ttl=90.5), {"Enabled": True, "ExpireAfter": "PT91S"}),
        (spec.Cache(enabled=False), None),
    ],
)
def test_cache_times_are_iso_8601(cache: spec.Cache, expected: object) -> None:
    made = compiled(pipeline(job("a", ("value", literal(1)), cache=cache)))
    assert made.steps["a"].get("CacheConfig") == expected


def test_retries_of_the_service_and_of_machines() -> None:
    """Developer guide, pipelines-retry-policy: exception types, MaxAttempts counts the retries."""
    retry = spec.Retry(attempts=4, on=("transient", "crash", "KeyError"), delay=3, backoff=1.5)
    made = compiled(pipeline(job("a", ("value", literal(1)), retry=retry, timeout=100)))
    [policy] = made.steps["a"]["RetryPolicies"]
    assert set(policy.pop("ExceptionType")) == {
        "Step.SERVICE_FAULT", "Step.THROTTLING", "SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR",
    }  # fmt: skip
    assert policy == {"IntervalSeconds": 3, "BackoffRate": 1.5, "MaxAttempts": 3}
    # Four attempts of 100 s, waits of 3, 4.5 and 6.75 s, and ten minutes for the start.
    assert made.arguments("a")["StoppingCondition"] == {"MaxRuntimeInSeconds": 415 + 600}
    assert made.step_json("a")["retry"]["on"] == ["transient", "crash", "KeyError"]
    only = compiled(pipeline(job("a", ("value", literal(1)), retry=spec.Retry(on=("KeyError",)))))
    assert "RetryPolicies" not in only.steps["a"]


def test_training_has_channels_an_archive_and_metrics() -> None:
    made = compiled("sample_models:registered")
    arguments = made.arguments("fit")
    assert [one["ChannelName"] for one in arguments["InputDataConfig"]] == ["cloudml", "in-0"]
    algorithm = arguments["AlgorithmSpecification"]
    assert algorithm["ContainerEntrypoint"] == ["python3", "/opt/ml/input/data/cloudml/start.py"]
    [metric] = algorithm["MetricDefinitions"]
    assert metric["Name"] == "scores.r2"
    import re

    found = re.search(metric["Regex"], "cloudml:metric scores.r2=-1.5e-07\n")
    assert found is not None
    assert float(found[1]) == -1.5e-07
    assert re.search(metric["Regex"], "cloudml:metric scoresXr2=1") is None
    assert made.inputs("register_sample-line") == {"in-0": {"Get": "Steps.fit.ModelArtifacts.S3ModelArtifacts"}}
    assert made.step_json("register_sample-line")["sources"] == {"in-0": {"form": "archive"}}


def test_spot_training_waits_at_least_as_long_as_it_may_run() -> None:
    """CreateTrainingJob: MaxWaitTimeInSeconds must be equal to or greater than MaxRuntimeInSeconds."""
    step = spec.TrainingStep(
        name="fit", function=spec.FunctionRef(module="sample_flow", name="double"), timeout=1000,
        outputs=(spec.Port(name="output", type="int"),), spot=spec.Spot(max_wait=60),
        distribution=spec.Distribution(nodes=2, processes=4),
    )  # fmt: skip
    arguments = compiled(pipeline(step)).arguments("fit")
    assert arguments["EnableManagedSpotTraining"] is True
    assert arguments["StoppingCondition"] == {"MaxRuntimeInSeconds": 1600, "MaxWaitTimeInSeconds": 1600}
    assert arguments["ResourceConfig"]["InstanceCount"] == 2
    assert arguments["CheckpointConfig"]["LocalPath"] == "/opt/ml/checkpoints"


def test_checkpoints_are_the_runs_own_and_such_steps_are_not_cached() -> None:
    made = compiled("sample_jobs:checkpointed")
    uri = made.arguments("epochs")["CheckpointConfig"]["S3Uri"]
    assert uri["Std:Join"]["Values"] == ["s3://my-bucket/samples/aws/runs", RUN, "epochs", "checkpoints"]
    assert "CacheConfig" not in made.steps["epochs"]


def test_secrets_are_names_only() -> None:
    made = compiled("sample_jobs:secretive")
    assert made.step_json("length")["secrets"] == {"password": "crm"}
    assert "crm" not in str(made.definition)


def test_a_path_parameter_is_an_input_from_s3() -> None:
    made = compiled("sample_jobs:external")
    assert made.inputs("read_file") == {"in-0": {"Get": "Parameters.path"}}
    document = made.step_json("read_file")
    assert document["sources"] == {"in-0": {"form": "external"}}
    assert document["inputs"][0]["from"]["external"] == "in-0"
    assert made.parameters == [{"Name": "path", "Type": "String"}]


def test_outputs_whose_names_begin_alike_are_told_apart() -> None:
    """S3 knows prefixes only: `.../train` would bring `.../train_rows` along."""
    ports = (spec.Port(name="train", type="int"), spec.Port(name="train_rows", type="int"))
    made = compiled(
        pipeline(job("a", outputs=ports), job("b", ("x", out("a", "train")), ("y", out("a", "train_rows"))))
    )
    first, second = made.inputs("b").values()
    assert first["Std:Join"]["Values"] == [
        {"Get": "Steps.a.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"}, "",
    ]  # fmt: skip
    assert second == {"Get": "Steps.a.ProcessingOutputConfig.Outputs['train_rows'].S3Output.S3Uri"}


def test_too_many_inputs_and_outputs_are_refused_together() -> None:
    ports = tuple(spec.Port(name=f"p{n}", type="int") for n in range(10))
    wide = job("wide", outputs=ports)
    reader = job("reader", *[(f"x{n}", out("wide", f"p{n}")) for n in range(10)])
    with pytest.raises(SpecError) as caught:
        compiled(pipeline(wide, reader))
    codes = [(one.code, one.where) for one in caught.value.diagnostics if one.code == "CML332"]
    assert codes == [("CML332", "step wide"), ("CML332", "step reader")]


def test_native_options_win_and_are_held_against_the_model() -> None:
    """`ml.m5.large` is a ProcessingInstanceType; `ml.banana` is none, which botocore's own check does not see."""

    def made(machine: str) -> spec.Pipeline:
        native: dict[str, object] = {"ProcessingResources": {"ClusterConfig": {"InstanceType": machine}}}
        options = (spec.NativeOption(backend="sagemaker", document=native),)
        return pipeline(job("a", ("value", literal(1)), native=options))

    cluster = compiled(made("ml.m5.large")).arguments("a")["ProcessingResources"]["ClusterConfig"]
    assert cluster == {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
    with pytest.raises(SpecError, match=r"CML338 step a: Value 'ml.banana'"):
        compiled(made("ml.banana"))


def test_network_keys_images_and_tags_come_from_the_target() -> None:
    settings = {
        "subnets": ["subnet-1"], "security_groups": ["sg-1"], "kms": "key-1", "image": "repo/image:1",
        "tags": {"team": "ml"},
    }  # fmt: skip
    arguments = compiled("sample_flow:chain", target(**settings)).arguments("total")
    assert arguments["NetworkConfig"] == {"VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}}
    assert arguments["AppSpecification"]["ImageUri"] == "repo/image:1"
    assert arguments["ProcessingOutputConfig"]["KmsKeyId"] == "key-1"
    assert arguments["Tags"] == [{"Key": "team", "Value": "ml"}]


def test_code_is_named_by_what_it_holds(tmp_path: object) -> None:
    from pathlib import Path

    root = Path(str(tmp_path))
    made = pipeline(job("a", ("value", literal(1))))

    def prefixes() -> list[str]:
        found = compile_pipeline(made, TARGET, project_sources(root, made))
        return [one.document["prefix"] for one in found if one.kind == "job_code"]

    (root / "sample_flow.py").write_text("def double(value): return 2 * value\n")
    first = prefixes()
    (root / "unrelated.py").write_text("x = 1\n")
    assert prefixes() == first
    (root / "sample_flow.py").write_text("def double(value): return 3 * value\n")
    assert prefixes() != first
    assert first[0].startswith("s3://my-bucket/samples/aws/jobs/")


def test_the_time_of_the_run_as_default_of_a_parameter() -> None:
    parameter = spec.Parameter(name="day", type="str", default=spec.RunRef(field="time", format="%Y-%m-%d"))
    made = compiled(pipeline(job("a", ("value", spec.ParameterRef(name="day"))), parameters=(parameter,)))
    assert made.parameters == [{"Name": "day", "Type": "String", "DefaultValue": "cloudml:run-time"}]
    assert made.step_json("a")["arguments"]["value"]["run_time_format"] == "%Y-%m-%d"
    assert told(made, "a")["run.time"] == {"Get": "Execution.StartDateTime"}


def test_what_the_whole_pipeline_may_not_ask() -> None:
    long = spec.Parameter(name="text", type="str", default="x" * 250)
    made = pipeline(job("a", ("value", spec.ParameterRef(name="text"))), timeout=60, parameters=(long,))
    with pytest.raises(SpecError) as caught:
        compiled(made)
    assert [one.code for one in caught.value.diagnostics] == ["CML340", "CML336"]
    with pytest.raises(SpecError, match="CML339"):
        compiled("sample_flow:empty")
    with pytest.raises(SpecError, match=r"the largest is ml\.r5\.24xlarge"):
        compiled(pipeline(job("a", ("value", literal(1)), resources=spec.Resources(cpu=97))))
