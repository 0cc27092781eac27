"""Artifacts by their digests."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from cloudml.errors import CorruptArtifact, StateError
from cloudml.runtime.digest import measure
from cloudml_local.state import store as module
from cloudml_local.state.store import Store, remove, store_error, sweep


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "objects")


def written(folder: Path, text: str = "content") -> tuple[Path, str]:
    path = folder / "made.txt"
    path.write_text(text)
    return path, f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def test_a_file_is_moved_and_read_only(store: Store, tmp_path: Path) -> None:
    source, digest = written(tmp_path)
    target = store.adopt(source, digest)
    assert not source.exists()
    assert (target.read_text(), target.stat().st_mode & 0o222) == ("content", 0)
    assert store.has(digest) and store.verify(digest)
    assert list(store.digests()) == [digest]


def test_the_same_content_is_kept_once(store: Store, tmp_path: Path) -> None:
    first, digest = written(tmp_path)
    store.adopt(first, digest)
    second, _ = written(tmp_path)
    assert store.adopt(second, digest) == store.path(digest)
    assert not second.exists()


def test_a_folder_is_an_object(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a").write_text("a")
    digest, size = measure(folder)
    target = store.adopt(folder, digest)
    assert (digest.partition(":")[0], size) == ("tree", 1)
    assert store.verify(digest)
    (target / "deep" / "b").write_text("b")
    assert not store.verify(digest), "a file that was added is noticed"
    assert list(store.digests()) == [digest]
    assert store.discard(digest) == 2
    assert not store.has(digest)


def test_a_changed_file_does_not_verify(store: Store, tmp_path: Path) -> None:
    source, digest = written(tmp_path)
    target = store.adopt(source, digest)
    target.chmod(0o644)
    target.write_text("contemt")
    assert store.has(digest) and not store.verify(digest)


@pytest.mark.parametrize("digest", ["sha256:../../x", "sha256:", "md5:abc", "tree:a/b", "", "sha256:ABC", "../../etc"])
def test_a_digest_that_is_none_is_refused(store: Store, digest: str) -> None:
    with pytest.raises(CorruptArtifact):
        store.path(digest)


def test_a_race_for_the_same_object_is_won_by_either(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, digest = written(tmp_path)

    def beaten(old: str | Path, new: str | Path) -> None:
        Path(new).write_text("content")
        raise OSError(errno.EEXIST, "exists")

    monkeypatch.setattr("cloudml_local.state.store.os.rename", beaten)
    assert store.adopt(source, digest) == store.path(digest)
    assert not source.exists() and store.verify(digest)


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "disk is full"), (errno.EROFS, "cannot be written"), (errno.EACCES, "cannot be written")],
)
def test_an_error_of_the_disk_is_told_as_what_it_means(number: int, words: str) -> None:
    told = store_error(OSError(number, os.strerror(number)), Path("/state"))
    assert isinstance(told, StateError)
    assert words in told.message and told.where == "/state" and told.hint


def test_remove_takes_read_only_trees_links_and_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_text("x")
    (folder / "deep").chmod(0o500)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    (folder / "link").symlink_to(outside)
    remove(folder)
    assert not folder.exists() and (outside / "kept").exists()
    (tmp_path / "link").symlink_to(outside)
    remove(tmp_path / "link")
    assert (outside / "kept").exists() and not (tmp_path / "link").is_symlink()
    remove(tmp_path / "nothing")


def test_sweep_lets_what_cannot_be_removed_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stuck(path: Path) -> None:
        raise OSError(errno.ENOTEMPTY, "not empty")

    monkeypatch.setattr(module, "remove", stuck)
    sweep(tmp_path)
    assert tmp_path.exists()
