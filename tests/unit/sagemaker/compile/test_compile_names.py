"""Names, machines, settings: injective, stable, legal; the same documents in any process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from compile_lab import SETTINGS, TARGET, compiled, target
from hypothesis import given
from hypothesis import strategies as st

from cloudml.backend.feature import Feature
from cloudml.backend.port import Target
from cloudml.errors import SpecError
from cloudml.spec import Resources
from cloudml_sagemaker import machines, names
from cloudml_sagemaker.features import FEATURES
from cloudml_sagemaker.service.model import input_shape
from cloudml_sagemaker.target import Place

NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,62}", fullmatch=True)
ENTITY = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
"""EntityName in the service model."""


@given(NAME, NAME, NAME, NAME, NAME, NAME)
def test_resource_names_are_legal_and_never_meet(a: str, b: str, c: str, d: str, e: str, f: str) -> None:
    first, second = names.resource(a, b, c), names.resource(d, e, f)
    assert ENTITY.fullmatch(first)
    assert (first == second) == ((a, b, c) == (d, e, f))


@given(st.tuples(st.sampled_from("ab-"), st.sampled_from("ab-"), st.sampled_from("ab-")))
def test_parts_that_read_alike_are_told_apart(middle: tuple[str, str, str]) -> None:
    text = "x" + "".join(middle) + "x-y"
    cuts = [(text[:at], text[at + 1 :]) for at, sign in enumerate(text) if sign == "-" and 0 < at < len(text) - 1]
    found = [names.resource(*cut) for cut in cuts]
    assert len(set(found)) == len(set(cuts))


def test_a_hashed_name_is_never_a_plain_one() -> None:
    hashed = names.resource("p", "t", "With_Capitals")
    assert names.resource("p", "t", hashed.removeprefix("p-t-")) != hashed


@given(NAME)
def test_names_of_steps_are_the_author_s(name: str) -> None:
    assert names.step(name) == name
    assert len(names.step(name, "decide")) <= 64
    assert names.parameter(name.replace("-", "_")) == name.replace("-", "_")


def test_plain_names_stay_readable() -> None:
    assert names.pipeline("churn", "prod", "nightly-run") == "churn-prod-nightly-run"
    assert names.step("fit", "best") == "fit-best"


_SHAPES = {
    "processing": ("CreateProcessingJob", "ProcessingResources", "ClusterConfig", "InstanceType"),
    "training": ("CreateTrainingJob", "ResourceConfig", "InstanceType"),
}


@pytest.mark.parametrize("kind", sorted(_SHAPES))
def test_every_machine_is_one_of_aws(kind: str) -> None:
    operation, *path = _SHAPES[kind]
    shape = input_shape(operation)
    for member in path:
        shape = shape.members[member]
    assert {one.name for one in machines.known() if kind in one.kinds} <= set(shape.enum)


def test_every_endpoint_machine_is_one_of_aws() -> None:
    variant = input_shape("CreateEndpointConfig").members["ProductionVariants"].member
    known = set(variant.members["InstanceType"].enum)
    assert {one.name for one in machines.known() if "endpoint" in one.kinds} <= known


@given(
    st.floats(0.1, 96), st.one_of(st.none(), st.integers(64, 768 * 1024)), st.sampled_from(["processing", "training"])
)
def test_the_machine_has_what_is_asked_for_and_none_that_has_is_cheaper(
    cpu: float, memory: int | None, kind: str
) -> None:
    chosen = machines.choose(Resources(cpu=cpu, memory=memory), kind)  # type: ignore[arg-type]
    assert chosen.cpu >= cpu
    assert chosen.memory >= (memory or 0)
    assert chosen.gpu == 0
    for one in machines.known():
        if one.price < chosen.price and kind in one.kinds and not one.gpu:
            assert one.cpu < cpu or one.memory < (memory or 0)


def test_devices() -> None:
    assert machines.choose(Resources(gpu=1), "training").name == "ml.g4dn.xlarge"
    assert machines.choose(Resources(gpu=1, gpu_type="nvidia-a10g"), "training").name == "ml.g5.xlarge"
    with pytest.raises(machines.NoMachine, match=r"the largest is ml\.g5\.48xlarge"):
        machines.choose(Resources(gpu=9), "processing")
    with pytest.raises(machines.NoMachine):
        machines.choose(Resources(gpu=1, gpu_type="H100"), "processing")


def test_volumes_round_up_to_gigabytes() -> None:
    assert machines.volume(Resources()) == 30
    assert machines.volume(Resources(disk=1)) == 1
    assert machines.volume(Resources(disk=954)) == 2, "954 MiB are 1,000,341,504 bytes"


def test_settings_are_checked_all_at_once() -> None:
    wrong = {"region": "nowhere", "role": "me", "bukcet": "x", "subnets": "a", "tags": {"aws:x": "y"}, "tuning": "no"}
    with pytest.raises(SpecError) as caught:
        Place.of(Target("aws", "sagemaker", "p", Path("/"), wrong))
    text = str(caught.value)
    for word in (
        "region is",
        "role is",
        "bucket is not set",
        "did you mean bucket?",
        "subnets is",
        "tags is",
        "tuning",
    ):
        assert word in text
    assert {one.code for one in caught.value.diagnostics} == {"CML330"}


def test_a_region_without_a_known_image_needs_one() -> None:
    with pytest.raises(SpecError, match="image is not set, and none is known for region xx-south-9"):
        Place.of(target(region="xx-south-9"))
    assert Place.of(target(region="xx-south-9", image="a", serving_image="b")).endpoint_image(Resources()) == "b"


def test_requirements_travel_when_there_are_some(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("polars\n")
    here = Target("aws", "sagemaker", "samples", tmp_path, SETTINGS)
    assert Place.of(here).requirements == "requirements.txt"
    made = compiled("sample_flow:chain", here)
    assert made.step_json("total")["requirements"] is True
    assert made.of_kind("job_code")[0].document["files"]["bundle.tar.gz"]["requirements"]["path"] == "requirements.txt"
    without = Target("aws", "sagemaker", "samples", tmp_path, {**SETTINGS, "requirements": ""})
    assert compiled("sample_flow:chain", without).step_json("total")["requirements"] is False
    outside = Target("aws", "sagemaker", "samples", tmp_path, {**SETTINGS, "requirements": "../x"})
    with pytest.raises(SpecError, match=r"requirements is '\.\./x'"):
        Place.of(outside)


def test_the_table_of_features_is_whole_and_says_why() -> None:
    assert set(FEATURES) == set(Feature)
    for feature, support in FEATURES.items():
        assert support.level.value == "full" or support.reason, feature
        assert support.usable or support.instead, feature


_DUMP = """
import json, sys
sys.path.insert(0, {lab!r})
from compile_lab import compiled
names = ["sample_flow:branches", "sample_flow:mapped", "sample_tuning:random", "sample_models:served"]
print(json.dumps([[one.to_dict() for one in compiled(name).resources] for name in names]))
"""


def test_the_same_documents_in_another_process_with_another_hash_seed_elsewhere(tmp_path: Path) -> None:
    program = _DUMP.format(lab=str(Path(__file__).parent))

    def dump(seed: str, folder: Path) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", program]
        return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout

    assert dump("1", tmp_path) == dump("2", Path(__file__).parent)


def test_compiling_twice_gives_the_same() -> None:
    assert compiled("sample_models:served").resources == compiled("sample_models:served", TARGET).resources
