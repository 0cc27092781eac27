"""Documents and messages: proto3 JSON with the differences that the module names."""

from __future__ import annotations

from typing import Any

import pytest
from google.cloud import aiplatform_v1
from google.protobuf import duration_pb2, field_mask_pb2, struct_pb2, timestamp_pb2

from cloudml_vertex.mock.core import wire
from cloudml_vertex.mock.core.times import duration, duration_text, seconds, stamp


def pipeline_job() -> Any:
    kind = aiplatform_v1.PipelineJob.pb()
    made = kind(name="projects/1/locations/l/pipelineJobs/j", state=3, labels={"a": "b"})
    made.create_time.CopyFrom(timestamp_pb2.Timestamp(seconds=1_763_892_930, nanos=123_456_000))
    made.pipeline_spec.update({"n": 3, "x": 0.5, "t": "text", "none": None, "list": [1, True, {"k": "v"}]})
    return made


def test_a_message_becomes_a_document_with_the_protos_names() -> None:
    assert wire.document(pipeline_job()) == {
        "name": "projects/1/locations/l/pipelineJobs/j",
        "state": "PIPELINE_STATE_RUNNING",
        "labels": {"a": "b"},
        "create_time": "2025-11-23T10:15:30.123456Z",
        "pipeline_spec": {"n": 3, "x": 0.5, "t": "text", "none": None, "list": [1, True, {"k": "v"}]},
    }


def test_whole_numbers_of_a_struct_are_ints() -> None:
    found = wire.document(pipeline_job())["pipeline_spec"]
    assert type(found["n"]) is int
    assert type(found["x"]) is float


def test_64_bit_integers_are_numbers() -> None:
    kind = aiplatform_v1.Schedule.pb()
    assert wire.document(kind(max_run_count=2**60)) == {"max_run_count": 2**60}


def test_a_document_becomes_the_same_message_again() -> None:
    made = pipeline_job()
    assert wire.message(wire.document(made), type(made)) == made


def test_private_keys_and_what_a_version_lacks_are_left_out() -> None:
    kind = aiplatform_v1.Endpoint.pb()
    made = wire.message({"display_name": "e", "_secret": 1, "of_a_later_version": 2}, kind)
    assert wire.document(made) == {"display_name": "e"}


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(ValueError, match="Endpoint"):
        wire.message({"display_name": {"not": "a text"}}, aiplatform_v1.Endpoint.pb())


def test_a_mask_is_a_list_and_a_duration_a_text() -> None:
    kind = aiplatform_v1.UpdateEndpointRequest.pb()
    made = kind(update_mask=field_mask_pb2.FieldMask(paths=["traffic_split", "labels"]))
    assert wire.document(made) == {"update_mask": ["traffic_split", "labels"]}
    job = aiplatform_v1.Scheduling.pb()(timeout=duration_pb2.Duration(seconds=90, nanos=500_000_000))
    assert wire.document(job) == {"timeout": "90.5s"}


def test_values_of_any_kind_in_a_repeated_field() -> None:
    made = aiplatform_v1.PredictRequest.pb()(endpoint="e")
    made.instances.append(struct_pb2.Value(list_value=struct_pb2.ListValue()))
    made.instances.append(struct_pb2.Value(number_value=2.0))
    assert wire.document(made)["instances"] == [[], 2]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1970-01-01T00:00:01Z", 1.0), ("1970-01-01T01:00:00.5+01:00", 0.5), ("1970-01-01T00:00:02+0000", 2.0)],
)
def test_times_are_rfc_3339(text: str, value: float) -> None:
    assert seconds(text) == value
    assert seconds(stamp(value)) == value


def test_durations_are_seconds() -> None:
    assert (duration("3.5s"), duration_text(3.5), duration_text(60)) == (3.5, "3.5s", "60s")
