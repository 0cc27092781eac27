"""The RPCs that jobs use, as Google's published HTTP bindings have them (`google.api.http` of their protos)."""

from __future__ import annotations

from typing import NamedTuple


class Rpc(NamedTuple):
    """`path` with the request's fields in braces; `body`: the field that is the body, `*` for all that is left.

    `operation`: the answer is a long-running operation.
    """

    verb: str
    path: str
    body: str = ""
    operation: bool = False


HOSTS = {
    "MetricService": "monitoring.googleapis.com",
    "Publisher": "pubsub.googleapis.com",
    "SecretManagerService": "secretmanager.googleapis.com",
}
"""Hosts of services besides Vertex AI's own, whose host is of a region."""

RPCS = {
    "EndpointService.CreateEndpoint": Rpc("POST", "v1/{parent}/endpoints", "endpoint", operation=True),
    "EndpointService.DeleteEndpoint": Rpc("DELETE", "v1/{name}", operation=True),
    "EndpointService.DeployModel": Rpc("POST", "v1/{endpoint}:deployModel", "*", operation=True),
    "EndpointService.GetEndpoint": Rpc("GET", "v1/{name}"),
    "EndpointService.ListEndpoints": Rpc("GET", "v1/{parent}/endpoints"),
    "EndpointService.MutateDeployedModel": Rpc("POST", "v1/{endpoint}:mutateDeployedModel", "*", operation=True),
    "EndpointService.UndeployModel": Rpc("POST", "v1/{endpoint}:undeployModel", "*", operation=True),
    "EndpointService.UpdateEndpoint": Rpc("PATCH", "v1/{endpoint.name}", "endpoint"),
    "JobService.CancelHyperparameterTuningJob": Rpc("POST", "v1/{name}:cancel", "*"),
    "JobService.CreateHyperparameterTuningJob": Rpc(
        "POST", "v1/{parent}/hyperparameterTuningJobs", "hyperparameter_tuning_job"
    ),
    "JobService.CreateModelDeploymentMonitoringJob": Rpc(
        "POST", "v1/{parent}/modelDeploymentMonitoringJobs", "model_deployment_monitoring_job"
    ),
    "JobService.DeleteModelDeploymentMonitoringJob": Rpc("DELETE", "v1/{name}", operation=True),
    "JobService.GetCustomJob": Rpc("GET", "v1/{name}"),
    "JobService.GetHyperparameterTuningJob": Rpc("GET", "v1/{name}"),
    "JobService.GetModelDeploymentMonitoringJob": Rpc("GET", "v1/{name}"),
    "JobService.ListHyperparameterTuningJobs": Rpc("GET", "v1/{parent}/hyperparameterTuningJobs"),
    "JobService.ListModelDeploymentMonitoringJobs": Rpc("GET", "v1/{parent}/modelDeploymentMonitoringJobs"),
    "JobService.PauseModelDeploymentMonitoringJob": Rpc("POST", "v1/{name}:pause", "*"),
    "JobService.ResumeModelDeploymentMonitoringJob": Rpc("POST", "v1/{name}:resume", "*"),
    "JobService.UpdateModelDeploymentMonitoringJob": Rpc(
        "PATCH", "v1/{model_deployment_monitoring_job.name}", "model_deployment_monitoring_job", operation=True
    ),
    "MetricService.CreateTimeSeries": Rpc("POST", "v3/{name}/timeSeries", "*"),
    "MetricService.ListTimeSeries": Rpc("GET", "v3/{name}/timeSeries"),
    "ModelService.DeleteModelVersion": Rpc("DELETE", "v1/{name}:deleteVersion", operation=True),
    "ModelService.GetModel": Rpc("GET", "v1/{name}"),
    "ModelService.ListModelVersions": Rpc("GET", "v1/{name}:listVersions"),
    "ModelService.ListModels": Rpc("GET", "v1/{parent}/models"),
    "ModelService.MergeVersionAliases": Rpc("POST", "v1/{name}:mergeVersionAliases", "*"),
    "ModelService.UpdateModel": Rpc("PATCH", "v1/{model.name}", "model"),
    "ModelService.UploadModel": Rpc("POST", "v1/{parent}/models:upload", "*", operation=True),
    "PipelineService.CreatePipelineJob": Rpc("POST", "v1/{parent}/pipelineJobs", "pipeline_job"),
    "PipelineService.GetPipelineJob": Rpc("GET", "v1/{name}"),
    "PipelineService.ListPipelineJobs": Rpc("GET", "v1/{parent}/pipelineJobs"),
    "PredictionService.Predict": Rpc("POST", "v1/{endpoint}:predict", "*"),
    "Publisher.Publish": Rpc("POST", "v1/{topic}:publish", "*"),
    "SecretManagerService.AccessSecretVersion": Rpc("GET", "v1/{name}:access"),
    "v1beta1.ModelMonitoringService.CreateModelMonitor": Rpc(
        "POST", "v1beta1/{parent}/modelMonitors", "model_monitor", operation=True
    ),
    "v1beta1.ModelMonitoringService.DeleteModelMonitor": Rpc("DELETE", "v1beta1/{name}", operation=True),
    "v1beta1.ModelMonitoringService.GetModelMonitor": Rpc("GET", "v1beta1/{name}"),
    "v1beta1.ModelMonitoringService.ListModelMonitors": Rpc("GET", "v1beta1/{parent}/modelMonitors"),
    "v1beta1.ModelMonitoringService.UpdateModelMonitor": Rpc(
        "PATCH", "v1beta1/{model_monitor.name}", "model_monitor", operation=True
    ),
    "v1beta1.ScheduleService.CreateSchedule": Rpc("POST", "v1beta1/{parent}/schedules", "schedule"),
    "v1beta1.ScheduleService.DeleteSchedule": Rpc("DELETE", "v1beta1/{name}", operation=True),
    "v1beta1.ScheduleService.ListSchedules": Rpc("GET", "v1beta1/{parent}/schedules"),
    "v1beta1.ScheduleService.PauseSchedule": Rpc("POST", "v1beta1/{name}:pause", "*"),
    "v1beta1.ScheduleService.ResumeSchedule": Rpc("POST", "v1beta1/{name}:resume", "*"),
    "v1beta1.ScheduleService.UpdateSchedule": Rpc("PATCH", "v1beta1/{schedule.name}", "schedule"),
}
"""By service and method."""
