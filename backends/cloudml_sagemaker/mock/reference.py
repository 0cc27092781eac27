"""The reference page of the mock, made from its tables of operations, switches and faults.

python -m cloudml_sagemaker.mock.reference [FILE]     (default: docs/reference/sagemaker-mock.md)
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cloudml_sagemaker.mock.core.doubts import SWITCHES
from cloudml_sagemaker.mock.core.faultkinds import KINDS
from cloudml_sagemaker.mock.core.operations import OPERATIONS, Operation
from cloudml_sagemaker.mock.face.passed import PASSED
from cloudml_sagemaker.mock.rooms import load
from cloudml_sagemaker.service.model import SERVICES, operation_names

PAGE = Path("docs/reference/sagemaker-mock.md")

_INTRODUCTION = """\
# The SageMaker mock

What `cloudml mock sagemaker` does for each operation of AWS's service models of `sagemaker`, `sagemaker-runtime` and
`sagemaker-metrics`. This page is made from the code: `python -m cloudml_sagemaker.mock.reference`.
[Test against a mock SageMaker](../how-to/test-against-mock-sagemaker.md) says how to use it.

Every request of these services, also of what is only passed on, is first held against botocore's service model:
required members, types, enums, patterns, ranges, lengths, limits of lists and maps. Every other service (S3, IAM, STS,
CloudWatch, Logs, EventBridge, Scheduler, SNS, SQS, ECR, KMS, Application Auto Scaling and what else it has) is answered
by moto; what nobody serves is refused by name with HTTP 501.

No part of this was compared with a real account. What is checked, and against what, stands with each area; where AWS
publishes nothing there is a [switch](#switches).
"""

_ROOMS: Mapping[str, tuple[str, str]] = {
    "core": (
        "Tags",
        "AWS's tag restrictions, botocore's service model.",
    ),
    "pipelines": (
        "Pipelines",
        "Definitions that AWS's own SageMaker SDK wrote, run to their ends and, broken, to their refusals; a reference "
        "interpreter on random definitions; the developer guide; mocks killed at every change of an execution.",
    ),
    "jobs": (
        "Processing and training jobs",
        "The container contract of the developer guide, by programs that write down what they saw; rules of the API "
        "reference; on demand, the SDK's LocalSession, which runs the same requests in real containers.",
    ),
    "tuning": (
        "Tuning jobs",
        "Trials that are real processes, counted; ranges, scalings and rules of stopping by arithmetic.",
    ),
    "transform": (
        "Batch transform",
        "The developer guide's examples of filters and joins; small model servers, and what they left in S3.",
    ),
    "hosting": (
        "Models and endpoints",
        "The deployment guardrails of the developer guide, by a clock that the tests hold: small model servers, and "
        "the traffic that they really got; on demand, the SDK's LocalSession.",
    ),
    "registry": ("Model registry", "The API reference's rules for versions, approval, updates and lists."),
    "monitors": (
        "Monitoring",
        "The developer guide's schedules, files, environment variables and ground truth, by an analysis program that "
        "writes down what it saw; an endpoint that really captures.",
    ),
    "events": (
        "Events and schedules",
        "The EventBridge user guide's examples of patterns, inputs, cron and rate expressions; the events that "
        "SageMaker's developer guide shows; what targets really received.",
    ),
    "tracking": (
        "Metrics, search, lineage and experiments",
        "The API reference's operators and rules; aggregates by Python's own statistics.",
    ),
}
"""By room: its title, and what it is verified by."""

_PLAIN = {
    "Describe": "read", "List": "read", "Get": "read", "BatchDescribe": "read", "Query": "read", "Search": "read",
    "Delete": "removed",
}  # fmt: skip
"""What an operation does that executes nothing, by the beginning of its name; all others: `_KEPT`."""
_KEPT = "kept"


def render() -> str:
    """The page, as Markdown."""
    load()
    parts = [_INTRODUCTION, _summary()]
    for room, (title, verified) in _ROOMS.items():
        mine = sorted((one for one in OPERATIONS.values() if _room(one) == room), key=lambda one: one.name)
        if mine:
            parts += [f"## {title}\n", f"Verified by: {verified}\n", _operations(mine), ""]
    parts += [_passed(), _refused(), _switches(), _faults()]
    return "\n".join(parts).rstrip() + "\n"


def _room(operation: Operation) -> str:
    """The package that an operation's handler is in."""
    return operation.handler.__module__.removeprefix("cloudml_sagemaker.mock.").partition(".")[0]


def _summary() -> str:
    rows = []
    for service in SERVICES:
        known = operation_names(service)
        served = [name for name in known if name in OPERATIONS and OPERATIONS[name].service == service]
        executed = [name for name in served if OPERATIONS[name].executes]
        passed = [name for name in known if service == "sagemaker" and name in PASSED and name not in OPERATIONS]
        rest = len(known) - len(served) - len(passed)
        rows.append((f"`{service}`", len(known), len(served), len(executed), len(passed), rest))
    head = ("service", "operations of AWS", "served", "of these, something runs", "passed to moto", "refused")
    return _table(head, rows) + "\n"


def _operations(operations: Sequence[Operation]) -> str:
    return _table(
        ("operation", "what really happens"),
        [(f"`{one.name}`", one.executes or _plain(one.name)) for one in operations],
    )


def _plain(name: str) -> str:
    return next((does for verb, does in _PLAIN.items() if name.startswith(verb)), _KEPT)


def _passed() -> str:
    rows = [(f"`{name}`", about) for name, about in sorted(PASSED.items()) if name not in OPERATIONS]
    text = "The strict check, then moto: a record is kept, nothing is executed.\n"
    return "\n".join(["## Passed to moto\n", text, _table(("operation", "what moto keeps"), rows), ""])


def _refused() -> str:
    text = "By name, as `NotImplemented` with HTTP 501; an operation that AWS has not is `UnknownOperationException`.\n"
    parts = ["## Refused\n", text]
    for service in SERVICES:
        names = sorted(
            name
            for name in operation_names(service)
            if name not in OPERATIONS and not (service == "sagemaker" and name in PASSED)
        )
        if names:
            parts += [f"`{service}` ({len(names)}): {', '.join(f'`{name}`' for name in names)}.", ""]
    return "\n".join(parts)


def _switches() -> str:
    rows = [
        (f"`{one.name}`", ", ".join(f"`{choice}`" for choice in one.choices), one.about, one.source) for one in SWITCHES
    ]
    text = (
        "Where AWS does not publish what happens. The first choice is the default; `--switch NAME=CHOICE` takes\n"
        "another.\n"
    )
    return "\n".join(["## Switches\n", text, _table(("switch", "choices", "about", "what is known"), rows), ""])


def _faults() -> str:
    rows = [(f"`{kind.name}`", kind.place, kind.about) for kind in KINDS.values()]
    text = (
        "`--fault KIND:PATTERN[,count=N][,after=N][,probability=P][,seed=N][,seconds=S]`. The pattern (as in a shell)\n"
        "is held against the operation (`CreateTrainingJob`, `s3:PutObject`), the job (`TrainingJob/NAME`) or the\n"
        "endpoint.\n"
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
