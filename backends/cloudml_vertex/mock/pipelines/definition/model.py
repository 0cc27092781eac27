"""A pipeline as understood: frozen values, read from a PipelineSpec by `parse`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudml_vertex.mock.pipelines.definition.conditions import Condition, Selector
from cloudml_vertex.mock.pipelines.definition.values import Value

SUCCEEDED = "ALL_UPSTREAM_TASKS_SUCCEEDED"
COMPLETED = "ALL_UPSTREAM_TASKS_COMPLETED"

ArtifactType = Mapping[str, str]
"""`ArtifactTypeSchema`: schemaTitle, schemaUri or instanceSchema, and schemaVersion."""


@dataclass(frozen=True)
class ParameterInput:
    """A parameter that a component takes. `default` counts only with `has_default`."""

    name: str
    type: str
    optional: bool = False
    default: Value = None
    has_default: bool = False
    literals: tuple[Value, ...] = ()


@dataclass(frozen=True)
class ArtifactInput:
    """An artifact, or a list of them, that a component takes."""

    name: str
    type: ArtifactType
    is_list: bool = False
    optional: bool = False


@dataclass(frozen=True)
class ParameterOutput:
    """A parameter that a component gives."""

    name: str
    type: str


@dataclass(frozen=True)
class ArtifactOutput:
    """An artifact, or a list of them, that a component gives, with the metadata that it begins with."""

    name: str
    type: ArtifactType
    is_list: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Constant:
    """A value that the spec itself holds."""

    value: Value
    selector: Selector | None = None


@dataclass(frozen=True)
class FromInput:
    """An input of the component around; for an importer, of its own."""

    name: str
    selector: Selector | None = None


@dataclass(frozen=True)
class FromTask:
    """An output of a task in the same DAG."""

    task: str
    key: str
    selector: Selector | None = None


@dataclass(frozen=True)
class FinalStatus:
    """How a task in the same DAG ended (PipelineTaskFinalStatus)."""

    task: str
    selector: Selector | None = None


Source = Constant | FromInput | FromTask | FinalStatus


@dataclass(frozen=True)
class Retry:
    """`PipelineTaskSpec.RetryPolicy`: retries, and in seconds the first wait, its factor and the longest wait."""

    count: int
    backoff: float
    factor: float
    max: float


@dataclass(frozen=True)
class Iterator:
    """What a task is repeated over: parameters or artifacts; `items` is a list or the name of an input of the task."""

    kind: str
    items: Constant | FromInput
    item_input: str


@dataclass(frozen=True)
class Task:
    """One task of a DAG. `upstream` is all that it waits for; `parallelism` 0 is no limit."""

    key: str
    name: str
    component: str
    parameters: Mapping[str, Source] = field(default_factory=dict)
    artifacts: Mapping[str, Source] = field(default_factory=dict)
    dependent: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    cache: bool = False
    cache_key: str = ""
    retry: Retry | None = None
    condition: Condition | None = None
    strategy: str = SUCCEEDED
    iterator: Iterator | None = None
    parallelism: int = 0


@dataclass(frozen=True)
class ParameterOutputRule:
    """Where a DAG's output parameter comes from: task and output, or the first of several that is there (`oneof`)."""

    selectors: tuple[tuple[str, str], ...]
    oneof: bool = False


@dataclass(frozen=True)
class Dag:
    """Tasks, an order in which each comes after all it waits for, and what the DAG gives."""

    tasks: Mapping[str, Task]
    order: tuple[str, ...] = ()
    parameters: Mapping[str, ParameterOutputRule] = field(default_factory=dict)
    artifacts: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Component:
    """What a task runs: a DAG, or the executor of a label."""

    name: str
    parameters: Mapping[str, ParameterInput] = field(default_factory=dict)
    artifacts: Mapping[str, ArtifactInput] = field(default_factory=dict)
    output_parameters: Mapping[str, ParameterOutput] = field(default_factory=dict)
    output_artifacts: Mapping[str, ArtifactOutput] = field(default_factory=dict)
    dag: Dag | None = None
    executor: str | None = None


@dataclass(frozen=True)
class Resources:
    """What a container asks for: texts (Kubernetes quantities) where given, else numbers (CPUs, GB); 0 is nothing."""

    cpu_limit: str | float = 0.0
    memory_limit: str | float = 0.0
    cpu_request: str | float = 0.0
    memory_request: str | float = 0.0
    accelerator_type: str = ""
    accelerator_count: str | int = 0


@dataclass(frozen=True)
class Container:
    """A container executor; its texts hold placeholders."""

    label: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    resources: Resources = Resources()


@dataclass(frozen=True)
class Importer:
    """An importer: an artifact of `type` at `uri`, with metadata whose texts hold placeholders."""

    label: str
    uri: Constant | FromInput
    type: ArtifactType
    metadata: Mapping[str, Any] = field(default_factory=dict)
    reimport: bool = False


@dataclass(frozen=True)
class Definition:
    """A whole pipeline."""

    name: str
    root: Component
    components: Mapping[str, Component]
    executors: Mapping[str, Container | Importer]
    display_name: str = ""
    description: str = ""
    schema_version: str = ""
    sdk_version: str = ""
    default_pipeline_root: str = ""
