"""Machines: what https://cloud.google.com/vertex-ai/docs/pipelines/machine-types says of resources of tasks."""

from __future__ import annotations

import pytest

from cloudml_vertex.mock.pipelines.machines import Asked, BadResources, cpus, gigabytes, machine_spec


def test_nothing_asked_for_is_the_default() -> None:
    assert machine_spec(Asked()) == {"machine_type": "e2-standard-4"}


@pytest.mark.parametrize(
    ("asked", "machine"),
    [
        (Asked(4.0, 16.0), "e2-standard-4"),
        (Asked("8", "32G"), "e2-standard-8"),
        (Asked("2", "16G"), "e2-highmem-2"),
        (Asked("500m", "4G"), "e2-highmem-2"),
        (Asked(96, 624), "n1-highmem-96"),
    ],
)
def test_the_smallest_machine_that_holds_it(asked: Asked, machine: str) -> None:
    assert machine_spec(asked)["machine_type"] == machine


def test_accelerators_by_old_and_new_names() -> None:
    for name in ("nvidia-tesla-t4", "NVIDIA_TESLA_T4"):
        found = machine_spec(Asked("4", "15G", name, "1"))
        assert found == {"machine_type": "n1-standard-4", "accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 1}
    assert machine_spec(Asked("", "", "NVIDIA_TESLA_A100", 2))["machine_type"] == "a2-highgpu-2g"


@pytest.mark.parametrize(
    "asked", [Asked(97), Asked("1", "700G"), Asked("many"), Asked("1", "much"), Asked("", "", "", "2")]
)
def test_refused(asked: Asked) -> None:
    with pytest.raises(BadResources):
        machine_spec(asked)


def test_units() -> None:
    assert [gigabytes(text) for text in ("1G", "1000M", "1Gi", 2.5)] == [1.0, 1.0, 1.073741824, 2.5]
    assert [cpus(text) for text in ("1", "1500m", 0.5)] == [1.0, 1.5, 0.5]
