"""The pieces that need no process: table, names, record, identity of processes, lock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudml.errors import Refused, StateError
from cloudml_local.endpoint import control, processes
from cloudml_local.endpoint.deployment import Deployment
from cloudml_local.endpoint.lock import exclusive
from cloudml_local.endpoint.paths import EndpointPaths, endpoint_names
from cloudml_local.endpoint.record import Record, Served, ServerEntry, read_record, write_record
from cloudml_local.endpoint.router.table import RoutingTable, Target, Variant


def variant(name: str, weight: float, up: bool = True, copies: int = 1) -> Variant:
    return Variant(name, 1, weight, tuple(Target(f"{name}-{n}", 1000 + n, up) for n in range(copies)))


def names(table: RoutingTable, count: int) -> list[str]:
    chosen = []
    for _ in range(count):
        found = table.choose()
        assert found is not None
        chosen.append(found[0].name)
    return chosen


def test_shares_are_exact_and_spread_evenly() -> None:
    table = RoutingTable(1, (variant("blue", 90), variant("green", 10)), 60)
    chosen = names(table, 1000)
    assert Counter(chosen) == {"blue": 900, "green": 100}
    for start in range(0, 1000, 10):
        assert chosen[start : start + 10].count("green") == 1


def test_a_variant_without_servers_gives_its_share_to_the_others() -> None:
    table = RoutingTable(1, (variant("blue", 50), variant("green", 50, up=False)), 60)
    assert set(names(table, 10)) == {"blue"}
    assert RoutingTable(1, (variant("green", 100, up=False),), 60).choose() is None


def test_a_retry_avoids_the_server_that_failed_unless_it_is_the_only_one() -> None:
    blue, green = variant("blue", 99), variant("green", 1)
    table = RoutingTable(1, (blue, green), 60)
    assert all(table.choose(blue.targets)[1] is green.targets[0] for _ in range(5))  # type: ignore[index]
    alone = RoutingTable(1, (blue,), 60)
    assert alone.choose(blue.targets) == (blue, blue.targets[0])


def test_a_resting_server_is_spared_and_the_least_loaded_copy_chosen() -> None:
    both = variant("blue", 100, copies=2)
    table = RoutingTable(1, (both,), 60)
    both.targets[0].in_flight = 3
    assert table.choose() == (both, both.targets[1])
    both.targets[1].rest()
    assert table.choose() == (both, both.targets[0])


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "1st", "a" * 64, "a\n", "é", "-x", "a\0"])
def test_names_that_are_none_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        EndpointPaths.of(tmp_path, name)
    assert refused.value.code == "CML520"


def test_a_control_socket_always_fits_the_kernel(tmp_path: Path) -> None:
    short = EndpointPaths.of(Path("/s"), "churn").control
    assert short == Path("/s/endpoints/churn/control.sock")
    deep = EndpointPaths.of(tmp_path / ("ž" * 60), "churn")
    other = EndpointPaths.of(tmp_path / ("ž" * 60), "fraud")
    assert len(os.fsencode(deep.control)) <= 103
    assert deep.control != other.control
    deep.make()
    assert deep.control.parent.stat().st_mode & 0o777 == 0o700


def test_a_record_survives_its_file_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    paths = EndpointPaths.of(tmp_path, "churn")
    paths.make()
    deployment = Deployment(
        "m", 2, "sha256:ab", "/m", "a:b", "/p", ({"x": 1, "ž": None},), (("K", "v"),), 5.0, 2, ("x",)
    )
    entries = (ServerEntry("d1-0", 12, 4000, 100.0, 2),)
    record = Record(
        "churn", str(paths.folder), 2000, "/c", 11, "b-1", "in_service", Served(1, deployment, "t"), None, entries
    )
    write_record(paths, record)
    assert read_record(paths) == record
    assert paths.record.stat().st_mode & 0o777 == 0o600
    document = json.loads(paths.record.read_text())
    assert document["url"] == "http://127.0.0.1:2000"
    assert document["deployment"]["version"] == 2
    assert endpoint_names(tmp_path) == ["churn"]
    assert record.belongs_to(paths)
    assert not record.belongs_to(EndpointPaths.of(tmp_path / "copy", "churn"))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"record_version": 99}'])
def test_a_damaged_record_is_an_error_that_names_the_file(content: str, tmp_path: Path) -> None:
    paths = EndpointPaths.of(tmp_path, "churn")
    paths.make()
    paths.record.write_text(content)
    with pytest.raises(StateError) as damaged:
        read_record(paths)
    assert damaged.value.code == "CML527"
    assert damaged.value.where == str(paths.record)


def test_the_same_service_may_lie_elsewhere_but_not_differ() -> None:
    one = Deployment("m", 1, "d", "/a")
    assert one.same_service(Deployment("m", 1, "d", "/b"))
    for other in (Deployment("m", 2, "d", "/a"), Deployment("m", 1, "d", "/a", environment=(("A", "1"),))):
        assert not one.same_service(other)


@pytest.mark.parametrize(
    "changes",
    [{"copies": 0}, {"request_timeout": 0.0}, {"sample": ({"x": float("nan")},)}, {"sample": ({"x": object()},)}],
)
def test_a_deployment_that_nobody_could_serve_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"copy|timeout|JSON"):
        Deployment("m", 1, "d", "/a", **changes)


def test_a_process_is_known_by_its_start_and_a_zombie_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started = processes.start_time(child.pid)
    assert started is not None
    assert processes.is_running(child.pid, started)
    assert not processes.is_running(child.pid, started + "0")
    processes.kill(child.pid, "another")
    assert child.poll() is None
    child.kill()
    assert processes.wait_gone(child.pid, started, 5)
    child.wait()


def test_the_lock_keeps_the_second_waiting_and_refuses_after_its_time(tmp_path: Path) -> None:
    paths = EndpointPaths.of(tmp_path, "churn")
    paths.make()
    order: list[str] = []
    entered = threading.Event()

    def first() -> None:
        with exclusive(paths, 1):
            entered.set()
            time.sleep(0.5)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(5)
    with pytest.raises(Refused) as refused, exclusive(paths, 0.1):
        order.append("never")
    assert refused.value.code == "CML523"
    waits: list[str] = []
    with exclusive(paths, 5, lambda: waits.append("waited")):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert waits == ["waited"]


def test_asking_nobody_fails_quickly(tmp_path: Path) -> None:
    with pytest.raises(control.ControlFailed):
        control.ask(str(tmp_path / "no.sock"), "status", timeout=1)


def test_the_manager_imports_nothing_heavy() -> None:
    code = (
        "import sys, cloudml_local.endpoint.manager\n"
        "print([m for m in ('asyncio', 'aiohttp', 'uvicorn', 'starlette', 'pydantic', 'numpy') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_deployment_of_json_is_the_deployment(deployment: Callable[..., Deployment]) -> None:
    one = deployment(1, environment=(("A", "b"),), features=("x",))
    assert Deployment.from_dict(json.loads(json.dumps(one.to_dict()))) == one
