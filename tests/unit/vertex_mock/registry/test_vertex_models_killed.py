"""Uploads that a killed mock broke off: they are done again, and leave one version with the aliases that it should."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudml.mocks.store import Table
from cloudml_vertex.mock.registry import models
from tests.unit.vertex_mock.hosting.vertex_hosting_bench import PARENT, SPEC, HostingBench

NAME = f"{PARENT}/models/broken"


@pytest.mark.parametrize("where", ["the model is kept", "other versions lose the alias"])
@pytest.mark.parametrize("known", [False, True])
def test_an_upload_is_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, known: bool) -> None:
    bench = HostingBench(tmp_path)
    try:
        if known:
            bench.upload("broken")
        real = Table.put

        def killed(*_: object) -> None:
            bench.world.closing.set()
            raise SystemError("killed")

        def put(self: Table, name: str, document: dict[str, object]) -> dict[str, object]:
            if self.kind == models.MODEL:
                killed()
            return real(self, name, document)

        with monkeypatch.context() as broken:
            if where == "the model is kept":
                broken.setattr(Table, "put", put)
            else:
                broken.setattr(models, "assign", killed)
            model = {"display_name": "m", "container_spec": SPEC, "version_aliases": ["default", "golden"]}
            given = {"parent_model": NAME} if known else {"model_id": "broken"}
            operation = bench.model("UploadModel", parent=PARENT, model=model, **given)
            assert bench.world.closing.wait(10)
            bench.world.workers.join(0.1)
        bench.reopen()
        number = "2" if known else "1"
        assert bench.done(operation)["model_version_id"] == number
        rows = bench.model("ListModelVersions", name=NAME, order_by="create_time")["models"]
        assert [row["version_id"] for row in rows] == (["1", "2"] if known else ["1"])
        assert sorted(rows[-1]["version_aliases"]) == ["default", "golden"]
        assert [row.get("version_aliases", []) for row in rows[:-1]] == ([[]] if known else [])
    finally:
        bench.close()
