"""The authority of one start of the mock, and the certificates that it signs for Google's hosts."""

from __future__ import annotations

import ssl
import threading
from collections import OrderedDict
from pathlib import Path

_OWN = ("localhost", "127.0.0.1", "::1")
_KEPT = 256
"""Hosts whose certificates are kept; endpoints with a name of their own have one each."""
_PROTOCOLS = ["http/1.1", "h2"]
"""By preference: a client that can do both (curl) is answered by the HTTP front; gRPC offers `h2` alone."""


class Authority:
    """Signs certificates; `place` is the file by which clients trust it, in `folder`, which only the user can read."""

    def __init__(self, folder: Path) -> None:
        import trustme

        folder.mkdir(mode=0o700, exist_ok=True)
        self._authority = trustme.CA()
        self._contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()
        self._lock = threading.Lock()
        self.place = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self.place))

    def context(self, host: str) -> ssl.SSLContext:
        """What a server of that host needs to speak TLS, with HTTP/1.1 or HTTP/2 as the client asks (ALPN)."""
        with self._lock:
            found = self._contexts.pop(host, None) or self._made(host)
            self._contexts[host] = found
            if len(self._contexts) > _KEPT:
                self._contexts.popitem(last=False)
            return found

    def _made(self, host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(_PROTOCOLS)
        self._authority.issue_cert(*(_OWN if host in _OWN else (host,))).configure_cert(context)
        return context
