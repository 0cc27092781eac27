"""Where Google does not publish what happens: named switches with a documented default."""

from __future__ import annotations

from cloudml.mocks.switches import Switch

SWITCHES = (
    Switch(
        "etag-mismatch",
        ("aborted", "failed-precondition", "invalid-argument"),
        "the code with which a write with an old etag is refused",
        "google.aip.dev/154 says ABORTED; Vertex AI's reference publishes nothing",
    ),
    Switch(
        "model-image-registry",
        ("required", "any"),
        "whether a model's container image must name Artifact Registry or Container Registry",
        "ModelContainerSpec says that it must; whether UploadModel or the deployment refuses is not said",
    ),
    Switch(
        "artifact-uri-missing",
        ("fail", "accept"),
        "UploadModel with an artifact_uri below which there is nothing: the operation fails, or the model has none",
        "users report FAILED_PRECONDITION 'There are no files under ... to copy'; the reference is silent",
    ),
    Switch(
        "version-upload-display-name",
        ("keep", "update"),
        "a new version with another display name or description: the model keeps its own, or takes the new ones",
        "UpdateModelRequest calls both fields of the model; UploadModel is silent",
    ),
    Switch(
        "rolled-deployed-model",
        ("kept", "removed"),
        "the previous DeployedModel after a rolling deployment: kept without replicas and traffic, or gone",
        "the page on rolling deployments says that its replicas are replaced, and nothing of the entry itself",
    ),
    Switch(
        "dedicated-endpoint-shared-host",
        ("refuse", "allow"),
        "a prediction by the shared host for an endpoint with a dedicated DNS name",
        "Endpoint.dedicated_endpoint_enabled: requests to the shared DNS are not possible, which will be removed soon",
    ),
    Switch(
        "invalid-container-response",
        ("internal", "invalid-argument", "failed-precondition"),
        "the code of Predict when a container answers 200 with something other than {predictions: [...]}",
        "custom container requirements say what must be answered, not what happens otherwise",
    ),
    Switch(
        "serving-cpus-quota",
        ("none", "24", "100"),
        "virtual CPUs that deployed models of one location may have, at max_replica_count",
        "DedicatedResources says how quota is charged; its size is each project's own",
    ),
    Switch(
        "batch-output-names",
        ("observed", "documented"),
        "prediction.results-00000-of-00001 in a folder with a time of underscores, or predictions_0001.jsonl with ISO",
        "Vertex AI's page on batch predictions shows the first, BatchPredictionJob.OutputConfig describes the second",
    ),
    Switch(
        "batch-all-failed",
        ("fail", "succeed"),
        "the state of a batch prediction job in which not one instance was predicted",
        "BatchPredictionJob says only that it may finish early when a significant portion fails",
    ),
    Switch(
        "job-timeout",
        ("cancelled", "failed", "expired"),
        "the state of a custom job that reaches scheduling.timeout",
        "Scheduling.timeout says no state; AI Platform Training, from which it comes, cancels such jobs",
    ),
    Switch(
        "flex-start-wait-over",
        ("expired", "failed"),
        "the state of a FLEX_START job whose machines did not come within max_wait_duration",
        "Scheduling.max_wait_duration says no state; JobState has JOB_STATE_EXPIRED without naming its use",
    ),
    Switch(
        "cancel-of-ended-job",
        ("failed-precondition", "ignore"),
        "CancelCustomJob and CancelHyperparameterTuningJob of a job that has ended: refused, or nothing happens",
        "JobService says that cancellation is best effort, and no code",
    ),
)
