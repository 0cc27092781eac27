"""The laboratory as fixtures."""

from __future__ import annotations

import pytest
from job_lab import Lab

from cloudml_sagemaker.mock.start import Mock


@pytest.fixture
def lab(mock: Mock) -> Lab:
    return Lab(mock)


@pytest.fixture
def held_lab(held: Mock) -> Lab:
    """One whose clock the test holds."""
    return Lab(held)
