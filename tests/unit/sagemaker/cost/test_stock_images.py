"""AWS's own images: the account of the region, as the deep learning containers' documentation lists them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudml.backend.port import Target
from cloudml.errors import SpecError
from cloudml.spec import Resources
from cloudml_sagemaker.target import Place


def place(region: str, **more: str) -> Place:
    settings = {"region": region, "role": "arn:aws:iam::123456789012:role/ml", "bucket": "data", **more}
    return Place.of(Target("aws", "sagemaker", "demo", Path(), settings))


@pytest.mark.parametrize(
    ("region", "registry"),
    [
        ("us-east-1", "763104351884.dkr.ecr.us-east-1.amazonaws.com"),
        ("eu-central-1", "763104351884.dkr.ecr.eu-central-1.amazonaws.com"),
        ("ap-northeast-3", "364406365360.dkr.ecr.ap-northeast-3.amazonaws.com"),
        ("eu-south-1", "692866216735.dkr.ecr.eu-south-1.amazonaws.com"),
        ("cn-north-1", "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_registry_is_that_of_the_region(region: str, registry: str) -> None:
    assert place(region).job_image(Resources()) == f"{registry}/pytorch-training:2.5.1-cpu-py311-ubuntu22.04-sagemaker"


def test_devices_and_endpoints_have_images_of_their_own() -> None:
    there = place("us-east-1")
    assert there.job_image(Resources(gpu=1)).endswith("/pytorch-training:2.5.1-gpu-py311-cu124-ubuntu22.04-sagemaker")
    assert there.endpoint_image(Resources()).endswith("/pytorch-inference:2.5.1-cpu-py311-ubuntu22.04-sagemaker")


def test_where_none_is_known_one_must_be_named() -> None:
    with pytest.raises(SpecError, match="none is known for region us-nowhere-1"):
        place("us-nowhere-1")
    named = place("us-nowhere-1", image="registry/job:1", serving_image="registry/serve:1")
    assert named.job_image(Resources()) == "registry/job:1"
