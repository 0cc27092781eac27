"""The command line. `main` answers help and version from a table; everything else goes to the command tree (`app`).

This module and `table` import next to nothing: `cloudml --help` must cost little more than starting Python.
"""

from __future__ import annotations

import os
import sys

COMPLETE_VARIABLE = "_CLOUDML_COMPLETE"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code (see `table.EXIT_CODES`)."""
    given = sys.argv[1:] if arguments is None else arguments
    if COMPLETE_VARIABLE not in os.environ and (not given or given[0] in ("--help", "-h", "--version")):
        from cloudml.cli import table

        print(table.version_text() if given and given[0] == "--version" else table.help_text())
        return 0
    from cloudml.cli.app import run

    return run(given)
