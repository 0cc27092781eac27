"""Experiments of the unmodified SDK; only the channel is one without TLS."""

from __future__ import annotations

import functools

import pytest


@pytest.fixture
def sdk(grpc_address, monkeypatch):
    import grpc
    from google.api_core import grpc_helpers
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform
    from google.cloud.aiplatform import initializer
    from google.cloud.aiplatform.metadata import metadata

    channels = []

    def plain_channel(*_args, **_options):
        channels.append(grpc.insecure_channel(grpc_address))
        return channels[-1]

    monkeypatch.setattr(grpc_helpers, "create_channel", plain_channel)
    metadata._experiment_tracker.reset()
    for name, value in vars(initializer.global_config).items():
        monkeypatch.setattr(initializer.global_config, name, value)
    # Every time with the project: an `init` without one turns to REST.
    place = {"project": "acme-data", "location": "us-central1", "api_endpoint": grpc_address, "api_transport": "grpc"}
    monkeypatch.setattr(
        aiplatform, "init", functools.partial(aiplatform.init, credentials=AnonymousCredentials(), **place)
    )
    yield aiplatform
    metadata._experiment_tracker.reset()
    for channel in channels:
        channel.close()


@pytest.mark.parametrize("tensorboard", [False, None])
def test_experiment(sdk, tensorboard):
    pytest.importorskip("pandas")
    sdk.init(experiment="churn", experiment_tensorboard=tensorboard)
    for number in range(2):
        with sdk.start_run(f"run-{number}"):
            sdk.log_params({"lr": 0.1 * (number + 1), "depth": 3})
            sdk.log_metrics({"auc": 0.5 + number})
            if tensorboard is None:
                sdk.log_time_series_metrics({"loss": 0.25}, step=1)
                sdk.log_time_series_metrics({"loss": 0.125}, step=2)
    frame = sdk.get_experiment_df("churn").sort_values("run_name")
    assert list(frame["run_name"]) == ["run-0", "run-1"]
    assert list(frame["metric.auc"]) == [0.5, 1.5]
    assert list(frame["param.depth"]) == [3, 3]
    assert list(frame["state"]) == ["COMPLETE", "COMPLETE"]
    if tensorboard is None:
        assert list(frame["time_series_metric.loss"]) == [0.125, 0.125]
    assert [one.name for one in sdk.Experiment.list()] == ["churn"]
    assert sorted(run.name for run in sdk.ExperimentRun.list(experiment="churn")) == ["run-0", "run-1"]
    sdk.ExperimentRun("run-0", experiment="churn").delete()
    assert [run.name for run in sdk.ExperimentRun.list(experiment="churn")] == ["run-1"]


def test_resume_and_failure(sdk):
    sdk.init(experiment="churn", experiment_tensorboard=False)
    sdk.start_run("again")
    sdk.log_params({"a": 1})
    sdk.end_run()
    sdk.start_run("again", resume=True)
    sdk.log_params({"b": "x"})
    sdk.end_run()
    assert sdk.ExperimentRun("again", experiment="churn").get_params() == {"a": 1, "b": "x"}
    with pytest.raises(ZeroDivisionError), sdk.start_run("broken"):
        raise ZeroDivisionError
    assert sdk.ExperimentRun("broken", experiment="churn").get_state() == "FAILED"


def test_lineage_by_hand(sdk):
    sdk.init(experiment="churn", experiment_tensorboard=False)
    with sdk.start_run("run-1") as run:
        data = sdk.Artifact.create(schema_title="system.Dataset", uri="gs://b/data.csv", display_name="data")
        with sdk.start_execution(schema_title="system.ContainerExecution", display_name="train") as execution:
            execution.assign_input_artifacts([data])
            model = sdk.Artifact.create(schema_title="system.Model", uri="gs://b/model")
            execution.assign_output_artifacts([model])
        assert [one.name for one in execution.get_input_artifacts()] == [data.name]
        assert [one.name for one in execution.get_output_artifacts()] == [model.name]
        assert execution.state.name == "COMPLETE"
        assert [one.name for one in run.get_executions()] == [execution.name]
    assert sdk.Artifact.get_with_uri("gs://b/model").name == model.name
    assert [one.name for one in sdk.Artifact.list(filter='schema_title="system.Dataset"')] == [data.name]
    assert {one.name for one in run.get_artifacts()} == {data.name, model.name}
