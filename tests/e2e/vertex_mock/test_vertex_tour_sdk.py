"""The tour by Google's high-level SDK, unmodified, in a process that has nothing of ours but the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloudml.testing.mocks import MockInUse

PROGRAM = Path(__file__).parent / "vertex_sdk_tour.py"
OLD = os.environ.get("CLOUDML_VERTEX_SDK_1", "")
STEPS = [
    "objects", "pipelines", "cancelled_pipeline", "schedules", "custom_jobs", "logs", "tuning", "models", "endpoints",
    "dedicated", "model_ends", "lineage", "experiments",
]  # fmt: skip


PLAIN = """
import requests
from google.cloud import aiplatform_v1, logging, monitoring_v3, pubsub_v1, resourcemanager_v3, storage

PROJECT = "projects/mock-project"
PARENT = f"{PROJECT}/locations/us-central1"
storage.Client().create_bucket("plain")
assert not list(aiplatform_v1.JobServiceClient().list_custom_jobs(parent=PARENT))
assert not list(aiplatform_v1.JobServiceClient(transport="rest").list_custom_jobs(parent=PARENT))
assert not list(monitoring_v3.AlertPolicyServiceClient().list_alert_policies(name=PROJECT))
assert pubsub_v1.PublisherClient().create_topic(name=f"{PROJECT}/topics/plain").name.endswith("/plain")
project = resourcemanager_v3.ProjectsClient().get_project(name=PROJECT)
assert project.name.removeprefix("projects/").isdigit()
logger = logging.Client().logger("plain")
logger.log_text("said")
assert "said" in [entry.payload for entry in logger.list_entries()]
try:
    requests.get("https://example.org/")
except requests.exceptions.ProxyError as error:
    assert "lets nothing out" in str(error)
else:
    raise AssertionError("a stranger was reached")
"""


def run(mock: MockInUse, command: list[str]) -> str:
    """What a program of its own says on a mock that is empty."""
    mock.running.reset()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(mock.running.hides)}
    ran = subprocess.run(
        command, env={**kept, **mock.environment}, capture_output=True, text=True, timeout=180, check=False
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    return ran.stdout


def toured(mock: MockInUse, python: str, route: str, transport: str) -> dict[str, object]:
    """What the tour tells of its steps."""
    said = run(mock, [python, str(PROGRAM), route, transport])
    told: dict[str, object] = json.loads(said.splitlines()[-1])
    assert [name for name in told if name != "sdk"] == STEPS
    return told


def test_clients_without_any_option(tour_mock: MockInUse) -> None:
    """All of Google's clients, as one writes them for the cloud itself."""
    run(tour_mock, [sys.executable, "-c", PLAIN])


def test_by_the_environment_and_api_endpoint_alone(tour_mock: MockInUse) -> None:
    told = toured(tour_mock, sys.executable, "endpoint", "grpc")
    assert "skipped" not in told.values()


@pytest.mark.slow
@pytest.mark.parametrize(("route", "transport"), [("endpoint", "rest"), ("proxy", "grpc"), ("proxy", "rest")])
def test_by_other_ways(tour_mock: MockInUse, route: str, transport: str) -> None:
    told = toured(tour_mock, sys.executable, route, transport)
    assert "skipped" not in told.values()


@pytest.mark.skipif(not OLD, reason="set CLOUDML_VERTEX_SDK_1 to a Python that has google-cloud-aiplatform 1.165")
@pytest.mark.parametrize(("route", "transport"), [("endpoint", "grpc"), ("proxy", "rest")])
def test_by_the_sdk_before(tour_mock: MockInUse, route: str, transport: str) -> None:
    told = toured(tour_mock, OLD, route, transport)
    assert str(told["sdk"]).startswith("1.")
