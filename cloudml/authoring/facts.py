"""References that belong to no step: secrets, facts of the run, models of the registry."""

from __future__ import annotations

from typing import Any, Literal

from cloudml.authoring.location import caller
from cloudml.authoring.references import Simple
from cloudml.authoring.refusal import refusal


def secret(name: str) -> Any:
    """A secret by name. Its value never enters the document; the step's process resolves it."""
    return Simple("SecretRef", f"secret {name!r}", "str", name=name)


def run_id() -> Any:
    """The id of the run."""
    return Simple("RunRef", "the run's id", "str", field="id")


def run_date(format: str = "%Y-%m-%d") -> Any:  # noqa: A002 - strftime's own word
    """The time the run is scheduled for, in UTC, as text by strftime's rules."""
    return Simple("RunRef", "the run's date", "str", field="time", format=format)


def model(name: str, *, version: int | None = None, alias: str | None = None) -> Any:
    """A registered model version: `ml.model("churn", version=3)` or `ml.model("churn", alias="champion")`."""
    if (version is None) == (alias is None):
        message = (
            f"ml.model({name!r}) names no version"
            if version is None
            else f"ml.model({name!r}) names a version and an alias"
        )
        raise refusal(
            "CML123", message, 'write ml.model("churn", version=3) or ml.model("churn", alias="champion")', caller()
        )
    return Simple("ModelRef", f"model {name!r}", "cloudml.ModelVersion", model=name, version=version, alias=alias)


class Champion:
    """The version that bears an alias now; its metrics are attributes."""

    __slots__ = ("_alias", "_missing", "_model")

    def __init__(self, model: str, alias: str, missing: str) -> None:
        self._model, self._alias, self._missing = model, alias, missing

    def __repr__(self) -> str:
        return f"<{self._alias} of model {self._model!r}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        label = f"{self._alias} of {self._model!r}, metric {name}"
        of, alias, missing = self._model, self._alias, self._missing
        return Simple("ChampionRef", label, "float", model=of, metric=name, alias=alias, missing=missing)


def champion(model: str, *, alias: str = "champion", missing: Literal["pass", "fail"] = "pass") -> Any:
    """The version in service: `score.auc >= ml.champion("churn").auc - 0.002`.

    `missing` says what a comparison yields while no version bears the alias: the first model has nobody to beat.
    """
    if missing not in ("pass", "fail"):
        raise refusal("CML122", f"missing={missing!r}", "write missing='pass' or missing='fail'", caller())
    return Champion(model, alias, missing)
