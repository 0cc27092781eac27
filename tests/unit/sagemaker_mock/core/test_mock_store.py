"""Tables keep documents in order, by scope, and through a kill when a file is given."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cloudml.mocks import store as stores
from cloudml.mocks.store import Scope, Store, Table
from cloudml_sagemaker.mock.core.operations import arn_of

HERE = Scope("123456789012", "us-east-1")
THERE = Scope("123456789012", "eu-west-1")


def test_tables_are_apart_by_kind_and_scope_and_keep_order() -> None:
    store = Store()
    for name in ("b", "a", "c"):
        store.table("Model", HERE).put(name, {"ModelName": name})
    store.table("Model", THERE).put("b", {"ModelName": "other"})
    assert [row["ModelName"] for row in store.table("Model", HERE)] == ["b", "a", "c"]
    assert store.table("Model", THERE)["b"] == {"ModelName": "other"}
    assert "b" not in store.table("Pipeline", HERE)
    assert len(store.tables("Model")) == 2


def test_deleting_gives_back_what_was_there() -> None:
    table = Store().table("Model", HERE)
    table.put("a", {"x": 1})
    assert table.delete("a") == {"x": 1}
    assert table.delete("a") is None
    assert table.get("a") is None


def test_a_file_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    script = f"""
import os, signal
from pathlib import Path
from cloudml.mocks.store import Scope, Store
table = Store(Path({str(path)!r})).table("Model", Scope("1", "r"))
for n in range(50):
    table.put(str(n % 10), {{"n": n}})
table.delete("3")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -9
    store = Store(path)
    table = store.table("Model", Scope("1", "r"))
    assert [name for name, _ in table.items()] == ["0", "1", "2", "4", "5", "6", "7", "8", "9"]
    assert [row["n"] for row in table] == [40, 41, 42, 44, 45, 46, 47, 48, 49]
    store.close()


def test_arns() -> None:
    assert arn_of(HERE, "model/m") == "arn:aws:sagemaker:us-east-1:123456789012:model/m"
    assert arn_of(HERE, "role/r", "iam") == "arn:aws:iam:us-east-1:123456789012:role/r"


def test_threads_that_ask_first_get_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    meet = threading.Barrier(2, timeout=10)

    class Slow(Table):
        def __init__(self, store: Store, kind: str, scope: Scope) -> None:
            super().__init__(store, kind, scope)
            meet.wait()

    monkeypatch.setattr(stores, "Table", Slow)
    store = Store()
    found: list[Table] = []
    threads = [threading.Thread(target=lambda: found.append(store.table("Model", HERE))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is found[1] is store.table("Model", HERE)
