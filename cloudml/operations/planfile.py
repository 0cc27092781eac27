"""A plan that was saved: what it was made for, so that an apply later can tell whether that still holds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from cloudml.errors import ProjectError, Refused
from cloudml.plan import Observed, Resource

FORMAT = 1
_LISTED = 5
"""Differences that a refusal names; the next plan lists all."""

Digests: TypeAlias = tuple[tuple[str, str, str], ...]
"""(kind, name, digest) of each thing, sorted."""


def digests(resources: Iterable[Resource]) -> Digests:
    """What tells two sets of resources apart."""
    return tuple(sorted((one.kind, one.name, one.digest) for one in resources))


@dataclass(frozen=True)
class PlanFile:
    """The content of the file. `plan` is what was shown; an apply rests on the digests."""

    project: str
    target: str
    pipeline: str
    prune: bool
    desired: Digests
    observed: Digests
    plan: dict[str, Any]

    def check(
        self, project: str, target: str, pipeline: str, resources: Iterable[Resource], observed: Iterable[Observed]
    ) -> None:
        """Raises Refused (CML530) with what differs from the moment the plan was made."""
        for noun, mine, given in (
            ("project", self.project, project),
            ("target", self.target, target),
            ("pipeline", self.pipeline, pipeline),
        ):
            if mine != given:
                raise Refused(f"the plan was made for {noun} {mine!r}, not {given!r}", code="CML530", hint=_ANEW)
        code = _listed(list(_differing(self.desired, digests(resources))))
        world = _listed(list(_differing(self.observed, digests(one.live for one in observed))))
        told = [f"the code declares otherwise now: {code}"] if code else []
        told += [f"the world has moved since: {world}"] if world else []
        if told:
            raise Refused(f"the plan is stale; {'; '.join(told)}", code="CML530", hint=_ANEW)


_ANEW = "make the plan anew with `cloudml plan --save FILE`, and look at it"


def _differing(then: Digests, now: Digests) -> Iterator[str]:
    old = {(kind, name): digest for kind, name, digest in then}
    new = {(kind, name): digest for kind, name, digest in now}
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            what = "is new" if key not in old else "is gone" if key not in new else "changed"
            yield f"{key[0]} {key[1]} {what}"


def _listed(differences: list[str]) -> str:
    more = len(differences) - _LISTED
    return ", ".join(differences[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def write(path: Path, content: PlanFile) -> None:
    """Write the file whole or not at all. Raises ProjectError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps({"format": FORMAT, **asdict(content)}, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise ProjectError(
            f"the plan cannot be written: {error.strerror}", where=str(path), hint="name another file"
        ) from None


def load(path: Path) -> PlanFile:
    """Raises ProjectError for a file that is none of ours."""
    try:
        stored = json.loads(path.read_bytes())
    except OSError as error:
        raise ProjectError(f"the plan cannot be read: {error.strerror}", where=str(path), hint=_ANEW) from None
    except ValueError:
        stored = None
    try:
        return _parsed(stored)
    except (KeyError, TypeError, ValueError):
        raise ProjectError("this is no plan of this version of cloudml", where=str(path), hint=_ANEW) from None


def _parsed(stored: Mapping[str, Any]) -> PlanFile:
    if stored["format"] != FORMAT:
        raise ValueError("another format")
    words = {name: str(stored[name]) for name in ("project", "target", "pipeline")}
    desired, observed = (
        tuple((str(kind), str(name), str(digest)) for kind, name, digest in stored[part])
        for part in ("desired", "observed")
    )
    return PlanFile(
        **words, prune=stored["prune"] is True, desired=desired, observed=observed, plan=dict(stored["plan"])
    )
