from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from monitor_lab import MODEL_SERVER, START, Lab

from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import Mock


@pytest.fixture
def options(options: Options) -> Options:
    images = (f"*/model:1={sys.executable} -S {MODEL_SERVER}", f"*={sys.prefix}")
    return replace(options, start=START, images=images)


@pytest.fixture
def lab(held: Mock) -> Lab:
    """A laboratory whose clock stands at 09:30."""
    return Lab(held)
