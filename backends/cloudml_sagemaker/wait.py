"""Waiting for a run to end. AWS's and its SDK's own waiters know some ends only; this one ends at every status."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from cloudml.backend.records import Listener, RunRecord
from cloudml.remote.wait import Polling, Told
from cloudml.remote.wait import wait as wait_for
from cloudml_sagemaker.describe import Describer, Execution
from cloudml_sagemaker.refusals import AwsError

__all__ = ["Polling", "Told", "wait"]


def wait(
    describer: Describer,
    arn: str,
    listener: Listener | None = None,
    *,
    stay: bool = False,
    polling: Polling = Polling(),  # noqa: B008 - frozen
    tend: Callable[[Execution], None] | None = None,
    since: datetime | None = None,
    patience: float | None = None,
) -> RunRecord:
    """The record of the run once it has ended, or, unless told to `stay`, waits for a person.

    See `cloudml.remote.wait.wait` for the rest. Raises AwsError, CloudmlError when it takes longer than `patience`
    seconds.
    """

    def look(new: bool) -> Execution | None:
        return _look(describer, arn, new)

    run = arn.rpartition("/")[2]
    return wait_for(look, run, listener, stay=stay, polling=polling, tend=tend, since=since, patience=patience)


def _look(describer: Describer, arn: str, new: bool) -> Execution | None:
    """The state now; None when AWS does not show yet what was begun just now."""
    try:
        return describer.execution(arn)
    except AwsError as error:
        if error.kind == "missing" and new:
            return None
        raise
