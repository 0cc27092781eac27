"""`endpoints`, `rollback`, `invoke`: what answers requests."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import click

from cloudml.backend.port import Session
from cloudml.backend.records import EndpointRecord, Invocation
from cloudml.cli import complete, options
from cloudml.cli.details import pairs
from cloudml.cli.options import Call
from cloudml.cli.report import request_of
from cloudml.cli.style import Style, clean, grid, one_line, style_of
from cloudml.errors import NotFound

_CONTENT_TYPES = {".csv": "text/csv", ".jsonl": "application/jsonlines", ".json": "application/json"}

_STATUS_COLOURS = {"in_service": "green", "failed": "red", "stopped": "dim"}


@click.command()
@click.argument("name", required=False, metavar="[NAME]", shell_complete=complete.endpoints)
@click.option("--start", "action", flag_value="start", help="Serve again what it served last.")
@click.option("--stop", "action", flag_value="stop", help="Take it out of service.")
@options.placed
def endpoints(call: Call, name: str | None, action: str | None) -> int:
    """List endpoints, or show, start or stop one."""
    style = style_of(sys.stdout)
    if action and name is None:
        raise click.UsageError(f"name the endpoint to {action}")
    with call.session() as session:
        if name is None:
            found = session.endpoints.list()
            document = {"endpoints": [endpoint.to_dict() for endpoint in found]}
            call.answer(document, lambda: _endpoints_text(found, style))
            return 0
        actions = {"start": session.endpoints.start, "stop": session.endpoints.stop, None: session.endpoints.get}
        endpoint = actions[action](name)
    call.answer({"endpoint": endpoint.to_dict()}, lambda: _endpoint_text(endpoint, style))
    return 0


@click.command()
@click.argument("name", metavar="ENDPOINT", shell_complete=complete.endpoints)
@options.reason
@options.who
@options.placed
def rollback(call: Call, name: str, reason: str, who: str | None) -> int:
    """Bring an endpoint back to what it served before, with the same care as a deploy."""
    person = options.person(who)
    with call.session() as session:
        endpoint = session.endpoints.rollback(name, person, reason)
    serves = _serves(endpoint) or "what it served before"
    call.answer({"endpoint": endpoint.to_dict()}, f"{endpoint.name} serves {serves} again, by {person}")
    return 0


def _status(endpoint: EndpointRecord, style: Style) -> str:
    return style.paint(endpoint.status, _STATUS_COLOURS.get(endpoint.status, "yellow"))


def _serves(endpoint: EndpointRecord) -> str:
    return f"{endpoint.model}/{endpoint.version}" if endpoint.model else ""


def _endpoints_text(found: list[EndpointRecord], style: Style) -> str:
    if not found:
        return "no endpoints yet; 'cloudml deploy' makes those of the pipeline"
    rows = [
        (style.paint(item.name, "bold"), _status(item, style), item.url, _serves(item), one_line(item.error or ""))
        for item in found
    ]
    return grid(rows, ("ENDPOINT", "STATUS", "URL", "SERVES", ""), style)


def _endpoint_text(endpoint: EndpointRecord, style: Style) -> str:
    facts: dict[str, Any] = {
        "status": endpoint.status,
        "url": endpoint.url,
        "serves": _serves(endpoint),
        "deployment": endpoint.deployment,
        "error": endpoint.error,
        **endpoint.counters,
    }
    shown = {key: value for key, value in facts.items() if value not in (None, "", [], {})}
    return f"{style.paint(endpoint.name, 'bold')}\n{pairs(shown, style)}"


@click.command()
@click.argument("name", metavar="ENDPOINT", shell_complete=complete.endpoints)
@click.option("-d", "--data", metavar="JSON|@FILE|-", help="The request: its text, a file, or stdin.  [default: stdin]")
@click.option("--sample", is_flag=True, help="Send a row that was kept beside the model.")
@click.option("--dry-run", is_flag=True, help="Print the request; send nothing.")
@click.option("--content-type", metavar="TYPE", help="[default: by the file's ending, else application/json]")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait.",
)
@options.placed
def invoke(
    call: Call, name: str, data: str | None, sample: bool, dry_run: bool, content_type: str | None, timeout: float
) -> int:
    """Send one request to an endpoint and print its answer. An answer other than 2xx ends with exit code 1."""
    if sample and data is not None:
        raise click.UsageError("--sample and --data exclude one another")
    body, guessed = (b"", "application/json") if sample else _body(data)
    with call.session() as session:
        body = _sample(session, name) if sample else body
        if dry_run:
            request = body.decode(errors="replace")
            call.answer({"endpoint": name, "content_type": content_type or guessed, "request": request}, request)
            return 0
        answer = session.endpoints.invoke(name, body, content_type or guessed, timeout)
    document = {
        "endpoint": name,
        "status": answer.status,
        "content_type": answer.content_type,
        "model_version": answer.model_version,
        "body": _decoded(answer),
    }
    good = 200 <= answer.status < 300
    call.answer(document, lambda: _answer_text(answer) if good else "")
    if not good and not call.json:
        style = style_of(sys.stderr)
        print(f"{style.paint(f'{name} answered {answer.status}', 'red')} {_answer_text(answer)}", file=sys.stderr)
    return 0 if good else 1


def _sample(session: Session, name: str) -> bytes:
    request = request_of(session.endpoints.get(name), session)
    if not request:
        raise NotFound(f"no row was kept beside the model that {name!r} serves", hint="send your own with --data")
    return request.encode()


def _body(data: str | None) -> tuple[bytes, str]:
    """The request's bytes and the content type that its source suggests."""
    if data is None and sys.stdin.isatty():
        raise click.UsageError(
            """there is no request; give one with --data '{"instances": [...]}', --data @FILE or on stdin"""
        )
    if data is None or data == "-":
        return sys.stdin.buffer.read(), "application/json"
    if not data.startswith("@"):
        return data.encode(), "application/json"
    path = Path(data[1:])
    try:
        return path.read_bytes(), _CONTENT_TYPES.get(path.suffix.lower(), "application/json")
    except OSError as error:
        raise click.BadParameter(f"cannot read {path}: {error.strerror}", param_hint="'--data'") from None


def _decoded(answer: Invocation) -> Any:
    """The body as JSON, else as text, else in base64."""
    try:
        return json.loads(answer.body) if "json" in answer.content_type else answer.body.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(answer.body).decode()}
    except ValueError:
        return answer.body.decode(errors="replace")


def _answer_text(answer: Invocation) -> str:
    body = _decoded(answer)
    return clean(body).rstrip("\n") if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)
