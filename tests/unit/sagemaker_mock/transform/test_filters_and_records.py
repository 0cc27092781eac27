"""Filters and joins on the examples of the developer guide ("Associate Prediction Results with Input Records")."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from cloudml_sagemaker.mock.transform.filters import FilterFailed, parse, select
from cloudml_sagemaker.mock.transform.records import InputRefused, Plan, assembled, batches, plan, settings

ROW = ["Record", "1", "2", "3", "label"]


@pytest.mark.parametrize(
    ("path", "record", "selected"),
    [
        ("$", ROW, ROW),
        ("$[1:]", ROW, ["1", "2", "3", "label"]),
        ("$[:-1]", ROW, ["Record", "1", "2", "3"]),
        ("$[0,5]", ["a", "b", "c", "d", "e", "f"], ["a", "f"]),
        ("$[-1]", ROW, "label"),
        ("$[1:3]", ROW, ["1", "2"]),
        ("$[:]", ROW, ROW),
        ("$.features", {"features": [1, 2], "id": 7}, [1, 2]),
        ("$['id']", {"id": 7}, 7),
        ('$["a b"].c[0]', {"a b": {"c": [5]}}, 5),
        # The API reference's own examples.
        ("$[0,3:]", ROW, ["Record", "3", "label"]),
        ("$['id','SageMakerOutput']", {"id": 7, "x": 1, "SageMakerOutput": 9}, {"id": 7, "SageMakerOutput": 9}),
        ("$.field1.['child1','child2']", {"field1": {"child1": 1, "x": 3, "child2": 2}}, {"child1": 1, "child2": 2}),
        ("$.id.*", {"id": {"a": 1, "b": [2]}}, [1, [2]]),
        ("$[*]", [1, 2], [1, 2]),
    ],
)
def test_paths(path: str, record: Any, selected: Any) -> None:
    assert select(path, record) == selected


def test_a_slice_takes_its_end_when_told_so() -> None:
    # The guide's sentence: $[1:4] specifies the second through fifth columns.
    assert select("$[1:3]", ROW, inclusive=True) == ["1", "2", "3"]
    assert select("$[:-1]", ROW, inclusive=True) == ROW
    assert select("$[0,2:3]", ROW, inclusive=True) == ["Record", "2", "3"]


@pytest.mark.parametrize("path", ["features", "$[1:2:3]", "$[,]", "$['a',]", "$..x", "$[?(@.a>1)]", "$.", "$[a]", "$x"])
def test_paths_that_are_not_supported_are_refused(path: str) -> None:
    with pytest.raises(FilterFailed, match="JSONPath"):
        parse(path)


@pytest.mark.parametrize(("path", "record"), [("$.x", {"y": 1}), ("$[9]", [1]), ("$[0]", {"a": 1}), ("$.x", [1])])
def test_a_path_without_a_match_fails(path: str, record: Any) -> None:
    with pytest.raises(FilterFailed, match="selects nothing"):
        select(path, record)


def test_settings_come_from_the_request_then_the_container_then_aws() -> None:
    told = {"MaxConcurrentTransforms": 8, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 20}
    assert settings({}, {}) == {"MaxConcurrentTransforms": 1, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}
    assert settings({}, told) == told
    request = {"MaxConcurrentTransforms": 2, "BatchStrategy": "MultiRecord", "MaxPayloadInMB": 0}
    assert settings(request, told) == {**request, "BatchStrategy": "MULTI_RECORD"}
    assert settings({"MaxConcurrentTransforms": 0}, told) == told
    odd = {"MaxConcurrentTransforms": 0, "BatchStrategy": ["x"], "MaxPayloadInMB": "6", "Other": 1}
    assert settings({}, odd) == settings({}, {})


def test_an_input_filter_alone_leaves_the_answer_as_it_is() -> None:
    how = _plan(DataProcessing={"InputFilter": "$[1:]"}, TransformOutput={"Accept": "text/plain"})
    (batch,) = batches(how, b"id,2,3\n")
    assert batch.body == b"2,3"
    assert assembled(how, batch, b"anything: 5", "text/plain") == b"anything: 5\n"


def _plan(**changes: Any) -> Plan:
    job: dict[str, Any] = {
        "TransformInput": {"ContentType": "text/csv", "SplitType": "Line"},
        "TransformOutput": {"Accept": "text/csv", "AssembleWith": "Line"},
    }
    for key, value in changes.items():
        job[key] = {**job[key], **value} if isinstance(job.get(key), dict) else value
    return plan(job)


def _bodies(how: Plan, data: bytes) -> list[bytes]:
    return [batch.body for batch in batches(how, data)]


def test_without_a_split_the_object_is_one_request_up_to_the_limit() -> None:
    how = _plan(TransformInput={"SplitType": "None"}, MaxPayloadInMB=1)
    assert _bodies(how, b"a\nb\n") == [b"a\nb\n"]
    with pytest.raises(InputRefused, match="MaxPayloadInMB"):
        _bodies(how, b"x" * (1024 * 1024 + 1))
    assert len(_bodies(_plan(TransformInput={"SplitType": "None"}, MaxPayloadInMB=0), b"x" * 9_000_000)) == 1


def test_records_are_packed_as_full_as_the_limit_allows() -> None:
    line = b"y" * 400_000
    how = _plan(MaxPayloadInMB=1)
    assert [len(body) for body in _bodies(how, b"\n".join([line] * 5))] == [800_001, 800_001, 400_000]
    with pytest.raises(InputRefused, match="a record has"):
        _bodies(how, b"z" * 1_100_000)


def test_single_records_and_gzip() -> None:
    how = _plan(BatchStrategy="SingleRecord", TransformInput={"CompressionType": "Gzip"})
    assert _bodies(how, gzip.compress(b"1,2\n3,4\n")) == [b"1,2", b"3,4"]
    with pytest.raises(InputRefused, match="gzip"):
        _bodies(how, b"1,2")


def test_an_empty_object_makes_no_request() -> None:
    assert _bodies(_plan(), b"") == []


def test_csv_input_filter_join_and_output_filter() -> None:
    # The guide's example: keep the id out of the request, join, and keep only id and prediction.
    how = _plan(DataProcessing={"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"})
    (batch,) = batches(how, b'"id,1",5,6\nid2,7,8\n')
    assert batch.body == b"5,6\n7,8"
    assert assembled(how, batch, b"0.1\n0.9\n", "text/csv") == b'"id,1",0.1\nid2,0.9\n'


def test_json_join_adds_the_output_to_the_input() -> None:
    how = _plan(
        TransformInput={"ContentType": "application/jsonlines"},
        TransformOutput={"Accept": "application/jsonlines"},
        DataProcessing={"InputFilter": "$.features", "JoinSource": "Input"},
    )
    (batch,) = batches(how, b'{"id":1,"features":[1,2]}\n{"id":2,"features":[3,4]}\n')
    assert batch.body == b"[1,2]\n[3,4]"
    lines = assembled(how, batch, b'{"p":0.1}\n{"p":0.2}\n', "application/jsonlines").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"id": 1, "features": [1, 2], "SageMakerOutput": {"p": 0.1}},
        {"id": 2, "features": [3, 4], "SageMakerOutput": {"p": 0.2}},
    ]


def test_a_json_input_that_is_no_object_is_wrapped() -> None:
    how = _plan(
        TransformInput={"ContentType": "application/json", "SplitType": "None"},
        TransformOutput={"Accept": "application/json", "AssembleWith": "None"},
        DataProcessing={"JoinSource": "Input"},
    )
    (batch,) = batches(how, b"[1, 2]")
    assert json.loads(assembled(how, batch, b"0.5", "application/json")) == {
        "SageMakerInput": [1, 2],
        "SageMakerOutput": 0.5,
    }


def test_too_few_answers_cannot_be_joined() -> None:
    how = _plan(DataProcessing={"JoinSource": "Input"})
    (batch,) = batches(how, b"1\n2\n")
    with pytest.raises(FilterFailed, match="1 records came back for 2"):
        assembled(how, batch, b"0.1\n", "text/csv")


@pytest.mark.parametrize(("assemble", "written"), [("Line", b"0.5\n"), ("None", b"0.5")])
def test_assembling(assemble: str, written: bytes) -> None:
    how = _plan(TransformOutput={"AssembleWith": assemble})
    (batch,) = batches(how, b"1\n")
    assert assembled(how, batch, b"0.5", "text/csv") == written


def test_records_of_an_unknown_type_cannot_be_filtered() -> None:
    how = _plan(TransformInput={"ContentType": "image/png"}, DataProcessing={"InputFilter": "$[1:]"})
    with pytest.raises(FilterFailed, match="image/png"):
        list(batches(how, b"1,2\n"))


def test_records_end_at_newlines_only() -> None:
    # None of these ends a line of JSON or CSV, though str.splitlines breaks at each.
    odd = '{"a":"\u2028 \x85 \x0c"}'.encode()
    assert _bodies(_plan(BatchStrategy="SingleRecord"), odd + b"\n" + odd + b"\r\n") == [odd, odd]
    how = _plan(
        TransformInput={"ContentType": "application/jsonlines"},
        TransformOutput={"Accept": "application/jsonlines"},
        DataProcessing={"JoinSource": "Input"},
    )
    (batch,) = batches(how, b'{"id":1}\n')
    answer = '"\u2028"\n'.encode()
    assert json.loads(assembled(how, batch, answer, "application/jsonlines")) == {"id": 1, "SageMakerOutput": "\u2028"}


def test_records_that_are_not_read_may_have_any_encoding() -> None:
    assert _bodies(_plan(BatchStrategy="SingleRecord"), b"caf\xe9\n\xff\n") == [b"caf\xe9", b"\xff"]


def test_a_json_answer_to_a_whole_object_may_have_several_lines() -> None:
    how = _plan(
        TransformInput={"ContentType": "application/json", "SplitType": "None"},
        TransformOutput={"Accept": "application/json", "AssembleWith": "None"},
        DataProcessing={"JoinSource": "Input", "OutputFilter": "$.SageMakerOutput.p"},
    )
    (batch,) = batches(how, b'{\n "id": 1\n}\n')
    assert assembled(how, batch, b'{\n  "p": 0.5\n}\n', "application/json") == b"0.5"
