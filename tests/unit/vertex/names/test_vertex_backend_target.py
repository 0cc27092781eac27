"""The settings of a Vertex AI target: all that is wrong is told at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudml.backend.port import Target
from cloudml.errors import SpecError
from cloudml_vertex.target import SETTINGS, Place

GIVEN = {
    "project": "my-project", "region": "europe-west4", "bucket": "data",
    "service_account": "ml@my-project.iam.gserviceaccount.com",
}  # fmt: skip


def place(root: Path, **settings: Any) -> Place:
    return Place.of(Target("gcp", "vertex", "shop", root, {**GIVEN, **settings}))


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    found = place(tmp_path)
    assert (found.base, found.parent) == ("gs://data/shop/gcp", "projects/my-project/locations/europe-west4")
    assert (found.machine, found.tuning, found.monitors) == ("e2-standard-4", "native", "portable")
    assert found.identity("churn") == {
        "cloudml-project": "shop", "cloudml-target": "gcp", "cloudml-pipeline": "churn",
    }  # fmt: skip
    assert found.requirements is None
    (tmp_path / "requirements.txt").write_text("polars\n")
    assert place(tmp_path).requirements == "requirements.txt"
    assert place(tmp_path, requirements="").requirements is None


def test_everything_can_be_said(tmp_path: Path) -> None:
    given = {
        "prefix": "a/b", "image": "europe-docker.pkg.dev/p/r/i:1", "machine": "n1-standard-8", "monitors": "native-v2",
        "kms": "projects/p/locations/europe-west4/keyRings/ring/cryptoKeys/key", "labels": {"team": "ml"},
        "network": "projects/123/global/networks/default", "endpoint": "localhost:1", "tuning": "portable",
    }  # fmt: skip
    found = place(tmp_path, **given)
    assert {name: getattr(found, name) for name in given if name != "labels"} == {
        key: value for key, value in given.items() if key != "labels"
    }
    assert found.labels == (("team", "ml"),)


def test_all_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        Place.of(Target("gcp", "vertex", "shop", tmp_path, {"regoin": "x"}))
    told = [one.message for one in caught.value.diagnostics]
    assert told == [
        "unknown setting 'regoin'", "project is not set", "region is not set", "service_account is not set",
        "bucket is not set",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("project", "X"), ("region", "us-east-1a"), ("service_account", "me@example.com"), ("bucket", "A"),
        ("prefix", "/a"), ("image", "a b"), ("machine", "big"), ("kms", "key"), ("network", "default"),
        ("labels", {"Team": "ml"}), ("labels", {"cloudml-x": "y"}), ("labels", "x"), ("monitors", "native"),
        ("tuning", "own"), ("requirements", "../x.txt"), ("endpoint", 3),
    ],
)  # fmt: skip
def test_a_setting_that_is_wrong_is_told(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(SpecError) as caught:
        place(tmp_path, **{name: value})
    (finding,) = caught.value.diagnostics
    assert finding.message.startswith(f"{name} is ")


def test_every_setting_is_documented(tmp_path: Path) -> None:
    for name in SETTINGS:
        with pytest.raises(SpecError):
            place(tmp_path, **{name: object()})
