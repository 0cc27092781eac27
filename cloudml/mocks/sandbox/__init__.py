"""Jobs as processes under a container's contract: folders at given paths, a log, a port, and an end with the mock."""

from __future__ import annotations

from cloudml.mocks.sandbox.choose import KINDS, open_sandbox, probe
from cloudml.mocks.sandbox.command import Command, JobLost, Mount, Process, Sandbox
from cloudml.mocks.sandbox.lazy import LazySandbox

__all__ = ["KINDS", "Command", "JobLost", "LazySandbox", "Mount", "Process", "Sandbox", "open_sandbox", "probe"]
