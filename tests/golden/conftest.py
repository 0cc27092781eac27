"""Golden pairs: what an author wrote, the spec it becomes, and what is sent. `--update-golden` writes them anew."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files instead of comparing")


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written. Run pytest on tests/golden for the option to be known."""
    return bool(request.config.getoption("--update-golden", default=False))
