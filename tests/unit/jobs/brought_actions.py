"""Control actions as a cloud brings them."""

from __future__ import annotations

from typing import Any

from cloudml.jobs.conditions import NoChampion
from cloudml.jobs.context import Context


def deploy(action: dict[str, Any], context: Context) -> dict[str, Any]:
    return {"endpoint": {"name": "live", "run": context.run}, "reason": "it was there"}


def champion(wanted: dict[str, Any]) -> float:
    if wanted["alias"] == "nobody":
        raise NoChampion("nobody bears the alias", wanted["missing"] == "pass")
    return 0.8
