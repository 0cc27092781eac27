"""Random histories of requests and of jobs' writes against a dictionary."""

from __future__ import annotations

import json
import shutil
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.storage.app import serve
from cloudml_vertex.mock.storage.http import Request, target

NAMES = st.sampled_from(["a", "a/", "a/b", "a//b", "a/b/c", "b", "b-c", "../x", "é", "z" * 300])
VALUES = st.binary(max_size=4)
CHECKS = st.sampled_from(["none", "zero", "current", "other", "not-zero", "not-current"])
STEPS = st.one_of(
    st.tuples(st.just("put"), NAMES, VALUES, CHECKS),
    st.tuples(st.just("get"), NAMES, st.just(b""), CHECKS),
    st.tuples(st.just("delete"), NAMES, st.just(b""), CHECKS),
    st.tuples(st.just("job"), st.sampled_from(["b", "a/b", "d/e"]), VALUES, st.just("none")),
    st.tuples(
        st.just("list"), st.sampled_from(["", "a", "a/", "b"]), st.sampled_from([b"", b"/", b"b"]), st.just("none")
    ),
)


class Model:
    """What the bucket must hold: content and generation by name."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.held: dict[str, tuple[bytes, int]] = {}

    def ask(self, method: str, where: str, body: bytes = b""):
        path, query = target(where)
        answer = serve(
            self.world, Request(method, path, query, {"content-type": "text/plain"}, body, "http://localhost")
        )
        data = b"".join(answer.chunks)
        return answer.status, data

    def condition(self, name: str, check: str) -> tuple[str, bool]:
        """Query, and whether it holds."""
        now = self.held.get(name, (b"", 0))[1]
        table = {
            "none": ("", True),
            "zero": ("&ifGenerationMatch=0", now == 0),
            "current": (f"&ifGenerationMatch={now}", True),
            "other": (f"&ifGenerationMatch={now + 1}", False),
            "not-zero": ("&ifGenerationNotMatch=0", now != 0),
            "not-current": (f"&ifGenerationNotMatch={now}", False),
        }
        return table[check]

    def generation(self, name: str) -> int:
        status, data = self.ask("GET", f"/storage/v1/b/data/o/{quote(name, safe='')}")
        assert status == 200
        return int(json.loads(data)["generation"])

    def put(self, name: str, value: bytes, check: str) -> None:
        query, holds = self.condition(name, check)
        status, _ = self.ask(
            "POST", f"/upload/storage/v1/b/data/o?uploadType=media&name={quote(name, safe='')}{query}", value
        )
        assert status == (200 if holds else 412)
        if holds:
            generation = self.generation(name)
            assert generation > self.held.get(name, (b"", 0))[1]
            self.held[name] = (value, generation)

    def get(self, name: str, _value: bytes, check: str) -> None:
        query, holds = self.condition(name, check)
        status, data = self.ask("GET", f"/storage/v1/b/data/o/{quote(name, safe='')}?alt=media{query}")
        if name not in self.held:
            assert status == 404
        elif holds:
            assert (status, data) == (200, self.held[name][0])
        else:
            assert status == (304 if "NotMatch" in query else 412)

    def delete(self, name: str, _value: bytes, check: str) -> None:
        query, holds = self.condition(name, check)
        status, _ = self.ask("DELETE", f"/storage/v1/b/data/o/{quote(name, safe='')}?{query}")
        expected = 404 if name not in self.held else 204 if holds else 412
        assert status == expected
        if status == 204:
            del self.held[name]

    def job(self, name: str, value: bytes, _check: str) -> None:
        file = self.world.gcs / "data" / name
        if file.is_dir() or any(parent.is_file() for parent in file.parents):
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(value)
        self.held[name] = (value, self.generation(name))

    def list(self, prefix: str, delimiter: bytes, _check: str) -> None:
        query = f"prefix={quote(prefix, safe='')}&delimiter={delimiter.decode()}"
        answer = json.loads(self.ask("GET", f"/storage/v1/b/data/o?{query}")[1])
        items, prefixes = [], set()
        for name in sorted(self.held, key=str.encode):
            if name.startswith(prefix):
                head, found, _ = name[len(prefix) :].partition(delimiter.decode() or "\0")
                prefixes |= {prefix + head + found} if found else set()
                items += [] if found else [name]
        assert [item["name"] for item in answer.get("items", [])] == items
        assert answer.get("prefixes", []) == sorted(prefixes)


@pytest.fixture
def fresh(world):
    """An empty bucket for each example."""

    def make() -> Model:
        shutil.rmtree(world.gcs, ignore_errors=True)
        shutil.rmtree(world.folder / "gcs-side", ignore_errors=True)
        (world.gcs / "data").mkdir(parents=True)
        return Model(world)

    return make


def test_histories(fresh):
    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(steps=st.lists(STEPS, max_size=25))
    def check(steps):
        model = fresh()
        for kind, name, value, condition in steps:
            getattr(model, kind)(name, value, condition)
        model.list("", b"", "none")

    check()
