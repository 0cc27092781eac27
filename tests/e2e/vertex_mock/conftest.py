"""One mock for all pipelines of these tests; what each of them did is kept, as several tests ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cloudml.testing.mocks import MockInUse, running_vertex
from tests.e2e.vertex_mock import vertex_tour_parts
from tests.e2e.vertex_mock.vertex_stage import Stage, kfp_environment, standing


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """A mock with a held clock, and the images of the data files."""
    with standing() as made:
        yield made


@pytest.fixture(scope="session")
def outcome(stage: Stage) -> Callable[[str], dict[str, list[str]]]:
    """What differs from the expectations, by run, of a case; each case is played once."""
    kept: dict[str, dict[str, list[str]]] = {}

    def played(name: str) -> dict[str, list[str]]:
        case = stage.case(name)
        if "kfp" in case["needs"] and not kfp_environment():
            pytest.skip("runs kfp in a container: set CLOUDML_KFP_PYTHON to a Python that has kfp 2.17")
        if name not in kept:
            kept[name] = stage.play(case)
        return kept[name]

    return played


@pytest.fixture(scope="session")
def tour_mock() -> Iterator[MockInUse]:
    """A mock whose clock is the real one, with the images of the tours."""
    with running_vertex(images=vertex_tour_parts.rules()) as mock:
        yield mock
