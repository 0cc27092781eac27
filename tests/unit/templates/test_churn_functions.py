"""The churn template's steps, called as the plain functions they are outside a build."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from churn import crm, evaluation, extract, features, serving, split, training, validate
from polars.testing import assert_frame_equal

import cloudml as ml

AS_OF = "2025-06-30"
DAY = date(2025, 3, 10)


# --- the invented database


def test_the_same_arguments_give_the_same_database(tmp_path: Path) -> None:
    digests = []
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        crm.crm_database(ml.File(tmp_path / name), customers=200, seed=seed)
        digests.append(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert digests[0] == digests[1] != digests[2]


def test_writing_again_replaces_the_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "crm.db"
    path.write_bytes(b"half a database")
    crm.crm_database(ml.File(path), customers=50)
    crm.crm_database(ml.File(path), customers=60)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM customers").fetchone() == (60,)
    assert [entry.name for entry in tmp_path.iterdir()] == ["crm.db"]


@pytest.mark.parametrize(
    "impossible",
    [
        "SELECT count(*) FROM activity JOIN customers USING (customer_id) WHERE date(week, '+6 days') < signup",
        "SELECT count(*) FROM attributes JOIN customers USING (customer_id) WHERE valid_from < signup",
        "SELECT count(*) FROM activity WHERE date(week, '+7 days') > '2025-06-30'",
        "SELECT count(*) FROM activity WHERE sessions = 0 AND minutes > 0",
        "SELECT count(*) FROM activity WHERE strftime('%w', week) <> '1'",
        "SELECT abs(count(DISTINCT week) - 78) FROM activity",
    ],
)
def test_nothing_impossible_is_in_the_database(database: Path, impossible: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute(impossible).fetchone() == (0,)


# --- extract


def test_a_run_for_an_old_date_sees_only_what_was_known_then(database: Path) -> None:
    day = date(2025, 1, 15)  # a Wednesday: the week that has begun is not complete
    customers, attributes, activity = extract.extract(ml.File(database), day.isoformat())
    assert customers["signup"].max() < day
    assert attributes["valid_from"].max() < day
    assert activity["week"].max() == date(2025, 1, 6)


def test_extract_keeps_every_row_and_its_types(database: Path, tables: extract.Tables) -> None:
    with closing(sqlite3.connect(database)) as connection:
        for name, frame in tables._asdict().items():
            assert connection.execute(f"SELECT count(*) FROM {name}").fetchone() == (frame.height,)
            assert dict(frame.schema) == extract.COLUMNS[name]
        total = connection.execute("SELECT sum(paid_cents) FROM activity").fetchone()[0]
    assert tables.activity["paid_cents"].sum() == total


# --- validate


def broken(tables: extract.Tables, how: str) -> extract.Tables:
    """The tables with one thing wrong."""
    customers, attributes, activity = tables
    match how:
        case "column gone":
            return extract.Tables(customers.drop("region"), attributes, activity)
        case "other type":
            return extract.Tables(customers, attributes, activity.with_columns(pl.col("minutes").cast(pl.Float64)))
        case "null":
            return extract.Tables(customers.with_columns(region=pl.lit(None, pl.String)), attributes, activity)
        case "range":
            return extract.Tables(customers, attributes.with_columns(price_cents=pl.lit(-1, pl.Int64)), activity)
        case "twice":
            return extract.Tables(customers, attributes, pl.concat([activity, activity.head(2)]))
        case "strangers":
            return extract.Tables(customers.head(10), attributes.head(1), activity)
        case "stale":
            return extract.Tables(customers, attributes, activity.filter(pl.col("week") < DAY))
        case "empty":
            return extract.Tables(customers, attributes, activity.clear())
    raise AssertionError(how)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("column gone", ["customers: region should be String, is absent"]),
        ("other type", ["activity: minutes should be Int64, is Float64"]),
        ("null", ["customers: 3000 rows without region"]),
        ("range", ["rows with price_cents outside 0..100000"]),
        ("twice", ["activity: 2 rows repeat the key customer_id, week"]),
        ("strangers", ["activity: ", "rows of unknown customers", "customers: 9 without attributes"]),
        ("stale", ["the newest week is 2025-03-03", "2025-06-30"]),
        ("empty", ["activity: no rows"]),
    ],
)
def test_bad_data_are_refused_in_words(tables: extract.Tables, how: str, words: list[str]) -> None:
    customers = tables.customers.head(3000)
    with pytest.raises(validate.BadData) as refused:
        validate.validate(*broken(tables._replace(customers=customers), how), AS_OF)
    assert all(word in str(refused.value) for word in words), str(refused.value)


def test_all_violations_come_at_once(tables: extract.Tables) -> None:
    bad = tables
    for how in ("null", "range", "twice"):
        bad = broken(bad, how)
    with pytest.raises(validate.BadData, match=r"^3 violations") as refused:
        validate.validate(*bad, AS_OF)
    assert len(str(refused.value).splitlines()) == 4


def test_sound_data_pass_and_are_counted(tables: extract.Tables) -> None:
    counted = validate.validate(*tables, AS_OF)
    assert counted == {name: frame.height for name, frame in tables._asdict().items()}


# --- features


def one_customer(weeks: dict[int, tuple[int, int, int, int]]) -> extract.Tables:
    """A customer by hand: weeks before `DAY` -> sessions, minutes, tickets, cents."""
    rows = [(1, DAY - timedelta(weeks=ago), *values) for ago, values in weeks.items()]
    customer = [(1, DAY - timedelta(weeks=40), "north", "family", 1990)]
    contracts = [
        (1, DAY - timedelta(weeks=40), "basic", "yearly", "card", 990),
        (1, DAY - timedelta(weeks=3), "plus", "yearly", "card", 1990),
        (1, DAY, "pro", "yearly", "card", 3990),  # signed on the day itself: not known that morning
    ]
    kinds = extract.COLUMNS
    return extract.Tables(
        pl.DataFrame(customer, schema=kinds["customers"], orient="row"),
        pl.DataFrame(contracts, schema=kinds["attributes"], orient="row"),
        pl.DataFrame(rows, schema=kinds["activity"], orient="row"),
    )


def test_features_by_hand() -> None:
    used = {
        2: (2, 20, 1, 0),
        4: (1, 10, 0, 990),
        5: (4, 40, 0, 0),
        12: (3, 30, 1, 990),
        20: (5, 100, 0, 0),
        30: (9, 9, 9, 9),
    }
    row = features.snapshot_features(*one_customer(used), DAY, history_weeks=26, active_weeks=2).row(0, named=True)
    expected = {
        "sessions_4w": 3,
        "sessions_12w": 10,
        "sessions_all": 15,
        "minutes_4w": 30,
        "minutes_12w": 100,
        "minutes_all": 200,
        "tickets_4w": 1,
        "tickets_12w": 2,
        "tickets_all": 2,
        "paid_cents_4w": 990,
        "paid_cents_12w": 1980,
        "paid_cents_all": 1980,
        "active_weeks": 5,
        "weeks_since_session": 2,
        "weeks_since_first": 20,
        "weeks_between": (20 - 2) / 4,
        "minutes_per_session": 200 / 15,
        "sessions_trend": 9 / 10,
        "minutes_trend": 90 / 100,
        "tickets_trend": 3 / 2,
        "age": 35,
        "tenure_weeks": 40,
        "weeks_on_contract": 3,
        "weeks_to_renewal": 12,
        "price_cents": 1990,
        "region": "north",
        "segment": "family",
        "plan": "plus",
        "contract": "yearly",
        "payment": "card",
    }
    assert set(expected) == set(features.FEATURES)
    assert {name: row[name] for name in expected} == pytest.approx(expected)


def test_who_was_not_active_has_no_row() -> None:
    assert features.snapshot_features(*one_customer({3: (1, 1, 0, 0)}), DAY, 26, active_weeks=2).height == 0
    assert features.snapshot_features(*one_customer({3: (1, 1, 0, 0)}), DAY, 26, active_weeks=3).height == 1
    assert features.snapshot_features(*one_customer({1: (0, 0, 2, 0)}), DAY, 26, active_weeks=2).height == 0


@pytest.mark.parametrize(("seen_after", "churned"), [(-1, 1), (3, 1), (4, 0), (7, 0), (8, 1)])
def test_the_label_looks_at_the_horizon_only(seen_after: int, churned: int) -> None:
    """Lead 4, horizon 4: weeks 4 to 7 after the snapshot count, the weeks around them do not."""
    customers, _, activity = one_customer({-seen_after: (1, 5, 0, 0)})
    label = features.silent_customers(customers, activity, DAY, lead_weeks=4, horizon_weeks=4)
    assert label["churned"].to_list() == [churned]


@pytest.mark.parametrize("day", [date(2024, 9, 23), DAY])
def test_features_never_look_past_the_snapshot(tables: extract.Tables, day: date) -> None:
    customers, attributes, activity = tables
    known = features.snapshot_features(customers, attributes, activity, day, 26, 2)
    past = activity.filter(pl.col("week") < day)
    noise = activity.filter(pl.col("week") >= day).with_columns(
        (pl.col(count) * 13 + 5).alias(count) for count in features.COUNTS
    )
    rewritten = attributes.with_columns(
        pl.when(pl.col("valid_from") < day).then(pl.col("plan")).otherwise(pl.lit("pro")).alias("plan")
    )
    for later in (past, pl.concat([past, noise])):
        assert_frame_equal(known, features.snapshot_features(customers, rewritten, later, day, 26, 2))
    assert known.height > 500


def test_changing_the_past_does_change_features(tables: extract.Tables) -> None:
    """The test above could pass by features that see nothing."""
    changed = tables.activity.with_columns(sessions=pl.col("sessions") * 2)
    before = features.snapshot_features(*tables, DAY, 26, 2)
    after = features.snapshot_features(tables.customers, tables.attributes, changed, DAY, 26, 2)
    assert not before.equals(after)


def test_the_order_of_rows_does_not_matter(tables: extract.Tables, table: pl.DataFrame) -> None:
    shuffled = [frame.sample(fraction=1, shuffle=True, seed=1) for frame in tables]
    assert_frame_equal(features.features(*shuffled), table)


def test_snapshots_fill_the_log_without_overlap(tables: extract.Tables) -> None:
    days = features.snapshots(tables.activity, 26, 8)
    assert days[-1] == date(2025, 5, 5)  # eight weeks before the end of the log
    assert {later - earlier for earlier, later in pairwise(days)} == {timedelta(weeks=8)}
    assert len(days) == (78 - 26) // 8


def test_a_log_that_is_too_short_is_refused(tables: extract.Tables) -> None:
    with pytest.raises(ValueError, match="78 weeks of activity; features need 75 of them and labels 8"):
        features.features(*tables, history_weeks=75)


# --- split


def test_parts_do_not_see_one_anothers_future(table: pl.DataFrame, parts: split.Parts) -> None:
    gap = timedelta(weeks=8)
    assert parts.train["snapshot"].max() + gap <= parts.valid["snapshot"].min()
    assert parts.valid["snapshot"].max() + gap <= parts.test["snapshot"].min()
    assert parts.test["snapshot"].max() == table["snapshot"].max()


def test_snapshots_inside_the_gap_are_left_out(table: pl.DataFrame) -> None:
    days = sorted(table["snapshot"].unique())
    parts = split.split(
        table, lead_weeks=5, horizon_weeks=4
    )  # snapshots lie 8 weeks apart, so every other one is too close
    assert parts.test["snapshot"].unique().to_list() == [days[-1]]
    assert parts.valid["snapshot"].unique().to_list() == [days[-3]]
    assert parts.train["snapshot"].max() == days[-5]


def test_too_few_snapshots_for_the_gap_are_refused(table: pl.DataFrame) -> None:
    with pytest.raises(ValueError, match="6 snapshots are too few for three parts that lie 30 weeks apart"):
        split.split(table, lead_weeks=10, horizon_weeks=20)


def test_one_snapshot_is_split_by_customer(table: pl.DataFrame) -> None:
    only = table.filter(pl.col("snapshot") == pl.col("snapshot").max())
    again = split.split(only.reverse())
    parts = split.split(only)
    ids = [set(part["customer_id"]) for part in (parts.train, parts.valid, parts.test)]
    assert set.union(*ids) == set(only["customer_id"])
    assert sum(map(len, ids)) == only.height
    assert [len(part) / only.height for part in ids] == pytest.approx([0.6, 0.2, 0.2], abs=0.05)
    assert set(again.test["customer_id"]) == ids[2]


def test_large_ids_are_split_too() -> None:
    table = pl.DataFrame({"customer_id": pl.Series(range(2**62, 2**62 + 3000), dtype=pl.Int64)})
    sizes = [part.height for part in split.split_by_customer(table)]
    assert sum(sizes) == 3000
    assert sizes == pytest.approx([1800, 600, 600], abs=60)


def test_a_part_without_churn_is_refused(table: pl.DataFrame) -> None:
    newest = pl.col("snapshot") == pl.col("snapshot").max()
    calm = table.with_columns(churned=pl.when(newest).then(0).otherwise(pl.col("churned")).cast(pl.Int8))
    with pytest.raises(ValueError, match="the test part"):
        split.split(calm)


# --- training, evaluation, serving


@pytest.fixture(scope="module")
def fitted(parts: split.Parts, tmp_path_factory: pytest.TempPathFactory) -> tuple[ml.Model, training.Fit]:
    model = ml.Model(tmp_path_factory.mktemp("fit") / "model")
    return model, training.fit(parts.train, parts.valid, model)


def test_the_model_finds_the_signal_and_not_more(parts: split.Parts, fitted: tuple[ml.Model, training.Fit]) -> None:
    """Far better than a coin, far from perfect: a score near 1 would mean that features see the label."""
    model, fit = fitted
    scores = evaluation.evaluate(model, parts.test, fit.threshold).scores
    assert 0.78 < scores.auc < 0.92
    assert abs(scores.auc - fit.valid_auc) < 0.06
    assert 0.05 < parts.test["churned"].mean() < 0.25


def test_fitting_twice_gives_the_same_to_the_bit(
    parts: split.Parts, fitted: tuple[ml.Model, training.Fit], tmp_path: Path
) -> None:
    again = ml.Model(tmp_path / "again")
    assert training.fit(parts.train, parts.valid, again) == fitted[1]
    one, two = (serving.predict(model.load(), parts.test).to_list() for model in (fitted[0], again))
    assert one == two


def test_the_reported_auc_is_that_of_the_saved_model(parts: split.Parts, fitted: tuple[ml.Model, training.Fit]) -> None:
    model, fit = fitted
    scores = serving.predict(model.load(), parts.valid).to_numpy()
    assert fit.valid_auc == pytest.approx(pairwise_auc(parts.valid["churned"].to_numpy(), scores))


def pairwise_auc(churned: np.ndarray, scores: np.ndarray) -> float:
    """The share of pairs (one who left, one who stayed) that the scores put in the right order; ties count half."""
    left, stayed = scores[churned == 1][:, None], scores[churned == 0][None, :]
    return float(((left > stayed) + 0.5 * (left == stayed)).mean())


def test_the_threshold_has_the_best_f1() -> None:
    from sklearn.metrics import f1_score

    random = np.random.default_rng(3)
    churned = (random.random(300) < 0.3).astype(int)
    scores = np.round(0.4 * churned + random.random(300), 2)
    best = training.best_threshold(churned, scores)
    everywhere = [f1_score(churned, scores >= cut) for cut in np.unique(scores)]
    assert f1_score(churned, scores >= best) == pytest.approx(max(everywhere))


def test_group_metrics_agree_with_counting(parts: split.Parts, fitted: tuple[ml.Model, training.Fit]) -> None:
    from sklearn.metrics import f1_score

    model, fit = fitted
    judged = evaluation.evaluate(model, parts.test, fit.threshold)
    churned, scores = parts.test["churned"].to_numpy(), serving.predict(model.load(), parts.test).to_numpy()
    segments = parts.test["segment"].to_numpy()
    by_segment = {name: pairwise_auc(churned[segments == name], scores[segments == name]) for name in set(segments)}
    assert judged.scores.auc == pytest.approx(pairwise_auc(churned, scores))
    assert judged.scores.f1 == pytest.approx(f1_score(churned, scores >= fit.threshold))
    assert judged.scores.worst_group_gap == pytest.approx(judged.scores.auc - min(by_segment.values()))
    assert dict(zip(judged.by_group["group"], judged.by_group["auc"], strict=True)) == pytest.approx(by_segment)
    assert judged.by_group["group"].to_list() == sorted(by_segment)
    assert judged.by_group["rows"].sum() == parts.test.height


def test_groups_that_cannot_be_judged_do_not_count(parts: split.Parts, fitted: tuple[ml.Model, training.Fit]) -> None:
    """One group is too small, another has nobody who left: neither makes a gap."""
    stayed = parts.test.filter(pl.col("churned") == 0)
    named = [
        parts.test.with_columns(segment=pl.lit("all")),
        parts.test.head(evaluation.SMALLEST_GROUP - 1).with_columns(segment=pl.lit("small")),
        stayed.head(200).with_columns(segment=pl.lit("calm")),
    ]
    judged = evaluation.evaluate(fitted[0], pl.concat(named), 0.5)
    only = evaluation.evaluate(fitted[0], named[0], 0.5).scores.auc
    assert judged.by_group.filter(pl.col("group") == "calm")["auc"].to_list() == [None]
    assert judged.scores.worst_group_gap == pytest.approx(max(judged.scores.auc - only, 0))


def test_the_predictor_takes_rows_as_clients_send_them(
    parts: split.Parts, fitted: tuple[ml.Model, training.Fit]
) -> None:
    """JSON rows: any order of columns, whole numbers, nulls, a category never seen, a column too many."""
    estimator = fitted[0].load()
    rows = parts.sample.head(5).to_dicts()
    expected = serving.predict(estimator, parts.test).to_list()[:5]
    sent = [{"note": "x", **dict(reversed(row.items()))} for row in rows]
    assert serving.predict(estimator, pl.DataFrame(sent)).to_list() == expected
    strange = pl.DataFrame([{**rows[0], "age": None, "region": "moon", "sessions_4w": 3}])
    assert 0 <= serving.predict(estimator, strange)[0] <= 1
    with pytest.raises(pl.exceptions.ColumnNotFoundError, match="plan"):
        serving.predict(estimator, parts.sample.drop("plan"))


@pytest.mark.parametrize(
    ("answers", "words"), [([0.1], "2 rows sent, 1 answers"), ([0.1, 1.2], "not probab"), ([0.3, 0.3], "same answer")]
)
def test_wrong_answers_are_told(answers: list[float], words: str) -> None:
    rows = [{"age": 20.0}, {"age": 30.0}]
    serving.check_answers(rows, [0.1, 0.9])
    with pytest.raises(ValueError, match=words):
        serving.check_answers(rows, answers)
