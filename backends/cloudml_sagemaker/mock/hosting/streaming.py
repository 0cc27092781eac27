"""InvokeEndpointWithResponseStream: the container's answer in parts, as it writes them."""

from __future__ import annotations

import http.client
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack
from typing import Any

from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.hosting import invoke, multimodel
from cloudml_sagemaker.mock.hosting.containers import InvocationFailed, Reply

STREAM_SECONDS = 480.0
"""Real seconds for each part: eight minutes for a streamed answer (developer guide, quotas)."""
_PART = 65536


@operation(
    "InvokeEndpointWithResponseStream",
    service="sagemaker-runtime",
    executes="the container's answer is passed on part by part as events",
    locked=False,
)
def invoke_stream(call: Call) -> Parameters:
    """The answer's head, then its parts; a container that breaks off ends the stream with ModelStreamError."""
    began = time.perf_counter()
    leased = invoke.lease(call)
    stack = ExitStack()
    stack.callback(leased.release)
    try:
        body = bytes(call.params["Body"])
        invoke.check_request(call.params, leased, len(body))
        _check_single(leased)
        invoke.copy_to_shadow(leased, call.params, body)
        response = _begin(leased, call.params, body, stack, began)
    except BaseException:
        stack.close()
        raise
    headers = {name.lower(): value for name, value in response.getheaders()}
    media = headers.get("content-type", "application/octet-stream")
    parts = _parts(leased, call.params, body, response, headers, stack)
    return {"Body": parts, **invoke.answer_headers(leased, headers, media)}


def _check_single(leased: invoke.Leased) -> None:
    if multimodel.is_multi(leased.target.fleet["Models"][leased.variant]):
        raise invoke.refused("Response streaming of multi-model endpoints is not served by this mock.")


def _begin(
    leased: invoke.Leased, params: Mapping[str, Any], body: bytes, stack: ExitStack, began: float
) -> http.client.HTTPResponse:
    start = time.perf_counter()
    status = 200
    target = params.get("TargetContainerHostname") or ""
    try:
        stream = leased.server.stream("/invocations", body, invoke.request_headers(params), STREAM_SECONDS, target)
        return stack.enter_context(stream)
    except InvocationFailed as error:
        status = error.status
        raise invoke.model_error(leased, error) from None
    finally:
        spent = {"ModelLatency": (time.perf_counter() - start) * 1e6, "OverheadLatency": (start - began) * 1e6}
        invoke.count(leased, status, spent)


def _parts(
    leased: invoke.Leased,
    params: Mapping[str, Any],
    body: bytes,
    response: http.client.HTTPResponse,
    headers: Mapping[str, str],
    stack: ExitStack,
) -> Generator[bytes]:
    kept: list[bytes] = []
    with stack:
        while True:
            try:
                part = response.read1(_PART)
            except (OSError, http.client.HTTPException) as error:
                raise AwsError("ModelStreamError", f"The model's response stream broke off: {error}") from None
            if not part:
                break
            kept.append(part)
            yield part
        invoke.record(leased, params, body, Reply(200, headers, b"".join(kept)))
