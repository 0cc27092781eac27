"""The noun between compile and apply: one thing that shall exist on the backend, as the very document that is sent."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any


def canonical(document: Any) -> str:
    """JSON with sorted keys and no spaces: equal documents give equal text."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(document: Any) -> str:
    """`sha256:<hex>` of the canonical JSON."""
    return "sha256:" + hashlib.sha256(canonical(document).encode()).hexdigest()


@dataclass(frozen=True)
class Resource:
    """`kind` and `name` identify it in its backend; `document` is JSON; `digest` tells versions apart."""

    kind: str
    name: str
    document: dict[str, Any]
    digest: str

    @classmethod
    def of(cls, kind: str, name: str, document: dict[str, Any]) -> Resource:
        """A resource with the digest of its document."""
        return cls(kind, name, document, digest_of(document))

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, "digest": self.digest, "document": self.document}
