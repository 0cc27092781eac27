"""Labels by which what cloudml made is found again, and told from what others made."""

from __future__ import annotations

from collections.abc import Mapping

from cloudml.errors import Refused
from cloudml_vertex.target import Place
from cloudml_vertex.world import World

PIPELINE = "cloudml-pipeline"


def is_ours(labels: Mapping[str, str], place: Place) -> bool:
    """Whether the labels are of this project's target."""
    return all(labels.get(key) == value for key, value in place.identity().items())


def refuse_foreign(world: World, what: str, labels: Mapping[str, str]) -> None:
    """Raises Refused (CML534): somebody else's thing has the name."""
    if not is_ours(labels, world.place):
        raise Refused(
            f"{what} is there already, and it does not belong to project {world.place.project}, "
            f"target {world.place.target}",
            code="CML534",
            hint="cloudml never takes over what it did not make: rename one of the two, or remove the other",
        )
