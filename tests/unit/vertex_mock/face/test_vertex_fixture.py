"""The pytest fixture `vertex_mock` and its context manager: empty each time, and the environment leads nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.cloud import aiplatform_v1, storage

from cloudml.testing import mocks
from cloudml.testing.mocks import MockInUse, MockOptions, running_vertex

# The fixtures, as a conftest would have them by `pytest_plugins`, which a module that imports the plugin may not name.
vertex_mock, _vertex_mock_server = mocks.vertex_mock, mocks._vertex_mock_server

PARENT = "projects/mock-project/locations/us-central1"


@pytest.fixture(scope="session")
def vertex_mock_options() -> MockOptions:
    return MockOptions(hold=True)


def endpoints() -> aiplatform_v1.EndpointServiceClient:
    options = {"api_endpoint": os.environ["CLOUDML_VERTEX_ENDPOINT"]}
    return aiplatform_v1.EndpointServiceClient(client_options=options)


@pytest.mark.parametrize("time", [1, 2])
def test_each_test_finds_the_mock_empty(vertex_mock: MockInUse, time: int) -> None:
    made = endpoints().create_endpoint(parent=PARENT, endpoint={"display_name": f"of-test-{time}"})
    vertex_mock.advance(0)
    assert made.result(timeout=20).display_name == f"of-test-{time}"
    assert [one.display_name for one in endpoints().list_endpoints(parent=PARENT)] == [f"of-test-{time}"]
    storage.Client().create_bucket(f"of-test-{time}")
    assert [one.name for one in storage.Client().list_buckets()] == [f"of-test-{time}"]
    assert vertex_mock.health()


def test_the_options_are_those_of_the_fixture(vertex_mock: MockInUse) -> None:
    before = vertex_mock.now()
    assert (vertex_mock.advance(3600) - before).total_seconds() == 3600


TESTS = """
import os

from google.cloud import storage


def test_all_leads_to_the_mock(vertex_mock):
    assert storage.Client().project == os.environ["GOOGLE_CLOUD_PROJECT"] == "mock-project"
    assert os.environ["STORAGE_EMULATOR_HOST"] == vertex_mock.url
    assert "CLOUDSDK_CORE_PROJECT" not in os.environ


def test_nothing_is_left():
    assert os.environ["GOOGLE_CLOUD_PROJECT"] == "production"
    assert "CLOUDML_VERTEX_ENDPOINT" not in os.environ
"""


def test_the_environment_leads_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["cloudml.testing.mocks"]\n')
    (tmp_path / "test_it.py").write_text(TESTS)
    past = {**os.environ, "GOOGLE_CLOUD_PROJECT": "production", "CLOUDSDK_CORE_PROJECT": "production"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, check=False, env=past, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_a_block_of_its_own_leaves_the_environment_alone() -> None:
    before = dict(os.environ)
    with running_vertex(hold=True) as mock:
        assert mock.environment["STORAGE_EMULATOR_HOST"] == mock.url
        assert mock.health()
    assert dict(os.environ) == before
    assert not mock.health()
