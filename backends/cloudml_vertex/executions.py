"""Finding runs: the pipeline jobs that bear the labels of this project and target, and no others."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from cloudml.errors import NotFound
from cloudml_vertex.hosting.port import Google
from cloudml_vertex.target import Place

__all__ = ["MONITOR", "Executions"]

MONITOR = "cloudml-monitor"
"""The label of jobs that run for a monitor: they are no runs of the author's."""
_ID = re.compile(r"[a-z][a-z0-9-]{0,127}")
"""Of a pipeline job (CreatePipelineJobRequest.pipeline_job_id)."""
_NAME = re.compile(r"projects/[^/]+/locations/(?P<region>[^/]+)/pipelineJobs/(?P<id>[a-z][a-z0-9-]{0,127})")
_LONGEST_PAGE = 100
_SHOWN = 5


class Executions:
    """Looks runs up through one client."""

    def __init__(self, client: Google, place: Place) -> None:
        self._client = client
        self._place = place

    def jobs(self, pipeline: str | None, limit: int) -> Iterator[Mapping[str, Any]]:
        """The newest pipeline jobs, at most `limit`, as a list tells them: without tasks. Monitors' are left out.

        Raises what the client raises.
        """
        wanted = self._place.identity(pipeline or "")
        rows = self._client.pages(
            "PipelineService.ListPipelineJobs",
            "pipeline_jobs",
            parent=self._place.parent,
            filter=" AND ".join(f'labels.{key}="{value}"' for key, value in wanted.items()),
            order_by="create_time desc",
            page_size=max(1, min(limit, _LONGEST_PAGE)),
        )
        return islice((row for row in rows if MONITOR not in row.get("labels", {})), limit)

    def find(self, run: str) -> str:
        """The full name of a run's job by its id, its full name, or `last`. Raises NotFound, and as the client."""
        if run == "last":
            newest = next(self.jobs(None, 1), None)
            if newest is None:
                raise NotFound("there is no run yet", hint="cloudml run")
            return str(newest["name"])
        wanted = self._wanted(run)
        if wanted is not None:
            name = f"{self._place.parent}/pipelineJobs/{wanted}"
            found = self._client.find("PipelineService.GetPipelineJob", name=name)
            if found is not None and self._is_ours(found):
                return str(found["name"])
        raise NotFound(f"there is no run {run!r} of this project and target", hint=self._known(run))

    def _wanted(self, run: str) -> str | None:
        """The id that is meant. Google tells full names with the project's number, so only the region is compared;
        the job is looked for in this project whatever project was named.
        """
        given = _NAME.fullmatch(run)
        if given is not None:
            return given["id"] if given["region"] == self._place.region else None
        return run if _ID.fullmatch(run) else None

    def _is_ours(self, job: Mapping[str, Any]) -> bool:
        labels = job.get("labels", {})
        return all(labels.get(key) == value for key, value in self._place.identity().items())

    def _known(self, run: str) -> str:
        ids = [str(one["name"]).rpartition("/")[2] for one in self.jobs(None, 50)]
        close = difflib.get_close_matches(run, ids, _SHOWN)
        if close:
            return f"did you mean {', '.join(close)}?"
        return f"the newest are {', '.join(ids[:_SHOWN])}" if ids else "there is none yet: cloudml run"
