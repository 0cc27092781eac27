"""A mock with its fronts, for the tests of this folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from cloudml_vertex.mock.options import Options
from cloudml_vertex.mock.start import Mock, start


@pytest.fixture(scope="module")
def running() -> Iterator[Mock]:
    mock = start(Options(images=(f"*={sys.prefix}",)))
    yield mock
    mock.stop()
