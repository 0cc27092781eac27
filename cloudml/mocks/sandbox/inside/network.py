"""A job's private network: its loopback, and ways out of it to single addresses of the host.

A socket belongs to the network it was made in, whoever holds it. So the way in needs no forwarding: a socket made
inside is handed to the mock, which connects it. The way out is a listening socket made inside and served outside.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import threading

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
_CHUNK = 1 << 16

Address = tuple[str, int]


def raise_loopback() -> None:
    """A new network namespace has a loopback interface, and it is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        request = struct.pack("16sH22x", b"lo", 0)
        (flags,) = struct.unpack("16xH22x", fcntl.ioctl(handle, _SIOCGIFFLAGS, request))
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | _IFF_UP))


def lead_out(channel: socket.socket, addresses: list[Address]) -> None:
    """In the private network: listen at the host's addresses, and send what listens to the carrier."""
    listeners = [socket.create_server((host, port), backlog=128) for host, port in addresses]
    socket.send_fds(channel, [b"."], [listener.fileno() for listener in listeners])
    for end in (*listeners, channel):
        end.close()


def carry(channel: socket.socket, addresses: list[Address]) -> None:
    """In the host's network: serve what the private one sends by connections to these addresses, until killed."""
    told, descriptors, _, _ = socket.recv_fds(channel, 1, len(addresses))
    if not told:
        return
    threads = [
        threading.Thread(target=_accept, args=(socket.socket(fileno=fd), (host, port)))
        for fd, (host, port) in zip(descriptors, addresses, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _accept(listener: socket.socket, address: Address) -> None:
    while True:
        inner, _ = listener.accept()
        threading.Thread(target=_join, args=(inner, address), daemon=True).start()


def _join(inner: socket.socket, address: Address) -> None:
    try:
        outer = socket.create_connection(address)
    except OSError:
        inner.close()
        return
    with inner, outer:
        for end in (inner, outer):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=_pump, args=(outer, inner), daemon=True)
        back.start()
        _pump(inner, outer)
        back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass on until the source ends, then say so to the sink: the other direction may still be in use."""
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
