"""TLS on loopback for both fronts at one port, as Google's hosts have it: HTTP/2 is gRPC, HTTP/1.1 is REST."""

from __future__ import annotations

import socket

from cloudml.mocks.http.listening import Address, Listener
from cloudml.mocks.http.serving import WsgiApp, converse
from cloudml_vertex.mock.face.certificates import Authority
from cloudml_vertex.mock.face.pump import carry

GREETING = 10.0
"""Seconds (real) that a client has to say where it wants to, and to begin with TLS."""
MOST = 256
"""Connections at a time: far more than pools of connections hold, far fewer than would harm this machine."""
_GRPC = "h2"


class SecureServer(Listener):
    """`application` answers HTTP; gRPC goes on to the port `grpc`. Raises OSError when no port can be had."""

    def __init__(self, application: WsgiApp, authority: Authority, grpc: int) -> None:
        super().__init__()
        self._application = application
        self._authority = authority
        self._grpc = grpc

    def serve(self, connection: socket.socket, address: Address) -> None:
        """Answer one client."""
        connection.settimeout(GREETING)
        if self.connections <= MOST:
            self.speak(connection, address, "localhost", self._application)

    def speak(self, connection: socket.socket, address: Address, host: str, application: WsgiApp) -> None:
        """Be `host` to a client that begins with TLS."""
        # A copy: the listener ends connections by the socket that it knows.
        with self._authority.context(host).wrap_socket(connection.dup(), server_side=True) as secured:
            if secured.selected_alpn_protocol() == _GRPC:
                join(secured, self._grpc)
            else:
                converse(application, secured, address, self)


def join(connection: socket.socket, port: int) -> None:
    """Connect a client with a port of this machine. Raises OSError."""
    with socket.create_connection(("127.0.0.1", port), timeout=GREETING) as other:
        other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        carry(connection, other)
