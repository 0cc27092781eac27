from __future__ import annotations

import pytest
from tracking_lab import Lab

from cloudml_sagemaker.mock.start import Mock


@pytest.fixture
def lab(held: Mock) -> Lab:
    return Lab(held)
