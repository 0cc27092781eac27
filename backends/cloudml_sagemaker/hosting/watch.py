"""Waiting for an endpoint: every status, what to wait for, and for how long.

Statuses: API reference, DescribeEndpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from cloudml_sagemaker.hosting import Aws, Document, Failed

CHANGING = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})
"""While one of them lasts AWS takes neither an update nor a deletion."""
SETTLED = frozenset({"InService", "Failed", "OutOfService", "UpdateRollbackFailed"})


_LOOKS = 8


@dataclass(frozen=True)
class Patience:
    """How long one waits: `limit` seconds in all, with pauses that grow to the last of them."""

    limit: float
    pauses: tuple[float, ...] = (0.5, 1.0, 2.0, 5.0, 10.0)
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    say: Callable[[str], None] = lambda _: None
    """Where news goes, line by line."""
    _begun: list[float] = field(default_factory=list)

    def pause(self, count: int, what: str) -> None:
        """Wait a little for the `count`-th time. Raises Failed: it has lasted too long."""
        if not self._begun:
            self._begun.append(self.now())
        if self.now() - self._begun[0] >= self.limit:
            raise Failed(
                f"{what} after {self.limit:g} s, and is not waited for any longer. Nothing is lost: the same command "
                "again goes on waiting"
            )
        self.sleep(self.pauses[min(count, len(self.pauses) - 1)])


def look(aws: Aws, name: str) -> Document | None:
    """The endpoint as it is; None when there is none."""
    return aws.find("sagemaker", "DescribeEndpoint", EndpointName=name)


def settled(aws: Aws, name: str, patience: Patience) -> Document | None:
    """The endpoint when nothing changes about it any more; None when there is none. Raises Failed: it takes too long.

    A status that is not known is waited for like one of those that pass.
    """
    count, told = 0, ""
    while True:
        found = look(aws, name)
        if found is None or found["EndpointStatus"] in SETTLED:
            return found
        news = progress(found)
        if news != told:
            patience.say(f"{name}: {news}")
            told = news
        patience.pause(count, f"the endpoint {name} is still changing ({found['EndpointStatus']})")
        count += 1


def seen(aws: Aws, name: str, patience: Patience) -> None:
    """Wait a little for an endpoint that was just made: AWS does not show it everywhere at once."""
    for count in range(_LOOKS):
        if look(aws, name) is not None:
            return
        patience.pause(count, f"the endpoint {name} is not to be seen yet")


def gone(aws: Aws, name: str, patience: Patience) -> None:
    """Wait until there is no such endpoint. Raises Failed: it takes too long."""
    count = 0
    while look(aws, name) is not None:
        patience.pause(count, f"the endpoint {name} is still being deleted")
        count += 1


def progress(found: Document) -> str:
    """Where a deployment stands, in AWS's words."""
    pending = found.get("PendingDeploymentSummary") or {}
    stages = [
        one.get("StatusMessage") or one.get("Status", "")
        for variant in pending.get("ProductionVariants") or ()
        for one in variant.get("VariantStatus") or ()
    ]
    status = str(found["EndpointStatus"])
    return f"{status}: {stages[0]}" if stages and stages[0] else status


def pending(found: Document) -> str:
    """The configuration that an update under way leads to; empty when there is none, or AWS does not tell."""
    return str((found.get("PendingDeploymentSummary") or {}).get("EndpointConfigName", ""))
