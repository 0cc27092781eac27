"""What CreateCustomJob refuses: docstrings of CustomJobSpec and its parts, and the table of machines."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.jobs.rules import check_encryption, check_spec

CONTAINER = {"image_uri": "alpine", "command": ["true"]}
POOL: dict[str, Any] = {
    "machine_spec": {"machine_type": "n1-standard-4"},
    "replica_count": 1,
    "container_spec": CONTAINER,
}
GPU = {"machine_type": "n1-standard-8", "accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 2}
PACKAGE = {
    "executor_image_uri": "us-docker.pkg.dev/vertex-ai/training/sklearn-cpu.1-6:latest",
    "package_uris": ["gs://bucket/trainer-1.0.tar.gz"],
    "python_module": "trainer.task",
}


def spec(**changes: Any) -> dict[str, Any]:
    return {"worker_pool_specs": [copy.deepcopy(POOL)], **changes}


def pools(*pools_: dict[str, Any]) -> dict[str, Any]:
    return {"worker_pool_specs": list(pools_)}


def machine(**machine_spec: Any) -> dict[str, Any]:
    return pools({**POOL, "machine_spec": machine_spec})


@pytest.mark.parametrize(
    "right",
    [
        spec(),
        pools(POOL, {}, {**POOL, "replica_count": 4}, POOL),
        machine(**GPU),
        machine(machine_type="a2-highgpu-8g", accelerator_type="NVIDIA_TESLA_A100", accelerator_count=8),
        machine(machine_type="g2-standard-24", accelerator_type="NVIDIA_L4", accelerator_count=2),
        machine(machine_type="e2-standard-4"),
        pools({**POOL, "disk_spec": {"boot_disk_type": "pd-ssd", "boot_disk_size_gb": 200}}),
        pools({"machine_spec": {"machine_type": "n1-standard-4"}, "python_package_spec": PACKAGE}),
        spec(network="projects/123/global/networks/vpc", service_account="a@p.iam.gserviceaccount.com"),
        spec(base_output_directory={"output_uri_prefix": "gs://bucket"}),
        spec(scheduling={"timeout": "10s", "strategy": "FLEX_START", "max_wait_duration": "0s"}),
    ],
)
def test_right_ones_are_taken(right: dict[str, Any]) -> None:
    check_spec(right, "job_spec")


WRONG: list[tuple[dict[str, Any], str]] = [
    (pools(), "worker_pool_specs[0]"),
    (pools({}, POOL), "worker_pool_specs[0]"),
    (pools(*[POOL] * 5), "worker_pool_specs"),
    (pools({**POOL, "replica_count": 2}), "worker_pool_specs[0].replica_count"),
    (pools(POOL, {**POOL, "replica_count": -1}), "worker_pool_specs[1].replica_count"),
    (pools({key: value for key, value in POOL.items() if key != "container_spec"}), "worker_pool_specs[0]"),
    (machine(), "worker_pool_specs[0].machine_spec.machine_type"),
    (machine(machine_type="m5.xlarge"), "worker_pool_specs[0].machine_spec.machine_type"),
    (machine(machine_type="n1-standard-5"), "worker_pool_specs[0].machine_spec.machine_type"),
    (machine(**{**GPU, "accelerator_count": 3}), "worker_pool_specs[0].machine_spec.accelerator_count"),
    (machine(**{**GPU, "accelerator_count": 0}), "worker_pool_specs[0].machine_spec.accelerator_count"),
    (machine(**{**GPU, "machine_type": "e2-standard-4"}), "worker_pool_specs[0].machine_spec.accelerator_type"),
    (machine(machine_type="n1-standard-4", accelerator_count=1), "worker_pool_specs[0].machine_spec.accelerator_type"),
    (machine(machine_type="a2-highgpu-1g"), "worker_pool_specs[0].machine_spec.accelerator_type"),
    (pools({**POOL, "disk_spec": {"boot_disk_type": "pd-fast"}}), "worker_pool_specs[0].disk_spec.boot_disk_type"),
    (pools({**POOL, "disk_spec": {"boot_disk_size_gb": 50}}), "worker_pool_specs[0].disk_spec.boot_disk_size_gb"),
    (spec(network="default"), "network"),
    (spec(network="projects/my-project/global/networks/vpc"), "network"),
    (spec(service_account="me"), "service_account"),
    (spec(tensorboard="projects/1/locations/l/tensorboards/2"), "service_account"),
    (spec(base_output_directory={"output_uri_prefix": "s3://bucket/x"}), "base_output_directory.output_uri_prefix"),
    (spec(scheduling={"timeout": "-1s"}), "scheduling.timeout"),
]


@pytest.mark.parametrize(("wrong", "field"), WRONG)
def test_wrong_ones_are_refused_by_field(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(GoogleError) as refused:
        check_spec(wrong, "job_spec")
    assert refused.value.code == "INVALID_ARGUMENT"
    assert [one["field"] for one in refused.value.details[0]["field_violations"]] == [f"job_spec.{field}"]


def environment(*variables: tuple[str, str]) -> dict[str, Any]:
    env = [{"name": name, "value": value} for name, value in variables]
    return pools({**POOL, "container_spec": {**CONTAINER, "env": env}})


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (environment(("A-B", "1")), "[0].name"),
        (environment(("1A", "1")), "[0].name"),
        (environment(("A", "1"), ("A", "2")), "[1].name"),
        (environment(*((f"V{number}", "x") for number in range(101))), ""),
    ],
)
def test_variables(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(GoogleError) as refused:
        check_spec(wrong, "s")
    found = refused.value.details[0]["field_violations"]
    assert [one["field"] for one in found] == [f"s.worker_pool_specs[0].container_spec.env{field}"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"package_uris": ["gs://bucket/trainer.py"]}, "package_uris[0]"),
        ({"package_uris": ["/tmp/trainer.tar.gz"]}, "package_uris[0]"),
        ({"python_module": "trainer/task.py"}, "python_module"),
    ],
)
def test_packages(change: dict[str, Any], field: str) -> None:
    pool = {"machine_spec": POOL["machine_spec"], "python_package_spec": {**PACKAGE, **change}}
    with pytest.raises(GoogleError) as refused:
        check_spec(pools(pool), "s")
    found = refused.value.details[0]["field_violations"]
    assert {one["field"] for one in found} == {f"s.worker_pool_specs[0].python_package_spec.{field}"}


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (spec(persistent_resource_id="mine"), "PersistentResource"),
        (pools({**POOL, "nfs_mounts": [{"server": "s", "path": "/p", "mount_point": "m"}]}), "NFS"),
    ],
)
def test_what_the_mock_cannot_do_is_refused_by_name(given: dict[str, Any], word: str) -> None:
    with pytest.raises(GoogleError) as refused:
        check_spec(given, "s")
    assert refused.value.code == "UNIMPLEMENTED" and word in refused.value.message


def test_a_key_lies_in_the_region_of_the_job() -> None:
    key = "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k"
    check_encryption({"encryption_spec": {"kms_key_name": key}}, "europe-west4")
    for name, region in ((key, "us-central1"), ("mine", "europe-west4")):
        with pytest.raises(GoogleError):
            check_encryption({"encryption_spec": {"kms_key_name": name}}, region)
