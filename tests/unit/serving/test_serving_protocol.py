from __future__ import annotations

import json

import pytest

from cloudml.serving import protocol
from cloudml.serving.problems import ModelFailed, RequestProblem
from cloudml.serving.schema import FeatureSchema

SCHEMA = FeatureSchema.from_sample([{"x": 1.0, "c": "a", "on": True}])
ROWS = [{"x": 1.5, "c": "a", "on": True}, {"x": None, "c": "b,c", "on": False}]


def parse(body: bytes | object, header: str = "application/json", schema: FeatureSchema = SCHEMA) -> object:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return protocol.parse(content, protocol.content_type(header), schema)


@pytest.mark.parametrize(
    ("body", "header"),
    [
        ({"instances": ROWS}, "application/json"),
        ({"instances": ROWS, "parameters": {}}, "Application/JSON; charset=UTF-8"),
        (ROWS, ""),
        ({"dataframe_records": ROWS}, "application/json"),
        (
            {"dataframe_split": {"columns": ["c", "on", "x"], "data": [["a", True, 1.5], ["b,c", False, None]]}},
            "application/json",
        ),
        ({"instances": [[1.5, "a", True], [None, "b,c", False]]}, "application/json"),
        ("\n".join(json.dumps(row) for row in ROWS).encode() + b"\n\n", "application/jsonlines"),
        (b'1.5,a,true\n,"b,c",FALSE\n', "text/csv"),
        (b'\xef\xbb\xbfon,x,c,other\r\nTrue,1.5,a,1\r\nfalse,,"b,c",2\r\n', "text/csv; header=present"),
    ],
)
def test_every_layout_gives_the_same_rows(body: object, header: str) -> None:
    assert parse(body, header) == ROWS


@pytest.mark.parametrize("body", [b"[]", b'{"instances": []}'])
def test_no_rows_are_no_error(body: bytes) -> None:
    assert parse(body) == []


@pytest.mark.parametrize(
    ("body", "header", "status", "words"),
    [
        (b"", "application/json", 400, "empty"),
        (b"{", "application/json", 400, "line 1 column 2"),
        (b"\xff", "application/json", 400, "UTF-8"),
        (b'{"rows": []}', "application/json", 400, "instances"),
        (b'"text"', "application/json", 400, "instances"),
        (b'{"instances": {"x": 1}}', "application/json", 400, "list"),
        (b'[{"x": NaN, "c": "a", "on": true}]', "application/json", 400, "NaN"),
        (b'[{"x": 1e999, "c": "a", "on": true}]', "application/json", 400, "finite"),
        (b"[" * 100_000, "application/json", 400, "nested"),
        (b"[" + b"9" * 5000 + b"]", "application/json", 400, "digits"),
        (b'{"dataframe_split": {"columns": ["x"], "data": [[1, 2]]}}', "application/json", 400, "row 0"),
        (b'{"dataframe_split": {"columns": ["x", "x"], "data": []}}', "application/json", 400, "twice"),
        (b'{"dataframe_split": []}', "application/json", 400, "dataframe_split"),
        (b'{"x": 1, "c": "a", "on": true}\n{', "application/jsonlines", 400, "line 2"),
        (b"1,a\n", "text/csv", 400, "row 0: 2 cells, expected 3"),
        (b"one,a,true\n", "text/csv", 400, "row 0: feature 'x' must be a number"),
        (b'1,"a\n', "text/csv", 400, "CSV"),
        (b"x,x,c\n", "text/csv; header=present", 400, "twice"),
        (b"x,c\n1,a\n", "text/csv; header=present", 400, "missing feature 'on'"),
        (b"{}", "image/png", 415, "image/png"),
        (b"{}", "nonsense", 415, "nonsense"),
        (b"{}", "application/json; charset=latin-1", 415, "charset"),
    ],
)
def test_bad_input_is_a_4xx_that_says_what_is_wrong(body: bytes, header: str, status: int, words: str) -> None:
    with pytest.raises(RequestProblem) as refused:
        parse(body, header)
    assert refused.value.status == status
    assert words in refused.value.message


def test_csv_without_header_needs_a_known_order() -> None:
    with pytest.raises(RequestProblem, match="header=present"):
        parse(b"1,2\n", "text/csv", FeatureSchema())


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "text/csv"),
        ("*/*", "text/csv"),
        ("text/*", "text/csv"),
        ("application/json", "application/json"),
        ("text/html, application/jsonlines;q=0.5, application/json;q=0.9", "application/json"),
        ("text/csv;q=0, application/x-ndjson", "application/jsonlines"),
    ],
)
def test_accept_wins_over_the_format_of_the_request(accept: str, expected: str) -> None:
    assert protocol.negotiate(accept, "text/csv") == expected


def test_an_answer_that_nobody_can_write_is_406() -> None:
    with pytest.raises(RequestProblem) as refused:
        protocol.negotiate("text/html, application/json;q=none", "application/json")
    assert refused.value.status == 406


def test_renderings() -> None:
    values = [0.25, [1, 2.5], "a,b", None]
    assert json.loads(protocol.render(values, "application/json")) == {"predictions": values}
    assert protocol.render(values, "application/jsonlines") == b'0.25\n[1,2.5]\n"a,b"\nnull\n'
    assert protocol.render(values, "text/csv") == b'0.25\n1,2.5\n"a,b"\n""\n'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_json_cannot_say_is_the_models_fault(value: object) -> None:
    with pytest.raises(ModelFailed):
        protocol.render([value], "application/json")
