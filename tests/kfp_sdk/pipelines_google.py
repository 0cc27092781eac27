"""Pipelines of the Google Cloud pipeline components: their launcher acts on Vertex itself."""

from google.cloud.aiplatform import hyperparameter_tuning as hpt
from google_cloud_pipeline_components.types import artifact_types
from google_cloud_pipeline_components.v1.batch_predict_job import ModelBatchPredictOp
from google_cloud_pipeline_components.v1.custom_job import (
    CustomTrainingJobOp,
    create_custom_training_job_from_component,
)
from google_cloud_pipeline_components.v1.endpoint import EndpointCreateOp, ModelDeployOp
from google_cloud_pipeline_components.v1.hyperparameter_tuning_job import (
    HyperparameterTuningJobRunOp,
    serialize_metrics,
    serialize_parameters,
)
from google_cloud_pipeline_components.v1.model import ModelUploadOp
from harness import BUCKET, DONE, FAILED, NEVER, PYTHON, REGISTRY, SHELL, Case, Run
from kfp import dsl
from parts import SAID, say, shell

SERVER = f"{REGISTRY}/server:1"
TRIAL = f"{REGISTRY}/trial:1"
RESOURCES = "GCPC: gcp_resources lists the resource that the launcher made"


@dsl.container_component
def read_job(gcp_resources: str, kind: str):
    """What a launcher said that it made: as the GcpResources message in JSON."""
    program = (
        "import json, sys; [one] = json.loads(sys.argv[1])['resources'];"
        "assert one['resourceType'] == sys.argv[2], one;"
        "assert one['resourceUri'].startswith('https://') and 'aiplatform.googleapis.com/v1' in one['resourceUri'], one;"
        f"print('made', one['resourceType'], file=open('{SAID}', 'a'))"
    )
    return dsl.ContainerSpec(image=PYTHON, command=["python3", "-c", program], args=[gcp_resources, kind])


def custom_job() -> Case:
    program = (
        """note "training $1 $CLOUD_ML_PROJECT_ID"; d=$(echo "$AIP_MODEL_DIR" | sed s,gs://,/gcs/,); put "$d/w" ok"""
    )

    @dsl.pipeline(name="custom-job", description="CustomTrainingJobOp, with values of the pipeline in its worker pool.")
    def pipeline(word: str = "well", machine: str = "n1-standard-8"):
        made = CustomTrainingJobOp(
            display_name="trained",
            location="us-central1",
            base_output_directory=f"gs://{BUCKET}/trained",
            labels={"team": "ml"},
            worker_pool_specs=[
                {
                    "machine_spec": {"machine_type": machine},
                    "replica_count": 1,
                    "container_spec": {"image_uri": SHELL, "command": shell(program), "args": [f"so {word}"]},
                }
            ],
        )
        read_job(gcp_resources=made.outputs["gcp_resources"], kind="CustomJob")

    return Case(
        pipeline,
        (
            Run(
                "run", f"{RESOURCES}; CustomJobSpec.base_output_directory: AIP_MODEL_DIR is <directory>/model/", DONE,
                {"custom-training-job": DONE, "read-job": DONE},
                said=("training so well {project}", "made CustomJob"), objects={"trained/model/w": 1},
            ),
        ),
    )  # fmt: skip


def custom_job_fails() -> Case:
    @dsl.pipeline(name="custom-job-fails", description="A CustomTrainingJobOp whose container fails.")
    def pipeline():
        pool = {
            "machine_spec": {"machine_type": "n1-standard-4"}, "replica_count": 1,
            "container_spec": {"image_uri": SHELL, "command": shell('note "broken"; exit 7')},
        }  # fmt: skip
        made = CustomTrainingJobOp(display_name="broken", location="us-central1", worker_pool_specs=[pool])
        say(text="after").after(made)

    why = "CustomJob.error is the task's error; Vertex, configure-failure-policy"
    return Case(
        pipeline,
        (
            Run(
                "run",
                why,
                FAILED,
                {"custom-training-job": FAILED, "say": NEVER},
                said=("broken",),
                errors={"custom-training-job": ("7",)},
            ),
        ),
    )


@dsl.container_component
def learn(rows: int, data: dsl.Output[dsl.Dataset], out: dsl.OutputPath(str)):
    program = 'note "learn $1"; put "$2" data; put "$3" "rows $1"'
    return dsl.ContainerSpec(image=SHELL, command=shell(program), args=[rows, data.path, out])


def component_as_job() -> Case:
    trained = create_custom_training_job_from_component(
        learn, display_name="learn-job", machine_type="n1-standard-8", replica_count=1
    )

    @dsl.pipeline(name="component-as-job", description="A container component made a CustomJob with a machine.")
    def pipeline(rows: int = 6):
        made = trained(rows=rows, location="us-central1")
        say(text=made.outputs["out"])

    return Case(
        pipeline,
        (
            Run(
                "run",
                "GCPC reference, create_custom_training_job_from_component: the component's inputs and outputs stay",
                DONE,
                {"learn": DONE, "say": DONE},
                said=("learn 6", "rows 6"),
                values={"learn": {"out": "rows 6"}},
            ),
        ),
    )


def tuning() -> Case:
    space = serialize_parameters(
        {
            "rate": hpt.DoubleParameterSpec(min=0.0, max=1.0, scale="linear"),
            "depth": hpt.IntegerParameterSpec(min=1, max=4, scale="linear"),
        }
    )

    @dsl.pipeline(name="tuning", description="HyperparameterTuningJobRunOp: four trials, two at a time.")
    def pipeline(trials: int = 4):
        made = HyperparameterTuningJobRunOp(
            display_name="tuned",
            base_output_directory=f"gs://{BUCKET}/tuned",
            location="us-central1",
            worker_pool_specs=[
                {
                    "machine_spec": {"machine_type": "n1-standard-4"},
                    "replica_count": 1,
                    "container_spec": {"image_uri": TRIAL},
                }
            ],
            study_spec_metrics=serialize_metrics({"score": "maximize"}),
            study_spec_parameters=space,
            max_trial_count=trials,
            parallel_trial_count=2,
        )
        read_job(gcp_resources=made.outputs["gcp_resources"], kind="HyperparameterTuningJob")

    return Case(
        pipeline,
        (
            Run(
                "run",
                f"{RESOURCES}; HyperparameterTuningJob.max_trial_count; CustomJobSpec.base_output_directory: the "
                "model of a trial is below <directory>/<trial>/model/",
                DONE,
                {"hyperparameter-tuning-job": DONE, "read-job": DONE},
                said=("made HyperparameterTuningJob",),
                objects={"tuned/": 4},
            ),
        ),
        programs={TRIAL: "trial.py"},
    )


def _served(uri):
    """An artifact that says how to serve what is at `uri`."""
    return dsl.importer(
        artifact_uri=uri,
        artifact_class=artifact_types.UnmanagedContainerModel,
        metadata={
            "containerSpec": {
                "imageUri": SERVER,
                "healthRoute": "/health",
                "predictRoute": "/predict",
                "ports": [{"containerPort": 8080}],
            }
        },
    )


def upload_and_deploy() -> Case:
    @dsl.pipeline(name="upload-and-deploy", description="Upload a model, make an endpoint, deploy: it answers.")
    def pipeline(model: str = f"gs://{BUCKET}/models/double"):
        brought = _served(model)
        uploaded = ModelUploadOp(
            display_name="doubler", unmanaged_container_model=brought.output, location="us-central1",
            version_aliases=["champion"], labels={"team": "ml"},
        )  # fmt: skip
        endpoint = EndpointCreateOp(display_name="live", location="us-central1", labels={"team": "ml"})
        ModelDeployOp(
            model=uploaded.outputs["model"], endpoint=endpoint.outputs["endpoint"],
            deployed_model_display_name="doubler", dedicated_resources_machine_type="n1-standard-2",
            dedicated_resources_min_replica_count=1, dedicated_resources_max_replica_count=1,
            traffic_split={"0": "100"},
        )  # fmt: skip
        read_job(gcp_resources=endpoint.outputs["gcp_resources"], kind="VertexLro")

    return Case(
        pipeline,
        (
            Run(
                "run",
                "GCPC reference: ModelUploadOp gives a google.VertexModel, EndpointCreateOp a google.VertexEndpoint "
                "whose metadata has the resourceName; ModelDeployOp ends when the model is deployed",
                DONE,
                {
                    "importer": DONE, "model-upload": DONE, "endpoint-create": DONE, "model-deploy": DONE,
                    "read-job": DONE,
                },
                said=("made VertexLro",),
                artifacts={
                    "model-upload": {"model": {"type": "google.VertexModel"}},
                    "endpoint-create": {"endpoint": {"type": "google.VertexEndpoint"}},
                },
                predictions={"live": {"instances": [1, 2.5, {"x": 4}], "predictions": [2, 5, 8]}},
            ),
        ),
        files={f"gs://{BUCKET}/models/double/factor": "2"},
        programs={SERVER: "server.py"},
    )  # fmt: skip


def batch_prediction() -> Case:
    @dsl.pipeline(name="batch-prediction", description="Upload a model, predict a file with it.")
    def pipeline(model: str = f"gs://{BUCKET}/models/triple"):
        brought = _served(model)
        uploaded = ModelUploadOp(
            display_name="tripler", unmanaged_container_model=brought.output, location="us-central1"
        )
        made = ModelBatchPredictOp(
            job_display_name="scored", model=uploaded.outputs["model"], location="us-central1",
            instances_format="jsonl", predictions_format="jsonl",
            gcs_source_uris=[f"gs://{BUCKET}/to-score/one.jsonl", f"gs://{BUCKET}/to-score/two.jsonl"],
            gcs_destination_output_uri_prefix=f"gs://{BUCKET}/scored", machine_type="n1-standard-2",
            starting_replica_count=1, max_replica_count=1,
        )  # fmt: skip
        read_job(gcp_resources=made.outputs["gcp_resources"], kind="BatchPredictionJob")

    return Case(
        pipeline,
        (
            Run(
                "run",
                f"{RESOURCES}; BatchPredictionJob.OutputInfo.gcs_output_directory: predictions below "
                "prediction-<model>-<create time>/, one line an instance",
                DONE,
                {"importer": DONE, "model-upload": DONE, "model-batch-predict": DONE, "read-job": DONE},
                said=("made BatchPredictionJob",),
                predictions={"gs://team-data/scored": [3, 6, 15, 30]},
            ),
        ),
        files={
            f"gs://{BUCKET}/models/triple/factor": "3",
            f"gs://{BUCKET}/to-score/one.jsonl": '{"x": 1}\n{"x": 2}\n',
            f"gs://{BUCKET}/to-score/two.jsonl": '{"x": 5}\n{"x": 10}\n',
        },
        programs={SERVER: "server.py"},
    )  # fmt: skip


CASES = (custom_job, custom_job_fails, component_as_job, tuning, upload_and_deploy, batch_prediction)
