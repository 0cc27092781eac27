"""Codecs: how values become artifacts and come back. The libraries that they serve are imported only when used."""

from __future__ import annotations

from cloudml.runtime.codecs.base import Codec, CodecError, UnknownType
from cloudml.runtime.codecs.compatibility import type_accepts
from cloudml.runtime.codecs.names import parse_type_name, public_name
from cloudml.runtime.codecs.registry import codec_for, codec_for_value, read_value

__all__ = [
    "Codec",
    "CodecError",
    "UnknownType",
    "codec_for",
    "codec_for_value",
    "parse_type_name",
    "public_name",
    "read_value",
    "type_accepts",
]
