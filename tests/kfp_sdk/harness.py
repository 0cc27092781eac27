"""What is said of a pipeline: its runs and their right end. Written down beside each pipeline, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REGISTRY = "europe-docker.pkg.dev/team/tools"
SHELL = f"{REGISTRY}/shell:1"
PYTHON = f"{REGISTRY}/python:1"
BUCKET = "team-data"
ROOT = f"gs://{BUCKET}/root"

DONE, CACHED, FAILED, NOT_TRIGGERED = "SUCCEEDED", "SKIPPED", "FAILED", "NOT_TRIGGERED"
NEVER = "-"
"""A task that did not run: Vertex shows no detail of it, or NOT_TRIGGERED; which one is not published."""


@dataclass(frozen=True)
class Run:
    """One job and its right end.

    `why` names the source. `state` is the end of the job without PIPELINE_STATE_. `tasks` are all tasks that may have a
    detail, by the names from the root down joined with full stops, iterations of loops left out; the value is the
    state, or in loops a sorted list, one each. `said` are the lines that containers wrote down, in any order;
    `ordered`, when true, in this one. `parameters` go to runtime_config, `policy` is its failure_policy. `errors` are
    words of a task's error. `values` are output parameters as the task's execution in Vertex ML Metadata has them.
    `artifacts` are outputs by task and name: {"type": schema title, "metadata": ..., "text": content}.
    `jobs` are members of the CustomJob that a task ran as; `at_once` how many tasks of a path ran at a time, at most.
    `doubt` names what Google does not publish and the expectation takes for granted.
    """

    name: str
    why: str
    state: str
    tasks: Mapping[str, str | list[str]]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    policy: str = ""
    said: tuple[str, ...] = ()
    ordered: bool = False
    errors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    artifacts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    jobs: Mapping[str, Any] = field(default_factory=dict)
    at_once: Mapping[str, int] = field(default_factory=dict)
    predictions: Mapping[str, Any] = field(default_factory=dict)
    objects: Mapping[str, int] = field(default_factory=dict)
    doubt: str = ""


@dataclass(frozen=True)
class Refused:
    """A CreatePipelineJob with these parameters: INVALID_ARGUMENT, and the message holds every word of `says`."""

    name: str
    why: str
    parameters: Mapping[str, Any]
    says: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A pipeline and what belongs to it in the outside world.

    Without `caching` the runs are submitted as the SDK does with `enable_caching=False`, so that each stands alone.
    """

    pipeline: Any
    runs: tuple[Run, ...]
    refused: tuple[Refused, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    caching: bool = False
