"""An open SageMaker target: one account, region and prefix, asked through one client. Opening it asks nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cloudml.backend.port import Target
from cloudml.backend.records import Collected, Destroyed
from cloudml.errors import Refused
from cloudml.plan import Observed, Plan, Resource
from cloudml_sagemaker.client import Client
from cloudml_sagemaker.resources.kind import World
from cloudml_sagemaker.runs import SagemakerRuns
from cloudml_sagemaker.target import Place

if TYPE_CHECKING:
    from cloudml_sagemaker.endpoint import SagemakerEndpoints
    from cloudml_sagemaker.registry import SagemakerModels


class SagemakerSession:
    """Speaks `cloudml.backend.port.Session`. `source`: where the project's modules lie."""

    def __init__(self, place: Place, source: Path, client: Client | None = None) -> None:
        self.world = World(client or Client(place), place, source)

    @cached_property
    def runs(self) -> SagemakerRuns:
        """Executions of this target's pipelines."""
        return SagemakerRuns(self.world, lambda: self.models)

    @cached_property
    def models(self) -> SagemakerModels:
        """The model registry."""
        from cloudml_sagemaker.registry import SagemakerModels

        return SagemakerModels(self.world)

    @cached_property
    def endpoints(self) -> SagemakerEndpoints:
        """Live endpoints."""
        from cloudml_sagemaker.endpoint import SagemakerEndpoints

        return SagemakerEndpoints(self.world)

    def observe(self, resources: Sequence[Resource]) -> list[Observed]:
        from cloudml.remote.observing import observe

        return observe(self.world, resources)

    def apply(self, resources: Sequence[Resource], plan: Plan) -> None:
        from cloudml.remote.applying import apply

        apply(self.world, resources, plan)

    def destroy(self, dry_run: bool, keep_data: bool) -> Destroyed:
        from cloudml_sagemaker.resources.destroying import destroy

        return destroy(self.world, dry_run, keep_data)

    def collect(self, keep_runs: int, dry_run: bool, verify: bool) -> Collected:
        base = self.world.place.base
        raise Refused(
            f"what lies below {base}/runs cannot be cleared by runs: SageMaker's step cache hands out the outputs of "
            "old runs, and a later run would look for them in vain",
            hint=f"give the bucket a lifecycle rule for the prefix {self.world.place.prefix}/runs/ that is longer than "
            "your steps' cache (a year when they set no limit); `cloudml destroy` removes everything",
        )

    def close(self) -> None:
        """Nothing stays open: each call is one of its own."""


def connect(target: Target) -> SagemakerSession:
    """The session of a target. Raises SpecError (CML330) for wrong settings."""
    return SagemakerSession(Place.of(target), target.source or target.root)
