"""The reference page of the mock, made from its tables of RPCs, switches and faults.

python -m cloudml_vertex.mock.reference [FILE]     (default: docs/reference/vertex-mock.md)
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from cloudml_vertex.mock.core import catalog
from cloudml_vertex.mock.core.doubts import SWITCHES
from cloudml_vertex.mock.core.faultkinds import KINDS
from cloudml_vertex.mock.core.operations import OPERATIONS, Operation
from cloudml_vertex.mock.rooms import load
from cloudml_vertex.mock.storage.app import ROUTES

PAGE = Path("docs/reference/vertex-mock.md")

_INTRODUCTION = """\
# The Vertex AI mock

What `cloudml mock vertex` does for each RPC of Vertex AI (`v1` and `v1beta1`) and of the services around it, as
Google's own clients know them. This page is made from the code: `python -m cloudml_vertex.mock.reference`.
[Test against a mock Vertex AI](../how-to/test-against-mock-vertex.md) says how to use it.

Every RPC is served over gRPC and, where Google publishes an HTTP binding, over REST. Each request is first read
strictly as its proto type, then its required fields are asked for; what is not served is refused by name with
`UNIMPLEMENTED`.
Clients with hosts of Google in their code are led here by a proxy that the environment names; nothing passes it.

No part of this was compared with a real project. What is checked, and against what, stands with each area; where Google
publishes nothing there is a [switch](#switches).
"""

_ROOMS: Mapping[str, tuple[str, str]] = {
    "core": ("Operations and locations", "The protos' comments; clients that wait for operations."),
    "pipelines": (
        "Pipeline jobs",
        "Pipelines that kfp and Google's components compiled, run to the ends that their documentation gives; damaged "
        "copies; conditions against cel-python; mocks killed while jobs run.",
    ),
    "schedules": ("Schedules", "The comments of `schedule.proto`; a clock that the tests hold."),
    "jobs": ("Custom jobs", "The comments of `custom_job.proto`; programs that write down what they were given."),
    "tuning": ("Tuning jobs", "Trials that are real processes, counted; ranges and scales by arithmetic."),
    "registry": ("Models", "The comments of `model_service.proto` about versions, aliases and their default."),
    "hosting": (
        "Endpoints and predictions",
        "The rules of traffic splits and deployments in the protos' comments; model servers, and the traffic that they "
        "really got.",
    ),
    "batch": (
        "Batch predictions",
        "The comments of `batch_prediction_job.proto`; small model servers, and their results.",
    ),
    "monitors": (
        "Model monitoring",
        "The protos of both generations; endpoints that were really asked; scipy's numbers.",
    ),
    "metadata": ("Metadata and experiments", "Google's own SDK, logging experiments and reading them again."),
    "around": (
        "Cloud Monitoring, Pub/Sub, Cloud Logging, Resource Manager",
        "Google's own clients; aggregates by arithmetic.",
    ),
}
"""By room: its title, and what it is verified by."""

_STORAGE = """\
## Cloud Storage

Verified by: google-cloud-storage, gcsfs and plain HTTP; random sequences of requests against a small model of what
Google's pages on preconditions say; files that jobs wrote at `/gcs`.

A JSON server of its own over a plain folder: a file an object, so that what jobs write at `/gcs` is an object at once.
Preconditions on generations and metagenerations, resumable and multipart uploads, ranges, checksums, batch requests,
partial answers. Any other method is not found. Served: """

_PLAIN = {"Get": "read", "List": "read", "BatchRead": "read", "Query": "read", "Search": "read", "Delete": "removed"}
"""What an RPC does that executes nothing, by the beginning of its name; all others: `_KEPT`."""
_KEPT = "kept"


def render() -> str:
    """The page, as Markdown."""
    load()
    parts = [_INTRODUCTION, _summary()]
    for room, (title, verified) in _ROOMS.items():
        mine = sorted((one for one in OPERATIONS.values() if room_of(one) == room), key=lambda one: one.rpc)
        if mine:
            parts += [f"## {title}\n", f"Verified by: {verified}\n", _operations(mine), ""]
    parts += [_storage(), _refused(), _switches(), _faults()]
    return "\n".join(parts).rstrip() + "\n"


def room_of(operation: Operation) -> str:
    """The package that an RPC's handler is in."""
    return operation.handler.__module__.removeprefix("cloudml_vertex.mock.").partition(".")[0]


def rooms() -> frozenset[str]:
    """Those that the page has an area for."""
    return frozenset(_ROOMS)


def known() -> dict[str, list[str]]:
    """The RPCs that Google's clients know, by service, sorted; every version together."""
    found: dict[str, set[str]] = {}
    for package in catalog.PACKAGES:
        for method in catalog.methods(package):
            found.setdefault(method.service, set()).add(method.name)
    return {service: sorted(names) for service, names in sorted(found.items())}


def _summary() -> str:
    rows = []
    for service, names in known().items():
        served = [OPERATIONS[f"{service}.{name}"] for name in names if f"{service}.{name}" in OPERATIONS]
        if served:
            executed = sum(bool(one.executes) for one in served)
            rows.append((f"`{service}`", len(names), len(served), executed, len(names) - len(served)))
    return _table(("service", "RPCs", "served", "of these, something runs", "refused"), rows) + "\n"


def _operations(operations: Sequence[Operation]) -> str:
    return _table(
        ("RPC", "what really happens"),
        [(f"`{one.rpc}`", one.executes or _plain(one.rpc.partition(".")[2])) for one in operations],
    )


def _plain(name: str) -> str:
    return next((does for verb, does in _PLAIN.items() if name.startswith(verb)), _KEPT)


def _storage() -> str:
    names = ", ".join(f"`{name}`" for name in dict.fromkeys(name for name, *_ in ROUTES))
    return f"{_STORAGE}{names}.\n"


def _refused() -> str:
    text = "By name, with `UNIMPLEMENTED` (HTTP 501).\n"
    return "\n".join(["## Refused\n", text, *_refused_by_service()])


def _refused_by_service() -> Iterator[str]:
    for service, names in known().items():
        missing = [name for name in names if f"{service}.{name}" not in OPERATIONS]
        if missing:
            yield f"`{service}` ({len(missing)}): {', '.join(f'`{name}`' for name in missing)}.\n"


def _switches() -> str:
    rows = [
        (f"`{one.name}`", ", ".join(f"`{choice}`" for choice in one.choices), one.about, one.source) for one in SWITCHES
    ]
    text = (
        "Where Google does not publish what happens. The first choice is the default; `--switch NAME=CHOICE` takes\n"
        "another.\n"
    )
    return "\n".join(["## Switches\n", text, _table(("switch", "choices", "about", "what is known"), rows), ""])


def _faults() -> str:
    rows = [(f"`{kind.name}`", kind.place, kind.about) for kind in KINDS.values()]
    text = (
        "`--fault KIND:PATTERN[,count=N][,after=N][,probability=P][,seed=N][,seconds=S]`. The pattern (as in a shell)\n"
        "is held against the RPC (`DeployModel`, `EndpointService.DeployModel`), the job (`CustomJob/NAME`, of a\n"
        "pipeline `task/NAME`) or the endpoint's display name.\n"
    )
    return "\n".join(["## Faults\n", text, _table(("kind", "strikes", "what happens"), rows), ""])


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def main(arguments: Sequence[str]) -> int:
    """Write the page."""
    (Path(arguments[0]) if arguments else PAGE).write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
