"""Inputs: stored objects become the arguments of the user's function, after they were verified."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from cloudml.runtime.codecs import CodecError, codec_for, read_value
from cloudml.runtime.codecs.json_values import restore
from cloudml.runtime.codecs.names import parse_type_name
from cloudml.runtime.digest import LARGE, Background, MissingHash, measure
from cloudml.runtime.envelope import Artifact, Envelope, Input
from cloudml.runtime.failures import CorruptArtifact, MissingSecret, UnreadableInput
from cloudml.runtime.function import annotation_of

SECRET_PREFIX = "CLOUDML_SECRET_"  # noqa: S105 - the name of a variable, not its value
LISTS = frozenset({"list", "tuple", "Sequence", "Iterable", "Collection"})
PATH = "pathlib.Path"


def read_inputs(envelope: Envelope) -> dict[str, Any]:
    """The bound inputs by parameter name, verified and decoded.

    Raises:
        CorruptArtifact: an object is missing or is not what its digest says.
        UnreadableInput: an object is whole, but does not decode to its declared type.
    """
    return {port.name: _InputReader(envelope, port).read() for port in envelope.inputs}


def read_arguments(envelope: Envelope, function: Callable[..., Any]) -> dict[str, Any]:
    """The literal arguments, as the annotations of `function` want them: Path from text, float from int, tuples."""
    return {name: _argument(value, annotation_of(function, name)) for name, value in envelope.arguments.items()}


def _argument(value: Any, annotation: Any) -> Any:
    return value if annotation is None else restore(value, annotation)


def read_secrets(secrets: dict[str, str]) -> dict[str, str]:
    """The values of the secrets by argument name, from the environment.

    Raises:
        MissingSecret: neither of a secret's two variables is set.
    """
    return {argument: _secret(name) for argument, name in secrets.items()}


def _secret(name: str) -> str:
    preferred = SECRET_PREFIX + name
    value = os.environ.get(preferred, os.environ.get(name))
    if value is None:
        raise MissingSecret(f"the secret {name!r} is not in the environment: set {preferred} (or {name})")
    return value


class _InputReader:
    """Reads one input; knows how to say which one it was."""

    def __init__(self, envelope: Envelope, port: Input) -> None:
        self._step = envelope.step
        self._port = port
        self._folder = os.path.join(os.path.dirname(envelope.result), "inputs", port.name)

    def read(self) -> Any:
        port = self._port
        if port.items is None:
            return self._read_one(port.artifact, port.type, self._folder) if port.artifact is not None else None
        declared = parse_type_name(port.type)
        element = str(declared.args[0]) if declared.base in LISTS and declared.args else "Any"
        values = [
            self._read_one(item, element, os.path.join(self._folder, str(index)))
            for index, item in enumerate(port.items)
        ]
        return tuple(values) if declared.base == "tuple" else values

    def _read_one(self, artifact: Artifact, type_name: str, folder: str) -> Any:
        if not os.path.exists(artifact.path):
            raise self._corrupt(artifact, "is missing")
        if self._port.mode == "handle" or parse_type_name(type_name).base == PATH:
            self._check(artifact, None)
            return _handle(type_name, _named_path(artifact, folder))
        return self._decode(artifact, type_name)

    def _decode(self, artifact: Artifact, type_name: str) -> Any:
        beside = self._is_checked_beside(artifact, type_name)
        background = Background(lambda: measure(artifact.path, artifact.digest)) if beside else None
        if background is None:
            self._check(artifact, None)
        try:
            value = read_value(artifact.path, type_name, artifact.format)
        except Exception as error:
            if background is not None:  # damage explains the error better than the codec can
                self._check(artifact, background)
            raise self._unreadable(type_name, error) from error
        if background is not None:
            self._check(artifact, background)
        return value

    def _is_checked_beside(self, artifact: Artifact, type_name: str) -> bool:
        """Whether hashing and loading may go side by side: much to hash, and a codec that runs no code."""
        try:
            codec = codec_for(type_name, artifact.format)
        except (CodecError, ValueError) as error:
            raise self._unreadable(type_name, error) from error
        large = os.path.getsize(artifact.path) >= LARGE
        return large and artifact.digest is not None and not codec.verify_first

    def _unreadable(self, type_name: str, error: Exception) -> UnreadableInput:
        return UnreadableInput(
            f"input {self._port.name!r} of step {self._step!r} cannot be read as {type_name}: {error}"
        )

    def _check(self, artifact: Artifact, background: Background | None) -> None:
        """Raise CorruptArtifact unless the content is what the digest says."""
        if artifact.digest is None:
            return
        try:
            found, _ = measure(artifact.path, artifact.digest) if background is None else background.finish()
        except MissingHash as error:
            raise UnreadableInput(
                f"input {self._port.name!r} of step {self._step!r} cannot be verified: {error}"
            ) from error
        except (OSError, ValueError) as error:
            raise self._corrupt(artifact, f"cannot be read ({error})") from error
        if found != artifact.digest:
            raise self._corrupt(artifact, f"is damaged: its content has digest {found}, not {artifact.digest}")

    def _corrupt(self, artifact: Artifact, problem: str) -> CorruptArtifact:
        return CorruptArtifact(
            f"input {self._port.name!r} of step {self._step!r} {problem}: {artifact.path}; "
            "`cloudml gc --verify` removes what is damaged, and the next run computes it again"
        )


def _handle(type_name: str, path: str) -> Any:
    from pathlib import Path

    from cloudml.runtime.handles import HANDLES

    handle = HANDLES.get(parse_type_name(type_name).base)
    return handle(path) if handle is not None else Path(path)


def _named_path(artifact: Artifact, folder: str) -> str:
    """A path to the object whose name tells people and libraries what it is: a link, unless it has such a name."""
    own = os.path.basename(artifact.path.rstrip("/"))
    if own == artifact.filename or os.path.splitext(own)[1]:
        return artifact.path
    os.makedirs(folder, exist_ok=True)
    link = os.path.join(folder, artifact.filename)
    if os.path.lexists(link):
        os.unlink(link)
    os.symlink(artifact.path, link)
    return link
