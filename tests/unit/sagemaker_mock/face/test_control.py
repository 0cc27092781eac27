"""The control interface, by the client that tests in other processes use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from asking import Ask
from mock_clients import client

from cloudml.errors import MockError
from cloudml.mocks.remote import MockControl
from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import Mock, start

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def running() -> Iterator[Mock]:
    mock = start(Options(hold=True, start=BEGIN, faults=("throttle:ListModels",)))
    yield mock
    mock.stop()


@pytest.fixture
def told(running: Mock) -> MockControl:
    control = MockControl(running.url)
    control.reset()
    return control


def test_the_clock_is_read_and_moved(told: MockControl) -> None:
    assert told.now() == BEGIN
    assert told.advance(36 * 3600) == BEGIN + timedelta(hours=36)
    assert told.now() == BEGIN + timedelta(hours=36)


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_the_clock_does_not_go_back_or_for_ever(told: MockControl, seconds: float) -> None:
    with pytest.raises(MockError):
        told.advance(seconds)
    assert told.now() == BEGIN


def test_a_real_clock_is_not_moved(shared: Mock) -> None:
    with pytest.raises(MockError, match="clock is real"):
        MockControl(shared.url).advance(1)


def test_faults_are_armed_counted_and_cleared(running: Mock, told: MockControl) -> None:
    told.clear_faults()
    told.add_fault("internal-error:CreateModelPackageGroup,count=2")
    sagemaker = client(running.url, "sagemaker")
    with pytest.raises(sagemaker.exceptions.ClientError, match="InternalFailure"):
        sagemaker.create_model_package_group(ModelPackageGroupName="g")
    [rule] = told.faults()
    assert (rule["kind"], rule["pattern"], rule["count"], rule["struck"]) == (
        "internal-error", "CreateModelPackageGroup", 2, 1,
    )  # fmt: skip
    told.clear_faults()
    sagemaker.create_model_package_group(ModelPackageGroupName="g")


def test_wrong_rules_and_choices_change_nothing(told: MockControl) -> None:
    before = told.switches()
    with pytest.raises(MockError, match="no fault 'explode'"):
        told.add_fault("explode:*")
    with pytest.raises(MockError, match="no choice 'perhaps'"):
        told.choose({"unknown-members": "ignore", "branches-after-failure": "perhaps"})
    assert told.switches() == before
    told.choose({"unknown-members": "ignore"})
    assert told.switches() == {**before, "unknown-members": "ignore"}


def test_reset_gives_a_new_world_with_the_same_options(running: Mock, told: MockControl) -> None:
    told.clear_faults()
    told.choose({"unknown-members": "ignore"})
    told.advance(10)
    client(running.url, "s3").create_bucket(Bucket="data")
    client(running.url, "iam").create_user(UserName="u")
    client(running.url, "sagemaker").create_model_package_group(ModelPackageGroupName="g")
    told.reset()
    assert told.now() == BEGIN
    assert told.switches()["unknown-members"] == "refuse"
    assert [rule["kind"] for rule in told.faults()] == ["throttle"]
    assert client(running.url, "s3").list_buckets()["Buckets"] == []
    assert client(running.url, "iam").list_users()["Users"] == []
    assert client(running.url, "sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"] == []


def test_motos_own_reset_is_ours(running: Mock, ask: Ask) -> None:
    del running
    status, _, body = ask("POST", "/moto-api/reset")
    assert (status, json.loads(body)) == (200, {"status": "ok"})


def test_what_there_is_is_told(running: Mock, told: MockControl) -> None:
    assert told.health()
    assert told.isolation() == running.isolation
    served = {row["name"]: row for row in told.operations()["served"]}
    assert served["AddTags"]["service"] == "sagemaker"


def test_wrong_requests_are_told_what_is_right(ask: Ask) -> None:
    status, _, body = ask("GET", "/cloudml-mock/nowhere")
    assert status == 404
    assert "/cloudml-mock/clock/advance" in json.loads(body)["paths"]
    assert ask("DELETE", "/cloudml-mock/reset")[0] == 405
    for wrong in (b"{", b"[]", b"[1]", b"7", b"null", b'{"kind": 5}', b'{"kind": "throttle", "count": "x"}', b"{}"):
        status, _, body = ask("POST", "/cloudml-mock/faults", wrong)
        assert status == 400, wrong
        assert json.loads(body)["message"]


def test_the_root_says_what_this_is_but_signed_it_is_s3(shared: Mock, ask: Ask) -> None:
    status, _, body = ask("GET", "/")
    found = json.loads(body)
    assert (status, found["url"]) == (200, shared.url)
    assert (found["isolation"], found["reason"]) == shared.isolation
    assert b"ListAllMyBucketsResult" in ask("GET", "/", service="s3")[2]


@pytest.mark.parametrize("url", ["", "ftp://127.0.0.1", "127.0.0.1:80", "http://"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(MockError, match="no url"):
        MockControl(url)


def test_a_mock_that_is_gone_is_told() -> None:
    gone = MockControl("http://127.0.0.1:9", timeout=2)
    assert not gone.health()
    with pytest.raises(MockError, match="does not answer"):
        gone.now()
