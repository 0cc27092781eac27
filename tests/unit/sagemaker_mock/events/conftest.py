from __future__ import annotations

import pytest
from event_lab import Lab

from cloudml_sagemaker.mock.start import Mock


@pytest.fixture
def lab(held: Mock) -> Lab:
    """A laboratory whose clock stands still."""
    return Lab(held)
