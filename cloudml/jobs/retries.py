"""Whether a failed attempt is tried again in the same container, by the author's policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def delay(policy: Mapping[str, Any] | None, attempt: int, failed: Mapping[str, Any]) -> float | None:
    """Seconds until the attempt after number `attempt`, or None when there is none.

    `policy` is `spec.Retry` as a document; its `on` names classes of failure and exceptions, also base classes.
    """
    if policy is None or attempt >= policy["attempts"]:
        return None
    exception = str(failed.get("exception", ""))
    names = {failed.get("class"), exception, exception.rpartition(".")[2], *failed.get("bases", ())}
    if not names & set(policy["on"]):
        return None
    return float(min(policy["delay"] * policy["backoff"] ** (attempt - 1), policy["max_delay"]))
