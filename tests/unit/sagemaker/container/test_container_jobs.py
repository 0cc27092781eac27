"""start.py as a real process, for every kind of job. Expectations: AWS's contract of containers, and arithmetic."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

from container_lab import Lab, port

ADD = {"function": "steps:add", "outputs": [port("output", "float")]}
RETRY = {"attempts": 3, "on": ["ConnectionError"], "delay": 0.01, "backoff": 1.0, "max_delay": 1.0}


def test_a_processing_job_leaves_outputs_records_and_a_result(processing: Lab) -> None:
    step = {**ADD, "arguments": {"left": {"set": "parameters.n", "type": "int"}, "right": {"literal": 2}}}
    done = processing.run(step, "parameters.n=40")
    assert done.returncode == 0, done.stderr
    content = (processing.outputs / "output" / "output.json").read_bytes()
    assert content == b"42.0"
    record = processing.record("output")
    assert record["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert (record["name"], record["type"], record["format"], record["size"]) == ("output", "float", "json", 4)
    result = processing.result()
    assert result["status"] == "succeeded"
    assert result["values"] == {"output": 42.0}
    assert [one["name"] for one in result["outputs"]] == ["output"]
    assert not list(processing.base.glob("cloudml-*")), "the unpacked bundle is removed"


def test_metrics_are_told_by_port_and_printed_for_a_training_job(training: Lab) -> None:
    step = {
        "function": "steps:score",
        "arguments": {"count": {"literal": 2}},
        "outputs": [port("metrics", "steps.Scores", "metrics", ["auc", "rows"])],
    }
    done = training.run(step)
    assert done.returncode == 0, done.stderr
    assert training.result()["metrics"] == {"metrics": {"auc": 0.25, "rows": 2}}
    lines = [line for line in done.stdout.splitlines() if line.startswith("cloudml:metric ")]
    assert lines == ["cloudml:metric metrics.auc=0.25", "cloudml:metric metrics.rows=2"]


def test_the_first_failing_line_of_the_project_is_the_message(processing: Lab) -> None:
    done = processing.run({"function": "steps:broken", "outputs": [port("output", "int")]})
    assert done.returncode == 1
    number = 1 + processing.project["steps.py"].splitlines().index('    raise ValueError(f"count is {count}")')
    first, second, *trace = processing.message().splitlines()
    assert first == f"ValueError: count is 0 (steps.py:{number})"
    assert (second, trace[-1]) == ("cloudml-class: error", "ValueError: count is 0")
    assert processing.result()["status"] == "failed"
    assert processing.result()["failure"]["exception"] == "ValueError"


def test_a_long_message_is_cut_at_a_kilobyte_between_characters(training: Lab) -> None:
    step = {"function": "steps:broken", "arguments": {"count": {"literal": "é" * 900}}}
    assert training.run({**step, "outputs": [port("output", "int")]}).returncode == 1
    assert 1000 < len(training.message().encode()) <= 1024


def test_an_exception_that_the_policy_names_is_tried_again(processing: Lab, tmp_path: Path) -> None:
    step = {
        "function": "steps:flaky",
        "arguments": {"marker": {"literal": str(tmp_path / "tries")}},
        "outputs": [port("output", "int")],
        "retry": RETRY,
    }
    done = processing.run(step)
    assert done.returncode == 0, done.stderr
    assert processing.result()["values"] == {"output": 2}
    assert processing.result()["attempts"] == 3


def test_another_exception_is_not_tried_again(processing: Lab) -> None:
    step = {"function": "steps:broken", "outputs": [port("output", "int")], "retry": RETRY}
    assert processing.run(step).returncode == 1
    assert processing.result()["attempts"] == 1


def test_a_crash_in_native_code_is_told_by_its_signal(processing: Lab) -> None:
    assert processing.run({"function": "steps:dies", "outputs": [port("output", "int")]}).returncode == 1
    assert processing.result()["failure"]["class"] == "crash"
    assert "SIGSEGV" in processing.message()


def test_an_attempt_that_takes_too_long_is_ended(processing: Lab, tmp_path: Path) -> None:
    arguments = {"marker": {"literal": str(tmp_path / "here")}}
    step = {"function": "steps:sleeps", "arguments": arguments, "outputs": [port("output", "int")], "timeout": 1.5}
    begin = time.monotonic()
    assert processing.run(step).returncode == 1
    assert time.monotonic() - begin < 30
    assert processing.result()["failure"]["class"] == "timeout"
    assert "timeout of 1.5 s" in processing.message()


def test_sigterm_reaches_the_function_and_is_not_retried(processing: Lab, tmp_path: Path) -> None:
    marker = tmp_path / "here"
    retry = {**RETRY, "on": ["interrupted"]}
    step = {"function": "steps:sleeps", "arguments": {"marker": {"literal": str(marker)}}, "retry": retry}
    command = processing.command({**step, "outputs": [port("output", "int")]})
    with subprocess.Popen(command, env=processing.environment({}), stderr=subprocess.PIPE) as child:
        for _ in range(600):
            if marker.exists():
                break
            time.sleep(0.05)
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 1
        child.communicate()
    assert processing.result()["failure"]["class"] == "interrupted"
    assert processing.result()["attempts"] == 1


def test_a_folder_keeps_its_executables_through_s3(processing: Lab, lab: Any) -> None:
    made = {"function": "steps:folder", "outputs": [port("model", "cloudml.Model", "handle")]}
    assert processing.run(made).returncode == 0
    assert processing.record("model")["executable"] == ["tool.sh"]
    reader = lab("reader")
    shutil.copytree(processing.outputs / "model", reader.input("in-0"), dirs_exist_ok=True, copy_function=shutil.copy)
    for file in reader.input("in-0").rglob("*.sh"):
        file.chmod(0o644)  # S3 keeps no modes
    reads = {"name": "model", "type": "cloudml.Model", "mode": "handle", "from": {"input": "in-0", "port": "model"}}
    done = reader.run({"function": "steps:look", "inputs": [reads], "outputs": [port("output", "list")]})
    assert done.returncode == 0, done.stderr
    assert reader.result()["values"] == {"output": [["tool.sh", True], ["weights.txt", False]]}


def test_a_damaged_input_is_refused(processing: Lab) -> None:
    processing.artifact(processing.input("in-0"), "scores", {"auc": 0.5})
    (processing.input("in-0") / "scores.json").write_text('{"auc": 0.9}')
    reads = {"name": "scores", "type": "dict", "mode": "value", "from": {"input": "in-0", "port": "scores"}}
    assert processing.run({"function": "steps:everything", "inputs": [reads]}).returncode == 1
    assert processing.message().startswith("CorruptArtifact: scores is damaged")


def test_the_archive_of_a_training_job_is_an_input(training: Lab, lab: Any) -> None:
    step = {"function": "steps:several", "outputs": [port("total", "int"), port("names", "list")]}
    assert training.run(step).returncode == 0
    reader = lab("reader")
    with tarfile.open(reader.input("in-3") / "model.tar.gz", "w:gz") as archive:
        archive.add(training.outputs, ".")
    references = {
        "count": {"input": "in-3", "port": "total"},
        "second": {"input": "in-3", "port": "names", "field": "1"},
    }
    done = reader.run({"function": "steps:everything", "arguments": references, "outputs": [port("output", "dict")]})
    assert done.returncode == 0, done.stderr
    assert reader.result()["values"] == {"output": {"count": 3, "second": "b"}}


def test_a_port_called_artifact_does_not_hide_its_own_record(processing: Lab, lab: Any) -> None:
    done = processing.run({"function": "steps:named", "outputs": [port("artifact", "dict"), port("other", "int")]})
    assert done.returncode == 0, done.stderr
    assert processing.record("artifact")["filename"] == "artifact.json"
    reader = lab("reader")
    shutil.copytree(processing.outputs / "artifact", reader.input("in-0"), dirs_exist_ok=True)
    reads = {"name": "given", "type": "dict", "mode": "value", "from": {"input": "in-0", "port": "artifact"}}
    done = reader.run({"function": "steps:everything", "inputs": [reads], "outputs": [port("output", "dict")]})
    assert done.returncode == 0, done.stderr
    assert reader.result()["values"]["output"] == {"given": {"x": 1}}


def test_every_form_of_value(processing: Lab) -> None:
    processing.artifact(processing.input("in-0"), "scores", {"auc": 0.5, "names": ["x", "y"]})
    for index, value in ((10, 30), (9, 20)):
        processing.artifact(processing.input("in-1") / str(index), "part", value)
    (processing.input("in-1") / "items").mkdir()
    values = {
        "whole": {"set": "parameters.n", "type": "int"},
        "flag": {"set": "parameters.flag", "type": "bool"},
        "day": {"set": "run.time", "type": "time", "format": "%Y-%m-%d"},
        "when": {"set": "parameters.when", "type": "str", "run_time_format": "%H"},
        "metric": {"input": "in-0", "port": "scores", "field": "auc"},
        "all": {"input": "in-1", "port": "part", "field": None},
        "item": {"item": "name"},
        "sum": {"arithmetic": {"op": "mul", "left": {"input": "in-0", "port": "scores", "field": "auc"},
                               "right": {"literal": 4}}},
        "object": {"object": {"run": {"set": "run.id", "type": "str"}}},
    }  # fmt: skip
    step = {
        "function": "steps:everything", "arguments": values, "outputs": [port("output", "dict")],
        "sources": {"in-1": {"form": "collected", "of": "port"}}, "items": {"literal": [{"name": "a"}, {"name": "b"}]},
    }  # fmt: skip
    sets = ("parameters.n=7", "parameters.flag=false", "parameters.when=cloudml:run-time", "index=1", "run.id=abc")
    done = processing.run(step, *sets, "run.time=2026-03-01T23:30:00+00:00")
    assert done.returncode == 0, done.stderr
    assert processing.result()["values"]["output"] == {
        "whole": 7, "flag": False, "day": "2026-03-01", "when": "23", "metric": 0.5, "all": [20, 30], "item": "b",
        "sum": 2.0, "object": {"run": "abc"},
    }  # fmt: skip


def test_a_file_of_the_project_and_a_file_of_s3_are_paths(processing: Lab, lab: Any) -> None:
    reads = {"name": "data", "type": "pathlib.Path", "mode": "value", "from": {"literal": "steps.py"}}
    step = {"function": "steps:file_text", "outputs": [port("output", "str")]}
    assert processing.run({**step, "inputs": [reads]}).returncode == 0
    assert processing.result()["values"]["output"] == processing.project["steps.py"]
    other = lab("other")
    (other.input("in-2") / "rows.csv").write_text("a,b")
    (other.input("in-2") / "rows.csv.bak").write_text("no")
    uri = {"external": "in-2", "uri": {"literal": "s3://bucket/data/rows.csv"}}
    assert other.run({**step, "inputs": [{**reads, "from": uri}]}).returncode == 0
    assert other.result()["values"]["output"] == "a,b"


def test_secrets_come_from_the_environment_and_are_never_told(processing: Lab) -> None:
    step = {"function": "steps:whisper", "secrets": {"password": "db"}, "outputs": [port("output", "int")]}
    done = processing.run(step, env={"CLOUDML_SECRET_db": "hunter2"})
    assert done.returncode == 1
    assert "cannot log in with ***" in processing.message()
    assert "hunter2" not in done.stderr + done.stdout + processing.message()


def test_a_checkpointed_step_gets_sagemakers_folder(training: Lab) -> None:
    step = {"function": "steps:kept", "outputs": [port("output", "str")], "checkpoint": True}
    assert training.run(step).returncode == 0
    assert training.result()["values"]["output"] == str(training.base / "checkpoints")


def test_a_guard_that_differs_skips_the_step_and_marks_its_outputs(processing: Lab, lab: Any) -> None:
    processing.artifact(processing.input("in-0"), "holds", False)
    guard = {"input": "in-0", "port": "holds", "equals": True, "condition": "better"}
    done = processing.run({**ADD, "guards": [guard]})
    assert done.returncode == 0, done.stderr
    assert processing.result()["status"] == "skipped"
    assert processing.result()["reason"] == "better was false"
    assert processing.record("output")["skipped"] is True
    after = lab("after")
    shutil.copytree(processing.outputs / "output", after.input("in-0"), dirs_exist_ok=True)
    assert after.run({**ADD, "guards": [{"input": "in-0", "port": "output", "equals": True}]}).returncode == 0
    assert after.result()["status"] == "skipped"


def test_a_bundle_that_would_leave_its_folder_is_refused(processing: Lab, tmp_path: Path) -> None:
    command = processing.command(ADD)
    evil = tmp_path / "evil"
    evil.write_text("x")
    with tarfile.open(processing.input("cloudml") / "bundle.tar.gz", "w:gz") as archive:
        archive.add(evil, "project/../../../escaped")
    done = subprocess.run(command, env=processing.environment({}), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "the code bundle cannot be unpacked" in processing.message()
    assert not (tmp_path / "escaped").exists()
