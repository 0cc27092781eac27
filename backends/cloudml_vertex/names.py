"""Names in Google's alphabets: unchanged when they are legal there, else cleaned and told apart by a hash.

Equal names give equal results, different ones different results. What is hashed ends in `-` and eight hex digits; a
name that happens to end so itself is hashed too, so that the two can never meet.
"""

from __future__ import annotations

import hashlib
import re

_HASHED = re.compile(r".*-[0-9a-f]{8}", re.DOTALL)
_RESOURCE = re.compile(r"[a-z](-*[a-z0-9])*")
_STEP = re.compile(r"[a-z](-*[a-z0-9])*")
_PARAMETER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_LABEL = re.compile(r"[a-z0-9_-]+")

LONGEST_STEP = 63
LONGEST_RESOURCE = 63
"""Of a model's, an endpoint's and a monitor's id (docstrings of their create requests)."""
LONGEST_LABEL = 63
"""Characters of a label's value ("Labels overview" of Resource Manager)."""
LONGEST_PIPELINE = 64
"""So that a pipeline job's id, 128 characters at most, has room for the run's part."""


def step(name: str, role: str = "") -> str:
    """The name of a task; `role` tells the generated ones apart (`fit`, "best" -> `fit-best`)."""
    wanted = f"{name}-{role}" if role else name
    if _STEP.fullmatch(wanted) and len(wanted) <= LONGEST_STEP and not _HASHED.fullmatch(wanted):
        return wanted
    return _hashed(_cleaned(wanted), wanted, LONGEST_STEP)


def parameter(name: str) -> str:
    """The name of a pipeline's parameter."""
    if _PARAMETER.fullmatch(name) and len(name) <= LONGEST_STEP and not _HASHED.fullmatch(name):
        return name
    return _hashed(re.sub(r"[^A-Za-z0-9_-]", "-", name).lstrip("-_"), name, LONGEST_STEP)


def resource(*parts: str, longest: int = LONGEST_RESOURCE) -> str:
    """The id of a model, endpoint, topic or the like from its parts, the last of which is the author's name for it.

    Alphabet `[a-z](-*[a-z0-9])*`, which all of Google's ids take. Parts are joined by `-`; where that could be read in
    two ways (a part but the last holds a `-`) it is hashed.
    """
    wanted = "-".join(parts)
    plain = _RESOURCE.fullmatch(wanted) and len(wanted) <= longest and not _HASHED.fullmatch(wanted)
    if plain and not any("-" in part for part in parts[:-1]):
        return wanted
    return _hashed(_cleaned(wanted), "\0".join(parts), longest)


def pipeline(project: str, target: str, name: str) -> str:
    """The name of a pipeline in the project."""
    return resource(project, target, name, longest=LONGEST_PIPELINE)


def label(text: str) -> str:
    """The value of a label: lower case letters, digits, `_` and `-`."""
    if _LABEL.fullmatch(text) and len(text) <= LONGEST_LABEL and not _HASHED.fullmatch(text):
        return text
    return _hashed(re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-"), text, LONGEST_LABEL)


def _cleaned(wanted: str) -> str:
    found = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")
    return found if found[:1].isalpha() else f"x-{found}".rstrip("-")


def _hashed(cleaned: str, original: str, longest: int) -> str:
    digest = hashlib.sha256(original.encode()).hexdigest()[:8]
    stem = cleaned[: longest - 9].rstrip("-") or "x"
    return f"{stem}-{digest}"
