"""Logs on their way into CloudWatch Logs, and how containers are started; limits from AWS's API reference."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from job_lab import BUCKET, IMAGE, Lab, channel, source, target
from mock_clients import SCOPE

from cloudml_sagemaker.mock.core import container, logs
from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import start


@pytest.fixture
def sent(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The messages of each PutLogEvents request."""
    found: list[list[str]] = []
    client = lab.world.aws.client("logs", SCOPE)
    put = client.put_log_events

    def count(**given: object) -> object:
        events: list[dict[str, str]] = given["logEvents"]  # type: ignore[assignment]
        found.append([event["message"] for event in events])
        return put(**given)

    monkeypatch.setattr(client, "put_log_events", count)
    return found


def test_a_line_waits_for_its_end_and_is_sent_at_the_latest_with_stop(
    lab: Lab, tmp_path: Path, sent: list[list[str]]
) -> None:
    path = tmp_path / "log"
    shipper = logs.ship(lab.world, SCOPE, "/aws/x", "s/1", path)
    with path.open("w") as file:
        file.write("whole\nhal")
        file.flush()
        lab.wait(lambda: sent)
        file.write("f\n\nrest")
    shipper.stop()
    shipper.stop()
    assert [line for batch in sent for line in batch] == ["whole", "half", "rest"]
    assert lab.log("/aws/x") == ["whole", "half", "rest"]


def test_batches_keep_the_limits_of_put_log_events(lab: Lab, tmp_path: Path, sent: list[list[str]]) -> None:
    (tmp_path / "log").write_text("x\n" * 10_001 + "y" * 600_000 + "\n" + ("z" * 200_000 + "\n") * 6)
    logs.ship(lab.world, SCOPE, "/aws/x", "s", tmp_path / "log").stop()
    assert all(len(batch) <= 10_000 for batch in sent)
    assert all(sum(len(line.encode()) + 26 for line in batch) <= 1_048_576 for batch in sent)
    lines = [line for batch in sent for line in batch]
    assert all(len(line) + 26 <= 262_144 for line in lines)
    assert "".join(lines) == "x" * 10_001 + "y" * 600_000 + "z" * 1_200_000


def test_bytes_that_are_no_text_do_not_stop_a_log(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"a\xff\nb\r\n")
    logs.ship(lab.world, SCOPE, "/aws/x", "s", tmp_path / "log").stop()
    assert lab.log("/aws/x") == ["a\ufffd", "b"]


def test_listeners_hear_the_lines_with_the_clocks_time(held_lab: Lab, tmp_path: Path) -> None:
    lab = held_lab
    heard: list[tuple[float, list[str]]] = []
    (tmp_path / "log").write_text("a\nb\n")
    path = tmp_path / "log"
    lab.mock.world.clock.advance(1_000_000)
    shipper = logs.ship(lab.world, SCOPE, "/g", "s", path, lines=lambda now, lines: heard.append((now, list(lines))))
    shipper.stop()
    assert heard == [(lab.world.now(), ["a", "b"])]
    assert lab.log("/g") == ["a", "b"]


def test_an_empty_log_makes_no_stream(lab: Lab, tmp_path: Path) -> None:
    logs.ship(lab.world, SCOPE, "/g", "s", tmp_path / "none").stop()
    assert lab.client("logs").describe_log_groups()["logGroups"] == []


def test_a_container_knows_the_mock_as_its_aws(lab: Lab) -> None:
    found = container.environment(lab.world, SCOPE)
    assert found["AWS_ENDPOINT_URL"] == lab.mock.url
    assert found["AWS_REGION"] == found["AWS_DEFAULT_REGION"] == "us-east-1"
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "PATH"} <= set(found)


def test_a_program_that_is_not_there_is_refused(lab: Lab, tmp_path: Path) -> None:
    given = {"image": IMAGE, "env": {}, "root": tmp_path, "log": tmp_path / "log"}
    with pytest.raises(container.ImageRefused, match="no-such-program"):
        container.start(lab.world, SCOPE, entrypoint=["no-such-program"], **given)
    with pytest.raises(container.ImageRefused):
        container.start(lab.world, SCOPE, entrypoint=["/no/such/program"], **given)
    with pytest.raises(container.ImageRefused, match="NUL"):
        container.start(lab.world, SCOPE, entrypoint=["sh", "-c", "\0"], **given)


@pytest.fixture(params=["namespaces", "paths"])
def isolated(request: pytest.FixtureRequest) -> Iterator[Lab]:
    running = start(replace(Options(), images=(f"*={sys.prefix}",), isolation=request.param))
    yield Lab(running)
    running.stop()


def test_jobs_run_in_every_kind_of_sandbox(isolated: Lab) -> None:
    lab = isolated
    lab.put(**{"in/a": "text"})
    copy = ["sh", "-c", "cp /opt/ml/processing/in/a /opt/ml/processing/out/b"]
    found = lab.process(
        "copy",
        "",
        app={"ContainerEntrypoint": copy},
        ProcessingInputs=[source(f"s3://{BUCKET}/in")],
        ProcessingOutputConfig={"Outputs": [target(f"s3://{BUCKET}/o")]},
    )
    assert found["ProcessingJobStatus"] == "Completed", found.get("FailureReason")
    assert lab.get("o/b") == b"text"
    train = ["sh", "-c", "cp /opt/ml/input/data/train/a /opt/ml/model/ && cp /opt/ml/model/a /ck/a"]
    trained = lab.train(
        "copy",
        "",
        algorithm={"ContainerEntrypoint": train},
        InputDataConfig=[channel("train", f"s3://{BUCKET}/in")],
        CheckpointConfig={"S3Uri": f"s3://{BUCKET}/ck", "LocalPath": "/ck"},
    )
    assert trained["TrainingJobStatus"] == "Completed", trained.get("FailureReason")
    assert lab.get("ck/a") == b"text"
