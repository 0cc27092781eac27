"""Opening a target's backend, and listing what is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cloudml.backend.port import Session, Target
from cloudml.discovery import BackendInfo, backends, load_backend

__all__ = ["BackendInfo", "backends", "open_session"]


@contextmanager
def open_session(target: Target) -> Iterator[Session]:
    """The backend's world, closed at the end of the block."""
    session = load_backend(target.backend).connect(target)
    try:
        yield session
    finally:
        session.close()
