"""The table of machines: sizes as EC2 has them (moto's copy of DescribeInstanceTypes), names as SageMaker has them."""

from __future__ import annotations

import gzip
import json
from importlib.resources import files
from itertools import permutations
from typing import Any

import pytest

from cloudml_sagemaker import machines
from cloudml_sagemaker.machines import Machine
from cloudml_sagemaker.service.model import input_shape

RETIRED = {"ml.p3.2xlarge", "ml.p3.8xlarge", "ml.p3.16xlarge"}
"""EC2 lists them no longer; SageMaker's model still does."""


@pytest.fixture(scope="module")
def ec2() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        gzip.decompress(files("moto").joinpath("ec2", "resources", "instance_types.json.gz").read_bytes())
    )
    return found


@pytest.mark.parametrize("machine", machines.known(), ids=lambda one: one.name)
def test_sizes_are_those_of_ec2(machine: Machine, ec2: dict[str, Any]) -> None:
    told = ec2.get(machine.name.removeprefix("ml."))
    if machine.name in RETIRED:
        assert told is None
        return
    assert told is not None
    gpus = told.get("GpuInfo", {}).get("Gpus", [])
    assert machine.cpu == told["VCpuInfo"]["DefaultVCpus"]
    assert machine.memory == told["MemoryInfo"]["SizeInMiB"]
    assert machine.gpu == sum(one["Count"] for one in gpus)
    assert [machine.gpu_type] == ([one["Name"] for one in gpus] or [""])


def enum(*path: str) -> set[str]:
    shape: Any = input_shape(path[0])
    for name in path[1:]:
        shape = shape.members[name] if hasattr(shape, "members") else shape.member.members[name]
    return set(shape.enum)


def test_each_may_serve_exactly_what_sagemaker_lets_it() -> None:
    may = {
        "processing": enum("CreateProcessingJob", "ProcessingResources", "ClusterConfig", "InstanceType"),
        "training": enum("CreateTrainingJob", "ResourceConfig", "InstanceType"),
        "endpoint": enum("CreateEndpointConfig", "ProductionVariants", "InstanceType"),
    }
    for one in machines.known():
        assert {kind for kind, names in may.items() if one.name in names} == one.kinds, one.name


def test_more_of_a_family_costs_more() -> None:
    for small, large in permutations(machines.known(), 2):
        same = small.name.split(".")[1] == large.name.split(".")[1]
        if same and (small.cpu, small.memory, small.gpu) != (large.cpu, large.memory, large.gpu):
            more = large.cpu >= small.cpu and large.memory >= small.memory and large.gpu >= small.gpu
            assert not more or large.price > small.price, (small.name, large.name)


def test_the_table_is_dated_and_says_where_it_comes_from() -> None:
    prices = machines.prices()
    assert (prices.region, prices.currency) == ("us-east-1", "USD")
    assert prices.source.startswith("https://aws.amazon.com/sagemaker/")
    assert prices.as_of >= "2025-07"
    assert prices.spot == (0.0, 0.9), "AWS: managed spot training saves up to 90 %"
    assert machines.named("ml.none.large") is None
