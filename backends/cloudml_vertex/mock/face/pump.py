"""Carrying bytes between two sockets, either of which may speak TLS, in one thread.

An SSL object must not be read and written by two threads at once, so that a thread for each direction will not do.
"""

from __future__ import annotations

import select
import socket
import ssl

_CHUNK = 65536
_HELD = 4 * _CHUNK
"""Bytes that wait for a slow reader before its writer has to wait too."""
_LATER = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class _End:
    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.socket = connection
        self.out = bytearray()
        """What this end is still to be sent."""
        self.ended = False

    def read_into(self, other: _End) -> bool:
        """Pass on what has arrived; whether something did."""
        if self.ended or len(other.out) >= _HELD:
            return False
        try:
            data = self.socket.recv(_CHUNK)
        except _LATER:
            return False
        self.ended = not data
        other.out += data
        return True

    def send(self) -> bool:
        """Send what waits; whether something went."""
        if not self.out:
            return False
        try:
            sent = self.socket.send(self.out)
        except _LATER:
            return False
        del self.out[:sent]
        return bool(sent)


def carry(first: socket.socket, second: socket.socket) -> None:
    """Pass on what either sends, until one ends and the other has all of it. Raises OSError when one breaks off."""
    left, right = _End(first), _End(second)
    while True:
        moved = [left.read_into(right), right.read_into(left), left.send(), right.send()]
        if (left.ended and not right.out) or (right.ended and not left.out):
            return
        if not any(moved):
            _wait(left, right)


def _wait(left: _End, right: _End) -> None:
    poller = select.poll()
    for end, other in ((left, right), (right, left)):
        events = (select.POLLOUT if end.out else 0) | (select.POLLIN if not end.ended and len(other.out) < _HELD else 0)
        if events:
            poller.register(end.socket, events)
    poller.poll()
