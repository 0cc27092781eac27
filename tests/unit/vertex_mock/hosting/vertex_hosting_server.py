"""A model server of the standard library by Vertex's contract for custom containers; MODE says how it behaves.

The first instance says what is answered; other instances are multiplied by the number in AIP_STORAGE_URI/factor.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BORN = time.time_ns()
MODE = os.environ.get("MODE", "")
GATE = Path("/gcs/bucket/go")
MODEL = Path(os.environ.get("AIP_STORAGE_URI", "").replace("gs://", "/gcs/", 1), "factor")
FACTOR = float(MODEL.read_text()) if MODEL.exists() else 1.0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write for head and body

    def do_GET(self) -> None:
        well = self.path == os.environ["AIP_HEALTH_ROUTE"] and (MODE != "gate" or GATE.exists())
        self.answer(503 if MODE == "unhealthy" else 200 if well else 404, b"{}")

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != os.environ["AIP_PREDICT_ROUTE"]:
            self.answer(404, b"no such route")
            return
        try:
            body = json.loads(data)
        except ValueError:
            self.answer(200, data[::-1], self.headers["Content-Type"], {"X-Told": self.headers.get("X-Told", "")})
            return
        first = body["instances"][0]
        if first == "crash":
            os._exit(3)
        if first in ("sleep", "nap"):
            (GATE.parent / "asleep").touch()
            time.sleep(30 if first == "sleep" else 0.4)
        if isinstance(first, dict) and "status" in first:
            self.answer(first["status"], b"the model says no")
        elif first == "nonsense":
            self.answer(200, b"[1, 2]")
        else:
            odd = {"body": body, "environment": {key: value for key, value in os.environ.items() if key != "PATH"}}
            odd["argv"], odd["born"] = sys.argv[1:], BORN
            found = [
                one * FACTOR if isinstance(one, int | float) else odd.get(str(one), one) for one in body["instances"]
            ]
            extra = {"metadata": {"model": "tripler"}} if body.get("parameters") == {"metadata": True} else {}
            self.answer(200, json.dumps({"predictions": found, **extra}).encode())

    def answer(self, status: int, data: bytes, media: str = "application/json", more: Any = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Type": media, "Content-Length": str(len(data)), **(more or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Quiet."""


if MODE == "crash":
    sys.exit(1)
if MODE == "oom":
    os.kill(os.getpid(), signal.SIGKILL)
print("serving", flush=True)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["AIP_HTTP_PORT"])), Handler).serve_forever()
