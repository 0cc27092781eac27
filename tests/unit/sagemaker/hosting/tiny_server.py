"""A model server under SageMaker's hosting contract: it answers by its model's version.

On bare sockets, because `http.server` takes longer to import than all else that a test waits for here.
"""

from __future__ import annotations

import os
import socket
import threading


def serve(connection: socket.socket) -> None:
    """The requests of one connection, one after another."""
    stream = connection.makefile("rb")
    while line := stream.readline():
        length = 0
        while header := stream.readline().strip():
            name, _, value = header.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        status, body = answer(line.split()[0], stream.read(length))
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)


def answer(method: bytes, body: bytes) -> tuple[str, bytes]:
    """To a ping, or to an invocation with that body."""
    if method == b"GET":
        return "200 OK", b""
    print("asked", body.decode(), flush=True)
    version = os.environ["CLOUDML_MODEL_VERSION"].encode()
    if body == b"fail" or (body == b"fail two" and version == b"2"):
        return "500 Internal Server Error", b"no good"
    return "200 OK", b'{"version": ' + version + b"}"


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")))) as listening:
        while True:
            threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()
