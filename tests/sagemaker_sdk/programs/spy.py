"""Says what a job sees: its arguments, its environment and everything below /opt/ml, with content.

`spy.py process ...` writes the report to the output `report`, `spy.py train` into the model, `spy.py serve` answers
/invocations with it. All of them leave some files behind, nested ones and a link too.
"""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

ML = Path("/opt/ml")


def tree() -> dict[str, str | None]:
    """Path -> text of every file below /opt/ml; None for a folder."""
    found: dict[str, str | None] = {}
    for path in sorted(ML.rglob("*")):
        found[str(path)] = None if path.is_dir() else path.read_text(errors="replace")
    return found


def report() -> dict[str, Any]:
    """What there is to see before the job has written anything."""
    return {"argv": sys.argv[1:], "environment": dict(os.environ), "files": tree()}


def leave(folder: Path, seen: dict[str, Any]) -> None:
    """Write the report, a nested file, an empty folder and a link into `folder`."""
    (folder / "nested" / "deeper").mkdir(parents=True, exist_ok=True)
    (folder / "empty").mkdir(exist_ok=True)
    (folder / "seen.json").write_text(json.dumps(seen, indent=1))
    (folder / "nested" / "deeper" / "weights.txt").write_text("0.5\n")


class Server(BaseHTTPRequestHandler):
    """/ping, and /invocations that says what the server saw and how it was asked."""

    seen: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        """Healthy."""
        self._answer({})

    def do_POST(self) -> None:
        """The report with the request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        names = ("Content-Type", "Accept", "X-Amzn-SageMaker-Custom-Attributes")
        asked = {"path": self.path, "body": body, "headers": {name: self.headers.get(name) for name in names}}
        self._answer(self.seen | {"request": asked})

    def _answer(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


def main() -> None:
    """Act by the first argument."""
    seen = report()
    if sys.argv[1] == "serve":
        Server.seen = seen
        port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
        ThreadingHTTPServer(("0.0.0.0", port), Server).serve_forever()
    elif sys.argv[1] == "train":
        leave(ML / "model", seen)
        data = ML / "output" / "data"
        data.mkdir(parents=True, exist_ok=True)
        (data / "extra.txt").write_text("extra\n")
        print("loss=0.25;", flush=True)
    else:
        leave(ML / "processing" / "output" / "report", seen)


if __name__ == "__main__":
    main()
