"""One model server process: started, awaited, probed, ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from cloudml_local.endpoint.deployment import Deployment
from cloudml_local.endpoint.launch import tail
from cloudml_local.endpoint.router.table import Target

_POLL_SECONDS = 0.02
_WARM_UP_ROWS = 100
_LONGEST_LOG = 8 * 1024 * 1024
_CLOUD_VARIABLES = ("AIP_HTTP_PORT", "AIP_HEALTH_ROUTE", "AIP_PREDICT_ROUTE", "SAGEMAKER_BIND_TO_PORT")

_log = logging.getLogger(__name__)


class NotReady(Exception):
    """A model server that will not serve; the message holds the last lines of its log."""


class ModelServer:
    """A child process around one copy of the model, and its place in the routing table."""

    def __init__(self, name: str, deployment: Deployment, folder: Path) -> None:
        self.target = Target(name)
        self.log_path = folder / f"{name}.log"
        self._deployment = deployment
        self._ready_path = folder / f"{name}.ready"
        self._sample_path = folder / f"{name}.sample.json"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def name(self) -> str:
        """Unique at this endpoint."""
        return self.target.name

    @property
    def pid(self) -> int | None:
        """The running process, if any."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    async def start(self, max_body: int) -> None:
        """Start the process; it binds a port of its own choice on loopback."""
        self._ready_path.unlink(missing_ok=True)
        self._sample_path.write_text(json.dumps(self._deployment.sample[:_WARM_UP_ROWS]), encoding="utf-8")
        with open(self.log_path, "ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(max_body),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._deployment.project or None,
                env=_environment(os.environ, self._deployment.environment),
                start_new_session=True,
            )

    async def wait_ready(self) -> None:
        """Until a warm-up prediction ran. Raises NotReady when the process ends first; the caller bounds the time."""
        assert self._process is not None
        while not self._ready_path.exists():
            if self._process.returncode is not None:
                raise NotReady(f"{self.exit_reason()}; its last words:\n{tail(self.log_path)}")
            await asyncio.sleep(_POLL_SECONDS)
        self.target.port = int(json.loads(self._ready_path.read_text(encoding="utf-8"))["port"])
        self.target.up = True

    async def wait_exit(self) -> None:
        """Until the process has ended."""
        assert self._process is not None
        await self._process.wait()
        self.target.up = False

    def exit_reason(self) -> str:
        """How the process ended, in words."""
        code = self._process.returncode if self._process is not None else None
        if code is not None and code < 0:
            return f"model server {self.name} was ended by {signal.Signals(-code).name}"
        return f"model server {self.name} exited with {code}"

    async def healthy(self, seconds: float) -> bool:
        """Does its health route answer 200 within `seconds`?"""
        url = f"http://127.0.0.1:{self.target.port}/health"
        try:
            return await asyncio.to_thread(_answers, url, seconds)
        except OSError:
            return False

    async def stop(self, grace: float) -> None:
        """SIGTERM, then SIGKILL for it and what it started after `grace` seconds."""
        self.target.up = False
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), grace)
            except TimeoutError:
                _log.warning("model server %s did not stop within %g s", self.name, grace)
        self.kill()
        await process.wait()

    def kill(self) -> None:
        """SIGKILL for the process and everything it started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                # The process leads a session of its own, so its number is its group's.
                os.killpg(self._process.pid, signal.SIGKILL)

    def keep_log_short(self) -> None:
        """Move a long log aside, under the feet of the process, which appends to the same file."""
        if self.log_path.exists() and self.log_path.stat().st_size > _LONGEST_LOG:
            kept = tail(self.log_path, lines=100_000, most_bytes=_LONGEST_LOG // 4)
            self.log_path.with_suffix(".log.1").write_text(kept, encoding="utf-8")
            os.truncate(self.log_path, 0)

    def forget_files(self) -> None:
        """Remove what only a running server needs; the log stays."""
        for path in (self._ready_path, self._sample_path):
            path.unlink(missing_ok=True)

    def _command(self, max_body: int) -> list[str]:
        d = self._deployment
        command = [
            sys.executable,
            "-P",
            "-m",
            "cloudml.serving",
            "--model",
            d.model_path,
            "--port",
            "0",
            "--drain",
            "0",
        ]
        command += ["--predictor", d.predictor or "", "--name", d.model, "--version", str(d.version)]
        command += ["--sample", str(self._sample_path), "--ready-file", str(self._ready_path)]
        command += ["--parent", str(os.getpid()), "--request-timeout", str(d.request_timeout)]
        command += ["--max-body", str(max_body), "--features", json.dumps(d.features) if d.features else ""]
        return command + (["--path", d.project] if d.project else [])


def _environment(inherited: Mapping[str, str], added: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """The server's environment. The clouds' variables would open it to the network: they have no meaning here."""
    merged = {**inherited, **dict(added), "PYTHONUNBUFFERED": "1"}
    return {name: value for name, value in merged.items() if name not in _CLOUD_VARIABLES}


def _answers(url: str, seconds: float) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=seconds) as response:
        return int(response.status) == 200
