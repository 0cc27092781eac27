"""Every kind, in the order in which things are made. They are removed in reverse."""

from __future__ import annotations

from collections.abc import Mapping

from cloudml_sagemaker.resources.alarm import ALARM
from cloudml_sagemaker.resources.endpoint import ENDPOINT
from cloudml_sagemaker.resources.job_code import JOB_CODE
from cloudml_sagemaker.resources.kind import Kind
from cloudml_sagemaker.resources.model_group import MODEL_GROUP
from cloudml_sagemaker.resources.monitor import MONITOR
from cloudml_sagemaker.resources.pipeline import PIPELINE
from cloudml_sagemaker.resources.queue import QUEUE
from cloudml_sagemaker.resources.repository import REPOSITORY
from cloudml_sagemaker.resources.schedule import SCHEDULE, SCHEDULE_GROUP
from cloudml_sagemaker.resources.topic import TOPIC

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        REPOSITORY,
        JOB_CODE,
        MODEL_GROUP,
        QUEUE,
        TOPIC,
        ALARM,
        PIPELINE,
        SCHEDULE_GROUP,
        SCHEDULE,
        ENDPOINT,
        MONITOR,
    )
}
"""Each stands on those before it: a schedule starts a pipeline that is there, whose jobs find their code."""
