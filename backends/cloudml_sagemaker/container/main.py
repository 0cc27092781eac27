"""A job on SageMaker: `cloudml.jobs` with SageMaker's folders, files and clients."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cloudml.jobs import main
from cloudml_sagemaker.container.layout import Layout
from cloudml_sagemaker.container.platform import SageMaker


def run(code: str, work: str, arguments: Sequence[str]) -> int:
    """Run the step that `step.json` in the folder `code` describes; 0 when it succeeded (`cloudml.jobs.main.run`)."""
    return main.run(SageMaker(Layout.find(os.environ)), code, work, arguments)
