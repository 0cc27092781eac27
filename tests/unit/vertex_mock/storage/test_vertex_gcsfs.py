"""gcsfs against the server; its probe for hierarchical buckets speaks gRPC to Google and is switched off."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def fs(server, bucket, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server)
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    import gcsfs
    from fsspec.asyn import get_loop, sync

    made = gcsfs.GCSFileSystem(
        project="acme-data", token="anon", endpoint_url=server, skip_instance_cache=True, use_listings_cache=False
    )
    yield made
    sync(get_loop(), made.session.close)


def test_read_and_write(fs, world):
    fs.pipe("data/a/b.txt", b"hello")
    assert (world.gcs / "data/a/b.txt").read_bytes() == b"hello"
    assert fs.cat("data/a/b.txt") == b"hello"
    with fs.open("data/a/c.csv", "wb") as file:
        file.write(b"x,y\n1,2\n")
    with fs.open("data/a/c.csv", "rb") as file:
        file.seek(4)
        assert file.read() == b"1,2\n"
    assert fs.info("data/a/c.csv")["size"] == 8
    assert sorted(fs.ls("data/a", detail=False)) == ["data/a/b.txt", "data/a/c.csv"]
    assert fs.glob("data/*/*.csv") == ["data/a/c.csv"]
    assert sorted(fs.find("data")) == ["data/a/b.txt", "data/a/c.csv"]
    assert fs.isdir("data/a")
    fs.cp_file("data/a/b.txt", "data/d")
    assert fs.cat_file("data/d", start=1, end=3) == b"el"
    fs.rm("data/a", recursive=True)
    assert fs.find("data") == ["data/d"]
    with pytest.raises(FileNotFoundError):
        fs.cat("data/a/b.txt")


def test_large_file_in_blocks(fs):
    data = os.urandom(700_000)
    with fs.open("data/big", "wb", block_size=2**18) as file:
        for start in range(0, len(data), 100_000):
            file.write(data[start : start + 100_000])
    assert fs.cat("data/big") == data


def test_create_only(fs):
    fs.pipe_file("data/x", b"1", mode="create")
    with pytest.raises(FileExistsError):
        fs.pipe_file("data/x", b"2", mode="create")
    assert fs.cat("data/x") == b"1"


def test_files_of_jobs(fs, world):
    (world.gcs / "data/out").mkdir()
    (world.gcs / "data/out/model.bin").write_bytes(b"w")
    assert fs.cat("data/out/model.bin") == b"w"
