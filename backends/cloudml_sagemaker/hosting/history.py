"""What an endpoint served before: the tag `cloudml:history`, the configurations it was asked to serve, newest first.

It is written before an update is asked for, and names the one in service too; so it is right at every moment, whether
the update succeeds, is rolled back, or whoever asked for it dies.
"""

from __future__ import annotations

import re

TAG = "cloudml:history"
KEPT = 4
"""Names of at most 63 characters; a tag's value has 256."""


def asked(history: str, live: str, wanted: str) -> str:
    """The tag when an endpoint that serves `live` is asked to serve `wanted`; what came after `live` failed."""
    names = history.split()
    before = names[names.index(live) :] if live in names else [live, *names] if live else names
    return " ".join([wanted, *(name for name in before if name != wanted)][:KEPT])


def previous(history: str, live: str) -> list[str]:
    """What it served before `live`, the latest first."""
    names = history.split()
    return names[names.index(live) + 1 :] if live in names else names


def clean(text: str) -> str:
    """A text as a tag's value takes it (letters, digits, spaces and `_.:/=+-@`, 256 characters)."""
    return re.sub(r"[^\w .:/=+\-@]", "_", re.sub(r"\s+", " ", text)).strip()[:256]
