"""A mock a module, with a held clock; pipelines of new names in each test, and switches and faults as at first."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pipeline_lab import Lab

from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import start


@pytest.fixture(scope="module")
def module_lab() -> Iterator[Lab]:
    server = f"{sys.executable} -S {Path(__file__).with_name('answering_server.py')}"
    mock = start(Options(images=(f"*/server:*={server}", f"*={sys.prefix}"), hold=True))
    lab = Lab(mock)
    lab.s3.create_bucket(Bucket="data")
    yield lab
    mock.stop()


@pytest.fixture
def lab(module_lab: Lab) -> Iterator[Lab]:
    switches = module_lab.mock.world.switches
    before = switches.in_force()
    yield module_lab
    for name, choice in before.items():
        switches.set(name, choice)
    module_lab.mock.world.faults.clear()
    module_lab.lambdas.clear()
