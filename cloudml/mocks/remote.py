"""Telling a mock that runs in another process what to do: its clock, its faults, its switches.

told = MockControl("http://127.0.0.1:5005")
told.reset()
told.advance(24 * 3600)
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from cloudml.errors import MockError

PREFIX = "/cloudml-mock/"


class MockControl:
    """The control interface of the mock at `url` (what AWS_ENDPOINT_URL holds).

    Every call raises MockError when the mock refuses it or cannot be reached; `timeout` is in seconds.
    """

    def __init__(self, url: str, timeout: float = 60.0) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or 80
        except ValueError:
            host = None
        if not host or parts.scheme != "http":
            raise MockError(f"{url!r} is no url of a mock", hint="it looks like http://127.0.0.1:PORT")
        self._host, self._port = host, port
        self._timeout = timeout
        self.url = url

    def health(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self._ask("GET", "health").get("status") == "ok")
        except MockError:
            return False

    def reset(self) -> None:
        """Forget everything: resources, objects, processes, faults, switches; the clock begins anew."""
        self._ask("POST", "reset")

    def now(self) -> datetime:
        """The mock's time, in UTC."""
        return datetime.fromisoformat(self._ask("GET", "clock")["now"])

    def advance(self, seconds: float) -> datetime:
        """Move a held clock on; what falls due on the way has happened when this returns."""
        return datetime.fromisoformat(self._ask("POST", "clock/advance", {"seconds": seconds})["now"])

    def add_fault(self, rule: str) -> None:
        """Arm a rule: `KIND:PATTERN[,count=N][,after=N][,probability=P][,seed=N][,seconds=S]`."""
        self._ask("POST", "faults", {"rule": rule})

    def faults(self) -> list[dict[str, Any]]:
        """The rules in force, each with how often it struck."""
        return list(self._ask("GET", "faults")["faults"])

    def clear_faults(self) -> None:
        """Disarm everything."""
        self._ask("DELETE", "faults")

    def switches(self) -> dict[str, str]:
        """Every switch and its choice."""
        return dict(self._ask("GET", "switches")["switches"])

    def choose(self, choices: Mapping[str, str]) -> None:
        """Set switches by name: all of them, or none when one is wrong."""
        self._ask("POST", "switches", dict(choices))

    def isolation(self) -> tuple[str, str]:
        """How the processes of jobs are kept apart, and why so."""
        found = self._ask("GET", "isolation")
        return found["isolation"], found["reason"]

    def operations(self) -> dict[str, Any]:
        """What is served, and what is passed on."""
        return self._ask("GET", "operations")

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            connection.request(method, PREFIX + path, json.dumps(body or {}), {"Content-Type": "application/json"})
            response = connection.getresponse()
            document = json.loads(response.read())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise MockError(f"the mock does not answer: {error or type(error).__name__}", where=self.url) from error
        finally:
            connection.close()
        if not isinstance(document, dict):
            raise MockError("what answers there is no mock", where=self.url)
        if response.status != 200:
            raise MockError(document.get("message", "refused"), hint=document.get("hint", ""), where=self.url)
        return document
