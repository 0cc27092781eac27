"""Monitor an endpoint of SageMaker's: its baseline; a native monitor is put on its schedule."""

from __future__ import annotations

from cloudml.jobs.context import Context, Document
from cloudml.jobs.control import Made, baseline
from cloudml.jobs.control.monitor import begin
from cloudml.jobs.failure import Refused
from cloudml_sagemaker.container.control import native_baseline
from cloudml_sagemaker.container.control.aws import Asking
from cloudml_sagemaker.container.control.store import S3
from cloudml_sagemaker.hosting import Failed, native_monitor

_SERVED = ("name", "EndpointName", "deployment", "model", "version", "digest", "arn")
"""What is kept of a deployment: which version of which model the baseline was put for."""


def monitor(action: Document, context: Context) -> Made:
    """Write the baseline. Raises Refused: the table lacks a feature, or the native schedule cannot be made."""
    endpoint = context.values.json(action["endpoint"])
    served = {key: endpoint[key] for key in _SERVED if key in endpoint}
    if "native" not in action:
        begin(action, context, S3(), served)
        return {}
    native: list[Document] = []
    begin(action, context, S3(), served, lambda *column: native.append(native_baseline.feature(*column)))
    _schedule(action, native)
    return {}


def _schedule(action: Document, features: list[Document]) -> None:
    """Model Monitor's two files, and its schedule."""
    folder, store = f"{action['folder']}/native", S3()
    baseline.write(store, f"{folder}/statistics.json", native_baseline.statistics(features))
    baseline.write(store, f"{folder}/constraints.json", native_baseline.constraints(features, action["constraints"]))
    try:
        native_monitor.ensure(Asking(), action["native"])
    except Failed as error:
        raise Refused(str(error)) from error
