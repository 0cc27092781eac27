"""A job on Vertex AI: `cloudml.jobs` with Vertex's executor input, executor output and REST."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cloudml.jobs import main
from cloudml.jobs.failure import Refused
from cloudml_vertex.container.layout import Layout
from cloudml_vertex.container.platform import Vertex


def run(code: str, work: str, arguments: Sequence[str]) -> int:
    """Run the step that `step.json` in the folder `code` describes; 0 when it succeeded (`cloudml.jobs.main.run`)."""
    try:
        layout = Layout.find(arguments, os.environ, Path(work) / "kept")
    except Refused as error:
        sys.stderr.write(f"cloudml: {error}\n")
        return 1
    return main.run(Vertex(layout), code, work, arguments)
