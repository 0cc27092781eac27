"""Requests by hand."""

from __future__ import annotations

from collections.abc import Callable

AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
)

Ask = Callable[..., tuple[int, dict[str, str], bytes]]
