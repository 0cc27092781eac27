"""Google's APIs from inside a job, against the mock: RPCs by name, operations, pages, objects with preconditions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudml.mocks.port import MockOptions
from cloudml.testing.mocks import MockInUse, running_vertex
from cloudml_vertex.container import google, http
from cloudml_vertex.container.bucket import Bucket
from cloudml_vertex.container.google import GoogleError, call, find, pages
from cloudml_vertex.container.rpcs import HOSTS, RPCS

PARENT = "projects/mock-project/locations/us-central1"


@pytest.fixture(scope="module")
def cloud() -> Iterator[MockInUse]:
    with running_vertex(MockOptions()) as mock:
        yield mock


@pytest.fixture
def rest(cloud: MockInUse, monkeypatch: pytest.MonkeyPatch) -> MockInUse:
    """A job's environment; nothing is waited for."""
    cloud.running.reset()
    monkeypatch.setenv("CLOUDML_VERTEX_REST", cloud.url)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.url)
    monkeypatch.setattr(google, "_FIRST", 0.01)
    monkeypatch.setattr(http, "pause", lambda seconds: None)
    return cloud


@pytest.mark.parametrize("name", sorted(one for one in RPCS if one.partition(".")[0] not in HOSTS))
def test_every_rpc_is_as_google_s_own_clients_have_it(name: str) -> None:
    """Verb, path, body and kind of answer, read from the installed clients' transports."""
    from cloudml_vertex.mock.core import catalog

    rpc = name.removeprefix("v1beta1.")
    method = catalog.method(rpc, "v1" if rpc == name else "v1beta1")
    verb, template, body = method.http[0]
    path = re.sub(r"\{([\w.]+)=[^}]*\}", r"{\1}", template).removeprefix("/")
    operation = method.response.DESCRIPTOR.full_name == "google.longrunning.Operation"
    assert RPCS[name] == (verb, path, body, operation)


def made(name: str, **labels: str) -> dict[str, Any]:
    return call("EndpointService.CreateEndpoint", parent=PARENT, endpoint={"display_name": name, "labels": labels})


def test_an_operation_is_waited_for_and_its_response_returned(rest: MockInUse) -> None:
    endpoint = made("live", cloudml_pipeline="churn")
    found = call("EndpointService.GetEndpoint", name=endpoint["name"])
    assert found["display_name"] == "live"
    assert found["labels"] == {"cloudml_pipeline": "churn"}
    assert "create_time" in found


def test_an_operation_is_found_again_by_its_name(rest: MockInUse) -> None:
    begun = google.start("EndpointService.CreateEndpoint", parent=PARENT, endpoint={"display_name": "later"})
    assert google.wait(begun["name"])["name"] == google.wait(begun["name"])["name"]


def test_updates_carry_mask_and_etag(rest: MockInUse) -> None:
    endpoint = made("live")
    changed = {"name": endpoint["name"], "display_name": "other", "etag": call_get(endpoint)["etag"]}
    call("EndpointService.UpdateEndpoint", endpoint=changed, update_mask="display_name")
    assert call_get(endpoint)["display_name"] == "other"
    with pytest.raises(GoogleError) as caught:
        call("EndpointService.UpdateEndpoint", endpoint=changed, update_mask="displayName")
    assert caught.value.told, "the etag is an old one"


def call_get(endpoint: dict[str, Any]) -> dict[str, Any]:
    return call("EndpointService.GetEndpoint", name=endpoint["name"])


def test_lists_are_read_to_their_end(rest: MockInUse) -> None:
    for number in range(3):
        made(f"e{number}", cloudml="yes")
    made("other")
    asked = {"parent": PARENT, "filter": "labels.cloudml=yes", "page_size": 2}
    found = {one["display_name"] for one in pages("EndpointService.ListEndpoints", "endpoints", **asked)}
    assert found == {"e0", "e1", "e2"}


def test_what_is_not_there_is_none_and_what_is_wrong_an_error(rest: MockInUse) -> None:
    assert find("EndpointService.GetEndpoint", name=f"{PARENT}/endpoints/77") is None
    with pytest.raises(GoogleError) as caught:
        made("x" * 200)
    assert (caught.value.code, caught.value.http) == ("INVALID_ARGUMENT", 400)
    assert http.told(caught.value).startswith("INVALID_ARGUMENT: ")


def test_an_operation_that_goes_on_is_not_waited_for_for_ever(rest: MockInUse, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[http.Request] = []

    def answer(request: http.Request) -> Any:
        sent.append(request)
        return http.Answer(None, b'{"name": "projects/p/locations/r/operations/1"}')  # type: ignore[arg-type]

    monkeypatch.setattr(google, "send", answer)
    with pytest.raises(GoogleError, match=r"operations/1 goes on after 0.05 s"):
        google.wait("projects/p/locations/r/operations/1", 0.05)
    assert len(sent) > 1


# -- objects --------------------------------------------------------------------------------------------------------


@pytest.fixture
def bucket(rest: MockInUse) -> Bucket:
    body = b'{"name": "data"}'
    http.send(
        http.Request(
            "POST", f"{rest.url}/storage/v1/b?project=mock-project", body, {"Content-Type": "application/json"}
        )
    )
    return Bucket()


def test_objects_are_written_read_and_listed(bucket: Bucket, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"ab" * 1_000_000)
    bucket.put("gs://data/a/b c#1.json", b"{}")
    bucket.put_once("gs://data/a/large", large)
    assert bucket.get("gs://data/a/b c#1.json") == b"{}"
    assert list(bucket.list("gs://data/a/")) == ["gs://data/a/b c#1.json", "gs://data/a/large"]
    bucket.download("gs://data/a/large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == large.read_bytes()


def test_what_is_not_there_is_told_so(bucket: Bucket, tmp_path: Path) -> None:
    assert bucket.find("gs://data/none") is None
    with pytest.raises(FileNotFoundError):
        bucket.get("gs://data/none")
    with pytest.raises(FileNotFoundError):
        bucket.download("gs://data/none", tmp_path / "x")


def test_content_that_is_there_stays(bucket: Bucket) -> None:
    bucket.put_once("gs://data/x", b"first")
    bucket.put_once("gs://data/x", b"second")
    assert bucket.get("gs://data/x") == b"first"


def test_a_write_on_a_condition_loses_to_who_was_there_before(bucket: Bucket) -> None:
    assert bucket.put_if("gs://data/x", b"1", None)
    assert not bucket.put_if("gs://data/x", b"1", None), "the same content is still somebody else's write"
    found = bucket.find("gs://data/x")
    assert found is not None
    assert bucket.put_if("gs://data/x", b"2", found[1])
    assert not bucket.put_if("gs://data/x", b"3", found[1])
    assert bucket.get("gs://data/x") == b"2"


def test_a_conditional_write_whose_answer_was_lost_counts_as_written(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cloudml_vertex.container import bucket as module

    truly, lost = module._upload, iter([True])

    def upload(*given: Any, **more: Any) -> Any:
        answer = truly(*given, **more)
        if next(lost, False):
            raise GoogleError("UNAVAILABLE", "no answer")
        return answer

    monkeypatch.setattr(module, "_upload", upload)
    monkeypatch.setattr(module, "pause", lambda seconds: None)
    assert bucket.put_if("gs://data/x", b"mine", None)


def test_the_emulator_may_be_named_without_a_scheme(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, rest: MockInUse
) -> None:
    bucket.put("gs://data/x", b"1")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", rest.url.removeprefix("http://"))
    assert bucket.get("gs://data/x") == b"1"
