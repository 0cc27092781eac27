"""The server process: bind at once, load the model in its thread, warm up, serve, drain on SIGTERM, exit 0."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cloudml.serving import protocol
from cloudml.serving.app import create_app
from cloudml.serving.batcher import Batcher, Predict
from cloudml.serving.lifetime import die_with
from cloudml.serving.options import OptionError, Options, read_options
from cloudml.serving.schema import FeatureSchema, Row
from cloudml.serving.state import ServerState

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

KEEP_ALIVE_SECONDS = 75
"""Longer than any client of ours keeps an idle connection, so that it is never the server that closes first."""

_GRACEFUL_SECONDS = 20
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")

_log = logging.getLogger("cloudml.serving")


class LoadedModel:
    """The predictor, once it is there."""

    def __init__(self) -> None:
        self._predict: Predict | None = None

    def load(self, options: Options) -> FeatureSchema:
        """Import, load, predict the sample rows once; what rows must have. Raises what the model raises, or ValueError.

        Where nothing was said about the features, the estimator's own names are what rows must have.
        """
        from cloudml.runtime.predictor import load_predictor

        predict = load_predictor(options.model, options.predictor, list(options.paths))
        rows = options.schema.conform(options.sample)
        if rows:
            values = list(predict(rows))
            if len(values) != len(rows):
                raise ValueError(f"the model gave {len(values)} predictions for {len(rows)} sample rows")
            protocol.render(values, "application/json")
        self._predict = predict
        return options.schema if options.schema.names else FeatureSchema(predict.features or ())

    def __call__(self, rows: list[Row]) -> Sequence[Any]:
        """Predict; only reached once loaded."""
        assert self._predict is not None
        return self._predict(rows)


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM or SIGINT. Returns 0 after a clean stop, 1 for a broken model, 2 for bad options."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        options = read_options(arguments, os.environ)
        if options.parent is not None:
            die_with(options.parent)
        listener = _listen(options)
    except (OptionError, OSError) as error:
        _log.error("cannot start: %s", error)
        return 2
    for variable in _ONE_THREAD:
        # Before the model's libraries are imported: threads beyond one per process cost CPU and gain no latency.
        os.environ.setdefault(variable, "1")
    with _runner() as runner:
        return runner.run(_serve(options, listener))


def _listen(options: Options) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((options.host, options.port))
    return listener


def _runner() -> asyncio.Runner:
    try:
        import uvloop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


async def _serve(options: Options, listener: socket.socket) -> int:
    state = ServerState(options.name, options.version, phase="starting", schema=options.schema)
    model = LoadedModel()
    app = create_app(
        model,
        model_version=options.version,
        limits=options.limits,
        state=state,
        health_route=options.health_route,
        predict_route=options.predict_route,
    )
    batcher: Batcher = app.state.batcher
    server = _uvicorn_server(app)
    stopping = _stop_on_signals(state, server, options.drain)
    loading = asyncio.create_task(_make_ready(options, model, batcher, state, server, listener.getsockname()[1]))
    await server.serve(sockets=[listener])
    if batcher.busy_for:
        # The interpreter would wait for the thread of a prediction, or of a model's loading, that hangs.
        os._exit(0)
    loading.cancel()
    stopping.cancel()
    batcher.close()
    return 1 if state.phase == "failed" else 0


async def _make_ready(
    options: Options, model: LoadedModel, batcher: Batcher, state: ServerState, server: uvicorn.Server, port: int
) -> None:
    try:
        state.schema = await batcher.run(lambda: model.load(options))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the model raises
        _log.error("the model cannot be served", exc_info=error)
        _log.error("the model cannot be served: %s: %s", type(error).__name__, error)
        state.phase, state.reason = "failed", f"{type(error).__name__} while loading"
        server.should_exit = True
        return
    if state.phase != "starting":
        return
    state.phase = "ready"
    _log.info("serving version %s of %s on port %d", options.version, options.name, port)
    if options.ready_file is not None:
        _write_ready_file(options, port)


def _write_ready_file(options: Options, port: int) -> None:
    assert options.ready_file is not None
    temporary = options.ready_file.with_name(options.ready_file.name + ".tmp")
    temporary.write_text(json.dumps({"port": port, "pid": os.getpid()}), encoding="utf-8")
    os.replace(temporary, options.ready_file)


def _uvicorn_server(app: Starlette) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        """Leaves the signals to us: uvicorn's own handling would end the process by the signal instead of with 0."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    return Server(
        uvicorn.Config(
            app,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        )
    )


def _stop_on_signals(state: ServerState, server: uvicorn.Server, drain: float) -> asyncio.Task[None]:
    """First fail health so that balancers look elsewhere, serve on for `drain` seconds, then close."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)

    async def stop() -> None:
        await asked.wait()
        serving = state.phase == "ready"
        state.phase = "draining"
        _log.info("stopping")
        await asyncio.sleep(drain if serving else 0)
        server.should_exit = True

    return asyncio.create_task(stop())
