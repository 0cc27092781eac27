"""The churn pipeline: every Monday at two, from the customer database to an endpoint that says who is about to leave.

The functions it calls are ordinary Python; call them in a test or a notebook as you would any other. Here they only
say which data goes where: nothing is computed until a backend runs the pipeline.
"""

from __future__ import annotations

import cloudml as ml

from churn.crm import crm_database
from churn.evaluation import evaluate
from churn.extract import extract
from churn.features import features
from churn.serving import check_answers, predict
from churn.split import split
from churn.training import Fit, fit
from churn.validate import validate

STAGING = ml.Endpoint("churn-staging", cpu=1, memory="1Gi")
PRODUCTION = ml.Endpoint("churn", cpu=1, memory="1Gi")
OPERATIONS = ml.log_alert("operations")

SPACE = {
    "learning_rate": ml.log_uniform(0.03, 0.3),
    "max_leaf_nodes": ml.ints(4, 32, log=True),
    "min_samples_leaf": ml.ints(10, 200, log=True),
    "l2": ml.log_uniform(0.01, 10),
}


@ml.pipeline(schedule=ml.cron("0 2 * * MON", tz="Europe/Prague"))
def churn(
    as_of: ml.Param[str] = "2025-06-30",  # the invented data end here; with data of your own: ml.run_date("%Y-%m-%d")
    customers: ml.Param[int] = 10_000,
    history_weeks: ml.Param[int] = 26,
    active_weeks: ml.Param[int] = 2,
    lead_weeks: ml.Param[int] = 4,
    horizon_weeks: ml.Param[int] = 4,
    min_auc: ml.Param[float] = 0.75,
    max_group_gap: ml.Param[float] = 0.1,
) -> None:
    """Find the customers who are about to leave, early enough to do something about it."""
    # With a database of your own, delete this step and make `database: ml.Param[Path]` a parameter instead.
    database = crm_database(customers=customers, until=as_of)

    tables = extract(database, as_of)
    checked = validate(tables.customers, tables.attributes, tables.activity, as_of)
    table = features.options(after=[checked])(
        tables.customers, tables.attributes, tables.activity, history_weeks, active_weeks, lead_weeks, horizon_weeks
    )
    parts = split(table, lead_weeks, horizon_weeks)

    best = ml.tune(
        fit,
        train=parts.train,
        valid=parts.valid,
        maximize=Fit.valid_auc,
        space=SPACE,
        trials=12,
        parallel=2,
        seed=7,
    )
    judged = evaluate(best.model, parts.test, best.threshold)
    score = judged.scores

    with ml.when(
        score.auc >= min_auc,
        score.auc >= ml.champion("churn").auc - 0.002,  # as good as the model in service, give or take noise
        score.worst_group_gap <= max_group_gap,
        name="good_enough",
    ) as good:
        version = ml.register(best.model, "churn", metrics=score, predictor=predict, sample=parts.sample)
        staged = ml.deploy(version, STAGING)
        tried = ml.verify(staged, sample=parts.sample, function=check_answers)
        live = ml.deploy(version, PRODUCTION, alias="champion", after=[tried])
        ml.verify(live, sample=parts.sample, function=check_answers, p95="500ms")
    with good.otherwise():
        ml.notify(OPERATIONS, "The new churn model stays out of service, its AUC is {auc}", auc=score.auc, name="tell")
