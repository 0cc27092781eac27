"""Which codec serves a type: the built-in table first, then what other distributions offer."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from typing import Any

from cloudml.runtime.codecs import arrays, estimators, files, json_values, tables
from cloudml.runtime.codecs.base import Codec, CodecError, UnknownType
from cloudml.runtime.codecs.compatibility import ANYTHING
from cloudml.runtime.codecs.names import UNION, TypeName, parse_type_name, public_name

ENTRY_POINT_GROUP = "cloudml.codecs"
BUILTIN: tuple[Codec, ...] = (
    *json_values.CODECS,
    *files.CODECS,
    *tables.CODECS,
    *arrays.CODECS,
    *estimators.CODECS,
)
STRUCTURAL = (*json_values.CODECS, *estimators.CODECS)
BY_TYPE: dict[str, Codec] = {name: codec for codec in BUILTIN for name in codec.types}


def codec_for(type_name: str, stored_format: str | None = None) -> Codec:
    """The codec of a declared type; `stored_format` settles it when a stored artifact is read.

    Raises:
        UnknownType: there is none.
        CodecError: two distributions offer one, or the stored format is not of this type.
        ValueError: the name is malformed.
    """
    return _select(parse_type_name(type_name), stored_format)[0]


def read_value(path: str, type_name: str, stored_format: str) -> Any:
    """The value stored at `path`, as the declared type. Raises what `codec_for` and the codec raise."""
    codec, member = _select(parse_type_name(type_name), stored_format)
    return codec.read(path, str(member))


def codec_for_value(value: Any, declared: str) -> Codec:
    """The codec that stores `value`, declared as `declared`; the value's own class decides what the name leaves open.

    Raises:
        UnknownType: there is none.
        CodecError: two distributions offer one.
    """
    name = parse_type_name(declared)
    is_open = name.base == UNION or name.base in ANYTHING
    codec = (None if is_open else _named(name.base)) or _for_class(type(value))
    if codec is None:
        raise _unknown(public_name(type(value)))
    return estimators.codec_of(value) if codec in estimators.CODECS else codec


def _select(name: TypeName, stored_format: str | None) -> tuple[Codec, TypeName]:
    """The codec, and the member of a union that it serves."""
    if name.base == UNION:
        return _select_member(name, stored_format)
    codec = _named(name.base) if name.base not in ANYTHING or stored_format is None else None
    codec = codec or _for_format(name.base, stored_format) or _for_known_class(name.base)
    if codec is None:
        raise _unknown(str(name))
    if stored_format is not None and stored_format not in codec.reads:
        raise CodecError(f"a {stored_format} file cannot be read as {name}; its codec reads {', '.join(codec.reads)}")
    return codec, name


def _select_member(union: TypeName, stored_format: str | None) -> tuple[Codec, TypeName]:
    found: list[tuple[Codec, TypeName]] = []
    for member in union.args:
        try:
            found.append(_select(member, stored_format))
        except CodecError:
            continue
    if not found:
        raise _unknown(str(union))
    codec, member = next((choice for choice in found if choice[1].base != "None"), found[0])
    return codec, union if codec in json_values.CODECS else member


def _unknown(type_name: str) -> UnknownType:
    return UnknownType(
        f"no codec for {type_name}: return a table, an array, an estimator, a JSON value or a Path, "
        f"or install a codec (entry point group {ENTRY_POINT_GROUP!r})"
    )


def _named(type_name: str) -> Codec | None:
    if type_name in BY_TYPE:
        return BY_TYPE[type_name]
    return estimators.SKOPS if estimators.is_estimator_name(type_name) else _offered(type_name)


def _for_format(type_name: str, stored_format: str | None) -> Codec | None:
    """By the stored format: for `Any`, any codec's; for a class that no codec names, one that keeps it by structure."""
    if stored_format is None:
        return None
    codecs = (*BUILTIN, *(codec for _, codec in _third_party())) if type_name in ANYTHING else STRUCTURAL
    return next((codec for codec in codecs if codec.format == stored_format), None)


def _for_known_class(type_name: str) -> Codec | None:
    try:
        cls = json_values.resolve_type(parse_type_name(type_name))
    except (ImportError, AttributeError):
        return None
    return _for_class(cls) if isinstance(cls, type) else None


def _for_class(cls: type) -> Codec | None:
    """By the public names of a class and its bases, the nearest first; then by structure."""
    for base in cls.__mro__[:-1]:
        codec = _named(public_name(base))
        if codec is not None:
            return codec
    return json_values.CODECS[0] if json_values.is_json_class(cls) else None


@cache
def _third_party() -> tuple[tuple[str, Codec], ...]:
    """Every codec that an installed distribution offers, with the distribution's name."""
    from importlib.metadata import entry_points

    offers: list[tuple[str, Codec]] = []
    for point in entry_points(group=ENTRY_POINT_GROUP):
        distribution = point.dist.name if point.dist is not None else point.value
        try:
            loaded = point.load()
        except Exception as error:  # noqa: BLE001 - one broken distribution must not take the others along
            sys.stderr.write(f"cloudml: the codecs of {distribution} cannot be loaded: {error}\n")
            continue
        codecs: Iterable[Codec] = (loaded,) if isinstance(loaded, Codec) else loaded
        offers.extend((distribution, codec) for codec in codecs)
    return tuple(offers)


def _offered(type_name: str) -> Codec | None:
    if "." not in type_name:  # a builtin class: no distribution owns it
        return None
    offers = [(name, codec) for name, codec in _third_party() if type_name in codec.types]
    if len(offers) > 1:
        names = " and ".join(sorted(name for name, _ in offers))
        raise CodecError(f"{names} both offer a codec for {type_name}: uninstall one of them")
    return offers[0][1] if offers else None
