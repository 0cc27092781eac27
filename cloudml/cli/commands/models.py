"""`models`, `approve`, `promote`: the registry and the decisions of people."""

from __future__ import annotations

import sys

import click

from cloudml.backend.port import Session
from cloudml.backend.records import ModelVersion
from cloudml.cli import complete, options
from cloudml.cli.details import version_detail, versions_table
from cloudml.cli.options import Call
from cloudml.cli.report import command
from cloudml.cli.style import style_of


def _split(name: str, form: str) -> tuple[str, str]:
    left, slash, right = name.partition("/")
    if not slash or not left or not right:
        raise click.UsageError(f"{name!r} is not of the form {form}")
    return left, right


def _version(session: Session, name: str) -> ModelVersion:
    """The version of `MODEL/3` or `MODEL/champion`."""
    model, which = _split(name, "MODEL/VERSION")
    return (
        session.models.get(model, version=int(which)) if which.isdecimal() else session.models.get(model, alias=which)
    )


@click.command()
@click.argument("name", required=False, metavar="[MODEL[/VERSION]]", shell_complete=complete.versions)
@options.placed
def models(call: Call, name: str | None) -> int:
    """List registered models, or show one version: metrics, lineage, decisions. VERSION is a number or an alias."""
    style = style_of(sys.stdout)
    with call.session() as session:
        if name is not None and "/" in name:
            version = _version(session, name)
            call.answer({"model": version.to_dict()}, lambda: version_detail(version, style))
            return 0
        found = session.models.list(name)
    none = "no models yet; a step made with ml.register adds one"
    document = {"models": [version.to_dict() for version in found]}
    call.answer(document, lambda: versions_table(found, style) if found else none)
    return 0


@click.command()
@click.argument("name", metavar="MODEL/VERSION|RUN/STEP", shell_complete=complete.decisions)
@options.reason
@click.option("--reject", is_flag=True, help="Refuse it instead.")
@options.who
@options.placed
def approve(call: Call, name: str, reason: str, reject: bool, who: str | None) -> int:
    """Approve or reject a model version or a waiting step. RUN may be `last`."""
    subject, which = _split(name, "MODEL/VERSION or RUN/STEP")
    person = options.person(who)
    verb = "rejected" if reject else "approved"
    with call.session() as session:
        if which.isdecimal():
            version = session.models.decide(subject, int(which), not reject, person, reason)
            call.answer({"model": version.to_dict()}, f"{version.model}/{version.version} {verb} by {person}")
            return 0
        record = session.runs.approve(subject, which, person, reason, not reject)
    following = f"; next: {command('resume', record.id)}" if record.status == "waiting" else ""
    call.answer({"run": record.to_dict()}, f"{record.id}/{which} {verb} by {person}{following}")
    return 0


@click.command()
@click.argument("name", metavar="MODEL/VERSION", shell_complete=complete.versions)
@click.option("--to", "alias", metavar="ALIAS", help="The alias to move, such as champion; with --into there.")
@click.option(
    "--into", "goal", metavar="TARGET", shell_complete=complete.targets,
    help="Bring the version into this target first, by its digest; it is made there once.",
)  # fmt: skip
@options.reason
@options.who
@options.placed
def promote(call: Call, name: str, alias: str | None, goal: str | None, reason: str, who: str | None) -> int:
    """Move an alias to a model version, here or in another target. VERSION is a number or another alias."""
    person = options.person(who)
    if goal is not None:
        return _promote_into(call, name, goal, alias, reason, person)
    if alias is None:
        raise click.UsageError("say what to promote it to: --to ALIAS, or --into TARGET")
    with call.session() as session:
        chosen = _version(session, name)
        version = session.models.promote(chosen.model, chosen.version, alias, person, reason)
    call.answer({"model": version.to_dict()}, f"{version.model}/{version.version} is {alias} now, by {person}")
    return 0


def _promote_into(call: Call, name: str, goal: str, alias: str | None, reason: str, person: str) -> int:
    from cloudml.operations.promote import promote_into

    model, which = _split(name, "MODEL/VERSION")
    done = promote_into(call.target, call.project.target(goal), model, which, alias, person, reason)
    there = f"{done.adopted.model}/{done.adopted.version}"
    text = f"{done.source.model}/{done.source.version} of {call.target.name} is {there} of {goal}"
    text += f", {alias} there now" if alias else ""
    document = {"target": goal, "model": done.adopted.to_dict(), "source": done.source.to_dict()}
    call.answer(document, f"{text}, by {person}")
    return 0
