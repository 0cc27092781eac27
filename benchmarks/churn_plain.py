"""The churn pipeline's functions called in plain Python, in one process: the floor for cloudml's overhead.

    python benchmarks/churn_plain.py
    python benchmarks/churn_plain.py --project DIR --database FILE --set horizon_weeks=26

Prints one line of JSON: the metrics, the best trial, all trials, and the CPU seconds of this process. A run of the
pipeline with the same parameters must give the same metrics to the last bit. `--project` takes a project made from the
template; with `--database` its pipeline reads that file instead of inventing customers.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).parents[1] / "templates" / "cloudml_templates" / "churn"

# What churn/pipeline.py says; tests/unit/templates holds the two together.
PARAMETERS: dict[str, Any] = {
    "as_of": "2025-06-30",
    "customers": 10_000,
    "history_weeks": 26,
    "active_weeks": 2,
    "lead_weeks": 4,
    "horizon_weeks": 4,
}
SPACE: dict[str, tuple[str, float, float, bool]] = {  # name -> type, low, high, log
    "learning_rate": ("float", 0.03, 0.3, True),
    "max_leaf_nodes": ("int", 4, 32, True),
    "min_samples_leaf": ("int", 10, 200, True),
    "l2": ("float", 0.01, 10, True),
}
TRIALS, PARALLEL, SEED = 12, 2, 7


def tune(objective: Callable[[int, dict[str, Any]], float]) -> tuple[int, list[tuple[dict[str, Any], float]]]:
    """The best trial's number, and each trial's parameters and value, maximised by Optuna's TPE.

    Asked in the engine's order: trial n once the results of trials 0 to n - PARALLEL are told, results told in
    order. So the answer does not depend on which of two parallel trials ends first.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {
        name: optuna.distributions.FloatDistribution(low, high, log=log)
        if kind == "float"
        else optuna.distributions.IntDistribution(int(low), int(high), log=log)
        for name, (kind, low, high, log) in SPACE.items()
    }
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=SEED))
    asked: list[Any] = []
    results: list[tuple[dict[str, Any], float]] = []
    while len(results) < TRIALS:
        while len(asked) < min(TRIALS, len(results) + PARALLEL):
            asked.append(study.ask(distributions))
        number = len(results)
        value = objective(number, asked[number].params)
        study.tell(asked[number], value)
        results.append((asked[number].params, value))
    best = max(range(TRIALS), key=lambda number: results[number][1])  # the first of equals
    return best, results


def run(parameters: dict[str, Any], database: Path | None, folder: Path) -> dict[str, Any]:
    """Every step of the pipeline up to the gate; models go to `folder`, as they must for `fit`."""
    from churn.evaluation import evaluate
    from churn.extract import extract
    from churn.features import features
    from churn.split import split
    from churn.training import Fit, fit
    from churn.validate import validate

    import cloudml as ml

    as_of = parameters["as_of"]
    if database is None:
        from churn.crm import crm_database

        invented = ml.File(folder / "crm.db")
        crm_database(invented, customers=parameters["customers"], until=as_of)
        tables = extract(invented, as_of)
    else:
        tables = extract(database, as_of)  # type: ignore[arg-type]  # the changed extract takes a path
    validate(*tables, as_of)
    weeks = {name: parameters[name] for name in ("history_weeks", "active_weeks", "lead_weeks", "horizon_weeks")}
    parts = split(features(*tables, **weeks), parameters["lead_weeks"], parameters["horizon_weeks"])

    fits: list[Fit] = []

    def objective(number: int, drawn: dict[str, Any]) -> float:
        fits.append(fit(parts.train, parts.valid, ml.Model(folder / f"model-{number}"), **drawn))
        return fits[number].valid_auc

    best, trials = tune(objective)
    judged = evaluate(ml.Model(folder / f"model-{best}"), parts.test, fits[best].threshold)
    return {
        "metrics": judged.scores.to_dict(),
        "by_group": judged.by_group.to_dicts(),
        "best": {"trial": best, "parameters": trials[best][0], **fits[best].to_dict()},
        "trials": [{"parameters": drawn, "value": value} for drawn, value in trials],
        "rows": {name: getattr(parts, name).height for name in ("train", "valid", "test")},
    }


def main() -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--project", type=Path, default=TEMPLATE)
    parser.add_argument("--database", type=Path, default=None)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=", ".join(PARAMETERS))
    options = parser.parse_args()
    given = dict(item.split("=", 1) for item in options.set)
    if unknown := given.keys() - PARAMETERS:
        parser.error(f"no such parameter: {', '.join(sorted(unknown))}; there is: {', '.join(PARAMETERS)}")
    parameters = {name: type(default)(given.get(name, default)) for name, default in PARAMETERS.items()}
    sys.path.insert(0, str(options.project.resolve()))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = run(parameters, options.database, Path(folder))
    result["seconds"] = round(time.perf_counter() - started, 2)
    result["cpu_seconds"] = round(time.process_time(), 2)
    json.dump(result, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
