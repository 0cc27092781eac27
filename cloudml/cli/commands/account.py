"""`doctor`, `permissions`, `build`: the account behind a target, and the image of its containers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cloudml.backend.records import Finding, Policy
from cloudml.cli import options, output
from cloudml.cli.options import Call
from cloudml.cli.style import Style, clean, style_of

if TYPE_CHECKING:
    from cloudml.operations.image import Built

_LOOKS = {
    "ok": ("succeeded", "green"),
    "warning": ("interrupted", "yellow"),
    "missing": ("failed", "red"),
    "unknown": ("waiting", "dim"),
}
"""Status of a finding: the sign that it is shown with, and its colour."""


@click.command()
@options.pipeline
@options.placed
def doctor(call: Call, pipeline: str | None) -> int:
    """Find what is missing on this machine and in the account, with the command that mends it. Changes nothing.

    Who one is, the bucket, the role and what it may do, images, quotas, secrets, network. Exit code 1 when something
    is missing; what may not be looked at is told as unknown.
    """
    from cloudml.operations.account import doctor as examine

    style = style_of(sys.stdout)
    found: list[Finding] = []
    for finding in examine(call.project, call.target, pipeline):
        found.append(finding)
        if not call.json:
            output.write("\n".join(_finding_lines(finding, style)))
    missing = sum(one.status == "missing" for one in found)
    verdict = f"{missing} missing" if missing else "nothing is missing"
    document = {"target": call.target.name, "findings": [one.to_dict() for one in found], "ok": not missing}
    call.answer(document, f"\n{style.paint(verdict, 'red' if missing else 'green')}")
    return 1 if missing else 0


def _finding_lines(finding: Finding, style: Style) -> list[str]:
    sign, colour = _LOOKS[finding.status]
    head = f"{style.paint(style.sign(sign), colour)} {style.paint(clean(finding.check), 'bold')}"
    lines = [f"{head}  {clean(finding.message)}"]
    if finding.fix:
        lines += [f"    {style.paint(style.arrow, 'cyan')} {line}" for line in clean(finding.fix).splitlines()]
    return lines


@click.command()
@options.pipeline
@click.option(
    "--to", "folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
    help="Write each policy to DIR/NAME.json, where the commands look for it.",
)  # fmt: skip
@options.placed
def permissions(call: Call, pipeline: str | None, folder: Path | None) -> int:
    """Print the least policies that the project needs on a target, and how to attach them.

    Derived from what the pipelines compile to: the deployer's, and those of the role that pipelines and jobs run as.
    Nothing is asked of the account.
    """
    from cloudml.operations.account import permissions as derive

    made = derive(call.project, call.target, pipeline)
    files = _write(made.policies, folder) if folder is not None else []
    document = {
        "target": made.target,
        "pipelines": list(made.pipelines),
        "policies": [one.to_dict() for one in made.policies],
        "files": [str(path) for path in files],
    }
    style = style_of(sys.stdout)
    none = f"backend {call.target.backend} has no identities: there is nothing to permit"
    call.answer(document, lambda: _policies_text(made.policies, style, folder) if made.policies else none)
    return 0


def _write(policies: tuple[Policy, ...], folder: Path) -> list[Path]:
    """The documents as files. Names are the backend's; one that is no plain name is not written."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for policy in policies:
        path = folder / f"{policy.name}.json"
        assert path.parent == folder, "the name of a policy is a plain name"
        path.write_text(_json(policy) + "\n", encoding="utf-8")
        found.append(path)
    return found


def _json(policy: Policy) -> str:
    return json.dumps(policy.document, indent=2)


def _policies_text(policies: tuple[Policy, ...], style: Style, folder: Path | None) -> str:
    """Each policy with its commands; the documents only when they are not in files."""
    lines: list[str] = []
    for policy in policies:
        lines += [f"{style.paint(policy.name, 'bold')}  {clean(policy.identity)}"]
        lines += [] if folder is not None else [_json(policy)]
        lines += [style.paint(line, "cyan") for line in policy.how.splitlines()]
        lines.append("")
    if folder is None:
        lines.append("The commands read the documents from files: cloudml permissions --to DIR writes them.")
    return "\n".join(lines).rstrip()


@click.command()
@click.option("--print", "printed", is_flag=True, help="Only print the Dockerfile; needs no engine and no account.")
@click.option("--push", is_flag=True, help="Bring it to the target's registry, and tell the digest.")
@click.option("--write", is_flag=True, help="With --push: name the image in cloudml.toml.")
@click.option(
    "--engine", metavar="NAME", type=click.Choice(["docker", "podman", "finch"]), help="docker, podman, finch."
)
@click.option("--base", metavar="IMAGE", help="What to start from.  [default: the image that jobs have now]")
@click.option("--serving", is_flag=True, help="The image of endpoints instead of that of jobs.")
@options.placed
def build(
    call: Call, printed: bool, push: bool, write: bool, engine: str | None, base: str | None, serving: bool
) -> int:
    """Bake the project's requirements into an image, so that jobs need not install them.

    Stock images need no build: use this where installing takes long, or where jobs have no way to a package index. The
    code is not part of the image.
    """
    from cloudml.operations import image

    if write and not push:
        raise click.UsageError("--write names a pushed image: it goes with --push")
    if printed:
        plan = image.show(call.target, base, serving=serving)
        shown = {"dockerfile": plan.dockerfile, "files": sorted(plan.files), "image": plan.uri, "base": plan.base}
        call.answer(shown, plan.dockerfile.rstrip())
        return 0
    made = image.build(call.project, call.target, base=base, serving=serving, push=push, engine=engine, write=write)
    document = {
        "image": made.image or None,
        "local": made.plan.uri,
        "setting": made.plan.setting,
        "engine": made.engine or None,
        "reused": made.reused,
        "written": made.written,
    }
    call.answer(document, lambda: _built_text(call, made))
    return 0


def _built_text(call: Call, made: Built) -> str:
    if not made.image:
        return f"built {made.plan.uri}; cloudml build --push brings it to the registry"
    line = f'{made.plan.setting} = "{made.image}"'
    head = "the same content was pushed before" if made.reused else f"built by {made.engine} and pushed"
    told = "written into" if made.written else "write into"
    return f"{head}\n{told} [targets.{call.target.name}] of cloudml.toml:\n{line}"
