"""Deploy, switch, crash, kill, restart, stop: with real routers and real model servers."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudml.errors import NotFound, Refused, StateError
from cloudml_local.endpoint.deployment import Deployment
from cloudml_local.endpoint.manager import EndpointManager

Make = Callable[..., Deployment]
Running = Callable[[], list[int]]


def ask(manager: EndpointManager, x: int = 10) -> tuple[int, object]:
    status, _, body = manager.invoke("churn", json.dumps([{"x": x}]).encode())
    return status, json.loads(body).get("predictions")


def eventually(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


def record(state: Path) -> dict[str, object]:
    document: dict[str, object] = json.loads((state / "endpoints" / "churn" / "record.json").read_text())
    return document


def server_pids(state: Path) -> list[int]:
    return [entry["pid"] for entry in record(state)["variants"]]  # type: ignore[attr-defined]


class Clients:
    """Eight clients on kept-alive connections that never try anything twice."""

    def __init__(self, port: int, count: int = 8) -> None:
        self.answers: list[tuple[int, str]] = []
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._port = port
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        eventually(lambda: len(self.answers) > 100 or bool(self.failures))
        return self

    def __exit__(self, *exc: object) -> None:
        time.sleep(0.3)
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=15)
        connection.connect()
        # A lost connection is a failure, not something to open again.
        connection.auto_open = 0
        try:
            while not self._stop.is_set():
                connection.request("POST", "/invocations", b'[{"x": 10}]', {"Content-Type": "application/json"})
                response = connection.getresponse()
                body = response.read()
                if response.status == 200:
                    version = response.getheader("x-cloudml-model-version") or ""
                    self.answers.append((json.loads(body)["predictions"][0], version))
                else:
                    self.failures.append(f"{response.status} {body[:200]!r}")
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(repr(error))
        finally:
            connection.close()


def test_an_endpoint_from_deploy_to_delete(
    manager: EndpointManager, deployment: Make, state: Path, running: Running
) -> None:
    assert manager.status("churn") is None
    assert manager.list() == []
    said: list[str] = []
    status = manager.deploy("churn", deployment(2), on_progress=said.append)
    assert (status.status, status.version, status.deployment_id) == ("in_service", 2, 1)
    assert said[-1] == "version 2 serves"
    assert ask(manager) == (200, [20])
    assert manager.serves("churn", "multiplier", 2, deployment(2).digest)
    for other in (("other", 2, deployment(2).digest), ("multiplier", 3, deployment(2).digest), ("multiplier", 2, "x")):
        assert not manager.serves("churn", *other)

    again = manager.deploy("churn", deployment(2))
    assert (again.deployment_id, again.pid, again.port) == (1, status.pid, status.port)

    counters = manager.metrics("churn")["variants"]["d1"]
    assert (counters["requests"], counters["5xx"]) == (1, 0)
    assert ask(manager, 13)[0] == 500
    assert manager.invoke("churn", b'[{"y": 1}]')[0] == 400
    counters = manager.status("churn").counters  # type: ignore[union-attr]
    assert (counters["requests"], counters["4xx"], counters["5xx"]) == (3, 1, 1)

    stopped = manager.stop("churn")
    assert stopped.status == "stopped"
    assert running() == []
    assert manager.stop("churn").status == "stopped"
    assert [found.status for found in manager.list()] == ["stopped"]
    with pytest.raises(Refused) as refused:
        ask(manager)
    assert refused.value.code == "CML526"

    started = manager.start("churn")
    assert (started.status, started.version, started.deployment_id) == ("in_service", 2, 1)
    assert started.port == status.port
    assert ask(manager) == (200, [20])
    manager.delete("churn")
    assert manager.status("churn") is None
    assert running() == []
    with pytest.raises(NotFound) as unknown:
        manager.stop("churn")
    assert unknown.value.code == "CML521"


def test_a_switch_loses_no_request(manager: EndpointManager, deployment: Make, state: Path) -> None:
    status = manager.deploy("churn", deployment(2))
    blue = server_pids(state)
    with Clients(status.port) as clients:
        switched = manager.deploy("churn", deployment(3, copies=2))
        before = len(clients.answers)
        # Whatever is asked after the deploy returned is answered by green.
        assert ask(manager) == (200, [30])
        eventually(lambda: len(clients.answers) > before + 200 or bool(clients.failures))
        manager.deploy("churn", deployment(4))
    assert clients.failures == []
    assert set(clients.answers) == {(20, "2"), (30, "3"), (40, "4")}
    assert (switched.deployment_id, switched.port, switched.pid) == (2, status.port, status.pid)
    previous = record(state)["previous"]
    assert isinstance(previous, dict)
    assert previous["version"] == 3
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in blue))


def test_a_killed_server_costs_no_request_when_there_is_another(
    manager: EndpointManager, deployment: Make, state: Path
) -> None:
    status = manager.deploy("churn", deployment(2, copies=2))
    with Clients(status.port) as clients:
        os.kill(server_pids(state)[0], signal.SIGKILL)
        time.sleep(0.5)
    assert clients.failures == []


def test_drain_waits_for_a_slow_request(manager: EndpointManager, deployment: Make) -> None:
    manager.deploy("churn", deployment(2))
    answers: list[tuple[int, object]] = []
    slow = threading.Thread(target=lambda: answers.append(ask(manager, 55)))
    slow.start()
    time.sleep(0.2)
    manager.deploy("churn", deployment(3))
    slow.join(15)
    assert answers == [(200, [110])]
    slow = threading.Thread(target=lambda: answers.append(ask(manager, 55)))
    slow.start()
    time.sleep(0.3)
    manager.stop("churn")
    slow.join(15)
    assert answers[1] == (200, [165])


@pytest.mark.parametrize(
    ("predictor", "timeout", "words"),
    [("stub:crash", 60.0, "the reason is in the log"), ("stub:never", 2.0, "not ready within 2 seconds")],
)
def test_a_green_that_cannot_serve_leaves_blue_alone(
    manager: EndpointManager, deployment: Make, running: Running, predictor: str, timeout: float, words: str
) -> None:
    manager.deploy("churn", deployment(2))
    before = set(running())
    with pytest.raises(StateError) as failed:
        manager.deploy("churn", deployment(3, predictor=predictor), timeout=timeout)
    assert failed.value.code == "CML522"
    assert words in failed.value.message
    assert "in service stays" in failed.value.message
    status = manager.status("churn")
    assert status is not None
    assert (status.status, status.version, status.deployment_id) == ("in_service", 2, 1)
    assert words in status.error
    assert ask(manager) == (200, [20])
    assert set(running()) == before
    assert manager.deploy("churn", deployment(3)).error == ""


def test_a_first_deploy_that_fails_leaves_no_process(
    manager: EndpointManager, deployment: Make, running: Running
) -> None:
    with pytest.raises(StateError) as failed:
        manager.deploy("churn", deployment(2, predictor="stub:crash"))
    assert "serves nothing" in failed.value.message
    assert running() == []
    status = manager.status("churn")
    assert status is not None
    assert status.status == "failed"
    assert "exited with 5" in status.error
    with pytest.raises(Refused) as refused:
        manager.start("churn")
    assert refused.value.code == "CML529"
    assert manager.deploy("churn", deployment(2)).status == "in_service"


def test_a_crashed_server_comes_back_and_the_status_says_so(
    manager: EndpointManager, deployment: Make, state: Path
) -> None:
    manager.deploy("churn", deployment(2))
    assert ask(manager, 99)[0] == 503
    status = manager.status("churn")
    assert status is not None
    assert status.status == "failed"
    assert "exited with 7" in status.error
    assert not manager.serves("churn", "multiplier", 2, deployment(2).digest)
    eventually(lambda: manager.serves("churn", "multiplier", 2, deployment(2).digest))
    assert ask(manager) == (200, [20])
    status = manager.status("churn")
    assert status is not None
    assert status.error == ""
    assert status.counters["restarts"] == 1


def test_a_killed_router_takes_its_servers_along_and_starts_again_on_its_port(
    manager: EndpointManager, deployment: Make, state: Path, running: Running
) -> None:
    status = manager.deploy("churn", deployment(2))
    manager.deploy("churn", deployment(3))
    assert status.pid is not None
    os.kill(status.pid, signal.SIGKILL)
    eventually(lambda: running() == [])
    lost = manager.status("churn")
    assert lost is not None
    assert lost.status == "failed"
    assert "not running" in lost.error
    assert not manager.serves("churn", "multiplier", 3, deployment(3).digest)
    with pytest.raises(Refused):
        ask(manager)
    started = manager.start("churn")
    assert (started.version, started.deployment_id, started.port) == (3, 2, status.port)
    assert ask(manager) == (200, [30])
    assert manager.deploy("churn", deployment(4)).deployment_id == 3


def test_a_port_taken_meanwhile_is_replaced(manager: EndpointManager, deployment: Make) -> None:
    port = manager.deploy("churn", deployment(2)).port
    manager.stop("churn")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        moved = manager.start("churn")
    assert moved.port != port
    assert ask(manager) == (200, [20])


def test_two_deploys_at_once_happen_one_after_the_other(
    manager: EndpointManager, deployment: Make, state: Path
) -> None:
    ids: list[int | None] = []
    threads = [
        threading.Thread(
            target=lambda version=version: ids.append(manager.deploy("churn", deployment(version)).deployment_id)
        )
        for version in (2, 3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(number for number in ids if number is not None) == [1, 2]
    eventually(lambda: len(server_pids(state)) == 1)


def test_it_survives_the_command_that_made_it(
    manager: EndpointManager, deployment: Make, state: Path, running: Running
) -> None:
    code = (
        "import json, os, signal, sys\n"
        "from pathlib import Path\n"
        "from cloudml_local.endpoint.deployment import Deployment\n"
        "from cloudml_local.endpoint.manager import EndpointManager\n"
        "EndpointManager(Path(sys.argv[1])).deploy('churn', Deployment.from_dict(json.loads(sys.argv[2])))\n"
        "os.killpg(0, signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", code, str(state), json.dumps(deployment(2).to_dict())]
    assert subprocess.run(command, start_new_session=True, timeout=60, check=False).returncode == -signal.SIGKILL
    assert ask(manager) == (200, [20])


def test_a_deploy_whose_command_dies_changes_nothing(
    manager: EndpointManager, deployment: Make, state: Path, running: Running
) -> None:
    manager.deploy("churn", deployment(2))
    before = set(running())
    code = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from cloudml_local.endpoint.deployment import Deployment\n"
        "from cloudml_local.endpoint.manager import EndpointManager\n"
        "EndpointManager(Path(sys.argv[1])).deploy('churn', Deployment.from_dict(json.loads(sys.argv[2])))\n"
    )
    slow = deployment(3, predictor="stub:never")
    command = subprocess.Popen([sys.executable, "-c", code, str(state), json.dumps(slow.to_dict())])
    eventually(lambda: record(state)["status"] == "updating")
    command.kill()
    command.wait()
    eventually(lambda: record(state)["status"] == "in_service")
    assert ask(manager) == (200, [20])
    eventually(lambda: set(running()) == before)


def test_stop_abandons_a_deploy_in_progress(manager: EndpointManager, deployment: Make, running: Running) -> None:
    failures: list[str] = []

    def deploy() -> None:
        try:
            manager.deploy("churn", deployment(2, predictor="stub:never"))
        except StateError as error:
            failures.append(error.code)

    thread = threading.Thread(target=deploy)
    thread.start()
    eventually(lambda: manager.status("churn") is not None and len(running()) == 2)
    assert manager.stop("churn").status == "stopped"
    thread.join(20)
    assert failures == ["CML524"]
    assert running() == []


def test_a_router_that_hangs_is_replaced_by_the_next_deploy(
    manager: EndpointManager, deployment: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudml_local.endpoint.manager._PATIENCE_SECONDS", 1.0)
    monkeypatch.setattr("cloudml_local.endpoint.manager.ASK_SECONDS", 1.0)
    status = manager.deploy("churn", deployment(2))
    assert status.pid is not None
    os.kill(status.pid, signal.SIGSTOP)
    hung = manager.status("churn")
    assert hung is not None
    assert hung.status == "failed"
    assert "does not answer" in hung.error
    replaced = manager.deploy("churn", deployment(3))
    assert replaced.pid != status.pid
    assert ask(manager) == (200, [30])


def test_a_copied_state_folder_has_an_endpoint_of_its_own(
    manager: EndpointManager, deployment: Make, state: Path, tmp_path: Path
) -> None:
    original = manager.deploy("churn", deployment(2))
    copy = tmp_path / "copy"
    shutil.copytree(state, copy, ignore=shutil.ignore_patterns("*.sock"))
    other = EndpointManager(copy)
    lost = other.status("churn")
    assert lost is not None
    assert lost.status == "failed"
    try:
        mine = other.deploy("churn", deployment(3))
        assert mine.port != original.port
        assert other.stop("churn").status == "stopped"
    finally:
        other.stop("churn")
    assert ask(manager) == (200, [20])


def test_a_router_whose_folder_is_gone_ends_itself(
    manager: EndpointManager, deployment: Make, state: Path, running: Running
) -> None:
    manager.deploy("churn", deployment(2))
    shutil.rmtree(state)
    eventually(lambda: running() == [])


def test_a_damaged_record_can_be_listed_and_deleted(
    manager: EndpointManager, deployment: Make, state: Path, running: Running
) -> None:
    manager.deploy("churn", deployment(2))
    (state / "endpoints" / "churn" / "record.json").write_text("{")
    assert [found.status for found in manager.list()] == ["failed"]
    with pytest.raises(StateError) as damaged:
        manager.status("churn")
    assert damaged.value.code == "CML527"
    manager.delete("churn")
    assert manager.list() == []
    eventually(lambda: running() == [])


def test_a_state_path_too_long_for_a_socket_works(deployment: Make, tmp_path: Path) -> None:
    deep = EndpointManager(tmp_path / ("ž" * 50) / ("x" * 50))
    try:
        deep.deploy("churn", deployment(2))
        assert ask(deep) == (200, [20])
    finally:
        deep.delete("churn")


def test_servers_get_their_environment_but_nothing_that_opens_them_to_the_network(
    manager: EndpointManager, deployment: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIP_HTTP_PORT", "8080")
    environment = (("GREETING", "ahoj"), ("SAGEMAKER_BIND_TO_PORT", "8081"))
    manager.deploy("churn", deployment(2, predictor="stub:environment", environment=environment))
    assert ask(manager) == (200, ["ahojNone"])


def test_status_is_quick(manager: EndpointManager, deployment: Make) -> None:
    manager.deploy("churn", deployment(2))
    durations = []
    for _ in range(50):
        began = time.perf_counter()
        assert manager.serves("churn", "multiplier", 2, deployment(2).digest)
        durations.append(time.perf_counter() - began)
    # About 1 ms where nothing else runs; the best of many is what the code costs.
    assert min(durations) < 0.005


def test_a_scikit_learn_model_without_a_predictor(manager: EndpointManager, deployment: Make, project: Path) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    polars = pytest.importorskip("polars")
    import joblib  # type: ignore[import-untyped]

    frame = polars.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})
    estimator = linear.LogisticRegression().fit(frame, [0, 0, 1, 1])
    joblib.dump(estimator, project / "estimator.joblib")
    rows = tuple(frame.to_dicts())
    model = deployment(2, predictor=None, model_path=str(project / "estimator.joblib"), sample=rows)
    manager.deploy("churn", model)
    _, _, body = manager.invoke("churn", json.dumps(list(rows)).encode())
    assert json.loads(body)["predictions"] == pytest.approx(estimator.predict_proba(frame)[:, 1].tolist())
