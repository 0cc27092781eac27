from __future__ import annotations

import pytest

from cloudml_sagemaker.mock.options import Options


@pytest.fixture
def options() -> Options:
    """Nothing runs here, so nothing need be kept apart."""
    return Options(isolation="paths")
