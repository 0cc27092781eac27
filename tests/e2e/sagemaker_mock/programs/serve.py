"""Hosting: answers CSV rows of features with the probability of churn; a model marked as broken answers with 500."""

from __future__ import annotations

import json
import math
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
MODEL: dict[str, Any] = json.loads((BASE / "model" / "model.json").read_text())


def probability(row: str) -> float:
    values = [float(text) for text in row.split(",")]
    scaled = zip(values, MODEL["mean"], MODEL["scale"], MODEL["weights"], strict=True)
    return 1 / (1 + math.exp(-MODEL["bias"] - sum((value - mean) / scale * w for value, mean, scale, w in scaled)))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.reply(200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if MODEL.get("broken"):
            self.reply(500, b"this model is broken")
            return
        try:
            answer = "\n".join(f"{probability(row):.6f}" for row in body.splitlines())
        except ValueError as error:
            self.reply(400, str(error).encode())
            return
        self.reply(200, answer.encode(), MODEL.get("label", ""))

    def reply(self, status: int, body: bytes, attributes: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/csv")
        if attributes:
            self.send_header("X-Amzn-SageMaker-Custom-Attributes", attributes)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT") or 8080)
ThreadingHTTPServer(
    ("127.0.0.1" if "SAGEMAKER_BIND_TO_PORT" in os.environ else "0.0.0.0", port), Handler
).serve_forever()
