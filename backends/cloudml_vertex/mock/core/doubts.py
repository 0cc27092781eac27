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
        "default-health-route",
        ("deployed-model", "predict"),
        "the health route of a container without one: /v1/endpoints/E/deployedModels/D, or the same with :predict",
        "custom container requirements say the first, ModelContainerSpec.health_route says the second",
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
        "csv-predictions",
        ("refuse", "write"),
        "predictions_format csv of a model with a custom container: refused, or a column of predictions",
        "BatchPredictionJob describes csv; the supported_output_storage_formats of such models are jsonl and bigquery",
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
        "Cancel of a custom, tuning or batch prediction job that has ended: refused, or nothing happens",
        "JobService says that cancellation is best effort, and no code",
    ),
    Switch(
        "task-never-started",
        ("not-triggered", "absent"),
        "a task that cannot start since one before it failed or was not triggered: in the details, or not at all",
        "PipelineTaskDetail.State names NOT_TRIGGERED for a trigger policy that is not satisfied, and none for this",
    ),
    Switch(
        "task-name",
        ("key", "task-info"),
        "PipelineTaskDetail.task_name: the task's key in its DAG, or the display name in taskInfo",
        "PipelineTaskDetail.task_name: the user specified name that is defined in pipeline_spec",
    ),
    Switch(
        "cache-of-uncached-tasks",
        ("none", "kept"),
        "whether what ran without enableCache can be a cache hit of a later run with it",
        "the page on execution caching describes the look-up, not what is kept",
    ),
    Switch(
        "pipelines-at-once",
        ("no-limit", "1", "2", "10", "100"),
        "pipeline jobs of one project and location that run at once; the others are QUEUED",
        "PIPELINE_STATE_QUEUED is defined, and no limit is published",
    ),
    Switch(
        "cancel-ended-pipeline",
        ("accept", "refuse"),
        "CancelPipelineJob on a job that has ended: nothing happens, or FAILED_PRECONDITION",
        "PipelineService.CancelPipelineJob says that cancellation is best effort, and no code",
    ),
    Switch(
        "schedule-start",
        ("inclusive", "exclusive"),
        "a cron time that is the schedule's start_time itself: a run, or none",
        "Schedule.start_time: the time after which the first run can be scheduled",
    ),
    Switch(
        "failed-trials-limit",
        ("half", "all", "first"),
        "how many trials fail before a tuning job with max_failed_trial_count 0 does: more than half of "
        "max_trial_count, all of them, or one",
        "HyperparameterTuningJob.max_failed_trial_count: if 0, Vertex AI decides",
    ),
    Switch(
        "metric-lag",
        ("minute", "documented", "none"),
        "when a minute of Vertex AI's own metrics is seen: when it is over, 180 seconds later, or at once",
        "the list of metrics says: sampled every 60 seconds, then not visible for up to 120 or 180 seconds",
    ),
    Switch(
        "metadata-short-id",
        ("accept", "refuse"),
        "ids of contexts, artifacts and executions with fewer than 4 characters",
        "CreateContextRequest says 4-128 characters; the page on experiments allows names of one character",
    ),
    Switch(
        "lineage-hop",
        ("event", "artifact"),
        "what max_hops of QueryArtifactLineageSubgraph counts: events, or steps from artifact to artifact",
        "QueryArtifactLineageSubgraphRequest.max_hops: hops from the specified artifact",
    ),
    Switch(
        "unknown-runtime-parameters",
        ("refuse", "ignore"),
        "a value in runtime_config for a parameter that the pipeline does not take",
        "Google's SDK raises before it sends; what the service does is not published",
    ),
    Switch(
        "condition-types",
        ("declared", "dynamic"),
        "trigger conditions are typed by the declared types of parameters, or each parameter may be anything until run",
        "inputs.parameter_values is a map of google.protobuf.Value, which CEL calls dyn; declared types find more",
    ),
    Switch(
        "condition-numbers",
        ("no-overload", "cross-type"),
        "1 > 0.5 in a condition: no such overload, or numbers of different types compare",
        "KFP's compiler writes double(int(x)) as if there were none; newer CEL compares across numeric types",
    ),
    Switch(
        "missing-dependent-tasks",
        ("accept", "refuse"),
        "a task takes an output of another one and does not name it in dependentTasks",
        "pipeline_spec.proto: dependent_tasks are those that provide no inputs; KFP's compiler names all of them",
    ),
    Switch(
        "parameter-types",
        ("equal", "integer-as-double"),
        "whether a NUMBER_INTEGER may be passed where a NUMBER_DOUBLE is taken",
        "KFP's compiler refuses it; pipeline_spec.proto is silent",
    ),
    Switch(
        "artifact-types",
        ("refuse", "ignore"),
        "an artifact of one schema title passed where another is taken, neither being system.Artifact",
        "KFP's compiler refuses it unless told otherwise (ignore_type); pipeline_spec.proto is silent",
    ),
    Switch(
        "pipeline-schema-2.0.0",
        ("refuse", "accept"),
        "pipelines of schema version 2.0.0, with typed runtime_config.parameters",
        "RuntimeConfig calls both deprecated; the compilers of today write 2.1.0",
    ),
    Switch(
        "long-descriptions",
        ("accept", "refuse"),
        "descriptions of inputs and outputs beyond the 1024 characters that pipeline_spec.proto allows",
        "inputs of Google's own component for batch predictions have up to 1798",
    ),
    Switch(
        "monitoring-jobs-per-endpoint",
        ("one", "many"),
        "ModelDeploymentMonitoringJobs that one endpoint may have",
        "one job configures each of an endpoint's deployed models; whether there may be a second is not published",
    ),
)
