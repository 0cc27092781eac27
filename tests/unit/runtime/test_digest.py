from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from cloudml.runtime.digest import BackgroundDigest, UnsafeTree, file_digest, measure, path_digest, tree_digest


def test_a_file_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    # The example of FIPS 180-2, appendix B.1.
    assert file_digest(path) == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert measure(path) == (path_digest(path), 3)


def test_a_folder_by_its_sorted_lines(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "run.sh").write_bytes(b"1")
    (tmp_path / "b" / "run.sh").chmod(0o755)
    (tmp_path / "a.txt").write_bytes(b"22")
    (tmp_path / "empty").mkdir()
    lines = sorted(
        [
            hashlib.sha256(b"1").hexdigest() + " x b/run.sh\n",
            hashlib.sha256(b"22").hexdigest() + " - a.txt\n",
        ]
    )
    assert tree_digest(tmp_path) == "tree:" + hashlib.sha256("".join(lines).encode()).hexdigest()
    assert measure(tmp_path)[1] == 3


def test_links_and_devices_in_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    with pytest.raises(UnsafeTree, match="link"):
        tree_digest(tmp_path)
    (tmp_path / "link").unlink()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnsafeTree, match="pipe"):
        tree_digest(tmp_path)


def test_a_growing_file_is_followed_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    background = BackgroundDigest(path, follow=True)
    pause = threading.Event()
    content = b""
    with path.open("wb", buffering=0) as file:
        for number in range(5):
            piece = bytes([number]) * 700_000
            file.write(piece)
            content += piece
            pause.wait(0.003)
    assert background.finish() == ("sha256:" + hashlib.sha256(content).hexdigest(), len(content))


def test_what_the_thread_meets_is_raised(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        BackgroundDigest(tmp_path / "none").finish()
