"""An image's own program, run as `server.py serve`: /ping and /invocations on port 8080."""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """CSV lines in (the first column is the charge), one 0 or 1 a line out."""

    threshold = 0.0

    def _answer(self, status: int, body: bytes, content_type: str = "text/csv") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """Health check; anything else, /execution-parameters too, is not known."""
        self._answer(200 if self.path == "/ping" else 404, b"")

    def do_POST(self) -> None:
        """Score the lines of the body."""
        text = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        try:
            charges = [float(line.split(",")[0]) for line in text.splitlines() if line]
        except ValueError:
            self._answer(400, b"not a number", "text/plain")
            return
        self._answer(200, "".join(f"{int(charge > self.threshold)}\n" for charge in charges).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet: the log belongs to the model."""


def main() -> None:
    """Load `/opt/ml/model/model.json` and serve."""
    if sys.argv[1:] != ["serve"]:
        raise SystemExit(f"expected the one argument `serve`, got {sys.argv[1:]}")
    Handler.threshold = float(json.loads(Path("/opt/ml/model/model.json").read_text())["threshold"])
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    ThreadingHTTPServer(("0.0.0.0", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
