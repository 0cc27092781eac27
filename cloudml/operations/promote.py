"""A model version from one target into another: the same bytes, told by their digest."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from cloudml.backend.port import Models, Target
from cloudml.backend.records import ModelVersion
from cloudml.errors import Refused
from cloudml.operations.session import open_session


@dataclass(frozen=True)
class Promoted:
    """The version here, and what it is there."""

    source: ModelVersion
    adopted: ModelVersion


def find(models: Models, model: str, which: str) -> ModelVersion:
    """The version of a number or an alias. Raises NotFound."""
    return models.get(model, version=int(which)) if which.isdecimal() else models.get(model, alias=which)


def promote_into(
    source: Target, goal: Target, model: str, which: str, alias: str | None, who: str, reason: str
) -> Promoted:
    """Bring an approved version, a number or an alias, into the other target, and give it the alias there.

    Safe to repeat: the same content is found there, not registered again. Raises NotFound, Refused, CorruptArtifact.
    """
    if source.name == goal.name:
        raise Refused(f"{goal.name!r} is where the version is already", hint="--into names another target")
    if source.backend != goal.backend:
        raise Refused(
            f"a version goes from target to target of one backend; {source.name!r} is of {source.backend!r}, "
            f"{goal.name!r} of {goal.backend!r}",
            hint=f"deploy the pipeline to {goal.name!r}, where it trains and registers",
        )
    with tempfile.TemporaryDirectory(prefix="cloudml-promote-") as place:
        folder = Path(place, "version")
        with open_session(source) as here:
            found = find(here.models, model, which)
            _approved(found)
            folder.mkdir()
            sent = here.models.export(found.model, found.version, folder)
        with open_session(goal) as there:
            adopted = there.models.adopt(folder, who, reason)
            if adopted.digest != sent.digest:
                raise Refused(
                    f"{goal.name} holds other content as {adopted.model}/{adopted.version} than was sent",
                    hint=f"compare {sent.digest} with {adopted.digest}; no alias was moved",
                )
            if alias is not None:
                adopted = there.models.promote(adopted.model, adopted.version, alias, who, reason)
    return Promoted(sent, adopted)


def _approved(found: ModelVersion) -> None:
    name = f"{found.model}/{found.version}"
    if found.approval != "approved":
        raise Refused(
            f"{name} is {found.approval}: only an approved version is promoted",
            hint=f"cloudml approve {name} --reason …",
        )
