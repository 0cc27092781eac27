"""How the mock is started: the options that every mock cloud takes."""

from __future__ import annotations

from cloudml.mocks.port import MockOptions as Options

__all__ = ["Options"]
