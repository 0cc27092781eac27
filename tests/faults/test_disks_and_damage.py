"""Full, read-only and damaged disks: each is named, and resume goes on when it is mended."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from worlds import CHAIN, SUM, Make, task

from cloudml.errors import StateError


def test_a_full_disk_is_named_and_resume_goes_on_when_there_is_room(make: Make, small_disk: Any) -> None:
    disk = small_disk("3m")
    world = make(CHAIN, state=str(disk / "state"))
    world.resources()
    with world.session():
        pass
    filler = disk / "filler"
    filler.write_bytes(b"x" * (os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - 300_000))
    told = ""
    try:
        record = world.run()
        told = record.reason
        assert record.status == "failed"
    except StateError as error:
        told = str(error)
    assert "full" in told or "No space left" in told, told
    filler.unlink()
    assert world.resume().status == "succeeded"
    assert task(world.get(), "third").values == {"output": SUM}


def test_an_artifact_that_finds_no_room_names_its_step(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make(CHAIN)

    rename = os.rename

    def full(source: Any, target: Any) -> None:
        if world.state / "objects" in Path(target).parents:
            raise OSError(28, "No space left on device")
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("cloudml_local.state.store.os.rename", full)
        with pytest.raises(StateError, match="step 'first': the disk is full") as caught:
            world.run()
    assert "cloudml gc" in caught.value.hint
    assert world.get().status == "failed"
    assert world.resume().status == "succeeded"


def test_a_full_database_is_told_as_a_full_disk(make: Make) -> None:
    world = make(CHAIN)
    resources = world.resources()
    with world.session() as session:
        connection = session._database._connection
        connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
        with pytest.raises(StateError, match="the disk is full"):
            session.runs.start(resources, {})
    assert world.run().status == "succeeded"


def test_a_state_that_cannot_be_written_says_so(make: Make, small_disk: Any) -> None:
    disk = small_disk("8m")
    world = make(CHAIN, state=str(disk / "state"))
    assert world.run().status == "succeeded"
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(StateError, match="cannot be written") as caught:
        world.run()
    assert "writable" in caught.value.hint
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert world.run().status == "succeeded"


def test_a_state_directory_that_cannot_be_made_says_so(make: Make) -> None:
    world = make(CHAIN, state="/proc/1/nowhere")
    with pytest.raises(StateError) as caught:
        world.run()
    assert "/proc/1/nowhere" in str(caught.value)


def flip(path: Path) -> None:
    """Change one bit of a read-only artifact."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)


@pytest.mark.parametrize(("step", "reader"), [("first", "second"), ("second", "third")])
def test_a_flipped_bit_is_found_by_the_reader_and_healed_by_resume(make: Make, step: str, reader: str) -> None:
    world = make(CHAIN)
    flip(Path(task(world.run(), step).outputs[0].path))
    record = world.rerun(reader)  # all above the reader is reused
    assert record.status == "failed"
    assert step in task(record, reader).reason or reader in task(record, reader).reason
    assert "damaged" in task(record, reader).reason
    assert "cloudml" in task(record, reader).reason, "the remedy is named"
    healed = world.resume()
    assert healed.status == "succeeded"
    assert task(healed, "third").values == {"output": SUM}
    assert world.count(step) == 2


def test_a_missing_artifact_is_made_again(make: Make) -> None:
    world = make(CHAIN)
    Path(task(world.run(), "second").outputs[0].path).unlink()
    record = world.run()
    assert record.status == "succeeded"
    assert [task(record, name).status for name in ("first", "second", "third")] == ["cached", "succeeded", "cached"]


def test_gc_verify_removes_what_is_damaged_and_the_next_run_makes_it_again(make: Make) -> None:
    world = make(CHAIN)
    output = task(world.run(), "second").outputs[0]
    flip(Path(output.path))
    with world.session() as session:
        assert session.collect(10, False, True).corrupt == (output.digest,)
    record = world.run()
    assert (record.status, task(record, "second").status) == ("succeeded", "succeeded")


def test_a_damaged_database_says_so(make: Make) -> None:
    world = make(CHAIN)
    world.run()
    for name in ("state.db-wal", "state.db-shm"):
        (world.state / name).unlink(missing_ok=True)
    (world.state / "state.db").write_bytes(b"this is no database" * 1000)
    with pytest.raises(StateError, match="damaged") as caught:
        world.run()
    assert str(world.state / "state.db") in caught.value.where
