"""Files that a run reads from outside: brought to S3 by content, and looked at behind their addresses."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from fake_aws import FakeClient

from cloudml.errors import SpecError
from cloudml_sagemaker.outside import addresses, brought, content
from cloudml_sagemaker.resources.kind import World
from cloudml_sagemaker.target import Place

FIXED = "s3://elsewhere/table.csv"


def definition() -> dict[str, Any]:
    """One job with its code, an upstream output, a parameter and a fixed address; one training job with a parameter."""
    inputs = {
        "cloudml": "s3://b/p/jobs/0",
        "in-0": {"Get": "Steps.first.ProcessingOutputConfig.Outputs['a'].S3Output.S3Uri"},
        "in-1": {"Get": "Parameters.data"},
        "in-2": FIXED,
    }
    job = [{"InputName": name, "S3Input": {"S3Uri": uri}} for name, uri in inputs.items()]
    channel = {"ChannelName": "in-0", "DataSource": {"S3DataSource": {"S3Uri": {"Get": "Parameters.more"}}}}
    return {
        "Parameters": [{"Name": "data"}, {"Name": "more", "DefaultValue": "s3://elsewhere/more/"}, {"Name": "word"}],
        "Steps": [
            {"Name": "job", "Type": "Processing", "Arguments": {"ProcessingInputs": job}},
            {"Name": "fit", "Type": "Training", "Arguments": {"InputDataConfig": [channel]}},
        ],
    }


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def world(client: FakeClient, tmp_path: Path) -> World:
    place = Place("shop", "prod", tmp_path, "us-east-1", "arn:aws:iam::123456789012:role/ml", "b", "p")
    return World(client, place, tmp_path)


def test_what_comes_from_outside() -> None:
    assert addresses(definition()) == ({"data", "more"}, {FIXED})


def test_a_file_of_this_machine_goes_where_its_content_says(world: World, client: FakeClient, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"1\n")
    digest = hashlib.sha256(b"1\n").hexdigest()
    found = brought(world, definition(), {"data": "rows.csv", "word": "rows.csv"})
    assert found == {"data": f"s3://b/p/inputs/{digest}/rows.csv", "word": "rows.csv"}
    assert client.objects == {f"s3://b/p/inputs/{digest}/rows.csv": b"1\n"}
    client.asked.clear()
    assert brought(world, definition(), {"data": str(tmp_path / "rows.csv")})["data"] == found["data"]
    assert [operation for operation, _ in client.asked] == ["HeadObject"], "it is there already"


def test_a_folder_goes_whole(world: World, client: FakeClient, tmp_path: Path) -> None:
    (tmp_path / "set" / "deep").mkdir(parents=True)
    (tmp_path / "set" / "a").write_text("A")
    (tmp_path / "set" / "deep" / "b").write_text("B")
    uri = brought(world, definition(), {"data": "set"})["data"]
    assert uri.startswith("s3://b/p/inputs/") and uri.endswith("/set/")
    assert {name.removeprefix(uri): body for name, body in client.objects.items()} == {"a": b"A", "deep/b": b"B"}


def test_an_address_in_s3_is_left_as_it_is(world: World, client: FakeClient) -> None:
    assert brought(world, definition(), {"data": FIXED}) == {"data": FIXED}
    assert client.asked == []


def test_every_file_that_is_not_there_is_named(world: World) -> None:
    with pytest.raises(SpecError) as caught:
        brought(world, definition(), {"data": "nothing.csv", "more": "void"})
    assert [one.where for one in caught.value.diagnostics] == ["parameter data", "parameter more"]


def test_the_salt_follows_the_content(client: FakeClient) -> None:
    def salt() -> str | None:
        return content(client, definition(), {"data": "s3://b/x"})

    client.objects = {FIXED: b"1", "s3://b/x": b"2", "s3://elsewhere/more/part": b"3"}
    first = salt()
    assert salt() == first
    for uri in list(client.objects):
        before = client.objects[uri]
        client.objects[uri] = b"changed"
        assert salt() != first, uri
        client.objects[uri] = before
    client.objects["s3://elsewhere/more/another"] = b"4"
    assert salt() != first


def test_without_anything_from_outside_there_is_no_salt(client: FakeClient) -> None:
    assert content(client, {"Steps": []}, {}) is None
