"""`init`, `check`, `graph`: before anything runs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cloudml.cli import complete, options
from cloudml.cli.failures import diagnostic_lines
from cloudml.cli.options import Call
from cloudml.cli.report import command
from cloudml.cli.style import Style, grid, style_of
from cloudml.errors import Diagnostic


@click.command()
@click.argument("template", required=False, shell_complete=complete.templates)
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@options.plain
def init(call: Call, template: str | None, directory: Path | None) -> int:
    """Create a project from a template.

    TEMPLATE is one of those that `cloudml init` lists; DIRECTORY is new or empty (default: the template's name).
    """
    from cloudml.operations import scaffold

    if template is None:
        known = scaffold.templates()
        document = {"templates": [{"name": item.name, "description": item.description} for item in known]}
        call.answer(document, lambda: _templates_text([(item.name, item.description) for item in known]))
        return 0
    created = scaffold.init(template, directory or Path(template))
    made = {"template": template, "directory": str(created.directory), "files": list(created.files)}
    call.answer(made, lambda: _created_text(directory or Path(template), created.files, style_of(sys.stdout)))
    return 0


def _templates_text(known: list[tuple[str, str]]) -> str:
    return (
        f"{grid(known, ('TEMPLATE', 'WHAT IT IS'))}\n\nCreate a project:  cloudml init {known[0][0]} demo"
        if known
        else ""
    )


def _created_text(directory: Path, files: tuple[str, ...], style: Style) -> str:
    import shlex

    steps = (f"cd {shlex.quote(str(directory))}", command("graph"), command("deploy", "--backend", "local"))
    listed = "\n".join(f"  {name}" for name in files)
    following = "\n".join(f"  {style.paint(step, 'cyan')}" for step in steps)
    return f"Created {style.paint(str(directory), 'bold')}\n{listed}\n\nNext:\n{following}"


@click.command()
@options.pipeline
@options.placed
def check(call: Call, pipeline: str | None) -> int:
    """Find every problem in a pipeline, before anything runs.

    PIPELINE is a name from cloudml.toml (default: the only one).
    With --backend or --target it is also checked that the backend has all that the pipeline needs.
    """
    from cloudml.operations.check import check as find

    target = call.target if call.backend or call.target_name else None
    checked = find(call.project, target, pipeline)
    errors = sum(diagnostic.severity == "error" for diagnostic in checked.diagnostics)
    warnings = len(checked.diagnostics) - errors
    document = {
        "pipeline": checked.pipeline,
        "steps": checked.steps,
        "errors": errors,
        "warnings": warnings,
        "diagnostics": [diagnostic.to_dict() for diagnostic in checked.diagnostics],
    }
    style = style_of(sys.stdout)
    summary = (
        f"{checked.pipeline}: {_count(checked.steps, 'step')}, {_count(errors, 'error')}, {_count(warnings, 'warning')}"
    )
    painted = style.status(
        f"{style.sign('failed' if errors else 'succeeded')} {summary}", "failed" if errors else "succeeded"
    )
    call.answer(document, lambda: "\n".join([*findings_lines(checked.diagnostics, style), painted]))
    return 1 if errors else 0


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def findings_lines(diagnostics: tuple[Diagnostic, ...], style: Style) -> list[str]:
    """The findings grouped by the file they lie in, in the order of its lines; those of no file come last."""
    groups: dict[str, list[tuple[int, Diagnostic]]] = {}
    for diagnostic in diagnostics:
        file, line = _place(diagnostic.where)
        groups.setdefault(file, []).append((line, diagnostic))
    lines: list[str] = []
    for file in sorted(groups, key=lambda name: (name == "", name)):
        lines += [style.paint(file, "bold")] if file else []
        for _, diagnostic in sorted(groups[file], key=lambda entry: entry[0]):
            lines += [f"  {text}" if file else text for text in diagnostic_lines(diagnostic, style)]
        lines.append("")
    return lines


def _place(where: str) -> tuple[str, int]:
    """File and line of `churn/steps.py:12` or `pipeline.yaml: steps.0.name`; ("", 0) for other places."""
    file, _, rest = where.partition(":")
    if not file.endswith((".py", ".yaml", ".yml", ".toml", ".json", ".sql")):
        return "", 0
    digits = rest.partition(":")[0].partition(" ")[0]
    return file, int(digits) if digits.isdigit() else 0


@click.command()
@options.pipeline
@click.option(
    "--format", "kind", type=click.Choice(["text", "svg"]), help="The drawing.  [default: by --out, else text]"
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write to a file.")
@click.option("--run", "run_name", metavar="RUN", shell_complete=complete.runs, help="Show the states of this run.")
@options.placed
def graph(call: Call, pipeline: str | None, kind: str | None, out: Path | None, run_name: str | None) -> int:
    """Draw a pipeline as text or SVG: the steps, what contains them, and the data that flows between them."""
    from cloudml.operations import draw
    from cloudml.operations.load import load_spec

    document, _ = load_spec(call.project, pipeline)
    drawn = draw.graph_of(document)
    states: dict[str, draw.State] = {}
    if run_name:
        with call.session() as session:
            states = draw.states_of(session.runs.get(run_name))
    svg = (kind or ("svg" if out is not None and out.suffix == ".svg" else "text")) == "svg"
    text = (
        draw.svg(drawn, states)
        if svg
        else draw.text(drawn, states, unicode=out is not None or style_of(sys.stdout).unicode)
    )
    if out is not None:
        _write_file(out, text)
    told = (
        {"pipeline": drawn.name, "file": str(out)} if out else {"pipeline": drawn.name, **draw.to_dict(drawn, states)}
    )
    call.answer(told, f"wrote {out}" if out else text)
    return 0


def _write_file(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"cannot write {path}: {error.strerror}", param_hint="'--out'") from None
