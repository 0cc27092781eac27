"""A model server of the standard library by Vertex's contract for custom containers, which does what instances ask for.

A number, or the first one of an array or an object, is multiplied by the number in AIP_STORAGE_URI/factor.
"""

from __future__ import annotations

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MODEL = Path(os.environ.get("AIP_STORAGE_URI", "").replace("gs://", "/gcs/", 1), "factor")
FACTOR = float(MODEL.read_text()) if MODEL.exists() else 1.0
HOLD = Path("/gcs/bucket/hold")
SEEN = {"flaky": 0}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(200 if self.path == os.environ["AIP_HEALTH_ROUTE"] else 404, "{}")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        instances = body["instances"]
        first = instances[0]
        if self.path != os.environ["AIP_PREDICT_ROUTE"]:
            self.answer(404, "no such route")
        elif first == "refuse":
            self.answer(400, "no such instance")
        elif first == "nonsense":
            self.answer(200, "[1, 2]")
        elif first == "short":
            self.answer(200, json.dumps({"predictions": [0] * (len(instances) - 1)}))
        elif first == "flaky" and SEEN["flaky"] < 2:
            SEEN["flaky"] += 1
            self.answer(503, "not now")
        else:
            if first == "wait":
                HOLD.touch()
                time.sleep(600)
            predictions = [predict(one, body) for one in instances]
            self.answer(200, json.dumps({"predictions": predictions}))

    def answer(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def predict(one: Any, body: dict[str, Any]) -> Any:
    """By instance."""
    odd = {
        "count": lambda: len(body["instances"]),
        "body": lambda: body,
        "environment": lambda: {key: value for key, value in os.environ.items() if key.startswith("AIP_")},
        "flaky": lambda: "at last",
    }
    if isinstance(one, str) and one in odd:
        return odd[one]()
    while isinstance(one, list | dict):
        one = one[0] if isinstance(one, list) else next(iter(one.values()))
    return one * FACTOR if isinstance(one, int | float) else one


print("serving", flush=True)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["AIP_HTTP_PORT"])), Handler).serve_forever()
