"""Kinds of work that Vertex AI has and this mock refuses by name, each with what to use instead."""

from __future__ import annotations

from cloudml_vertex.mock.core.errors import not_executed, not_found
from cloudml_vertex.mock.core.operations import Call, Document, rpc

_REFUSED = {
    "PipelineService.CreateTrainingPipeline": ("A TrainingPipeline", "create a CustomJob, then upload the model"),
    "JobService.CreateDataLabelingJob": ("A DataLabelingJob", "there is nobody here who labels"),
    "JobService.CreateNasJob": ("A NasJob", "use a HyperparameterTuningJob"),
    "PersistentResourceService.CreatePersistentResource": (
        "A PersistentResource", "create CustomJobs without persistent_resource_id",
    ),
}  # fmt: skip
_NONE = {
    "PipelineService.ListTrainingPipelines": "training_pipelines",
    "JobService.ListDataLabelingJobs": "data_labeling_jobs",
    "JobService.ListNasJobs": "nas_jobs",
    "PersistentResourceService.ListPersistentResources": "persistent_resources",
}
_ABSENT = (
    "PipelineService.GetTrainingPipeline", "PipelineService.CancelTrainingPipeline",
    "PipelineService.DeleteTrainingPipeline", "JobService.GetDataLabelingJob", "JobService.CancelDataLabelingJob",
    "JobService.DeleteDataLabelingJob", "JobService.GetNasJob", "JobService.CancelNasJob", "JobService.DeleteNasJob",
    "PersistentResourceService.GetPersistentResource", "PersistentResourceService.DeletePersistentResource",
)  # fmt: skip


def refuse(call: Call) -> None:
    """Not executed here."""
    raise not_executed(*_REFUSED[call.rpc])


def nothing(call: Call) -> Document:
    """None was ever made."""
    return {_NONE[call.rpc]: []}


def absent(call: Call) -> None:
    """None was ever made."""
    raise not_found(call.name)


for _name in _REFUSED:
    rpc(_name)(refuse)
for _name in _NONE:
    rpc(_name)(nothing)
for _name in _ABSENT:
    rpc(_name)(absent)
