"""Steps as Vertex AI runs them: from the executor input to the executor output."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from vertex_task import PREFIX, ROOT, Task, port

from cloudml.jobs.failure import Refused
from cloudml.runtime.digest import path_digest
from cloudml_vertex.container import secret_manager
from cloudml_vertex.container.executor import ExecutorInput
from cloudml_vertex.container.layout import Layout

FLOAT = [port("output", "float")]
RUN = "run.id=run-1"


def function(name: str, **more: Any) -> dict[str, Any]:
    return {"function": f"vertex_steps:{name}", **more}


def test_a_job_in_a_process_of_its_own_leaves_its_artifacts_and_the_executor_output(task: Task) -> None:
    task.artifact("in-0", "left", 3)
    task.parameters = {"right": 4.0}
    arguments = {"left": {"input": "in-0", "port": "left"}, "right": {"set": "right", "type": "float"}}
    returns = {"sum": {"port": "output", "type": "NUMBER_DOUBLE"}}
    process = task.start(function("add", arguments=arguments, outputs=FLOAT, returns=returns))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    folder = task.place(f"{ROOT}/output")
    record = json.loads((folder / "artifact.json").read_text())
    assert json.loads((folder / record["filename"]).read_text()) == 7.0
    assert record["digest"] == path_digest(folder / record["filename"])
    assert record["lineage"]["parameters"] == {"left": 3, "right": 4.0}
    told = task.told()
    assert told["parameterValues"] == {"sum": 7.0}
    (artifact,) = told["artifacts"]["output"]["artifacts"]
    assert artifact["uri"] == f"{ROOT}/output"
    assert artifact["metadata"]["cloudml_digest"] == record["digest"]
    assert task.result()["status"] == "succeeded"
    assert not list(task.gcs.rglob("*.tmp"))


def test_what_the_job_is_told_keeps_its_type(task: Task) -> None:
    """Numbers travel as doubles in the executor input: the step knows what is an integer."""
    task.parameters = {"count": 3.0, "deep": {"a": [1]}, "name": "3", "on": True, "item": 2.0, "rate": 0.5}
    kinds = {"count": "int", "deep": "json", "name": "str", "on": "bool", "rate": "float"}
    arguments = {name: {"set": name, "type": kind} for name, kind in kinds.items()}
    arguments["item"] = {"item": "k"}
    step = function("told", arguments=arguments, outputs=[port("output", "dict")])
    listed = {"literal": [{"k": 0}, {"k": 1}, {"k": "third"}]}
    done = task.call({**step, "given": {"index": "item"}, "items": listed}, "rate=0.25")
    assert done.returncode == 0, done.stderr
    assert task.result()["values"]["output"] == {
        "count": 3, "deep": {"a": [1]}, "name": "3", "on": True, "rate": 0.25, "item": "third",
    }  # fmt: skip


def test_metrics_become_metadata_and_typed_parameters(task: Task) -> None:
    step = function("score", arguments={"count": {"literal": 4}}, outputs=[port("output", "Scores", "metrics")])
    returns = {
        "rows": {"port": "output", "field": "rows", "type": "NUMBER_INTEGER"},
        "all": {"port": "output", "type": "STRUCT"},
    }
    done = task.call({**step, "returns": returns})
    assert done.returncode == 0, done.stderr
    told = task.told()
    assert told["parameterValues"] == {"rows": 4, "all": {"auc": 0.5, "rows": 4}}
    assert told["artifacts"]["output"]["artifacts"][0]["metadata"]["auc"] == 0.5


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"port": "output", "type": "NUMBER_INTEGER"}, "does not take as NUMBER_INTEGER"),
        ({"port": "output", "field": "auc", "type": "STRING"}, "there is no 'auc'"),
        ({"port": "nothing", "type": "STRING"}, "no value"),
    ],
)
def test_a_value_that_vertex_would_not_take_fails_the_step(task: Task, wanted: dict[str, Any], words: str) -> None:
    arguments = {"left": {"literal": 1}, "right": {"literal": 0.5}}
    done = task.call(function("add", arguments=arguments, outputs=FLOAT, returns={"out": wanted}))
    assert done.returncode == 1
    assert words in done.stderr
    assert task.result()["status"] == "failed"
    assert not task.place(f"{ROOT}/executor_output.json").exists()


def test_a_skipped_step_writes_empty_values_of_every_type_and_marks_its_folders(task: Task) -> None:
    task.artifact("guard", "holds", False)
    guards = [{"input": "guard", "port": "holds", "equals": True, "condition": "big"}]
    types = ("NUMBER_DOUBLE", "NUMBER_INTEGER", "BOOLEAN", "STRING", "LIST", "STRUCT")
    returns = {kind: {"port": "output", "type": kind} for kind in types}
    done = task.call(function("add", outputs=FLOAT, guards=guards, returns=returns))
    assert done.returncode == 0, done.stderr
    assert task.told()["parameterValues"] == dict(zip(types, (0.0, 0, False, "", [], {}), strict=True))
    assert task.result()["reason"] == "big was false"
    assert task.json(f"{ROOT}/output/artifact.json")["skipped"] is True


def test_collected_artifacts_come_in_the_order_of_the_items_and_skipped_ones_are_left_out(task: Task) -> None:
    for number, value in enumerate((5, 7)):
        task.artifact("in-0", "part", value, f"gs://data/root/each_{10 - number}/part")
    task.artifact("in-0", "part", 0, "gs://data/root/each_0/part", skipped=True)
    step = function("total", outputs=[port("output", "int")], sources={"in-0": {"form": "collected"}})
    values = {"parts": {"input": "in-0", "port": "part"}}
    assert task.call({**step, "arguments": values}).returncode == 0
    assert task.result()["values"]["output"] == 12


def test_a_file_from_outside_is_the_importer_s_or_the_address_itself(task: Task) -> None:
    task.place("gs://other/deep").mkdir(parents=True)
    task.place("gs://other/deep/a.txt").write_text("hello")
    external = {"external": "in-0", "uri": {"literal": "gs://other/deep/a.txt"}}
    inputs = [{"name": "data", "type": "pathlib.Path", "mode": "handle", "from": external}]
    step = function("file_text", inputs=inputs, outputs=[port("output", "str")])
    assert task.call(step).returncode == 0
    assert task.result()["values"]["output"] == "hello"
    task.inputs["in-0"] = [{"name": "x", "uri": "gs://other/deep/a.txt"}]
    external["uri"] = {"literal": "gs://elsewhere/b.txt"}
    assert task.call(step).returncode == 0
    assert task.result()["values"]["output"] == "hello"


@pytest.mark.parametrize("uri", ["gs://data/../../etc/passwd", "/etc/passwd", "s3://data/x", "gs://../x"])
def test_no_address_leads_out_of_its_bucket(task: Task, uri: str) -> None:
    inputs = [
        {
            "name": "data", "type": "pathlib.Path", "mode": "handle",
            "from": {"external": "in-0", "uri": {"literal": uri}},
        }
    ]  # fmt: skip
    done = task.call(function("file_text", inputs=inputs, outputs=[port("output", "str")]))
    assert done.returncode == 1
    assert "no address in Cloud Storage" in done.stderr


def test_a_failure_is_told_in_the_log_the_result_and_a_document_of_the_run(task: Task) -> None:
    arguments = {"count": {"set": "count", "type": "int"}}
    done = task.call(function("broken", arguments=arguments, outputs=FLOAT), "count=3", RUN)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == "cloudml-class: error"
    assert lines[1].startswith("cloudml: ValueError: count is 3 (vertex_steps.py:")
    assert task.result()["failure"]["message"] == "count is 3"
    assert task.json(f"{PREFIX}/failures/run-1/work.json") == task.result()["failure"]
    assert not task.place(f"{ROOT}/executor_output.json").exists()


def test_an_item_of_a_map_has_a_failure_of_its_own(task: Task) -> None:
    task.call(function("dies", outputs=FLOAT), RUN, "index=2")
    assert task.json(f"{PREFIX}/failures/run-1/work-2.json")["class"] == "memory"


def test_sigterm_ends_the_step_as_interrupted(task: Task, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    process = task.start(function("sleeps", arguments={"marker": {"literal": str(marker)}}, outputs=FLOAT), RUN)
    until = time.monotonic() + 30
    while not marker.exists() and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "cloudml-class: interrupted" in errors
    assert task.result()["failure"]["class"] == "interrupted"


def test_a_group_hands_on_inside_and_its_members_ports_are_artifacts(task: Task) -> None:
    score = function("score", kind="job", step="score", arguments={"count": {"literal": 4}})
    score["outputs"] = [port("output", "Scores", "metrics")]
    add = function("add", kind="job", step="add", outputs=FLOAT)
    add["arguments"] = {
        "left": {"member": "score", "port": "output", "field": "rows"},
        "right": {"literal": 0.5},
    }
    returns = {
        "sum": {"member": "add", "port": "output", "type": "NUMBER_DOUBLE"},
        "none": {"member": "never", "port": "output", "type": "STRING"},
    }
    step = {"kind": "group", "members": [score, add], "returns": returns}
    done = task.call(step, outputs=("score--output", "add--output"))
    assert done.returncode == 0, done.stderr
    assert task.json(f"{ROOT}/add--output/output.json") == 4.5
    told = task.told()
    assert told["parameterValues"] == {"sum": 4.5, "none": ""}
    assert told["artifacts"]["score--output"]["artifacts"][0]["metadata"]["auc"] == 0.5


def test_a_decision_is_a_boolean_output_parameter(task: Task) -> None:
    task.artifact("in-0", "scores", {"auc": 0.8})
    condition = {
        "kind": "compare", "op": "ge", "left": {"input": "in-0", "port": "scores", "field": "auc"},
        "right": {"literal": 0.75},
    }  # fmt: skip
    action = {"name": "decide", "condition": condition}
    returns = {"holds": {"port": "holds", "type": "BOOLEAN"}, "branch": {"port": "branch", "type": "STRING"}}
    done = task.call({"kind": "control", "action": action, "outputs": [port("holds", "bool")], "returns": returns})
    assert done.returncode == 0, done.stderr
    assert task.told()["parameterValues"] == {"holds": True, "branch": "then"}


@pytest.mark.parametrize(("given", "folder"), [({}, f"{PREFIX}/checkpoints/run-1/work"), (
    {"AIP_CHECKPOINT_DIR": "gs://data/base/checkpoints/"}, "gs://data/base/checkpoints"
)])  # fmt: skip
def test_checkpoints_outlive_the_job(task: Task, given: dict[str, str], folder: str) -> None:
    done = task.call(function("kept", checkpoint=True, outputs=[port("output", "str")]), RUN, env=given)
    assert done.returncode == 0, done.stderr
    assert task.result()["values"]["output"] == str(task.place(folder))
    assert task.place(folder).is_dir()


def test_a_secret_comes_from_secret_manager_of_the_step_s_project_and_into_no_record(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def read(project: str, identifier: str) -> str:
        asked.append((project, identifier))
        return "hunter2"

    monkeypatch.setattr(secret_manager, "read", read)
    step = function("whisper", secrets={"password": "DB"}, outputs=FLOAT, google={"project": "shop-prod"})
    done = task.call(step, RUN)
    assert done.returncode == 1
    assert asked == [("shop-prod", "cloudml-shop-DB")]
    assert "cannot log in with" in done.stderr
    written = [path.read_text() for path in task.gcs.rglob("*.json")]
    assert len(written) == 2
    assert not any("hunter2" in text for text in (*written, done.stderr, done.stdout))


def test_an_artifact_that_cloud_storage_robbed_of_its_modes_is_made_good_in_a_copy(task: Task) -> None:
    step = function("folder", outputs=[port("model", "cloudml.Model", "handle")])
    assert task.call(step).returncode == 0
    tool = next(task.place(f"{ROOT}/model").rglob("tool.sh"))
    tool.chmod(0o644)
    task.inputs["in-0"] = [{"name": "m", "uri": f"{ROOT}/model"}]
    read = {"name": "model", "type": "cloudml.Model", "mode": "handle", "from": {"input": "in-0", "port": "model"}}
    done = task.call(function("look", inputs=[read], outputs=[port("output", "list")]))
    assert done.returncode == 0, done.stderr
    assert task.result()["values"]["output"] == [["tool.sh", True], ["weights.txt", False]]
    assert not tool.stat().st_mode & 0o100, "others read it too"


CLUSTER = {
    "cluster": {"workerpool1": ["w-0:2222", "w-1:2222"], "workerpool0": ["chief-0:2222"]},
    "task": {"type": "workerpool1", "index": 1},
}
FLOW = {"cluster": {"worker": ["w-0:2222"], "chief": ["c-0:2222"]}, "task": {"type": "chief", "index": 0}}


@pytest.mark.parametrize(
    ("told", "hosts"),
    [
        ({"CLUSTER_SPEC": json.dumps(CLUSTER)}, (["chief-0", "w-0", "w-1"], 2)),
        ({"TF_CONFIG": json.dumps(FLOW)}, (["c-0", "w-0"], 0)),
        ({}, (["localhost"], 0)),
    ],
)
def test_machines_are_counted_from_the_primary(
    told: dict[str, str], hosts: tuple[list[str], int], tmp_path: Path
) -> None:
    """Google's page "Distributed training": the first worker pool is the primary's."""
    assert Layout.find([], told, tmp_path).hosts() == hosts


def test_only_the_primary_machine_publishes(task: Task) -> None:
    arguments = {"left": {"literal": 1}, "right": {"literal": 0.5}}
    step = function("add", arguments=arguments, outputs=FLOAT)
    assert task.call(step, RUN, env={"CLUSTER_SPEC": json.dumps(CLUSTER)}).returncode == 0
    assert not task.place(ROOT).exists()


TUNING = {
    "objective": "auc",
    "parameters": {
        "rate": {"argument": "rate", "as": "float"},
        "depth": {"argument": "depth", "as": "int"},
        "kind": {"argument": "kind", "as": "json"},
    },
}


def test_a_trial_takes_its_words_and_reports_as_hypertune_does(task: Task, tmp_path: Path) -> None:
    """cloudml-hypertune: a line of JSON with the metric under its name, values as texts."""
    metrics = tmp_path / "hypertune" / "output.metrics"
    env = {
        "CLOUD_ML_TRIAL_ID": "7", "CLOUD_ML_HP_METRIC_FILE": str(metrics), "AIP_MODEL_DIR": "gs://data/study/7/model/",
    }  # fmt: skip
    step = function("trial", tuning=TUNING, outputs=[port("output", "Scores", "metrics")])
    words = ["--rate=0.5", "--depth=3.0", '--kind="ab"']
    done = task.call(step, "x=--depth=9", env=env, more=words)
    assert done.returncode == 0, done.stderr
    (line,) = metrics.read_text().splitlines()
    told = json.loads(line)
    assert (told["objective"], told["trial"], told["global_step"]) == ("1.5", "7", "0")
    result = task.json("gs://data/study/7/model/result/result.json")
    assert result["parameters"] == {"rate": 0.5, "depth": 3, "kind": "ab"}
    assert task.json("gs://data/study/7/model/output/output.json")["rows"] == 2
    assert not task.place(f"{ROOT}/executor_output.json").exists()


@pytest.mark.parametrize("text", ["{", '{"outputs": {"artifacts": 3}}', '{"outputs": {"artifacts": {"a": {}}}}', "[]"])
def test_an_executor_input_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="no executor input"):
        ExecutorInput.find(["--executor-input", text])
