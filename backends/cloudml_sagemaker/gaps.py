"""Where a mock of AWS ends. moto keeps records and runs nothing, and does not serve every operation: that is the
mock's gap, told as one, and neither trouble of AWS's nor a crash of ours.

moto is known by what it leaves in its answers: the server `amazon.com` that none of AWS's services calls itself
(moto/core/responses.py), and Werkzeug's error page where an operation is missing in its server.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from cloudml_sagemaker.refusals import AwsError, Call

__all__ = ["MockGap", "canned", "from_moto", "gap_in_answer", "gap_in_error", "made_up"]

MOTO = "moto"
OWN = "this mock of AWS"
"""How cloudml's mock calls itself when it refuses an operation that it does not serve."""

_OPERATION_MISSING = "not served by this mock of AWS"
_CANNED = {"ContentType": "content_type", "InvokedProductionVariant": "invoked_production_variant"}
"""What moto answers to InvokeEndpoint unless it was told otherwise (moto/sagemakerruntime/models.py)."""


class MockGap(AwsError):
    """A mock was asked for what it does not do. Never tried again."""

    code = "CML547"

    def __init__(self, call: Call, mock: str, message: str) -> None:
        hint = (
            f"this is the mock's gap, not AWS's: `cloudml mock sagemaker` serves and runs more than {mock} does"
            if mock == MOTO
            else "take that part out of what is tried on the mock, or try it in an account"
        )
        super().__init__("mock", call.operation, call.code, message, request_id=call.request_id, hint=hint)
        self.message = message


def gap_in_error(error: Exception, call: Call) -> MockGap | None:
    """The gap behind an exception of Python's that came out of a call: moto raises in the process that asks it."""
    if not _passed_moto(error.__traceback__):
        return None
    if isinstance(error, NotImplementedError):
        return MockGap(call, MOTO, f"{MOTO} does not serve {call.service}:{call.operation}")
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return MockGap(call, MOTO, f"{MOTO} broke while it served {call.service}:{call.operation} ({said})")


def gap_in_answer(call: Call, headers: Mapping[str, str]) -> MockGap | None:
    """The gap behind a refusal: moto's server shows an error page, cloudml's mock says it in words."""
    if _OPERATION_MISSING in call.message:
        return MockGap(call, OWN, f"{OWN} does not serve {call.service}:{call.operation}")
    page = call.message.lstrip().lower().startswith("<!doctype html")
    if page and headers.get("server", "").startswith("Werkzeug"):
        return MockGap(call, MOTO, f"{MOTO}'s server does not serve {call.service}:{call.operation}, or broke over it")
    return None


def from_moto(answer: Any) -> bool:
    """Whether an answer of the SDK's, with its ResponseMetadata, is moto's."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}) if isinstance(answer, Mapping) else {}
    return "amazon.com" in str(headers.get("server", "")).split(", ")


def canned(answer: Mapping[str, Any]) -> bool:
    """Whether an answer to InvokeEndpoint is the fixed one that moto gives for any endpoint, there or not."""
    return all(answer.get(member) == text for member, text in _CANNED.items())


def made_up(endpoint: str) -> MockGap:
    """The gap behind a canned answer."""
    call = Call("sagemaker-runtime", "InvokeEndpoint", "", "Canned", "")
    return MockGap(call, MOTO, f"{MOTO} asks no model: its answer for endpoint {endpoint!r} is a fixed text")


def _passed_moto(trace: TracebackType | None) -> bool:
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == MOTO:
            return True
        trace = trace.tb_next
    return False
