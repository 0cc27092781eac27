"""What stands for AWS's framework images (scikit-learn, PyTorch...): their script mode, in the local Python."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent / "script_mode.py"

REPOSITORIES = (
    "*sagemaker-scikit-learn*", "*sagemaker-xgboost*", "*pytorch-training*", "*pytorch-inference*",
    "*tensorflow-training*", "*huggingface-pytorch-*", "*sagemaker-distribution*", "*sagemaker-base-python*",
)  # fmt: skip
"""Repositories of AWS's own images that run a user's Python script (SageMaker docs, "Docker registry paths")."""


def rules(python: str = sys.executable) -> tuple[str, ...]:
    """Image rules for them: `train` and `serve` are script mode, an entrypoint of the request is kept.

    The plain `python` image stands for the environment of `python`.
    """
    command = shlex.join((python, str(SCRIPT)))
    return (*(f"{pattern}={command}" for pattern in REPOSITORIES), f"python={Path(python).parent.parent}")
