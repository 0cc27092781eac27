"""Conformance: what is deployed. Observe, apply, stale plans, destroy; and what comes back to this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloudml.backend.port import Session
from cloudml.errors import NotFound, Refused
from cloudml.plan import Plan, Resource, diff
from cloudml.testing.harness import BackendSession, digests, task

_CHAIN = "sample_flow:chain"


def _plan(session: Session, backend_session: BackendSession, resources: tuple[Resource, ...]) -> Plan:
    return diff(resources, session.observe(resources), deferred=backend_session.backend.deferred)


@contextmanager
def _anew(backend_session: BackendSession) -> Iterator[Session]:
    """Another session of the same target, as another command would open it."""
    session = backend_session.backend.connect(backend_session.target)
    try:
        yield session
    finally:
        session.close()


class WorldSuite:
    """What plan, apply and destroy mean, and what `fetch` and `rehearse` bring."""

    def test_an_applied_plan_leaves_nothing_to_change(self, backend_session: BackendSession) -> None:
        resources = backend_session.resources(_CHAIN)
        first = _plan(backend_session.session, backend_session, resources)
        assert {change.action for change in first.changes} == {"create"}
        backend_session.session.apply(resources, first)
        with _anew(backend_session) as session:
            assert not _plan(session, backend_session, resources).has_changes

    def test_a_stale_plan_is_refused_and_changes_nothing(self, backend_session: BackendSession) -> None:
        resources = backend_session.resources(_CHAIN)
        old = _plan(backend_session.session, backend_session, resources)
        backend_session.session.apply(resources, old)
        seen = backend_session.session.observe(resources)
        with pytest.raises(Refused) as caught:
            backend_session.session.apply(resources, old)
        assert caught.value.code == "CML530"
        assert [one.live.digest for one in backend_session.session.observe(resources)] == [
            one.live.digest for one in seen
        ]

    def test_a_plan_of_other_resources_is_refused(self, backend_session: BackendSession) -> None:
        resources = backend_session.resources(_CHAIN)
        plan = _plan(backend_session.session, backend_session, resources)
        with pytest.raises(Refused):
            backend_session.session.apply(backend_session.resources("sample_flow:diamond"), plan)
        assert backend_session.session.observe(resources) == []

    def test_a_run_after_an_apply_changes_nothing_that_was_applied(self, backend_session: BackendSession) -> None:
        resources = backend_session.resources(_CHAIN)
        backend_session.session.apply(resources, _plan(backend_session.session, backend_session, resources))
        assert backend_session.run(_CHAIN, count=2).status == "succeeded"
        assert not _plan(backend_session.session, backend_session, resources).has_changes

    def test_destroy_leaves_nothing_and_may_be_repeated(self, backend_session: BackendSession) -> None:
        resources = backend_session.resources(_CHAIN)
        backend_session.session.apply(resources, _plan(backend_session.session, backend_session, resources))
        foreseen = backend_session.session.destroy(dry_run=True, keep_data=False)
        assert foreseen.dry_run and foreseen.removed
        assert backend_session.session.observe(resources), "a dry run removes nothing"
        assert backend_session.session.destroy(dry_run=False, keep_data=False).complete
        with _anew(backend_session) as session:
            assert session.observe(resources) == []
            assert session.destroy(dry_run=False, keep_data=False).complete

    def test_an_output_is_fetched_whole(self, backend_session: BackendSession, tmp_path: Path) -> None:
        record = backend_session.run(_CHAIN, count=4)
        session = backend_session.session
        path = session.runs.fetch(record.id, "double", "output", tmp_path / "here")
        assert path.is_relative_to(tmp_path / "here")
        assert json.loads(path.read_text(encoding="utf-8")) == 20
        assert session.runs.fetch(record.id, "double", "output", tmp_path / "here") == path, "safe to repeat"
        for name, output in (("double", "nothing"), ("nothing", "output")):
            with pytest.raises(NotFound):
                session.runs.fetch(record.id, name, output, tmp_path / "here")

    def test_a_step_is_rehearsed_here_with_the_inputs_of_its_run(
        self, backend_session: BackendSession, tmp_path: Path
    ) -> None:
        record = backend_session.run(_CHAIN, count=4)
        resources = backend_session.resources(_CHAIN)
        again = backend_session.session.runs.rehearse(record.id, "double", resources, tmp_path / "again")
        assert (again.status, again.values) == ("succeeded", {"output": 20})
        [output] = again.outputs
        assert {output.name: output.digest} == digests(record)["double"]
        assert Path(output.path).is_relative_to(tmp_path)
        after = backend_session.session.runs.get(record.id)
        assert task(after, "double") == task(record, "double"), "the run is as it was"
        with pytest.raises(NotFound):
            backend_session.session.runs.rehearse(record.id, "nothing", resources, tmp_path / "nothing")
