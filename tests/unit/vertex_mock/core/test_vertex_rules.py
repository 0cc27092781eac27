"""Names, labels, masks, etags, required fields: Google's rules for every resource."""

from __future__ import annotations

import pytest
from google.cloud import aiplatform_v1

from cloudml_vertex.mock.core import labels, masks, names, required
from cloudml_vertex.mock.core.errors import CODES, GoogleError, field_violations, of_status


def refused(error: pytest.ExceptionInfo[GoogleError]) -> str:
    return error.value.code


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("projects/1/locations/eu/models/m", ("1", "eu", "m")),
        ("projects/1/locations/eu/models/m@2", ("1", "eu", "m@2")),
    ],
)
def test_a_name_is_taken_apart(name: str, ids: tuple[str, ...]) -> None:
    assert names.parse(name, "projects/*/locations/*/models/*") == ids


@pytest.mark.parametrize(
    "name", ["", "m", "projects/1/models/m", "projects/1/locations/eu/models/", "projects/1/locations/../models/m"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(GoogleError) as error:
        names.parse(name, "projects/*/locations/*/models/*")
    assert refused(error) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("found", [{}, {"team": "ml"}, {"a-b_c9": ""}, {"größe": "straße"}, {"k" * 64: "v" * 64}])
def test_labels_that_google_takes(found: dict[str, str]) -> None:
    assert labels.check(found) == found


@pytest.mark.parametrize(
    "found",
    [{"Team": "ml"}, {"9a": "b"}, {"": "b"}, {"a": "B"}, {"a b": "c"}, {"k" * 65: "v"}, {"k": "v" * 65},
     {f"k{number}": "" for number in range(65)}, {"aiplatform.googleapis.com/x": "y"}],
)  # fmt: skip
def test_labels_that_google_refuses(found: dict[str, str]) -> None:
    with pytest.raises(GoogleError) as error:
        labels.check(found)
    assert refused(error) == "INVALID_ARGUMENT"


def test_a_mask_changes_what_it_names_and_nothing_else() -> None:
    before = {"display_name": "a", "labels": {"x": "1"}, "traffic_split": {"1": 100}}
    patch = {"display_name": "b", "labels": {"y": "2"}}
    assert masks.apply(before, patch, ["display_name"], {"display_name", "labels"})["labels"] == {"x": "1"}
    assert masks.apply(before, patch, ["labels"], {"labels"})["labels"] == {"y": "2"}
    assert "labels" not in masks.apply(before, {}, ["labels"], {"labels"})
    assert masks.apply(before, patch, None, {"display_name"})["display_name"] == "b"
    assert masks.apply(before, {"traffic_split": {"2": 100}}, ["trafficSplit"], {"traffic_split"})["traffic_split"] == {
        "2": 100
    }
    assert before["display_name"] == "a"


def test_a_mask_of_what_cannot_change_is_refused() -> None:
    with pytest.raises(GoogleError, match="create_time"):
        masks.apply({}, {"create_time": "x"}, ["create_time"], {"display_name"})


def test_every_required_field_is_told_with_its_path() -> None:
    request = aiplatform_v1.CreateHyperparameterTuningJobRequest.pb()(parent="p")
    request.hyperparameter_tuning_job.display_name = "h"
    with pytest.raises(GoogleError) as error:
        required.check(request)
    violations = error.value.details[0]["field_violations"]
    # What hyperparameter_tuning_job.proto marks REQUIRED and has presence; numbers are for the service's own rules.
    assert {one["field"].rpartition(".")[2] for one in violations} == {"study_spec", "trial_job_spec"}


def test_codes_are_those_of_google_rpc() -> None:
    from google.rpc import code_pb2

    assert {name: number for name, (number, _) in CODES.items()} == dict(code_pb2.Code.items())


def test_a_status_goes_there_and_back() -> None:
    error = field_violations([("a.b", "is wrong")])
    again = of_status(error.status())
    assert (again.code, again.message, again.details) == (error.code, error.message, error.details)
