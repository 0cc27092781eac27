from __future__ import annotations

import pytest
from tracking_lab import Lab

from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import Mock


@pytest.fixture
def options() -> Options:
    """Nothing runs here, so nothing need be kept apart."""
    return Options(isolation="paths")


@pytest.fixture
def lab(held: Mock) -> Lab:
    return Lab(held)
