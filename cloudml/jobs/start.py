"""The program of every job: unpack the bundle beside it, then let the backend's own part in it do the work.

A file of its own: it runs before anything of cloudml can be imported, in whatever Python the image has.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tarfile
import tempfile

NEEDED = (3, 11)
LIBRARY = "library.zip"
"""In the bundle: cloudml, with a module `cloudml_entry` that knows the cloud."""
FOLDERS = (("SAGEMAKER_BASE_DIR", "/opt/ml"),)
"""Where a service gives a job a folder of its own: a variable that names it, and its usual place.

Nothing that knows a cloud can be imported yet. Services that are not named here read what a job says on stderr.
"""


def main() -> int:
    """Run the job; its exit code. A failure before the work begins is told where the service reads it."""
    base = own_folder()
    if sys.version_info < NEEDED:
        found = ".".join(str(part) for part in sys.version_info[:3])
        return fail(base, f"the image has Python {found}; cloudml needs 3.11 or newer: name another image")
    code = os.path.dirname(os.path.abspath(__file__))
    work = tempfile.mkdtemp(prefix="cloudml-", dir=base if base and os.access(base, os.W_OK) else None)
    try:
        try:
            unpack(os.path.join(code, "bundle.tar.gz"), work)
        except (OSError, ValueError, tarfile.TarError) as error:
            return fail(base, f"the code bundle cannot be unpacked: {error}")
        sys.path[0] = os.path.join(work, LIBRARY)
        entry = importlib.import_module("cloudml_entry")
        return int(entry.run(code, work, sys.argv[1:]))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def unpack(archive: str, folder: str) -> None:
    """The plain files of a gzipped tar archive. Raises ValueError for a link, a device, a way out of the folder."""
    with tarfile.open(archive, "r:gz") as bundle:
        for member in bundle:
            if not (member.isfile() or member.isdir()) or member.name.startswith("/") or ".." in member.name.split("/"):
                raise ValueError(f"{member.name!r} is not a plain file inside of it")
            target = os.path.join(folder, member.name)
            os.makedirs(target if member.isdir() else os.path.dirname(target), exist_ok=True)
            source = bundle.extractfile(member)
            if source is None:
                continue
            with source, open(target, "wb") as file:
                shutil.copyfileobj(source, file)
            if member.mode & 0o100:
                os.chmod(target, 0o755)  # noqa: S103 - readable by all, as the umask has it too


def own_folder() -> str:
    """The folder that the service gives the job; empty when there is none."""
    for variable, usual in FOLDERS:
        folder = os.environ.get(variable) or usual
        if os.environ.get(variable) or os.path.isdir(folder):
            return folder
    return ""


def fail(base: str, text: str) -> int:
    """Say the reason, and leave it in both files that a service with such a folder looks into: one for each kind of
    job.
    """
    sys.stderr.write(f"cloudml: {text}\n")
    if base:
        folder = os.path.join(base, "output")
        os.makedirs(folder, exist_ok=True)
        for name in ("message", "failure"):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
    return 1


if __name__ == "__main__":
    sys.exit(main())
