"""A model server of the standard library, under SageMaker's hosting contract; its environment says how it behaves."""

from __future__ import annotations

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODELS: dict[str, str] = {}
FORWARDED = ("X-Amzn-SageMaker-Custom-Attributes", "X-Amzn-SageMaker-Inference-Id", "Accept", "Content-Type")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.answer(int(os.environ.get("PING_STATUS", "200")), b"")

    def do_DELETE(self) -> None:
        MODELS.pop(self.path.rsplit("/", 1)[1], None)
        self.answer(200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/models":
            self.load(json.loads(body))
        elif self.path.startswith("/models/"):
            self.answer(200, MODELS[self.path.split("/")[2]].encode() + b":" + body)
        else:
            self.invoke(body.decode("utf-8", "replace"), body)

    def load(self, told: dict[str, str]) -> None:
        if len(MODELS) >= 1:
            self.answer(507, b"full")
            return
        MODELS[told["model_name"]] = Path(told["url"], "name.txt").read_text()
        self.answer(200, b"")

    def invoke(self, text: str, body: bytes) -> None:
        verb, _, rest = (os.environ.get("ALWAYS") or text).partition(":")
        if verb == "status":
            self.answer(int(rest), b"no good")
        elif verb == "sleep":
            time.sleep(float(rest))
            self.answer(200, b"slept")
        elif verb == "die":
            os._exit(3)
        elif verb == "headers":
            self.answer(200, json.dumps({name: self.headers.get(name) for name in FORWARDED}).encode())
        elif verb == "environment":
            self.answer(200, json.dumps(dict(os.environ)).encode())
        elif verb == "model":
            self.answer(200, json.dumps(files()).encode())
        elif verb == "stream":
            self.stream(rest.split(","))
        elif verb == "big":
            self.answer(200, b"x" * int(rest))
        else:
            self.answer(200, os.environ.get("ANSWER", "").encode() + body)

    def stream(self, parts: list[str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.wfile.write(f"{len(part):x}\r\n{part}\r\n".encode())
            self.wfile.flush()
            time.sleep(0.05)
        self.wfile.write(b"0\r\n\r\n")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", os.environ.get("MEDIA", "text/csv"))
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", self.headers.get(FORWARDED[0]) or "")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def files() -> dict[str, str]:
    root = Path("/opt/ml/model")
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


if __name__ == "__main__":
    print("arguments", sys.argv[1:], flush=True)
    if os.environ.get("DIE_AT_START"):
        raise SystemExit(1)
    Server(("127.0.0.1", int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))), Handler).serve_forever()
