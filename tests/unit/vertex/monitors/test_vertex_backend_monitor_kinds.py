"""Topics, channels, policies and native monitors as resources: made, changed, found by labels, taken from nobody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_vertex_backend_alerts import ASKED
from vertex_monitor_lab import NUMBERS, MonitorBench
from vertex_monitor_spec import Compilation, monitor, native, pipeline

from cloudml import spec
from cloudml.backend.port import Target
from cloudml.errors import Refused
from cloudml.plan import Resource
from cloudml.remote.kind import Kind, Owned
from cloudml.runtime.drift import profile
from cloudml_vertex.compile import alerts, monitors
from cloudml_vertex.container import google
from cloudml_vertex.container.control import native_baseline
from cloudml_vertex.container.rpcs import RPCS
from cloudml_vertex.hosting import native_monitor
from cloudml_vertex.resources.alert_policy import ALERT_POLICY
from cloudml_vertex.resources.channel import CHANNEL
from cloudml_vertex.resources.monitor import MONITOR
from cloudml_vertex.resources.topic import TOPIC
from cloudml_vertex.target import Place
from cloudml_vertex.world import World

KINDS: dict[str, Kind[World]] = {one.name: one for one in (TOPIC, CHANNEL, ALERT_POLICY, MONITOR)}
SETTINGS = {
    "project": "mock-project", "region": "us-central1", "bucket": "data",
    "service_account": "ml@mock-project.iam.gserviceaccount.com",
}  # fmt: skip
MAIL = spec.Alert(name="mail", channel="email", target="a@example.com")


@pytest.fixture
def world(bench: MonitorBench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """Jobs' way to Google stands for the command line's: both take the same documents."""
    for name, rpc in ASKED.items():
        monkeypatch.setitem(RPCS, name, rpc)
    return World(google, Place.of(Target("mock", "vertex", "samples", tmp_path, SETTINGS)), tmp_path)


def told(changed: bool = False) -> list[Resource]:
    """The resources of an alert that mails."""
    alert = MAIL.model_copy(update={"target": "a@example.com,b@example.com"}) if changed else MAIL
    return alerts.resources(Compilation(pipeline(monitor(), alerts=(alert,))))


def shown(world: World, resource: Resource) -> dict[str, Any] | None:
    live = KINDS[resource.kind].read(world, resource)
    return None if live is None else live.document


def test_an_alert_is_made_changed_found_and_removed(world: World) -> None:
    for resource in told():
        assert shown(world, resource) is None
        for _ in range(2):  # a second attempt changes nothing
            KINDS[resource.kind].create(world, resource)
            assert shown(world, resource) == resource.document
    for resource in told(changed=True):
        kind = KINDS[resource.kind]
        if shown(world, resource) is None:
            kind.create(world, resource)
        elif shown(world, resource) != resource.document:
            kind.update(world, resource, ("channels",))
        assert shown(world, resource) == resource.document
    for resource in reversed(told(changed=True)):
        kind = KINDS[resource.kind]
        assert Owned(resource.name, "made") in list(kind.owned(world))
        for _ in range(2):
            kind.delete(world, resource.name)
            assert shown(world, resource) is None
    assert [list(kind.owned(world)) for kind in KINDS.values()] == [[], [], [], []]


def test_what_is_another_target_s_is_left_alone(world: World) -> None:
    for resource in told():
        KINDS[resource.kind].create(world, resource)
    other = replace(world, place=replace(world.place, target="prod"))
    for resource in told():
        assert list(KINDS[resource.kind].owned(other)) == []
        with pytest.raises(Refused, match="does not belong to project samples, target prod"):
            KINDS[resource.kind].create(other, resource)


def resource_of(engine: str, **fields: Any) -> Resource:
    made = Compilation(pipeline(native(**fields)))
    made.place = replace(made.place, monitors=engine)
    found = monitors.native(made, made.step)
    assert found is not None
    assert made.findings == []
    return found


@pytest.mark.parametrize("engine", ["native-v1", "native-v2"])
def test_a_native_monitor_is_a_run_s_and_changes_are_an_apply_s(world: World, bench: MonitorBench, engine: str) -> None:
    resource = resource_of(engine)
    MONITOR.create(world, resource)
    assert MONITOR.read(world, resource) is None
    bench.deploy("11")
    columns = {"age": NUMBERS, "plan": ["a", "b"] * 50}
    profiles = {name: found for name, values in columns.items() if (found := profile(values)) is not None}
    data = native_baseline.put(bench.store, resource.document, columns, profiles)
    native_monitor.ensure(google, resource.document, data)
    assert shown(world, resource) == resource.document
    assert list(MONITOR.owned(world)) == [Owned(resource.name, "made")]

    changed = resource_of(engine, thresholds=(spec.Threshold(statistic="js", limit=0.4),))
    live = MONITOR.read(world, changed)
    assert live is not None
    assert live.document != changed.document
    MONITOR.update(world, changed, ("limits",))
    assert shown(world, changed) == changed.document

    native_monitor.pause(google, resource.document)
    live = MONITOR.read(world, changed)
    assert live is not None
    assert "paused" in live.problem
    for _ in range(2):
        MONITOR.delete(world, resource.name)
        assert MONITOR.read(world, resource) is None
    assert list(MONITOR.owned(world)) == []


def test_a_change_before_any_run_is_refused(world: World) -> None:
    with pytest.raises(Refused, match="no run has kept it"):
        MONITOR.update(world, resource_of("native-v1"), ("limits",))
