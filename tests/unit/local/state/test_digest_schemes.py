"""The store keeps objects of every digest scheme apart, finds them again, and verifies each by its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cloudml.errors import CorruptArtifact, MissingExtra
from cloudml.runtime.digest import LARGE, measure
from cloudml_local.state.store import Store
from cloudml_local.state.sweeper import Sweeper


def adopt(store: Store, path: Path, content: bytes) -> str:
    path.write_bytes(content)
    digest, _ = measure(path)
    store.adopt(path, digest)
    return digest


def test_a_large_object_is_listed_and_verified(tmp_path: Path) -> None:
    pytest.importorskip("blake3", reason="large files have a digest of its scheme")
    store = Store(tmp_path / "objects")
    large, small = adopt(store, tmp_path / "a", bytes(LARGE)), adopt(store, tmp_path / "b", b"small")
    assert (large.partition(":")[0], small.partition(":")[0]) == ("blake3", "sha256")
    assert sorted(store.digests()) == sorted([large, small])
    assert store.has(large)
    assert store.verify(large)
    path = store.path(large)
    path.chmod(0o600)
    path.write_bytes(bytes(LARGE - 1) + b"\x01")
    assert not store.verify(large)
    assert store.discard(large) == LARGE
    assert list(store.digests()) == [small]


def test_equal_hex_of_two_schemes_is_two_objects(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert len({store.path(f"{scheme}:ab12") for scheme in ("sha256", "tree", "blake3")}) == 3


@pytest.mark.parametrize("digest", ["blake3:../ab", "blake3:", "md5:ab", "sha256:ab/cd", "blake3:AB", "ab"])
def test_what_is_no_digest_has_no_path(tmp_path: Path, digest: str) -> None:
    with pytest.raises(CorruptArtifact):
        Store(tmp_path).path(digest)


def test_a_hash_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    path = store.path("blake3:ab12")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "blake3", None)
    with pytest.raises(MissingExtra, match="blake3"):
        store.verify("blake3:ab12")


def test_the_sweeper_has_removed_all_when_it_closes(tmp_path: Path) -> None:
    sweeper = Sweeper()
    folders = [tmp_path / str(number) for number in range(50)]
    for folder in folders:
        (folder / "inner").mkdir(parents=True)
        (folder / "inner" / "file").write_bytes(b"")
        sweeper.sweep(folder)
    sweeper.sweep(tmp_path / "never there")
    sweeper.close()
    assert list(tmp_path.iterdir()) == []
    sweeper.close()
