"""Where Google does not publish what happens: named switches with a documented default."""

from __future__ import annotations

from cloudml.mocks.switches import Switch

SWITCHES = (
    Switch(
        "etag-mismatch",
        ("aborted", "failed-precondition", "invalid-argument"),
        "the code with which a write with an old etag is refused",
        "google.aip.dev/154 says ABORTED; Vertex AI's reference publishes nothing",
    ),
)
