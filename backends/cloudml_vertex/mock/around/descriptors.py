"""Metric and monitored resource descriptors: Google's own as far as the mock writes them, and the user's."""

from __future__ import annotations

import re
from typing import Any

from cloudml.mocks.store import Table
from cloudml_vertex.mock.around.expressions import Comparison, parse
from cloudml_vertex.mock.around.projects import account_of, shown
from cloudml_vertex.mock.around.selecting import check, holds_text
from cloudml_vertex.mock.core import series
from cloudml_vertex.mock.core.entries import everywhere
from cloudml_vertex.mock.core.errors import GoogleError, invalid, not_found
from cloudml_vertex.mock.core.listing import page
from cloudml_vertex.mock.core.operations import Call, Document, rpc
from cloudml_vertex.mock.core.world import World

KIND = "MetricDescriptor"
_ONLINE = "aiplatform.googleapis.com/prediction/online"
GOOGLES: dict[str, tuple[str, str]] = {
    **{
        f"{_ONLINE}/{name}": ("DELTA", "INT64")
        for name in (
            "error_count",
            "network/received_bytes_count",
            "network/sent_bytes_count",
            "prediction_count",
            "response_count",
        )
    },
    f"{_ONLINE}/prediction_latencies": ("DELTA", "DISTRIBUTION"),
    **{
        f"{_ONLINE}/{name}": ("GAUGE", "INT64")
        for name in ("accelerator/memory/bytes_used", "memory/bytes_used", "replicas", "target_replicas")
    },
    **{f"{_ONLINE}/{name}": ("GAUGE", "DOUBLE") for name in ("accelerator/duty_cycle", "cpu/utilization")},
}
"""Metrics of Vertex AI (docs: Cloud Monitoring metrics for Vertex AI), whether or not anything was written yet."""

RESOURCES: dict[str, tuple[str, ...]] = {
    "global": ("project_id",),
    "generic_node": ("project_id", "location", "namespace", "node_id"),
    "generic_task": ("project_id", "location", "namespace", "job", "task_id"),
    "gce_instance": ("project_id", "instance_id", "zone"),
    "k8s_cluster": ("project_id", "location", "cluster_name"),
    "k8s_container": ("project_id", "location", "cluster_name", "namespace_name", "pod_name", "container_name"),
    "k8s_node": ("project_id", "location", "cluster_name", "node_name"),
    "k8s_pod": ("project_id", "location", "cluster_name", "namespace_name", "pod_name"),
    "cloud_run_job": ("project_id", "job_name", "location"),
    "cloud_run_revision": ("project_id", "service_name", "revision_name", "location", "configuration_name"),
    "aiplatform.googleapis.com/Endpoint": ("resource_container", "location", "endpoint_id"),
    "aiplatform.googleapis.com/PipelineJob": ("resource_container", "location", "pipeline_job_id"),
}
"""Monitored resource types and their labels; users may write to those that are not a Google service's own."""
OURS = ("custom.googleapis.com/", "external.googleapis.com/prometheus/", "workload.googleapis.com/")
"""How the types of user-defined metrics begin."""
_TYPE = re.compile(r"[a-z.]+/[A-Za-z_][A-Za-z0-9_]*(?:/[A-Za-z0-9_.]+)*")
_LABEL = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
_MOST_LABELS = 30
_KINDS = {"GAUGE", "CUMULATIVE"}
_TYPES = {"BOOL", "INT64", "DOUBLE", "DISTRIBUTION"}


def kind_of(world: World, account: str, metric_type: str) -> tuple[str, str] | None:
    """Metric kind and value type; None for a metric that nobody knows. Needs the world's lock."""
    own = _table(world, account).get(metric_type)
    if own is not None:
        return str(own["metric_kind"]), str(own["value_type"])
    return GOOGLES.get(metric_type) or series.kinds(world, account).get(metric_type)


def require(world: World, account: str, metric_type: str) -> tuple[str, str]:
    """`kind_of`, or NOT_FOUND in the words of Cloud Monitoring."""
    found = kind_of(world, account, metric_type)
    if found is None:
        raise GoogleError(
            "NOT_FOUND",
            f'Cannot find metric(s) that match type = "{metric_type}". If a metric was created recently, it could take '
            "up to 10 minutes to become available. Please try again soon.",
        )
    return found


def keep(world: World, account: str, descriptor: Document) -> Document:
    """Check a user's descriptor and keep it. Raises INVALID_ARGUMENT. Needs the world's lock."""
    kind = str(descriptor.get("type", ""))
    if not kind.startswith(OURS) or not _TYPE.fullmatch(kind) or len(kind) > 200:
        raise invalid(f"metric_descriptor.type: {kind!r} must be like 'custom.googleapis.com/path/of_metric'.")
    if descriptor.get("metric_kind") not in _KINDS or descriptor.get("value_type") not in _TYPES:
        raise invalid(
            f"The kind {descriptor.get('metric_kind')} with the value type {descriptor.get('value_type')} is not "
            f"supported: kinds are {sorted(_KINDS)}, value types {sorted(_TYPES)}."
        )
    keys = [str(label.get("key", "")) for label in descriptor.get("labels", [])]
    if len(keys) > _MOST_LABELS or len(set(keys)) < len(keys) or not all(_LABEL.fullmatch(key) for key in keys):
        raise invalid(f"metric_descriptor.labels: at most {_MOST_LABELS} different keys like 'a_key'; they are {keys}.")
    name = f"projects/{world.project_id(account)}/metricDescriptors/{kind}"
    return _table(world, account).put(kind, {**descriptor, "name": name})


def _table(world: World, account: str) -> Table:
    return world.table(KIND, everywhere(account))


def _described(world: World, account: str, kind: str) -> Document:
    own = _table(world, account).get(kind)
    if own is not None:
        return own
    metric_kind, value_type = require(world, account, kind)
    name = f"projects/{world.project_id(account)}/metricDescriptors/{kind}"
    return {"name": name, "type": kind, "metric_kind": metric_kind, "value_type": value_type}


@rpc("MetricService.ListMetricDescriptors")
def list_metric_descriptors(call: Call) -> Document:
    """By `metric.type` alone."""
    found = parse(str(call.params.get("filter", "")))
    for comparison in found.comparisons:
        check(comparison)
        if comparison.path[:2] != ("metric", "type"):
            raise invalid(f"filter: {'.'.join(comparison.path)!r} does not select metric descriptors.")
    world, account = call.world, account_of(call.world, call.name)
    types = {
        **series.kinds(world, account),
        **GOOGLES,
        **dict.fromkeys(name for name, _ in _table(world, account).items()),
    }

    def wanted(kind: str) -> bool:
        def ask(comparison: Comparison) -> bool:
            return holds_text(kind, comparison)

        return found.test(ask)

    return page(
        call, [_described(world, account, kind) for kind in sorted(types) if wanted(kind)], "metric_descriptors"
    )


@rpc("MetricService.GetMetricDescriptor")
def get_metric_descriptor(call: Call) -> Document:
    """One descriptor."""
    return _described(call.world, account_of(call.world, call.name), _tail(call, "metricDescriptors"))


@rpc("MetricService.CreateMetricDescriptor")
def create_metric_descriptor(call: Call) -> Document:
    """New, or replaced: Cloud Monitoring updates the user's descriptor of that type."""
    return keep(call.world, account_of(call.world, str(call.params.get("name", ""))), call.params["metric_descriptor"])


@rpc("MetricService.DeleteMetricDescriptor")
def delete_metric_descriptor(call: Call) -> None:
    """The user's own only; its data goes with it."""
    account, kind = account_of(call.world, call.name), _tail(call, "metricDescriptors")
    if not kind.startswith(OURS):
        raise invalid(f"Only user-defined metric descriptors can be deleted, not {kind!r}.")
    if _table(call.world, account).delete(kind) is None:
        raise not_found(shown(call.world, call.name))
    series.forget(call.world, account, kind)


def _tail(call: Call, collection: str) -> str:
    _, found, tail = call.name.partition(f"/{collection}/")
    if not found or not tail:
        raise invalid(f"The name {call.name!r} is not of the form 'projects/*/{collection}/*'.")
    return tail


def _resource(call: Call, kind: str) -> dict[str, Any]:
    name = f"projects/{call.world.project_id(account_of(call.world, call.name))}/monitoredResourceDescriptors/{kind}"
    return {"name": name, "type": kind, "labels": [{"key": key} for key in RESOURCES[kind]]}


@rpc("MetricService.ListMonitoredResourceDescriptors")
def list_resource_descriptors(call: Call) -> Document:
    """Those that the mock writes to or lets be written to."""
    if call.params.get("filter"):
        raise invalid("filter: this mock lists all monitored resource descriptors; ask for one by its name.")
    return page(call, [_resource(call, kind) for kind in sorted(RESOURCES)], "resource_descriptors")


@rpc("MetricService.GetMonitoredResourceDescriptor")
def get_resource_descriptor(call: Call) -> Document:
    """One of them."""
    kind = _tail(call, "monitoredResourceDescriptors")
    if kind not in RESOURCES:
        raise not_found(shown(call.world, call.name))
    return _resource(call, kind)
