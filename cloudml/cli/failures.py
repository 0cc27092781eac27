"""How an error reaches the person or the program that called: a message and an exit code, never a Python traceback."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import replace

import click

from cloudml.cli.output import write_json
from cloudml.cli.style import Style, clean, style_of
from cloudml.errors import CloudmlError, Diagnostic

FAILED, USAGE, INTERNAL, INTERRUPTED = 1, 64, 70, 130

USAGE_CODE = "CML420"
INTERNAL_CODE = "CML499"
INTERRUPTED_CODE = "CML498"


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether `--output json` was asked for; read from the words, since the error may be in parsing them."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(word == "--output=json" or (word in ("--output", "-o") and after == "json") for word, after in pairs)


def exit_code_of(error: BaseException, arguments: Sequence[str]) -> int:
    """Tell the error and return its exit code."""
    code, diagnostics = describe(error)
    if wants_json(arguments):
        findings = [diagnostic.to_dict() for diagnostic in diagnostics]
        message = getattr(error, "message", "") or diagnostics[0].message
        write_json({"error": {"message": str(message), "exit_code": code, "diagnostics": findings}})
        return code
    style = style_of(sys.stderr)
    if code == INTERRUPTED:
        print(style.paint("interrupted", "yellow"), file=sys.stderr)
        for note in (diagnostics[0].hint,) if diagnostics[0].hint else ():
            print(f"    {style.paint(style.arrow, 'cyan')} {clean(note)}", file=sys.stderr)
        return code
    usage = error.ctx.get_usage() if isinstance(error, click.UsageError) and error.ctx is not None else ""
    lines = [usage] if usage else []
    lines += [line for diagnostic in diagnostics for line in diagnostic_lines(diagnostic, style)]
    print("\n".join(lines), file=sys.stderr)
    return code


def describe(error: BaseException) -> tuple[int, tuple[Diagnostic, ...]]:
    """The exit code and the findings of any error."""
    notes = " ".join(note for one in (error, error.__cause__) for note in getattr(one, "__notes__", ()))
    if isinstance(error, CloudmlError):
        return error.exit_code, _noted(error.diagnostics, notes)
    if isinstance(error, (KeyboardInterrupt, click.exceptions.Abort)):
        return INTERRUPTED, (Diagnostic(INTERRUPTED_CODE, "", "interrupted", notes),)
    if isinstance(error, click.ClickException):
        hint = ""
        if isinstance(error, click.UsageError) and error.ctx is not None:
            hint = f"'{error.ctx.command_path} --help' shows the right form"
        return USAGE, (Diagnostic(USAGE_CODE, "", error.format_message(), hint),)
    return INTERNAL, (_crash(error),)


def _noted(diagnostics: tuple[Diagnostic, ...], notes: str) -> tuple[Diagnostic, ...]:
    """What was added to an error on its way up stands below its last finding."""
    if not notes or not diagnostics:
        return diagnostics
    last = diagnostics[-1]
    return (*diagnostics[:-1], replace(last, hint="\n".join(part for part in (last.hint, notes) if part)))


def _crash(error: BaseException) -> Diagnostic:
    """An error that is ours. The traceback goes to a file, for the report."""
    text = "".join(traceback.format_exception(error))
    if os.environ.get("CLOUDML_DEBUG"):
        print(text, file=sys.stderr)
    message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    try:
        descriptor, path = tempfile.mkstemp(prefix="cloudml-crash-", suffix=".log")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        hint = f"the traceback is in {path}; CLOUDML_DEBUG=1 prints it"
    except OSError:
        hint = "CLOUDML_DEBUG=1 prints the traceback"
    return Diagnostic(INTERNAL_CODE, "", f"an error inside cloudml: {' '.join(message.split())}", hint)


def diagnostic_lines(diagnostic: Diagnostic, style: Style) -> list[str]:
    """`error CML101 where` / message / hint, for a terminal."""
    colour = "red" if diagnostic.severity == "error" else "yellow"
    head = f"{style.paint(diagnostic.severity, colour, 'bold')} {style.paint(diagnostic.code, colour)}"
    where = f" {style.paint(clean(diagnostic.where), 'bold')}:" if diagnostic.where else ""
    lines = [f"{head}{where} {clean(diagnostic.message)}"]
    if diagnostic.hint:
        lines += [f"    {style.paint(style.arrow, 'cyan')} {line}" for line in clean(diagnostic.hint).splitlines()]
    return lines
