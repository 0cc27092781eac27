"""A model server by Vertex's contract for custom containers: AIP_HTTP_PORT, AIP_HEALTH_ROUTE, AIP_PREDICT_ROUTE.

Its model is a number in AIP_STORAGE_URI/factor (below /gcs here); a prediction is the instance times that number.
"""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODEL = os.environ.get("AIP_STORAGE_URI", "").replace("gs://", "/gcs/", 1)


def factor() -> float:
    """As Vertex says: the artifacts are under AIP_STORAGE_URI, which may name a copy in a bucket of Vertex's own."""
    return float(Path(MODEL, "factor").read_text())


class Handler(BaseHTTPRequestHandler):
    """GET is health, POST a prediction."""

    def do_GET(self) -> None:
        self.reply(200 if self.path == os.environ["AIP_HEALTH_ROUTE"] else 404, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != os.environ["AIP_PREDICT_ROUTE"]:
            self.reply(404, {})
            return
        values = [one["x"] if isinstance(one, dict) else one for one in body["instances"]]
        self.reply(200, {"predictions": [value * FACTOR for value in values]})

    def reply(self, status: int, body: dict[str, object]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


FACTOR = factor()
ThreadingHTTPServer(("127.0.0.1", int(os.environ["AIP_HTTP_PORT"])), Handler).serve_forever()
