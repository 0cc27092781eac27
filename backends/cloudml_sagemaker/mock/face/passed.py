"""Operations of SageMaker that the mock does not own but moto keeps records for: they get the strict check, then moto.

Nothing is executed for them. A room that comes to own one simply takes it: its own operations go first.
"""

from __future__ import annotations

from collections.abc import Mapping

_FAMILIES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "feature-group": ("the feature group's record; no store behind it", ("CreateFeatureGroup", "DescribeFeatureGroup")),
    "notebook-instance": (
        "the record of a notebook instance; nothing starts",
        (
            "CreateNotebookInstance", "DescribeNotebookInstance", "ListNotebookInstances", "StartNotebookInstance",
            "StopNotebookInstance", "DeleteNotebookInstance",
        ),
    ),
    "notebook-instance-lifecycle-config": (
        "the record of a lifecycle configuration",
        (
            "CreateNotebookInstanceLifecycleConfig", "DescribeNotebookInstanceLifecycleConfig",
            "DeleteNotebookInstanceLifecycleConfig",
        ),
    ),
    "domain": (
        "the record of a Studio domain", ("CreateDomain", "DescribeDomain", "ListDomains", "DeleteDomain"),
    ),
    "model-card": (
        "model cards and their versions",
        (
            "CreateModelCard", "DescribeModelCard", "ListModelCards", "ListModelCardVersions", "UpdateModelCard",
            "DeleteModelCard",
        ),
    ),
    "cluster": (
        "the record of a HyperPod cluster; no node runs",
        (
            "CreateCluster", "DescribeCluster", "DescribeClusterNode", "ListClusters", "ListClusterNodes",
            "DeleteCluster",
        ),
    ),
    "compilation-job": (
        "the record of a compilation job; nothing is compiled",
        ("CreateCompilationJob", "DescribeCompilationJob", "ListCompilationJobs", "DeleteCompilationJob"),
    ),
    "automl-job": (
        "the record of an AutoML job; nothing is trained",
        ("CreateAutoMLJobV2", "DescribeAutoMLJobV2", "ListAutoMLJobs", "StopAutoMLJob"),
    ),
}  # fmt: skip
"""By the resource type that stands in ARNs: what moto keeps, and the operations."""

PASSED: Mapping[str, str] = {operation: kept for kept, operations in _FAMILIES.values() for operation in operations}
"""Operation: what moto does with it."""

TAG_OPERATIONS = frozenset({"AddTags", "ListTags", "DeleteTags"})


def is_passed_arn(arn: object) -> bool:
    """Whether an ARN is of a resource that moto keeps."""
    parts = str(arn).split(":", 5)
    return len(parts) == 6 and parts[5].partition("/")[0] in _FAMILIES
