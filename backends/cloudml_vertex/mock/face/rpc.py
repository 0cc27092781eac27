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
_LONGEST = 1024
"""Bytes of an error's message on the wire. gRPC takes 8 KiB of trailers (`grpc.max_metadata_size`), and the message
stands in them twice; what is longer would reach the client as RESOURCE_EXHAUSTED. REST tells all of it."""
_VIOLATIONS = 3072
"""Bytes of all violations of a detail, for the same reason."""
_CUT = "..."
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
    context.abort_with_status(rpc_status.to_status(_status(error)))
    raise AssertionError("abort raises")


def _status(error: GoogleError) -> Any:
    """The error as google.rpc.Status, cut to what trailers hold."""
    found = error.status()
    found["message"] = _cut(error.message, _LONGEST)
    if error.details:
        found["details"] = [_shortened(detail) for detail in error.details]
    return json_format.ParseDict(found, status_pb2.Status())


def _shortened(detail: dict[str, Any]) -> dict[str, Any]:
    """A detail with the first of its violations, as many as there is room for."""
    if "field_violations" not in detail:
        return detail
    kept, room = [], _VIOLATIONS
    for violation in detail["field_violations"]:
        short = {key: _cut(str(value), _LONGEST // 2) for key, value in violation.items()}
        room -= sum(map(_size, short.values()))
        if room < 0:
            break
        kept.append(short)
    return {**detail, "field_violations": kept}


def _cut(text: str, room: int) -> str:
    """A text that takes no more than these bytes in a trailer."""
    if _size(text) <= room:
        return text
    used = len(_CUT)
    for position, character in enumerate(text):
        used += _size(character)
        if used > room:
            return text[:position] + _CUT
    return text


def _size(text: str) -> int:
    """Bytes in a trailer: what is not printable ASCII is percent-encoded there (gRPC over HTTP2, Status-Message)."""
    return sum(1 if " " <= one <= "~" and one != "%" else 3 * len(one.encode()) for one in text)
