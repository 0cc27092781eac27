"""Finding executions: those of the pipelines that bear the tags of this project and target, and no others."""

from __future__ import annotations

import difflib
import heapq
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from cloudml.errors import NotFound
from cloudml_sagemaker import names
from cloudml_sagemaker.client import Client
from cloudml_sagemaker.target import Place

PROJECT, TARGET, PIPELINE, MONITOR = "cloudml:project", "cloudml:target", "cloudml:pipeline", "cloudml:monitor"
_ID = re.compile(r"[a-z0-9]{12}")
"""The end of an execution's ARN (PipelineExecutionArn in the service model)."""
_ARN = re.compile(r"arn:[^:]+:sagemaker:[^:]+:\d{12}:pipeline/(?P<pipeline>[^/]+)/execution/(?P<id>[a-z0-9]+)")
_PARALLEL = 8
_SHOWN = 5


@dataclass(frozen=True)
class Owned:
    """A pipeline of this project and target. `monitor`: the one that it runs for, if it is no pipeline of its own."""

    name: str
    pipeline: str
    monitor: str = ""


class Executions:
    """Looks executions up through one client. Tags of a pipeline are read once."""

    def __init__(self, client: Client, place: Place) -> None:
        self._client = client
        self._place = place
        self._tags: dict[str, Mapping[str, str]] = {}

    def pipelines(self, pipeline: str | None = None) -> list[Owned]:
        """This target's pipelines, or the one that the author calls so. Raises AwsError."""
        if pipeline is None:
            request: dict[str, Any] = {"PipelineNamePrefix": self._stem()}
            listed = self._client.pages("sagemaker", "ListPipelines", "PipelineSummaries", **request)
            found = [one["PipelineName"] for one in listed]
        else:
            name = names.pipeline(self._place.project, self._place.target, pipeline)
            there = self._client.find("sagemaker", "DescribePipeline", PipelineName=name)
            found = [name] if there is not None else []
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="tags") as pool:
            owned = pool.map(self._owned, found)
            return [one for one in owned if one is not None]

    def arns(self, pipeline: str | None, limit: int) -> Iterator[Mapping[str, Any]]:
        """Summaries of the newest executions, at most `limit`; monitors' are left out. Raises AwsError."""
        mine = [one for one in self.pipelines(pipeline) if not one.monitor]
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="list") as pool:
            lists = pool.map(lambda one: self._of(one, limit), mine)
            every = [(row, one) for one, rows in zip(mine, lists, strict=True) for row in rows]
        for row, one in heapq.nlargest(limit, every, key=lambda pair: pair[0]["StartTime"]):
            yield {**row, "pipeline": one.pipeline}

    def find(self, run: str) -> str:
        """The ARN of a run by its id, its ARN, or `last`. Raises NotFound, AwsError."""
        if run == "last":
            newest = next(self.arns(None, 1), None)
            if newest is None:
                raise NotFound("there is no run yet", hint="cloudml run")
            return str(newest["PipelineExecutionArn"])
        given = _ARN.fullmatch(run)
        if given is not None:
            owner = self._owned(given["pipeline"])
            if owner is not None and self._there(run):
                return run
        elif _ID.fullmatch(run):
            arns = [self._place.arn("pipeline", f"{one.name}/execution/{run}") for one in self.pipelines()]
            with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="find") as pool:
                found = next((arn for arn, there in zip(arns, pool.map(self._there, arns), strict=True) if there), None)
            if found is not None:
                return found
        raise NotFound(f"there is no run {run!r} of this project and target", hint=self._known(run))

    def _known(self, run: str) -> str:
        ids = [one["PipelineExecutionArn"].rpartition("/")[2] for one in self.arns(None, 50)]
        close = difflib.get_close_matches(run, ids, _SHOWN)
        if close:
            return f"did you mean {', '.join(close)}?"
        return f"the newest are {', '.join(ids[:_SHOWN])}" if ids else "there is none yet: cloudml run"

    def _there(self, arn: str) -> bool:
        found = self._client.find("sagemaker", "DescribePipelineExecution", PipelineExecutionArn=arn)
        return found is not None

    def _of(self, one: Owned, limit: int) -> list[Mapping[str, Any]]:
        about = {"PipelineName": one.name, "SortBy": "CreationTime", "SortOrder": "Descending"}
        rows = self._client.pages(
            "sagemaker", "ListPipelineExecutions", "PipelineExecutionSummaries", limit=limit, **about
        )
        return list(rows)

    def _stem(self) -> str:
        """What the names of all pipelines of the target begin with, the hashed ones too (see `names.resource`)."""
        words = f"{self._place.project}-{self._place.target}".lower()
        return re.sub(r"[^a-z0-9]+", "-", words).strip("-")[: names.LONGEST_PIPELINE - 9].rstrip("-")

    def _owned(self, name: str) -> Owned | None:
        if name not in self._tags:
            arn = self._place.arn("pipeline", name)
            listed = self._client.pages("sagemaker", "ListTags", "Tags", ResourceArn=arn)
            self._tags[name] = {tag["Key"]: tag["Value"] for tag in listed}
        tags = self._tags[name]
        if tags.get(PROJECT) != self._place.project or tags.get(TARGET) != self._place.target:
            return None
        return Owned(name, tags.get(PIPELINE, name), tags.get(MONITOR, ""))
