"""The routes of the model server: SageMaker hosting, Vertex custom containers, OIP v2, health and metrics."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from cloudml.serving import oip, protocol
from cloudml.serving.batcher import Batcher, Predict
from cloudml.serving.middleware import REQUEST_ID, Observed
from cloudml.serving.problems import ModelFailed, RequestProblem
from cloudml.serving.schema import FeatureSchema, Row
from cloudml.serving.state import Limits, ServerState
from cloudml.serving.telemetry import prometheus

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

Endpoint: TypeAlias = "Callable[[Request], Awaitable[Response]]"

_log = logging.getLogger(__name__)

HEALTH_ROUTES = ("/health", "/ping", "/v2/health/ready")
PREDICT_ROUTES = ("/invocations", "/predict")


def create_app(
    predict: Predict,
    *,
    model_version: str,
    model_name: str = "model",
    schema: FeatureSchema | None = None,
    limits: Limits | None = None,
    state: ServerState | None = None,
    health_route: str | None = None,
    predict_route: str | None = None,
) -> Starlette:
    """The application around `predict`, which gets a list of rows and gives one JSON value for each.

    `schema` checks rows before they reach the model. An owner that brings its own `state` (which then holds name,
    version and schema) can hold requests back (503) until its phase is "ready". `health_route` and `predict_route`
    are added to the fixed routes (Vertex names them by deployment).
    """
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.routing import Route

    state = state or ServerState(model_name, model_version, schema=schema or FeatureSchema())
    handlers = _Handlers(predict, state, limits or Limits())
    health_routes = dict.fromkeys((*HEALTH_ROUTES, *([health_route] if health_route else ())))
    predict_routes = dict.fromkeys((*PREDICT_ROUTES, *([predict_route] if predict_route else ())))
    routes = [
        *(Route(path, handlers.health, methods=["GET"]) for path in health_routes),
        *(Route(path, handlers.predictions, methods=["POST"]) for path in predict_routes),
        Route("/execution-parameters", handlers.execution_parameters, methods=["GET"]),
        Route("/metrics", handlers.metrics, methods=["GET"]),
        Route("/v2", handlers.server_metadata, methods=["GET"]),
        Route("/v2/health/live", handlers.live, methods=["GET"]),
        *(
            Route(f"/v2/models/{{name}}{version}{suffix}", handler, methods=[method])
            for version in ("", "/versions/{version}")
            for suffix, handler, method in (
                ("", handlers.model_metadata, "GET"),
                ("/ready", handlers.model_ready, "GET"),
                ("/infer", handlers.infer, "POST"),
            )
        ),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Observed, state=handlers.state)],
        exception_handlers={HTTPException: _http_error, RequestProblem: _request_problem, ModelFailed: _model_failed},
    )
    app.state.server = handlers.state
    app.state.batcher = handlers.batcher
    return app


class _Handlers:
    """The endpoints, around one batcher."""

    def __init__(self, predict: Predict, state: ServerState, limits: Limits) -> None:
        self.state = state
        self.limits = limits
        self.batcher = Batcher(predict, max_rows=limits.max_batch)

    async def predictions(self, request: Request) -> Response:
        """SageMaker's /invocations and Vertex's predict route."""
        from starlette.responses import Response

        self._refuse_unless_ready()
        kind = protocol.content_type(request.headers.get("content-type", ""))
        answer = protocol.negotiate(request.headers.get("accept", ""), kind.format)
        rows = protocol.parse(await self._body(request), kind, self.state.schema)
        return Response(protocol.render(await self._predict(rows), answer), media_type=answer)

    async def infer(self, request: Request) -> Response:
        """OIP v2 inference."""
        self._refuse_unless_ready()
        self._check_model(request)
        document = protocol.load_json(await self._body(request))
        rows = oip.rows_of(document, self.state.schema)
        identifier = document.get("id") if isinstance(document, dict) else None
        return _json(
            oip.response(self.state.model_name, self.state.model_version, identifier, await self._predict(rows))
        )

    async def health(self, request: Request) -> Response:
        """200 only when predictions would be answered."""
        phase = self._phase()
        ready = phase == "ready"
        status, version = "ok" if ready else phase, self.state.model_version
        answer: dict[str, Any] = {"status": status, "ready": ready, "model_version": version}
        if self.state.reason:
            answer["reason"] = self.state.reason
        return _json(answer, 200 if ready else 503)

    async def live(self, request: Request) -> Response:
        """The process answers, ready or not."""
        return _json({"live": True})

    async def execution_parameters(self, request: Request) -> Response:
        """What a SageMaker batch transform should send."""
        megabytes = max(1, self.limits.max_body // (1024 * 1024))
        return _json({"MaxConcurrentTransforms": 4, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": megabytes})

    async def metrics(self, request: Request) -> Response:
        """Prometheus text."""
        from starlette.responses import Response

        labels = {"model": self.state.model_name, "version": self.state.model_version}
        gauges = [("cloudml_ready", "1 when predictions are answered.", float(self._phase() == "ready"))]
        text = prometheus(self.state.counters, labels, gauges)
        return Response(text, media_type="text/plain; version=0.0.4")

    async def server_metadata(self, request: Request) -> Response:
        """OIP v2 server metadata."""
        from cloudml import __version__

        return _json({"name": "cloudml", "version": __version__, "extensions": []})

    async def model_metadata(self, request: Request) -> Response:
        """OIP v2 model metadata."""
        self._check_model(request)
        inputs = [
            {"name": name, "datatype": _OIP_TYPES.get(self.state.schema.kinds.get(name, "any"), "BYTES"), "shape": [-1]}
            for name in self.state.schema.names
        ]
        return _json(
            {
                "name": self.state.model_name,
                "versions": [self.state.model_version],
                "platform": "cloudml",
                "inputs": inputs,
                "outputs": [{"name": "predictions", "datatype": "FP64", "shape": [-1]}],
            }
        )

    async def model_ready(self, request: Request) -> Response:
        """OIP v2 readiness of the one model."""
        self._check_model(request)
        ready = self._phase() == "ready"
        return _json({"name": self.state.model_name, "ready": ready}, 200 if ready else 503)

    def _phase(self) -> str:
        # A prediction that runs far longer than any client waits has hung the only thread there is.
        return "stalled" if self.batcher.busy_for > 2 * self.limits.request_timeout else self.state.phase

    def _refuse_unless_ready(self) -> None:
        # A draining server still answers what reaches it: only its health tells the balancer to go elsewhere.
        if self.state.phase not in ("ready", "draining"):
            detail = f": {self.state.reason}" if self.state.reason else ""
            raise RequestProblem(503, f"the model is not ready ({self.state.phase}){detail}", retry_after=1)

    def _check_model(self, request: Request) -> None:
        name, version = request.path_params["name"], request.path_params.get("version")
        if name != self.state.model_name:
            raise RequestProblem(404, f"no model {name!r} here; this server has {self.state.model_name!r}")
        if version is not None and version != self.state.model_version:
            raise RequestProblem(404, f"no version {version!r} here; this server has {self.state.model_version!r}")

    async def _body(self, request: Request) -> bytes:
        from starlette.requests import ClientDisconnect

        limit = self.limits.max_body
        too_large = RequestProblem(413, f"the body is larger than {limit} bytes; send fewer rows at once")
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise too_large
        parts: list[bytes] = []
        size = 0
        try:
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise too_large
                parts.append(part)
        except ClientDisconnect:
            raise RequestProblem(400, "the client went away before its request was complete") from None
        return b"".join(parts)

    async def _predict(self, rows: list[Row]) -> list[Any]:
        try:
            return await asyncio.wait_for(self.batcher.submit(rows), self.limits.request_timeout)
        except TimeoutError:
            raise RequestProblem(
                504, f"the model did not answer within {self.limits.request_timeout:g} seconds"
            ) from None


_OIP_TYPES = {"float": "FP64", "number": "FP64", "boolean": "BOOL"}


def _json(document: object, status: int = 200) -> Response:
    from starlette.responses import Response

    try:
        body = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise ModelFailed(f"a prediction cannot be written as JSON: {error}") from error
    return Response(body.encode(), status, media_type="application/json")


async def _http_error(request: Request, error: Exception) -> Response:
    from starlette.exceptions import HTTPException

    assert isinstance(error, HTTPException)
    messages = {
        404: f"no route {request.url.path!r}; predictions are at POST /invocations",
        405: f"{request.method} is not allowed on {request.url.path!r}",
    }
    response = _json({"error": messages.get(error.status_code, error.detail)}, error.status_code)
    response.headers.update(error.headers or {})
    return response


async def _request_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestProblem)
    response = _json({"error": error.message}, error.status)
    if error.retry_after is not None:
        response.headers["retry-after"] = str(error.retry_after)
    return response


async def _model_failed(request: Request, error: Exception) -> Response:
    """The client learns that it was the model; the traceback stays in the log, under the request's id."""
    assert isinstance(error, ModelFailed)
    request_id = request.scope.get(REQUEST_ID, "")
    _log.error("request %s: %s", request_id, error.reason, exc_info=error.__cause__ or error)
    return _json({"error": f"{error.reason}; the server's log has the details under request {request_id}"}, 500)
