"""The pages about backends are the render of their tables, and the tables say something of every feature."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudml.backend.feature import FULL, Feature, Level
from cloudml.cli import backend_pages

DOCS = Path(__file__).parents[2] / "docs"
SHIPPED = backend_pages.shipped()
PAGES = backend_pages.pages(SHIPPED)


@pytest.mark.parametrize("path", PAGES)
def test_the_page_is_the_render_of_the_tables(path: str) -> None:
    assert (DOCS / path).read_text(encoding="utf-8") == PAGES[path], f"run: {backend_pages.COMMAND}"


def test_the_shipped_backends_stand_side_by_side() -> None:
    head = next(line for line in PAGES["backends/index.md"].splitlines() if line.startswith("| feature"))
    assert head == "| feature | [local](local.md) | [sagemaker](sagemaker.md) | what it is |"


@pytest.mark.parametrize("feature", Feature)
def test_every_feature_is_explained_and_stands_in_the_table(feature: Feature) -> None:
    assert f"| `{feature}` | " in PAGES["backends/index.md"]
    assert backend_pages.FEATURES[feature]


@pytest.mark.parametrize("backend", SHIPPED, ids=lambda one: one.name)
def test_what_differs_has_a_reason(backend: backend_pages.Backend) -> None:
    page = PAGES[f"backends/{backend.name}.md"]
    for feature, support in backend.features.items():
        assert f"`{feature}`" in page
        if support != FULL:
            assert support.reason, feature
            assert support.reason.split("|")[0] in page
        if support.level not in (Level.FULL, Level.EMULATED):
            assert support.instead, f"{feature}: say what to do instead"


@pytest.mark.parametrize("backend", SHIPPED, ids=lambda one: one.name)
def test_every_setting_is_explained(backend: backend_pages.Backend) -> None:
    assert all(f"| `{name}` | " in PAGES["reference/targets.md"] for name in backend.settings)
