from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from cloudml.runtime.digest import (
    LARGE,
    Background,
    MissingHash,
    UnsafeTree,
    file_digest,
    has_blake3,
    matches,
    measure,
    path_digest,
    tree_digest,
    write_measured,
)


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


def test_a_large_file_by_the_faster_hash(tmp_path: Path) -> None:
    blake3 = pytest.importorskip("blake3", reason="large files have a faster hash where it is installed")
    content = bytes(range(256)) * (LARGE // 256)
    path = tmp_path / "file"
    path.write_bytes(content)
    assert measure(path) == ("blake3:" + blake3.blake3(content).hexdigest(), LARGE)
    path.write_bytes(content[:-1])
    assert file_digest(path) == "sha256:" + hashlib.sha256(content[:-1]).hexdigest()


def test_a_file_is_compared_by_the_scheme_of_the_digest(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc" * LARGE)
    digest = "sha256:" + hashlib.sha256(b"abc" * LARGE).hexdigest()
    assert matches(path, digest)
    assert measure(path, digest) == (digest, 3 * LARGE)
    path.write_bytes(b"")
    # The digest of no input, from the reference test vectors of BLAKE3.
    nothing = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert matches(path, nothing)
    path.write_bytes(b"a")
    assert not matches(path, nothing)


def test_without_the_package_large_files_have_the_usual_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "blake3", None)
    has_blake3.cache_clear()
    path = tmp_path / "file"
    path.write_bytes(bytes(LARGE))
    try:
        assert file_digest(path) == "sha256:" + hashlib.sha256(bytes(LARGE)).hexdigest()
        with pytest.raises(MissingHash, match=r"cloudml-pipelines\[local\]"):
            matches(path, "blake3:00")
    finally:
        has_blake3.cache_clear()


@pytest.mark.parametrize("size", [1, LARGE])
def test_pieces_of_memory_become_one_file(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    pieces = [memoryview(b"head"), memoryview(bytes(size)), memoryview(b"tail")]
    assert write_measured(path, pieces) == measure(path)
    assert path.read_bytes() == b"head" + bytes(size) + b"tail"


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        write_measured("/dev/full", [memoryview(b"a")])


def test_what_the_thread_meets_is_raised(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Background(lambda: measure(tmp_path / "none")).finish()
