"""The gRPC front, in the clear: one generic handler over the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from cloudml_vertex.mock.core import catalog, wire
from cloudml_vertex.mock.core.errors import GoogleError
from cloudml_vertex.mock.core.operations import Document
from cloudml_vertex.mock.face.answering import Gate, Lost, answer

_THREADS = 32
_MESSAGE = 64 * 1024 * 1024
_DETAILS = error_details_pb2.DESCRIPTOR
"""Imported so that details of errors are known by name."""


class GrpcServer:
    """Answers at `port`. Raises OSError when it cannot be had."""

    def __init__(self, gate: Gate, port: int = 0) -> None:
        options = (("grpc.max_receive_message_length", _MESSAGE), ("grpc.so_reuseport", 0))
        pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="mock-grpc")
        self._server = grpc.server(pool, handlers=(_Handler(gate),), options=options)
        try:
            self.port: int = self._server.add_insecure_port(f"127.0.0.1:{port}")
        except RuntimeError as error:
            raise OSError(str(error)) from error

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self) -> None:
        """End what is under way."""
        self._server.stop(grace=1.0).wait(5.0)


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a method's path; None, and so UNIMPLEMENTED, when no client knows it."""
        method = catalog.find(handler_call_details.method)
        if method is None:
            return None
        make = _MAKERS[method.client_streaming, method.server_streaming]
        work = _Rpc(self._gate, method)
        call = work.many if method.server_streaming else work.one
        return make(call, request_deserializer=method.request.FromString, response_serializer=_bytes)


_MAKERS: dict[tuple[bool, bool], Callable[..., Any]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def _bytes(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


class _Rpc:
    def __init__(self, gate: Gate, method: catalog.Method) -> None:
        self._gate = gate
        self._method = method

    def one(self, request: Any, context: Any) -> Any:
        """Answer with one message."""
        try:
            return self._answer(request, context)
        except GoogleError as error:
            _abort(context, error)
        except Lost:
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    def many(self, request: Any, context: Any) -> Iterator[Any]:
        """Answer with a stream."""
        try:
            yield from self._answer(request, context)
        except GoogleError as error:
            _abort(context, error)
        except Lost:
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    def _answer(self, request: Any, context: Any) -> Any:
        headers = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        stream: Iterator[Document] | None = None
        if self._method.client_streaming:
            first = next(request, None)
            stream = (wire.document(message) for message in request)
            request = first if first is not None else self._method.request()
        told: dict[str, str] = {}
        result = answer(self._gate.world(), self._method, request, http=headers, stream=stream, headers=told)
        if told:
            context.send_initial_metadata([(key.lower(), value) for key, value in told.items()])
        return result


def _abort(context: Any, error: GoogleError) -> NoReturn:
    status = json_format.ParseDict(error.status(), status_pb2.Status())
    context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("abort raises")
