"""One training for each region of a list that a step makes; their scores come together again."""

from __future__ import annotations

import cloudml as ml


@ml.processing
def regions(country: str) -> list[str]:
    return [f"{country}-north", f"{country}-south"]


@ml.processing(cpu=2, memory="8Gi", retries=3)
def score(region: str) -> float:
    return float(len(region))


@ml.processing
def average(scores: list[float]) -> float:
    return sum(scores) / len(scores)


@ml.pipeline(schedule=ml.cron("30 6 * * 1-5", tz="Europe/Prague"))
def each(country: ml.Param[str] = "cz") -> None:
    with ml.map(regions(country), parallel=4, name="region") as region:
        found = score(region)
    average(ml.collect(found))
