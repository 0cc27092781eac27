"""From tables to one row a customer and snapshot: what we knew that day, and whether the customer then left.

A snapshot is a day in the past on which we pretend to stand: features see only weeks before it, labels only later ones.

    |------ history_weeks ------|snapshot|-- lead_weeks --|-- horizon_weeks --|
     features                             time to act      silent here: churned
"""

from __future__ import annotations

from datetime import date, timedelta

import cloudml as ml
import polars as pl

CATEGORIES = ["region", "segment", "plan", "contract", "payment"]
COUNTS = ["sessions", "minutes", "tickets", "paid_cents"]
NUMBERS = [
    *(f"{count}_{window}" for window in ("4w", "12w", "all") for count in COUNTS),
    *("active_weeks", "weeks_since_session", "weeks_since_first", "weeks_between", "minutes_per_session"),
    *("sessions_trend", "minutes_trend", "tickets_trend"),
    *("age", "tenure_weeks", "weeks_on_contract", "weeks_to_renewal", "price_cents"),
]
FEATURES = [*CATEGORIES, *NUMBERS]
"""What the model sees, in training and in service alike."""


@ml.processing(memory="2Gi")
def features(
    customers: pl.DataFrame,
    attributes: pl.DataFrame,
    activity: pl.DataFrame,
    history_weeks: int = 26,
    active_weeks: int = 2,
    lead_weeks: int = 4,
    horizon_weeks: int = 4,
) -> pl.DataFrame:
    """A row for each snapshot and customer seen in the `active_weeks` before it: keys, `FEATURES` and `churned`."""
    frames = [
        snapshot_features(customers, attributes, activity, snapshot, history_weeks, active_weeks).join(
            silent_customers(customers, activity, snapshot, lead_weeks, horizon_weeks),
            on="customer_id",
            how="left",
            maintain_order="left",
        )
        for snapshot in snapshots(activity, history_weeks, lead_weeks + horizon_weeks)
    ]
    return pl.concat(frames)


def snapshots(activity: pl.DataFrame, history_weeks: int, label_weeks: int) -> list[date]:
    """Every day that has a full history before it and full labels after it; the label periods do not overlap."""
    first, last = activity["week"].min(), activity["week"].max()
    if not isinstance(first, date) or not isinstance(last, date):
        return []
    days = []
    day = last + timedelta(weeks=1 - label_weeks)
    while day - timedelta(weeks=history_weeks) >= first:
        days.append(day)
        day -= timedelta(weeks=label_weeks)
    if not days:
        have = (last - first).days // 7 + 1
        raise ValueError(f"{have} weeks of activity; features need {history_weeks} of them and labels {label_weeks}")
    return days[::-1]


def snapshot_features(
    customers: pl.DataFrame,
    attributes: pl.DataFrame,
    activity: pl.DataFrame,
    snapshot: date,
    history_weeks: int,
    active_weeks: int,
) -> pl.DataFrame:
    """What was known on the morning of `snapshot` about each customer who was active then."""
    usage = usage_features(activity, snapshot, history_weeks).filter(pl.col("weeks_since_session") <= active_weeks)
    return (
        usage.join(customers, on="customer_id", how="inner", maintain_order="left")
        .join(current_contract(attributes, snapshot), on="customer_id", how="left", maintain_order="left")
        .with_columns(
            snapshot=pl.lit(snapshot),
            age=snapshot.year - pl.col("birth_year"),
            tenure_weeks=weeks_before(snapshot, "signup"),
        )
        .select("customer_id", "snapshot", *CATEGORIES, pl.col(NUMBERS).cast(pl.Float64))
    )


def usage_features(activity: pl.DataFrame, snapshot: date, history_weeks: int) -> pl.DataFrame:
    """Sums over three windows, ratios between them, and how long ago things happened."""
    past = activity.filter(pl.col("week") < snapshot).with_columns(ago=weeks_before(snapshot, "week"))
    past = past.filter(pl.col("ago") <= history_weeks)
    used, used_weeks = pl.col("ago").filter(pl.col("sessions") > 0), pl.col("active_weeks")
    windows = {"4w": 4, "12w": 12, "all": history_weeks}
    return (
        past.group_by("customer_id")
        .agg(
            *(
                pl.col(count).filter(pl.col("ago") <= weeks).sum().alias(f"{count}_{name}")
                for name, weeks in windows.items()
                for count in COUNTS
            ),
            active_weeks=used.len(),
            weeks_since_session=used.min(),
            weeks_since_first=used.max(),
        )
        .with_columns(
            weeks_between=ratio(pl.col("weeks_since_first") - pl.col("weeks_since_session"), used_weeks - 1),
            minutes_per_session=ratio(pl.col("minutes_all"), pl.col("sessions_all")),
            sessions_trend=trend("sessions"),
            minutes_trend=trend("minutes"),
            tickets_trend=trend("tickets"),
        )
        .sort("customer_id")  # a group_by has no order of its own
    )


def current_contract(attributes: pl.DataFrame, snapshot: date) -> pl.DataFrame:
    """The contract that each customer had on that day, and how long until a yearly one comes up for renewal."""
    known = attributes.filter(pl.col("valid_from") < snapshot).sort("customer_id", "valid_from")
    signed = pl.col("valid_from").first().over("customer_id")
    return (
        known.with_columns(weeks_signed=weeks_before(snapshot, signed))
        .with_columns(weeks_on_contract=weeks_before(snapshot, "valid_from"))
        .with_columns(weeks_to_renewal=pl.when(pl.col("contract") == "yearly").then(52 - pl.col("weeks_signed") % 52))
        .unique("customer_id", keep="last", maintain_order=True)
        .drop("valid_from")
    )


def silent_customers(
    customers: pl.DataFrame, activity: pl.DataFrame, snapshot: date, lead_weeks: int, horizon_weeks: int
) -> pl.DataFrame:
    """The label: 1 for customers without any session in the horizon, which begins `lead_weeks` after `snapshot`."""
    start = snapshot + timedelta(weeks=lead_weeks)
    end = start + timedelta(weeks=horizon_weeks)
    seen = activity.filter((pl.col("week") >= start) & (pl.col("week") < end) & (pl.col("sessions") > 0))
    silent = ~pl.col("customer_id").is_in(seen["customer_id"].implode())
    return customers.select("customer_id", churned=silent.cast(pl.Int8))


def weeks_before(snapshot: date, day: str | pl.Expr) -> pl.Expr:
    """Whole weeks from a day to the snapshot; the week just before it is 1."""
    return (pl.lit(snapshot) - (pl.col(day) if isinstance(day, str) else day)).dt.total_days() // 7


def trend(count: str) -> pl.Expr:
    """The last four weeks against the last twelve: 1 means steady, 0 means gone quiet."""
    return ratio(3 * pl.col(f"{count}_4w"), pl.col(f"{count}_12w"))


def ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """`part / whole`, missing where `whole` is zero."""
    return pl.when(whole > 0).then(part / whole)
