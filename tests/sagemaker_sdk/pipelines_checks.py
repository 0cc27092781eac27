"""Pipelines with QualityCheck and ClarifyCheck steps, whose analysis container is given."""

from __future__ import annotations

import json
from typing import Any

from harness import BUCKET, RAW, SERVER, TRAINER, Broken, Case, Run, put, session, step_path
from parts import ANNOUNCE, RAW_URI, announce, builder, image_trainer, output_of, prepare, train
from sagemaker.core.clarify import BiasConfig, DataConfig
from sagemaker.core.drift_check_baselines import DriftCheckBaselines
from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import ParameterBoolean, ParameterString
from sagemaker.mlops.workflow.check_job_config import CheckJobConfig
from sagemaker.mlops.workflow.clarify_check_step import ClarifyCheckStep, DataBiasCheckConfig
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.quality_check_step import (
    DataQualityCheckConfig,
    ModelQualityCheckConfig,
    QualityCheckStep,
)

DONE = "Succeeded"
ROLE = "arn:aws:iam::123456789012:role/ml"
CONSTRAINTS = f"s3://{BUCKET}/baseline/constraints.json"
STATISTICS = f"s3://{BUCKET}/baseline/statistics.json"
# Without the charge of one customer the column is complete to 39 of 40.
INCOMPLETE = RAW.replace("east,1.25,0", "east,,0", 1)
INPUTS = {
    "raw/customers.csv": RAW,
    "incomplete/customers.csv": INCOMPLETE,
    "baseline/constraints.json": json.dumps(
        {"version": 0.0, "features": [{"name": "charge", "inferred_type": "Fractional", "completeness": 1.0}]}
    ),
    "baseline/statistics.json": json.dumps({"version": 0.0, "dataset": {"item_count": 40}, "features": []}),
}
CSV = {"csv": {"header": True, "output_columns_position": "START"}}


def where(name: str) -> Join:
    """A prefix of this execution."""
    return Join(on="/", values=[f"s3://{BUCKET}/checks", ExecutionVariables.PIPELINE_EXECUTION_ID, name])


def job(session_: Any) -> CheckJobConfig:
    """The analysis job of a check step."""
    return CheckJobConfig(
        role=ROLE, instance_count=1, instance_type="ml.m5.large", max_runtime_in_seconds=600, sagemaker_session=session_
    )


def quality_checks() -> Case:
    """A data quality check against a supplied baseline decides whether the model is trained and registered."""
    sdk = session()
    dataset = ParameterString("Dataset", default_value=RAW_URI)
    skip = ParameterBoolean(name="SkipCheck", default_value=False)
    strict = ParameterBoolean(name="FailOnViolation", default_value=True)
    renew = ParameterBoolean(name="RegisterNewBaseline", default_value=False)
    checked = QualityCheckStep(
        name="DataQuality",
        quality_check_config=DataQualityCheckConfig(
            baseline_dataset=dataset, dataset_format=CSV, output_s3_uri=where("data")
        ),
        check_job_config=job(sdk),
        skip_check=skip,
        fail_on_violation=strict,
        register_new_baseline=renew,
        supplied_baseline_statistics=STATISTICS,
        supplied_baseline_constraints=CONSTRAINTS,
        model_package_group_name="churn",
    )
    prepared = prepare(sdk, depends_on=["DataQuality"])
    trained = train(image_trainer(sdk, {"threshold": 50}), output_of(prepared, "train"))
    found = checked.properties
    register = builder(sdk, trained.properties.ModelArtifacts.S3ModelArtifacts).register(
        model_package_group_name="churn",
        content_types=["text/csv"],
        response_types=["text/csv"],
        approval_status="Approved",
        model_metrics=ModelMetrics(
            model_data_statistics=MetricsSource("application/json", found.CalculatedBaselineStatistics),
            model_data_constraints=MetricsSource("application/json", found.CalculatedBaselineConstraints),
        ),
        drift_check_baselines=DriftCheckBaselines(
            model_data_statistics=MetricsSource("application/json", found.BaselineUsedForDriftCheckStatistics),
            model_data_constraints=MetricsSource("application/json", found.BaselineUsedForDriftCheckConstraints),
        ),
    )
    registered = ModelStep(name="Register", step_args=register)
    said = announce(
        "Baselines",
        {"1": found.BaselineUsedForDriftCheckConstraints, "2": found.BaselineUsedForDriftCheckStatistics},
        depends_on=[registered],
    )
    pipeline = Pipeline(
        name="quality-checks",
        parameters=[dataset, skip, strict, renew],
        steps=[checked, prepared, trained, registered, said],
        sagemaker_session=sdk,
    )
    every = dict.fromkeys(("DataQuality", "Prepare", "Train", "Register", "Baselines"), DONE)
    bad = f"s3://{BUCKET}/incomplete/"
    new = f"s3://{BUCKET}/checks/{{execution}}/data/"
    kept = {"Baselines": {"text": f"{CONSTRAINTS}|{STATISTICS}", "count": "2", "urgent": "false"}}
    runs = (
        Run("no violation", "RegisterNewBaseline false: the supplied baseline is handed on", DONE, every, outputs=kept),
        Run(
            "violation",
            "39 of 40 is less than the baseline's completeness 1.0: the check fails and the pipeline does not go on",
            "Failed",
            {"DataQuality": "Failed"},
            absent=("Prepare", "Train", "Register", "Baselines"),
            parameters={"Dataset": bad},
        ),
        Run(
            "violation tolerated",
            "FailOnViolation false",
            DONE,
            every,
            parameters={"Dataset": bad, "FailOnViolation": "false"},
            outputs=kept,
        ),
        Run(
            "check skipped",
            "no drift check, so no violation",
            DONE,
            every,
            parameters={"Dataset": bad, "SkipCheck": "true"},
            outputs=kept,
        ),
        Run(
            "new baseline",
            "the calculated files become the baseline",
            DONE,
            every,
            parameters={"SkipCheck": "true", "RegisterNewBaseline": "true"},
            outputs={
                "Baselines": {"text": f"{new}constraints.json|{new}statistics.json", "count": "2", "urgent": "false"}
            },
        ),
    )
    images = {
        checked.arguments["AppSpecification"]["ImageUri"]: "quality_analyzer.py",
        TRAINER: "trainer.py",
        SERVER: "server.py",
    }
    return Case(
        pipeline, runs, _break_quality_checks, images=images, functions=ANNOUNCE, groups=("churn",), inputs=INPUTS
    )


def _break_quality_checks(definition: dict[str, Any]) -> tuple[Broken, ...]:
    at = {name: step_path(definition, name) for name in ("DataQuality", "Register")}
    return (
        Broken(
            "unknown check",
            "DATA_QUALITY or MODEL_QUALITY",
            [put(f"{at['DataQuality']}/CheckType", "LUCK")],
            says=("LUCK",),
        ),
        Broken(
            "property that the step has not",
            "a QualityCheck step has four baseline properties",
            [
                put(
                    f"{at['Register']}/Arguments/ModelMetrics/ModelDataQuality/Statistics/S3Uri",
                    {"Get": "Steps.DataQuality.Baseline"},
                )
            ],
            at=("create", "run"),
            says=("Baseline",),
            step="Register",
        ),
        Broken(
            "no dataset",
            "nothing lies below the prefix: the job cannot download its input",
            [put("/Parameters/0/DefaultValue", f"s3://{BUCKET}/nothing-here/")],
            at=("run",),
            step="DataQuality",
        ),
    )


def model_and_bias_checks() -> Case:
    """First run of a pipeline: a model quality check and a bias check that only compute baselines."""
    sdk = session()
    quality = QualityCheckStep(
        name="ModelQuality",
        quality_check_config=ModelQualityCheckConfig(
            baseline_dataset=RAW_URI,
            dataset_format=CSV,
            output_s3_uri=where("model"),
            problem_type="BinaryClassification",
            inference_attribute="churned",
            ground_truth_attribute="churned",
        ),
        check_job_config=job(sdk),
        skip_check=True,
        register_new_baseline=True,
        model_package_group_name="churn",
    )
    data = DataConfig(
        s3_data_input_path=RAW_URI,
        s3_output_path=where("bias"),
        s3_analysis_config_output_path=f"s3://{BUCKET}/checks/config",
        label="churned",
        headers=["region", "charge", "churned"],
        dataset_type="text/csv",
    )
    bias = ClarifyCheckStep(
        name="DataBias",
        clarify_check_config=DataBiasCheckConfig(
            data_config=data,
            data_bias_config=BiasConfig(
                label_values_or_threshold=[1], facet_name="region", facet_values_or_threshold=["east"]
            ),
            methods=["CI"],
        ),
        check_job_config=job(sdk),
        skip_check=True,
        register_new_baseline=True,
        model_package_group_name="churn",
    )
    said = announce(
        "Announce",
        {"1": quality.properties.CalculatedBaselineStatistics, "2": bias.properties.CalculatedBaselineConstraints},
    )
    pipeline = Pipeline(name="model-and-bias-checks", steps=[quality, bias, said], sagemaker_session=sdk)
    run = Run(
        "first",
        "SkipCheck and RegisterNewBaseline: both compute, nothing is compared",
        DONE,
        {"ModelQuality": DONE, "DataBias": DONE, "Announce": DONE},
    )
    images = {
        quality.arguments["AppSpecification"]["ImageUri"]: "quality_analyzer.py",
        bias.arguments["AppSpecification"]["ImageUri"]: "clarify_analyzer.py",
    }

    def damage(definition: dict[str, Any]) -> tuple[Broken, ...]:
        at = step_path(definition, "DataBias")
        return (
            Broken(
                "unknown check",
                "DATA_BIAS, MODEL_BIAS or MODEL_EXPLAINABILITY",
                [put(f"{at}/CheckType", "DATA_QUALITY")],
                says=("DATA_QUALITY",),
            ),
            Broken(
                "configuration that is not there",
                "the analysis configuration is an input of the job, and nothing lies at its URI",
                [
                    put(
                        f"{at}/Arguments/ProcessingInputs/0/S3Input/S3Uri",
                        f"s3://{BUCKET}/checks/none/analysis_config.json",
                    )
                ],
                at=("run",),
                step="DataBias",
            ),
        )

    return Case(pipeline, (run,), damage, images=images, functions=ANNOUNCE, groups=("churn",))


CASES = (quality_checks, model_and_bias_checks)
