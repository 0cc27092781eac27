"""What the project needs and the image lacks, by pip; only for steps that ask for it."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cloudml.jobs.failure import Refused

_LINE = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(\[[^\]]*\])?\s*(==\s*(?P<pinned>[^\s;#]+))?")
_TAIL = 600
BAKED = "CLOUDML_REQUIREMENTS"
"""Set by the image of `cloudml build`: the sha256 of the requirements that it holds."""


def ensure(file: Path) -> None:
    """Install the requirements in `file`, unless all are there already. Raises Refused with pip's last words."""
    if not file.is_file():
        raise Refused("the step asks for its requirements, but the code bundle has no requirements.txt")
    if os.environ.get(BAKED) == hashlib.sha256(file.read_bytes()).hexdigest():
        return
    if not any(is_missing(line) for line in file.read_text(encoding="utf-8").splitlines()):
        return
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", str(file)]
    done = subprocess.run(  # noqa: S603 - the project's own list
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )
    sys.stdout.write(done.stdout)
    if done.returncode:
        raise Refused(f"pip cannot install the project's requirements: {done.stdout.strip()[-_TAIL:]}")


def is_missing(line: str) -> bool:
    """Whether pip is needed for a line: anything but a comment, or a name that is there in the version it is pinned to.

    Ranges are left to pip, as are its options and addresses.
    """
    text = line.partition(" #")[0].strip()
    if not text or text.startswith("#"):
        return False
    found = _LINE.fullmatch(text.partition(";")[0].strip())
    if found is None:
        return True
    try:
        installed = version(found["name"])
    except PackageNotFoundError:
        return True
    return found["pinned"] is not None and found["pinned"] != installed
