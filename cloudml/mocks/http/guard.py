"""Only programs of this machine are answered: no web page, whatever name it gave to 127.0.0.1 (DNS rebinding)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit


def stranger(environ: Mapping[str, Any]) -> str:
    """Why the request is refused; "" when it is from a program of this machine."""
    if "HTTP_ORIGIN" in environ:
        return "Requests of web pages are refused."
    host = str(environ.get("HTTP_HOST", ""))
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        name = "?"
    return "" if is_loopback(name) else f"The host {host[:100]!r} is not this machine's loopback."


def is_loopback(name: str) -> bool:
    """Whether a host's name can only be this machine (RFC 6761: `localhost` and all below it)."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
