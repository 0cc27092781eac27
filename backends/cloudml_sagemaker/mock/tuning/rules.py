"""What AWS refuses of a tuning job beyond the shapes (API reference; developer guide, "Tuning job limits")."""

from __future__ import annotations

import math
from typing import Any

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.errors import AwsError, not_executed, validation

NUMERIC = ("IntegerParameterRanges", "ContinuousParameterRanges")
EPOCHS = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
"""Static hyperparameters that tell Hyperband its MaxResource (API reference, HyperbandStrategyConfig)."""
MOST_VARIABLES = 48
"""Of all definitions together (API reference, HyperParameterTrainingJobDefinition, Environment)."""
KINDS = (*NUMERIC, "CategoricalParameterRanges")


def definitions(request: Document) -> list[Document]:
    """The training job definitions: the one, or the several that have names."""
    single = request.get("TrainingJobDefinition")
    return [single] if single else list(request.get("TrainingJobDefinitions") or [])


def ranges(request: Document, definition: Document) -> Document:
    """The ranges that a definition is tuned over: its own, or those of the job."""
    own = definition.get("HyperParameterRanges") or request["HyperParameterTuningJobConfig"].get("ParameterRanges")
    return own or {}


def objective(request: Document, definition: Document) -> Document:
    """`{"Type", "MetricName"}` of a definition."""
    config = request["HyperParameterTuningJobConfig"]
    found = definition.get("TuningObjective") or config.get("HyperParameterTuningJobObjective")
    if not found:
        raise validation("A HyperParameterTuningJobObjective or a TuningObjective for each definition is required.")
    return dict(found)


def check(request: Document) -> None:
    """Raises AwsError for the first rule that is broken."""
    config = request["HyperParameterTuningJobConfig"]
    single, several = request.get("TrainingJobDefinition"), request.get("TrainingJobDefinitions")
    if bool(single) == bool(several):
        raise validation("Exactly one of TrainingJobDefinition and TrainingJobDefinitions must be specified.")
    if request.get("Autotune"):
        raise not_executed("Autotune", "give ParameterRanges")
    _check_config(config)
    if several:
        if request.get("WarmStartConfig") or config.get("TrainingJobEarlyStoppingType", "Off") != "Off":
            # Developer guide, "Tune Multiple Algorithms".
            raise validation("Warm start and early stopping are available only with a single training job definition.")
        names = [definition.get("DefinitionName") for definition in several]
        if None in names or len(set(names)) != len(names):
            raise validation("Each of TrainingJobDefinitions needs a DefinitionName of its own.")
        if config.get("ParameterRanges") or config.get("HyperParameterTuningJobObjective"):
            raise validation(
                "With TrainingJobDefinitions, ranges and objective stand in each definition, not in "
                "HyperParameterTuningJobConfig."
            )
    for definition in definitions(request):
        _check_definition(request, definition)
    _check_grid(request)
    variables = sum(len(definition.get("Environment") or {}) for definition in definitions(request))
    if variables > MOST_VARIABLES:
        raise validation(
            f"The definitions have {variables} environment variables; together {MOST_VARIABLES} are allowed."
        )


def _check_config(config: Document) -> None:
    limits = config["ResourceLimits"]
    strategy = config["Strategy"]
    most = limits.get("MaxNumberOfTrainingJobs")
    if most is not None and limits["MaxParallelTrainingJobs"] > most:
        raise validation("MaxParallelTrainingJobs must not be greater than MaxNumberOfTrainingJobs.")
    if most is None and strategy != "Grid" and limits.get("MaxRuntimeInSeconds") is None:
        raise validation("One of MaxNumberOfTrainingJobs and MaxRuntimeInSeconds is required.")
    if config.get("StrategyConfig") and strategy != "Hyperband":
        raise validation("StrategyConfig can be given only when the Strategy is Hyperband.")
    if strategy == "Hyperband" and config.get("TrainingJobEarlyStoppingType", "Off") != "Off":
        raise validation("TrainingJobEarlyStoppingType must be Off when the Strategy is Hyperband.")
    criteria = config.get("TuningJobCompletionCriteria") or {}
    if (criteria.get("ConvergenceDetected") or {}).get("CompleteOnConvergence") == "Enabled":
        raise not_executed("CompleteOnConvergence", "use BestObjectiveNotImproving")


def _check_definition(request: Document, definition: Document) -> None:
    config = request["HyperParameterTuningJobConfig"]
    given = ranges(request, definition)
    if given.get("AutoParameters"):
        raise not_executed("AutoParameters", "give the ranges")
    goal = objective(request, definition)
    _check_resources(definition)
    if config["Strategy"] == "Hyperband":
        low, high = band(request, definition)
        if low > high:
            raise validation("MinResource must not be greater than MaxResource.")
    metrics = {metric["Name"] for metric in definition["AlgorithmSpecification"].get("MetricDefinitions") or []}
    image = definition["AlgorithmSpecification"].get("TrainingImage")
    if image and not metrics:
        # In AWS's words (amazon-sagemaker-examples issue 1207).
        raise validation(
            "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric "
            "definitions."
        )
    if image and goal["MetricName"] not in metrics:
        raise validation(
            f"The objective metric {goal['MetricName']!r} is not one of the metric definitions: "
            f"{', '.join(sorted(metrics))}."
        )
    _check_ranges(given, config["Strategy"])
    names = [one["Name"] for kind in KINDS for one in given.get(kind) or []]
    static = set(definition.get("StaticHyperParameters") or {})
    twice = sorted({name for name in names if names.count(name) > 1} | (static & set(names)))
    if twice:
        raise validation(f"Hyperparameters are given more than once: {', '.join(twice)}.")


def _check_resources(definition: Document) -> None:
    """API reference, HyperParameterTrainingJobDefinition and HyperParameterTuningResourceConfig."""
    flexible = definition.get("HyperParameterTuningResourceConfig")
    if bool(definition.get("ResourceConfig")) == bool(flexible):
        raise validation("Exactly one of ResourceConfig and HyperParameterTuningResourceConfig must be specified.")
    if not flexible:
        return
    several = bool(flexible.get("InstanceConfigs"))
    if several and any(flexible.get(key) for key in ("InstanceType", "InstanceCount", "VolumeSizeInGB")):
        raise validation("With InstanceConfigs, InstanceType, InstanceCount and VolumeSizeInGB must not be specified.")
    if not several and not flexible.get("InstanceType"):
        raise validation("HyperParameterTuningResourceConfig needs InstanceConfigs or an InstanceType.")


def band(request: Document, definition: Document) -> tuple[int, int]:
    """Hyperband's MinResource and MaxResource; the latter may stand in the static hyperparameters.

    Raises AwsError when it is nowhere (API reference, HyperbandStrategyConfig).
    """
    config = request["HyperParameterTuningJobConfig"].get("StrategyConfig") or {}
    given = config.get("HyperbandStrategyConfig") or {}
    static = definition.get("StaticHyperParameters") or {}
    found = [given.get("MaxResource"), *(static.get(name) for name in EPOCHS)]
    try:
        high = next(int(value) for value in found if value is not None)
    except (StopIteration, ValueError):
        raise validation(
            "MaxResource of HyperbandStrategyConfig is required: it cannot be inferred from the static hyperparameters "
            f"({', '.join(EPOCHS)})."
        ) from None
    return int(given.get("MinResource") or 1), high


def _check_grid(request: Document) -> None:
    """With Grid MaxNumberOfTrainingJobs, when given, is the number of all points (API reference, Strategy)."""
    config = request["HyperParameterTuningJobConfig"]
    most = config["ResourceLimits"].get("MaxNumberOfTrainingJobs")
    if config["Strategy"] != "Grid" or most is None:
        return
    grids = [ranges(request, definition)["CategoricalParameterRanges"] for definition in definitions(request)]
    points = sum(math.prod(len(one["Values"]) for one in grid) for grid in grids)
    if most != points:
        raise validation(f"With the Grid strategy MaxNumberOfTrainingJobs must be {points}, the number of points.")


def _check_ranges(given: Document, strategy: str) -> None:
    if not any(given.get(kind) for kind in KINDS):
        raise validation("At least one hyperparameter range is required.")
    if strategy == "Grid" and any(given.get(kind) for kind in NUMERIC):
        raise validation("The Grid strategy allows only categorical hyperparameters.")
    for kind in NUMERIC:
        for one in given.get(kind) or []:
            problem = _numeric_problem(one, integer=kind == NUMERIC[0])
            if problem is not None:
                raise problem
    for one in given.get("CategoricalParameterRanges") or []:
        if len(set(one["Values"])) != len(one["Values"]):
            raise validation(f"The values of {one['Name']} are not distinct.")


def _numeric_problem(one: Document, *, integer: bool) -> AwsError | None:
    convert: Any = int if integer else float
    try:
        low, high = convert(one["MinValue"]), convert(one["MaxValue"])
    except ValueError:
        wanted = "integers" if integer else "numbers"
        return validation(f"MinValue and MaxValue of {one['Name']} must be {wanted}.")
    if not (math.isfinite(low) and math.isfinite(high)) or low > high:
        return validation(f"MinValue of {one['Name']} must not be greater than its MaxValue.")
    scaling = one.get("ScalingType", "Auto")
    if scaling == "Logarithmic" and low <= 0:
        return validation(f"Logarithmic scaling of {one['Name']} needs values greater than 0.")
    if scaling == "ReverseLogarithmic" and (integer or low < 0 or high >= 1):
        return validation(f"Reverse logarithmic scaling of {one['Name']} needs a continuous range within [0, 1).")
    return None
