"""The program of every job: unpack the bundle beside it, then let `cloudml_sagemaker.container` do the work.

A file of its own: it runs before anything of cloudml can be imported, in whatever Python the image has.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import tempfile

NEEDED = (3, 11)


def main() -> int:
    """Run the job; its exit code. A failure before the work begins is told where SageMaker reads it."""
    base = os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")
    if sys.version_info < NEEDED:
        found = ".".join(str(part) for part in sys.version_info[:3])
        return fail(base, f"the image has Python {found}; cloudml needs 3.11 or newer: name another image")
    code = os.path.dirname(os.path.abspath(__file__))
    work = tempfile.mkdtemp(prefix="cloudml-", dir=base if os.access(base, os.W_OK) else None)
    try:
        try:
            unpack(os.path.join(code, "bundle.tar.gz"), work)
        except (OSError, ValueError, tarfile.TarError) as error:
            return fail(base, f"the code bundle cannot be unpacked: {error}")
        sys.path[0] = os.path.join(work, "library.zip")
        from cloudml_sagemaker.container.main import run

        return run(code, work, sys.argv[1:])
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


def fail(base: str, text: str) -> int:
    """Leave the reason in both files that SageMaker looks into, one for processing and one for training."""
    sys.stderr.write(f"cloudml: {text}\n")
    folder = os.path.join(base, "output")
    os.makedirs(folder, exist_ok=True)
    for name in ("message", "failure"):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    return 1


if __name__ == "__main__":
    sys.exit(main())
