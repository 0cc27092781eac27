"""From a PipelineSpec as sent to a Definition, or to a refusal with every problem and its path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cloudml_vertex.mock.pipelines.definition import interfaces, outputs, wireform
from cloudml_vertex.mock.pipelines.definition.checks import Surroundings, checked
from cloudml_vertex.mock.pipelines.definition.deployment import executors
from cloudml_vertex.mock.pipelines.definition.graph import order, recursive
from cloudml_vertex.mock.pipelines.definition.interfaces import LONGEST_DESCRIPTION
from cloudml_vertex.mock.pipelines.definition.model import Component, Container, Dag, Definition, Importer
from cloudml_vertex.mock.pipelines.definition.parameters import Switches
from cloudml_vertex.mock.pipelines.definition.problems import Problems, within
from cloudml_vertex.mock.pipelines.definition.tasks import Written, written
from cloudml_vertex.mock.pipelines.definition.uses import check_defaults, check_executor

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
"""Of `pipelineInfo.name`."""

_LONGEST_TASK_NAME = 128
"""Characters of a display name (the limit of Vertex AI's display names)."""

_SCHEMA_VERSIONS = {"2.1.0"}


def parse(spec: Mapping[str, Any], switches: Switches) -> Definition:
    """Read a PipelineSpec. Raises GoogleError INVALID_ARGUMENT with all problems at once.

    Field names may be as in the proto or in camelCase, as everywhere in proto3 JSON.
    """
    from kfp.pipeline_spec import pipeline_spec_pb2 as published  # type: ignore[import-untyped, unused-ignore]

    problems = Problems(LONGEST_DESCRIPTION if switches["long-descriptions"] == "refuse" else None)
    message = wireform.read(spec, published.PipelineSpec, "", problems)
    problems.raise_all()
    work = spec.get("deploymentSpec", spec.get("deployment_spec", {}))
    config = wireform.read(work, published.PipelineDeploymentConfig, "deploymentSpec", problems)
    problems.raise_all()
    _header(message, switches, problems)
    found = _Reader(message, executors(config, problems), switches, problems)
    definition = found.definition()
    problems.raise_all()
    return definition


def _header(message: Any, switches: Switches, problems: Problems) -> None:
    known = _SCHEMA_VERSIONS | ({"2.0.0"} if switches["pipeline-schema-2.0.0"] == "accept" else set())
    if message.schema_version not in known:
        problems.add("schemaVersion", f"{message.schema_version!r} is not supported; use {', '.join(sorted(known))}")
    if not _NAME.fullmatch(message.pipeline_info.name):
        shown = message.pipeline_info.name[:140]
        problems.add("pipelineInfo.name", f"{shown!r} does not match {_NAME.pattern}")
    if len(message.pipeline_info.description) > LONGEST_DESCRIPTION:
        problems.add("pipelineInfo.description", f"has more than {LONGEST_DESCRIPTION} characters")
    root = message.default_pipeline_root
    if root and not root.startswith(("gs://", "{{$")):
        problems.add("defaultPipelineRoot", f"{root!r} does not begin with gs://")


class _Reader:
    """Reads the components of one spec."""

    def __init__(
        self, message: Any, work: Mapping[str, Container | Importer], switches: Switches, problems: Problems
    ) -> None:
        self.message = message
        self.executors = work
        self.switches = switches
        self.problems = problems
        self.specs = {within("components", name): (name, spec) for name, spec in sorted(message.components.items())}
        self.specs["root"] = ("root", message.root)

    def definition(self) -> Definition:
        shells = {path: self._shell(name, spec, path) for path, (name, spec) in self.specs.items()}
        components = {shell.name: shell for path, shell in shells.items() if path != "root"}
        tasks = {path: self._written(spec, path) for path, (_, spec) in self.specs.items()}
        self._recursion(tasks)
        loops = {one.task.component for several in tasks.values() for one in several.values() if one.task.iterator}
        done = {
            path: self._filled(shell, tasks[path], components, shell.name in loops, path)
            for path, shell in shells.items()
        }
        if done["root"].dag is None:
            self.problems.add("root.dag", "is required")
        info = self.message.pipeline_info
        return Definition(
            name=info.name,
            root=done["root"],
            components={shell.name: shell for path, shell in done.items() if path != "root"},
            executors=self.executors,
            display_name=info.display_name,
            description=info.description,
            schema_version=self.message.schema_version,
            sdk_version=self.message.sdk_version,
            default_pipeline_root=self.message.default_pipeline_root,
        )

    def _shell(self, name: str, spec: Any, path: str) -> Component:
        """A component without what is inside."""
        gives, takes, problems = spec.output_definitions, spec.input_definitions, self.problems
        kind = spec.WhichOneof("implementation")
        if kind is None or (kind == "executor_label" and not spec.executor_label):
            problems.add(path, "requires a dag or an executorLabel")
        for field in ("single_platform_specs", "task_config_passthroughs"):
            if getattr(spec, field):
                problems.add(f"{path}.{field}", "is of Kubernetes platforms, not of Vertex AI")
        return Component(
            name,
            interfaces.input_parameters(takes, path, problems),
            interfaces.input_artifacts(takes, path, problems),
            interfaces.output_parameters(gives, path, problems),
            interfaces.output_artifacts(gives, path, problems),
            executor=spec.executor_label if kind == "executor_label" else None,
        )

    def _written(self, spec: Any, path: str) -> dict[str, Written]:
        if spec.WhichOneof("implementation") != "dag":
            return {}
        if not spec.dag.tasks:
            self.problems.add(f"{path}.dag.tasks", "is required")
        found: dict[str, Written] = {}
        for key, task in sorted(spec.dag.tasks.items()):
            where = within(f"{path}.dag.tasks", key)
            found[key] = written(key, task, where, self.problems)
            if not key or len(found[key].task.name) > _LONGEST_TASK_NAME:
                self.problems.add(f"{where}.taskInfo.name", f"a name has 1 to {_LONGEST_TASK_NAME} characters")
        return found

    def _recursion(self, tasks: Mapping[str, Mapping[str, Written]]) -> None:
        uses = {
            path: {within("components", one.task.component) for one in several.values()}
            for path, several in tasks.items()
        }
        for path in sorted(recursive(uses)):
            self.problems.add(path, "a component cannot contain itself, at any depth")

    def _filled(
        self, shell: Component, tasks: Mapping[str, Written], components: Mapping[str, Component], loop: bool, path: str
    ) -> Component:
        """A component with its DAG, everything in it checked."""
        check_defaults(shell, path, self.problems)
        spec = self.specs[path][1]
        if spec.WhichOneof("implementation") != "dag":
            if shell.executor:
                check_executor(shell, self.executors, path, self.problems)
            return shell
        around = Surroundings(shell, tasks, components, self.switches)
        done = {key: checked(one, around, self.problems) for key, one in tasks.items()}
        waits = {key: task.upstream for key, task in done.items()}
        dag = Dag(
            tasks=done,
            order=order(waits, f"{path}.dag.tasks", self.problems),
            parameters=outputs.parameters(spec.dag.outputs, around, loop, path, self.problems),
            artifacts=outputs.artifacts(spec.dag.outputs, around, loop, path, self.problems),
        )
        return replace(shell, dag=dag)
