"""The option `functions`: a Lambda step finds its handler from the start, after a reset, and after a restart."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mock_clients import ROLE, client

from cloudml.errors import MockError
from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import Mock, start

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
DEFINITION = json.dumps(
    {
        "Version": "2020-12-01",
        "Steps": [
            {
                "Name": name,
                "Type": "Lambda",
                "FunctionArn": ARN + function,
                "Arguments": {"n": 20},
                "OutputParameters": [{"OutputName": "n", "OutputType": "Integer"}],
            }
            for name, function in (("Given", "given"), ("Imported", "imported"), ("ByArn", "by-arn"))
        ],
    }
)


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    (tmp_path / "handlers_of_steps.py").write_text("def twice(event, context):\n    return {'n': event['n'] * 2}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    functions = {
        "given": lambda event: {"n": event["n"] + 1},
        "imported": "handlers_of_steps:twice",
        f"{ARN}by-arn": lambda event: {"n": event["n"]},
    }
    return Options(functions=functions, state=tmp_path / "state")


@pytest.fixture
def both(options: Options) -> Iterator[list[Mock]]:
    """Mocks of a test; those that still run are stopped."""
    running: list[Mock] = [start(options)]
    yield running
    for mock in running:
        mock.stop()


def ended(sagemaker: Any, arn: str) -> str:
    limit = time.monotonic() + 30
    while True:
        status = str(sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"])
        if status != "Executing":
            return status
        assert time.monotonic() < limit
        time.sleep(0.02)


def outputs(mock: Mock, *, create: bool) -> dict[str, str]:
    sagemaker = client(mock.url, "sagemaker")
    if create:
        sagemaker.create_pipeline(PipelineName="p", PipelineDefinition=DEFINITION, RoleArn=ROLE)
    arn = sagemaker.start_pipeline_execution(PipelineName="p")["PipelineExecutionArn"]
    assert ended(sagemaker, arn) == "Succeeded"
    rows = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    return {row["StepName"]: row["Metadata"]["Lambda"]["OutputParameters"][0]["Value"] for row in rows}


def test_steps_find_their_handlers_at_once_after_a_reset_and_after_a_restart(
    both: list[Mock], options: Options
) -> None:
    right = {"Given": "21", "Imported": "40", "ByArn": "20"}
    assert outputs(both[0], create=True) == right
    both[0].lambdas["given"] = lambda _event: {"n": 0}
    both[0].reset()
    assert outputs(both[0], create=True) == right
    both.pop().stop()
    both.append(start(options))
    assert outputs(both[0], create=False) == right


def test_what_is_no_function_is_told_before_anything_is_served(tmp_path: Path) -> None:
    with pytest.raises(MockError, match="cannot be imported"):
        start(Options(functions={"score": "no_such_module_here:f"}, state=tmp_path))
    start(Options(state=tmp_path)).stop()


def test_an_image_whose_command_is_not_there_is_a_warning(tmp_path: Path) -> None:
    mock = start(Options(images=(f"jobs={tmp_path}/venv",), state=tmp_path / "state"))
    try:
        [warning] = mock.warnings
        assert f"{tmp_path}/venv" in warning
    finally:
        mock.stop()
