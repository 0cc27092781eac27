"""A model server of the standard library: doubles numbers, and does what odd records ask for."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SEEN = {"now": 0, "most": 0, "flaky": 0}
LOCK = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/execution-parameters" and "PARAMETERS" in os.environ:
            self.answer(200, os.environ["PARAMETERS"])
        else:
            self.answer(200 if self.path == "/ping" and "SICK" not in os.environ else 404, "")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        with LOCK:
            SEEN["now"] += 1
            SEEN["most"] = max(SEEN["most"], SEEN["now"])
        try:
            self.invoke(body)
        finally:
            with LOCK:
                SEEN["now"] -= 1

    def invoke(self, body: str) -> None:
        verb, _, rest = body.partition(":")
        if verb == "bad":
            self.answer(400, "no such record")
        elif verb == "flaky":
            with LOCK:
                SEEN["flaky"] += 1
            self.answer(500 if SEEN["flaky"] <= int(rest) else 200, "at last")
        elif verb == "sleep":
            time.sleep(float(rest))
            self.answer(200, "slept")
        elif verb == "most":
            time.sleep(0.3)
            self.answer(200, str(SEEN["most"]))
        elif verb == "environment":
            self.answer(200, json.dumps(dict(os.environ)))
        elif verb == "headers":
            self.answer(200, json.dumps({key.lower(): value for key, value in self.headers.items()}))
        elif verb == "model":
            self.answer(200, Path("/opt/ml/model/name.txt").read_text())
        elif verb == "count":
            self.answer(200, str(len(body.splitlines())))
        elif body.startswith("["):
            self.answer(200, "\n".join(json.dumps({"sum": sum(json.loads(line))}) for line in body.splitlines()))
        else:
            self.answer(200, "\n".join(str(sum(map(float, line.split(",")))) for line in body.splitlines()))

    def answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", os.environ.get("MEDIA", "text/plain"))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


if __name__ == "__main__":
    assert sys.argv[1:] == ["serve"], sys.argv
    if "GONE" in os.environ:
        raise SystemExit("cannot load the model")
    print("serving", flush=True)
    ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))), Handler).serve_forever()
