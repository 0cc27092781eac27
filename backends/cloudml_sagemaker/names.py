"""Names in AWS's alphabets: unchanged when they are legal there, else cleaned and told apart by a hash.

Equal names give equal results, different ones different results. What is hashed ends in `-` and eight hex digits;
a name that happens to end so itself is hashed too, so that the two can never meet.
"""

from __future__ import annotations

import hashlib
import re

_HASHED = re.compile(r".*-[0-9a-f]{8}", re.DOTALL)
_LABEL = re.compile(r"[a-z0-9](-*[a-z0-9])*")
_STEP = re.compile(r"[A-Za-z0-9\-_]+")

LONGEST_STEP = 64
LONGEST_RESOURCE = 63
LONGEST_PIPELINE = 82
"""Longer ones were seen to fail when the pipeline is made, although the model allows 256."""


def step(name: str, role: str = "") -> str:
    """The name of a pipeline's step; `role` tells the generated ones apart (`fit`, "best" -> `fit-best`).

    Step and parameter names: `[A-Za-z0-9\\-_]{1,64}` (StepName in the service model).
    """
    wanted = f"{name}-{role}" if role else name
    if _STEP.fullmatch(wanted) and len(wanted) <= LONGEST_STEP:
        return wanted
    return _hashed(re.sub(r"[^A-Za-z0-9\-_]", "-", wanted), wanted, LONGEST_STEP)


def parameter(name: str) -> str:
    """The name of a pipeline's parameter: the alphabet of steps."""
    if _STEP.fullmatch(name) and len(name) <= LONGEST_STEP and not _HASHED.fullmatch(name):
        return name
    return _hashed(re.sub(r"[^A-Za-z0-9\-_]", "-", name), name, LONGEST_STEP)


def resource(*parts: str, longest: int = LONGEST_RESOURCE) -> str:
    """The name of a model, endpoint, group or pipeline from its parts, the last of which is the author's name for it.

    Alphabet `[a-zA-Z0-9](-*[a-zA-Z0-9])*` (EntityName in the service model), here in lower case only, because
    SageMaker writes names so in ARNs. Parts are joined by `-`; where that could be read in two ways (a part but the
    last holds a `-`) it is hashed.
    """
    wanted = "-".join(parts)
    plain = _LABEL.fullmatch(wanted) and len(wanted) <= longest and not _HASHED.fullmatch(wanted)
    if plain and not any("-" in part for part in parts[:-1]):
        return wanted
    cleaned = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")
    return _hashed(cleaned, "\0".join(parts), longest)


def schedule_group(project: str, target: str) -> str:
    """The group that all schedules of a project's target lie in. Schedules bear no tags, their group does."""
    return resource(project, target)


def pipeline(project: str, target: str, name: str) -> str:
    """The name of a pipeline in the account."""
    return resource(project, target, name, longest=LONGEST_PIPELINE)


def _hashed(cleaned: str, original: str, longest: int) -> str:
    digest = hashlib.sha256(original.encode()).hexdigest()[:8]
    stem = cleaned[: longest - 9].rstrip("-") or "x"
    return f"{stem}-{digest}"
