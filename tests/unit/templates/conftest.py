"""The template's own package, importable as its user imports it, and one small database for all tests here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

PROJECT = Path(__file__).parents[3] / "templates" / "cloudml_templates" / "churn"
sys.path.insert(0, str(PROJECT))

if TYPE_CHECKING:
    import polars as pl
    from churn.extract import Tables
    from churn.split import Parts

AS_OF = "2025-06-30"


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small customer database."""
    from churn.crm import crm_database

    import cloudml as ml

    path = tmp_path_factory.mktemp("crm") / "crm.db"
    crm_database(ml.File(path), customers=3_000, until=AS_OF)
    return path


@pytest.fixture(scope="session")
def tables(database: Path) -> Tables:
    """What `extract` gives for it."""
    from churn.extract import extract

    import cloudml as ml

    return extract(ml.File(database), AS_OF)


@pytest.fixture(scope="session")
def table(tables: Tables) -> pl.DataFrame:
    """What `features` makes of that."""
    from churn.features import features

    return features(*tables)


@pytest.fixture(scope="session")
def parts(table: pl.DataFrame) -> Parts:
    """What `split` makes of that."""
    from churn.split import split

    return split(table)
