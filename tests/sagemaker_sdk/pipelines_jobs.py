"""Pipelines of processing jobs, and of a training job with its gate and registration."""

from __future__ import annotations

from typing import Any

from harness import IMAGE, PROGRAMS, ROLE, Broken, Case, Refused, Run, drop, put, session, step_path
from parts import builder, evaluate, output_of, prepare, processor, result, script_trainer, source, train
from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
from sagemaker.core.processing import FrameworkProcessor
from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.pipeline_experiment_config import PipelineExperimentConfig
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep

DONE = "Succeeded"


def churn_processing() -> Case:
    """Two processing steps: parameters, a property file's value as an argument, caching, a link to an experiment."""
    sdk = session()
    region = ParameterString("Region", default_value="all", enum_values=["all", "east", "west"])
    share = ParameterFloat("TestShare", default_value=0.25)
    instances = ParameterInteger("Instances", default_value=1)
    prepared = prepare(
        sdk,
        arguments=[
            "--region",
            region,
            "--test-share",
            Join(on="", values=[share]),
            "--run",
            ExecutionVariables.PIPELINE_NAME,
        ],
        cache_config=CacheConfig(enable_caching=True, expire_after="P30D"),
        display_name="Prepare the data",
        description="split by region",
    )
    rows = JsonGet(step_name="Prepare", property_file="Counts", json_path="rows.train")
    audited = processor(sdk, instance_count=instances, env={"STAGE": ExecutionVariables.PIPELINE_NAME}).run(
        code=str(PROGRAMS / "audit.py"),
        inputs=[source("train", output_of(prepared, "train"))],
        arguments=["--rows", Join(on="", values=[rows]), "--pipeline", ExecutionVariables.PIPELINE_NAME],
    )
    pipeline = Pipeline(
        name="churn-processing",
        parameters=[region, share, instances],
        pipeline_experiment_config=PipelineExperimentConfig("churn", Join(on="-", values=["trial", region])),
        steps=[prepared, ProcessingStep(name="Audit", step_args=audited)],
        sagemaker_session=sdk,
    )
    both = {"Prepare": DONE, "Audit": DONE}
    runs = (
        Run("defaults", "40 customers, every 4th is test: 30 in train, which Audit checks", DONE, both),
        Run(
            "again",
            "same arguments of Prepare, so its earlier success is taken; Audit has no cache",
            DONE,
            both,
            cached=("Prepare",),
        ),
        Run("west", "another --region, so another cache key; 20 rows", DONE, both, parameters={"Region": "west"}),
        Run(
            "two instances",
            "FullyReplicated inputs: both hosts see all rows and succeed",
            DONE,
            both,
            parameters={"Instances": "2"},
            cached=("Prepare",),
        ),
    )
    refused = (
        Refused("value outside of the enum", "EnumValues bind at start", {"Region": "north"}, ("Region",)),
        Refused("undeclared parameter", "only declared parameters can be given", {"Nope": "1"}, ("Nope",)),
        Refused("not an integer", "the declared type binds", {"Instances": "two"}, ("Instances",)),
    )
    return Case(pipeline, runs, _break_churn_processing, refused=refused)


def _break_churn_processing(definition: dict[str, Any]) -> tuple[Broken, ...]:
    prepare_at, audit_at = (step_path(definition, name) for name in ("Prepare", "Audit"))
    extra = definition["Steps"][1]["Arguments"]["ProcessingInputs"][0]
    eleven = [
        extra | {"InputName": f"in{n}", "S3Input": extra["S3Input"] | {"LocalPath": f"/opt/ml/processing/{n}"}}
        for n in range(11)
    ]
    return (
        Broken(
            "undeclared parameter",
            "a definition may refer to declared parameters only",
            [put(f"{prepare_at}/Arguments/AppSpecification/ContainerArguments/1", {"Get": "Parameters.Nope"})],
            says=("Nope",),
        ),
        Broken(
            "default outside of the enum",
            "EnumValues bind the default",
            [put("/Parameters/0/DefaultValue", "north")],
            says=("Region",),
        ),
        Broken(
            "parameter twice",
            "parameter names are unique",
            [put("/Parameters/-", definition["Parameters"][0])],
            says=("Region",),
        ),
        Broken(
            "eleven inputs",
            "a job has at most 10 inputs; in SDK issue 2554 the service said so only when the job was created",
            [put(f"{audit_at}/Arguments/ProcessingInputs", eleven)],
            at=("create", "run"),
            says=("ProcessingInputs",),
            step="Audit",
        ),
        Broken(
            "wrong count",
            "Audit expects 7 rows, finds 30, exits with 3: the step fails and with it the execution",
            [put(f"{audit_at}/Arguments/AppSpecification/ContainerArguments/1", "7")],
            at=("run",),
            step="Audit",
        ),
        Broken(
            "FastFile input",
            "AWS says: Value 'FastFile' for 'ProcessingS3InputMode' failed to satisfy enum value set: [Pipe, File]",
            [put(f"{prepare_at}/Arguments/ProcessingInputs/0/S3Input/S3InputMode", "FastFile")],
            says=("FastFile",),
        ),
    )


def sdk_scripts() -> Case:
    """A FrameworkProcessor: its bash script unpacks sourcedir.tar.gz in the code input and starts the script."""
    sdk = session()
    prepared = prepare(sdk)
    framework = FrameworkProcessor(
        image_uri=IMAGE,
        role=ROLE,
        instance_count=1,
        instance_type="ml.m5.large",
        command=["python3"],
        base_job_name="features",
        max_runtime_in_seconds=600,
        sagemaker_session=sdk,
    )
    features = framework.run(
        code="features.py",
        source_dir=str(PROGRAMS / "bundle"),
        inputs=[source("train", output_of(prepared, "train"))],
        outputs=[result("features")],
    )
    pipeline = Pipeline(
        name="sdk-scripts",
        pipeline_experiment_config=None,
        steps=[prepared, ProcessingStep(name="Features", step_args=features)],
        sagemaker_session=sdk,
    )
    run = Run("defaults", "both jobs run to their end", DONE, {"Prepare": DONE, "Features": DONE})

    def damage(definition: dict[str, Any]) -> tuple[Broken, ...]:
        at = step_path(definition, "Features")
        return (
            Broken("step name twice", "step names are unique", [put(f"{at}/Name", "Prepare")], says=("Prepare",)),
            Broken(
                "bad instance type",
                "not in the enum ProcessingInstanceType of the service model",
                [put(f"{at}/Arguments/ProcessingResources/ClusterConfig/InstanceType", "ml.banana")],
                says=("ml.banana",),
            ),
            Broken(
                "no image",
                "AppSpecification.ImageUri is required by the service model",
                [drop(f"{at}/Arguments/AppSpecification/ImageUri")],
                at=("create", "run"),
                says=("ImageUri",),
                step="Features",
            ),
            Broken(
                "bad step name",
                "step names match [A-Za-z0-9\\-_]{1,64}",
                [put(f"{at}/Name", "my features!")],
                says=("my features!",),
            ),
            Broken("no steps", "Steps is a required member", [drop("/Steps")], says=("Steps",)),
            Broken(
                "unknown version",
                "the only schema version is 2020-12-01",
                [put("/Version", "2019-01-01")],
                says=("Version",),
            ),
        )

    return Case(pipeline, (run,), damage)


def gated_training() -> Case:
    """prepare -> train (ModelTrainer with source_code) -> evaluate -> gate -> register, or fail."""
    sdk = session()
    floor = ParameterFloat("MinAccuracy", default_value=0.9)
    threshold = ParameterInteger("Threshold", default_value=50)
    group = ParameterString("Group", default_value="churn")
    prepared = prepare(sdk)
    trained = train(
        script_trainer(sdk, {"threshold": threshold.to_string(), "steps": 20, "note": "a b"}),
        output_of(prepared, "train"),
    )
    artifact = trained.properties.ModelArtifacts.S3ModelArtifacts
    evaluated, scores = evaluate(sdk, artifact, output_of(prepared, "test"))
    metrics = MetricsSource(
        "application/json", Join(on="/", values=[output_of(evaluated, "evaluation"), "evaluation.json"])
    )
    register = builder(sdk, artifact).register(
        model_package_group_name=group,
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=["ml.m5.large"],
        transform_instances=["ml.m5.large"],
        approval_status="PendingManualApproval",
        model_metrics=ModelMetrics(model_statistics=metrics),
        customer_metadata_properties={"threshold": threshold.to_string()},
    )
    accuracy = JsonGet(
        step_name="Evaluate", property_file=scores, json_path="binary_classification_metrics.accuracy.value"
    )
    fail = FailStep(name="TooBad", error_message=Join(on=" ", values=["accuracy below", floor]))
    gate = ConditionStep(
        name="Gate",
        conditions=[ConditionGreaterThanOrEqualTo(accuracy, floor)],
        if_steps=[ModelStep(name="Register", step_args=register)],
        else_steps=[fail],
    )
    pipeline = Pipeline(
        name="gated-training",
        parameters=[floor, threshold, group],
        steps=[prepared, trained, evaluated, gate],
        sagemaker_session=sdk,
    )
    before = {"Prepare": DONE, "Train": DONE, "Evaluate": DONE, "Gate": DONE}
    runs = (
        Run(
            "good",
            "50 separates the classes, accuracy 1.0",
            DONE,
            before | {"Register": DONE},
            absent=("TooBad",),
            outcomes={"Gate": "True"},
        ),
        Run(
            "floor too high",
            "no accuracy reaches 1.5; the Fail step ends the execution as Failed with its message",
            "Failed",
            before | {"TooBad": "Failed"},
            absent=("Register",),
            parameters={"MinAccuracy": "1.5"},
            outcomes={"Gate": "False"},
            failure={"TooBad": "accuracy below 1.5"},
        ),
        Run(
            "bad model",
            "above 90 are 1 of the 5 that churn, and all 5 that stay are below: 6 of 10 right",
            "Failed",
            before | {"TooBad": "Failed"},
            absent=("Register",),
            parameters={"Threshold": "90"},
            outcomes={"Gate": "False"},
            failure={"TooBad": "accuracy below 0.9"},
        ),
    )
    return Case(pipeline, runs, _break_gated_training, groups=("churn",))


def _break_gated_training(definition: dict[str, Any]) -> tuple[Broken, ...]:
    at = {name: step_path(definition, name) for name in ("Prepare", "Train", "Evaluate", "Gate", "Register")}
    return (
        Broken(
            "gate uses the failed branch",
            "a Fail step cannot be depended on (developer guide, Fail step)",
            [put(f"{at['Register']}/DependsOn", ["TooBad"])],
            says=("TooBad",),
        ),
        Broken(
            "unknown step in DependsOn",
            "it must name a step",
            [put(f"{at['Train']}/DependsOn", ["Nope"])],
            says=("Nope",),
        ),
        Broken(
            "cycle",
            "Prepare would wait for Evaluate, which waits for it",
            [put(f"{at['Prepare']}/DependsOn", ["Evaluate"])],
            says=("cycl",),
        ),
        Broken(
            "property of a missing step",
            "references name steps of the definition",
            [
                put(
                    f"{at['Train']}/Arguments/InputDataConfig/0/DataSource/S3DataSource/S3Uri",
                    {"Get": "Steps.Nope.TrainingJobName"},
                )
            ],
            says=("Nope",),
        ),
        Broken(
            "property file that is not there",
            "Std:JsonGet names a declared property file",
            [put(f"{at['Evaluate']}/PropertyFiles", [])],
            says=("Evaluation",),
        ),
        Broken(
            "path that is not in the file",
            "the file is read at run time, so the step of the condition fails",
            [
                put(
                    f"{at['Gate']}/Arguments/Conditions/0/LeftValue/Std:JsonGet/Path",
                    "binary_classification_metrics.recall.value",
                )
            ],
            at=("run",),
            step="Gate",
        ),
        Broken(
            "branch step twice",
            "step names are unique across branches",
            [put(f"{at['Gate']}/Arguments/ElseSteps/-", definition["Steps"][0])],
            says=("Prepare",),
        ),
    )


CASES = (churn_processing, sdk_scripts, gated_training)
