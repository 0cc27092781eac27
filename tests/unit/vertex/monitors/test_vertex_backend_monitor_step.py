"""The monitor's step as a run does it, and a pipeline of the mock whose job watches, out of the bundle, as in life."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from vertex_monitor_lab import ENDPOINT, FOLDER, NUMBERS, PARENT, MonitorBench, until

from cloudml.jobs.failure import Refused
from cloudml.jobs.sources import Stored
from cloudml.runtime.digest import measure
from cloudml_vertex.container import google
from cloudml_vertex.container.control.monitor import monitor
from cloudml_vertex.container.google import call, find
from cloudml_vertex.hosting import deployment_monitor
from tests.unit.vertex.container.vertex_task import Task

TABLE = pl.DataFrame({"age": NUMBERS, "plan": ["a", "b"] * 50, "when": [[1]] * 100})
NATIVE = {
    "engine": "v1", "id": "m", "display_name": "samples/mock/made/drift", "endpoint": "samples-mock-live",
    "parent": PARENT, "labels": {"cloudml-monitor": "drift"}, "limits": {"js": 0.1}, "interval": 3600, "window": 3600,
    "sample": 1.0, "emails": [], "folder": FOLDER,
}  # fmt: skip


def run_step(bench: MonitorBench, folder: Path, **more: Any) -> None:
    """The monitor's step of a run, over TABLE and what was deployed."""
    path = folder / "table.parquet"
    TABLE.write_parquet(path)
    digest, size = measure(path)
    stored = Stored("table", "polars.DataFrame", "parquet", digest, size, path.name, path)
    values = {"endpoint": {**bench.served(), "etag": "x"}, "time": "2026-11-23T09:00:00Z"}
    context: Any = SimpleNamespace(
        values=SimpleNamespace(json=lambda name: values[name]), sources=SimpleNamespace(one=lambda _: stored)
    )
    action = {
        "monitor": "drift", "endpoint": "endpoint", "baseline": "table", "time": "time", "folder": FOLDER,
        "features": [], **more,
    }  # fmt: skip
    monitor(action, context)


def test_the_step_writes_the_baseline_of_what_is_served(bench: MonitorBench, tmp_path: Path) -> None:
    run_step(bench, tmp_path)
    pointer = json.loads(bench.store.get(f"{FOLDER}/baseline.json"))
    assert pointer["endpoint"] == bench.served()
    columns = json.loads(bench.store.get(pointer["profiles"]))["columns"]
    assert {name: one["kind"] for name, one in columns.items()} == {"age": "number", "plan": "category"}
    assert find("JobService.GetModelDeploymentMonitoringJob", name=f"{PARENT}/modelDeploymentMonitoringJobs/1") is None


def test_a_feature_that_the_table_lacks_is_told(bench: MonitorBench, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no column income; it has age, plan, when"):
        run_step(bench, tmp_path, features=["age", "income"])


def test_the_step_makes_the_native_monitor_of_what_it_deployed(bench: MonitorBench, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no endpoint"):
        run_step(bench, tmp_path, native=NATIVE)
    bench.deploy("11")
    run_step(bench, tmp_path, native=NATIVE)
    bench.deploy("12")
    bench.undeploy("11")
    run_step(bench, tmp_path, native=NATIVE)
    job = deployment_monitor.find(google, PARENT, NATIVE["display_name"])
    assert job is not None
    assert [one["deployed_model_id"] for one in job[deployment_monitor.CONFIGS]] == ["12"]
    assert job["endpoint"].rpartition("/")[2] == ENDPOINT.rpartition("/")[2]


def test_a_schedule_starts_a_look_that_finds_drift(bench: MonitorBench, tmp_path: Path) -> None:
    """The job runs out of its bundle, asks Google by REST, reads the traffic, and writes its report."""
    task = Task(tmp_path / "task", {})
    now = bench.drifted()
    at = (now + timedelta(minutes=5)).isoformat()
    action = bench.action(time={"set": "run.time", "type": "str"})
    step = {
        "step": "watched", "kind": "control", "action": action,
        "outputs": [{"name": "report", "type": "dict", "mode": "value", "fields": []}],
    }  # fmt: skip
    for file in task.code(step).iterdir():
        bench.store.put(f"gs://data/code/{file.name}", file.read_bytes())
    job = {"pipeline_spec": _spec(at), "runtime_config": {"gcs_output_directory": "gs://data/root"}}
    schedule = {
        "display_name": "watch", "cron": "TZ=UTC * * * * *", "max_concurrent_run_count": 1, "max_run_count": 1,
        "create_pipeline_job_request": {"parent": PARENT, "pipeline_job": job},
    }  # fmt: skip
    call("v1beta1.ScheduleService.CreateSchedule", parent=PARENT, schedule=schedule)
    bench.mock.advance(70)
    until(lambda: len(bench.reports()) == 1)
    (report,) = bench.reports()
    assert (report["verdict"], report["traffic"]["rows"]) == ("breach", 25)


def _spec(at: str) -> dict[str, Any]:
    """As the compiler writes a task of one container."""
    artifact = {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}
    run = ["--executor-input", "{{$}}", "--set", "run.id={{$.pipeline_job_name}}", "--set", f"run.time={at}"]
    container = {"image": "python:3.11", "command": ["python3", "/gcs/data/code/start.py"], "args": run}
    outputs = {"artifacts": {"report": artifact, "result": artifact}}
    return {
        "schemaVersion": "2.1.0", "sdkVersion": "cloudml", "pipelineInfo": {"name": "samples-mock-watch"},
        "components": {"comp-watched": {"executorLabel": "exec-watched", "outputDefinitions": outputs}},
        "deploymentSpec": {"executors": {"exec-watched": {"container": container}}},
        "root": {"dag": {"tasks": {"watched": {
            "componentRef": {"name": "comp-watched"}, "taskInfo": {"name": "watched"},
        }}}},
    }  # fmt: skip
