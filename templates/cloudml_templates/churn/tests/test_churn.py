"""Outside a pipeline the steps are plain functions, so plain tests will do."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import cloudml as ml
import polars as pl
import pytest

from churn.crm import crm_database
from churn.evaluation import evaluate
from churn.extract import Tables, extract
from churn.features import FEATURES, features, snapshot_features, snapshots
from churn.serving import check_answers, predict
from churn.split import split
from churn.training import fit
from churn.validate import BadData, validate

AS_OF = "2025-06-30"


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    database = ml.File(tmp_path_factory.mktemp("crm") / "crm.db")
    crm_database(database, customers=2_000, until=AS_OF)
    return extract(database, AS_OF)


def test_the_data_are_sound(tables: Tables) -> None:
    assert validate(*tables, AS_OF)["customers"] == tables.customers.height


def test_bad_data_are_refused_with_every_reason(tables: Tables) -> None:
    twice = pl.concat([tables.customers, tables.customers.head(3)])
    negative = tables.activity.with_columns(minutes=pl.lit(-1, pl.Int64))
    with pytest.raises(BadData) as refused:
        validate(twice, tables.attributes, negative, AS_OF)
    assert "customers: 3 rows repeat the key" in str(refused.value)
    assert "activity" in str(refused.value)


def test_features_do_not_see_the_future(tables: Tables) -> None:
    """Whatever happens from the snapshot on, the features of that day stay as they are."""
    day = date(2025, 3, 10)
    later = tables.activity.with_columns(
        pl.when(pl.col("week") >= day).then(pl.col("sessions") * 7 + 1).otherwise(pl.col("sessions")).alias("sessions")
    )
    new_contracts = tables.attributes.with_columns(
        pl.when(pl.col("valid_from") >= day).then(pl.lit("pro")).otherwise(pl.col("plan")).alias("plan")
    )
    before = snapshot_features(tables.customers, tables.attributes, tables.activity, day, 26, 2)
    after = snapshot_features(tables.customers, new_contracts, later, day, 26, 2)
    assert before.height > 100
    assert before.equals(after)


def test_labels_end_before_the_next_part_begins(tables: Tables) -> None:
    parts = split(features(*tables, lead_weeks=4, horizon_weeks=4), lead_weeks=4, horizon_weeks=4)
    train, valid, test = (part["snapshot"].to_list() for part in (parts.train, parts.valid, parts.test))
    gap = timedelta(weeks=8)
    assert max(train) + gap <= min(valid)
    assert max(valid) + gap <= min(test)


def test_one_snapshot_is_split_by_customer(tables: Tables) -> None:
    table = features(*tables)
    only = table.filter(pl.col("snapshot") == snapshots(tables.activity, 26, 8)[-1])
    parts = split(only)
    ids = [set(part["customer_id"]) for part in (parts.train, parts.valid, parts.test)]
    assert sum(map(len, ids)) == only.height == len(set.union(*ids))


def test_a_model_finds_the_signal_and_serves(tables: Tables, tmp_path: Path) -> None:
    parts = split(features(*tables))
    model = ml.Model(tmp_path / "model")
    fitted = fit(parts.train, parts.valid, model, iterations=40)
    judged = evaluate(model, parts.test, fitted.threshold)
    assert judged.scores.auc > 0.7
    assert set(judged.by_group["group"]) == set(parts.test["segment"])

    rows = pl.DataFrame(parts.sample.to_dicts())  # as they come from a client: JSON
    answers = predict(model.load(), rows)
    check_answers(rows.to_dicts(), answers.to_list())
    assert rows.columns == FEATURES
