"""Mounts, names and networks of jobs that the kernel isolates."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudml.errors import Refused
from cloudml.mocks.sandbox import Command, Mount, Sandbox

Make = Callable[..., Command]
Until = Callable[[Callable[[], object]], None]

ROOT = Path(__file__).parents[4]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def listing(folder: str) -> list[tuple[str, int, int]]:
    """What a folder holds, so that a change of anything in it shows."""
    return sorted(
        (entry.name, entry.inode(), entry.stat(follow_symlinks=False).st_mtime_ns) for entry in os.scandir(folder)
    )


def test_a_folder_stands_where_the_host_has_none_and_its_neighbours_stay(
    namespaces: Sandbox, shell: Make, data: Path, tmp_path: Path
) -> None:
    before, neighbours = listing("/opt"), sorted(os.listdir("/opt"))
    command = shell("echo result > /opt/ml/model; ls -1 /opt", mounts=(Mount(data, "/opt/ml"),))
    assert namespaces.start(command).wait() == 0
    assert (data / "model").read_text() == "result\n"
    assert (tmp_path / "log").read_text().split() == sorted([*neighbours, "ml"])
    assert listing("/opt") == before


def test_files_links_and_folders_of_a_covered_folder_stay_what_they_are(
    namespaces: Sandbox, shell: Make, data: Path, tmp_path: Path
) -> None:
    host = tmp_path / "host"
    (host / "folder").mkdir(parents=True)
    (host / "folder" / "deep").write_text("deep\n")
    (host / "file").write_text("file\n")
    (host / "link").symlink_to("file")
    host.chmod(0o750)
    line = f"cd {host}; cat file folder/deep link; readlink link; stat -c %a .; echo new > file; touch gone"
    assert namespaces.start(shell(line, mounts=(Mount(data, f"{host}/ml/deeper"),))).wait() == 0
    assert (tmp_path / "log").read_text().split() == ["file", "deep", "file", "file", "750"]
    assert (host / "file").read_text() == "new\n"
    assert sorted(os.listdir(host)) == ["file", "folder", "link"]


def test_a_folder_may_stand_directly_below_the_root(
    namespaces: Sandbox, shell: Make, data: Path, tmp_path: Path
) -> None:
    before = sorted(os.listdir("/"))
    line = "echo 1 > /cloudml-test-gcs/bucket/x; ls -1A /; pwd"
    mounts = (Mount(data, "/cloudml-test-gcs/bucket"), Mount(data, "/opt/ml"))
    assert namespaces.start(shell(line, mounts=mounts)).wait() == 0
    assert (data / "x").read_text() == "1\n"
    assert sorted((tmp_path / "log").read_text().split()) == sorted([*before, "cloudml-test-gcs", "/"])
    assert sorted(os.listdir("/")) == before


def test_a_mount_on_what_exists_hides_it_for_the_job_alone(
    namespaces: Sandbox, shell: Make, data: Path, tmp_path: Path
) -> None:
    (data / "only").touch()
    assert namespaces.start(shell("ls /usr/share", mounts=(Mount(data, "/usr/share"),))).wait() == 0
    assert (tmp_path / "log").read_text() == "only\n"
    assert "only" not in os.listdir("/usr/share")


def test_a_file_may_be_mounted_too(namespaces: Sandbox, shell: Make, data: Path, tmp_path: Path) -> None:
    (data / "config").write_text("{}\n")
    mounts = (Mount(data / "config", "/opt/ml/config/a.json"), Mount(data / "config", "/etc/hostname"))
    assert namespaces.start(shell("cat /opt/ml/config/a.json /etc/hostname", mounts=mounts)).wait() == 0
    assert (tmp_path / "log").read_text() == "{}\n{}\n"


def test_read_only_is_for_that_mount(namespaces: Sandbox, shell: Make, data: Path, tmp_path: Path) -> None:
    for name in ("base", "inner"):
        (tmp_path / name).mkdir()
    mounts = (
        Mount(tmp_path / "base", "/opt/ml", read_only=True),
        Mount(tmp_path / "inner", "/opt/ml/model"),
        Mount(data, "/opt/code", read_only=True),
    )
    line = "echo 1 > /opt/ml/model/x; touch /opt/ml/y || touch /opt/code/z || echo refused twice"
    assert namespaces.start(shell(line, mounts=mounts)).wait() == 0
    assert (tmp_path / "log").read_text().splitlines()[-1] == "refused twice"
    assert (tmp_path / "inner" / "x").exists()
    assert list(data.iterdir()) == []


def test_a_source_may_lie_below_what_is_covered(namespaces: Sandbox, shell: Make, tmp_path: Path) -> None:
    source = tmp_path / "host" / "jobs" / "1"
    source.mkdir(parents=True)
    target = f"{tmp_path}/host/ml"
    mounts = (Mount(source, target), Mount(source, f"{tmp_path}/host/jobs"))
    assert namespaces.start(shell(f"echo 1 > {target}/x", mounts=mounts)).wait() == 0
    assert (source / "x").exists()


def test_a_link_in_a_given_folder_leads_nobody_to_make_something_on_the_host(
    namespaces: Sandbox, shell: Make, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "victim").mkdir()
    (data / "out").symlink_to(tmp_path / "victim")
    inner = tmp_path / "inner"
    inner.mkdir()
    mounts = (Mount(data, "/opt/ml"), Mount(inner, "/opt/ml/out/new/folder"))
    assert namespaces.start(shell("echo 1 > /opt/ml/out/new/folder/x", mounts=mounts)).wait() == 0
    assert (inner / "x").exists()
    assert list((tmp_path / "victim").iterdir()) == []


def test_neighbours_of_a_cover_are_the_hosts_still(
    namespaces: Sandbox, shell: Make, data: Path, tmp_path: Path
) -> None:
    """A second mount below a neighbour that was shown again must cover that too, and make nothing in it."""
    (tmp_path / "host" / "tools").mkdir(parents=True)
    mounts = (Mount(data, f"{tmp_path}/host/ml"), Mount(data, f"{tmp_path}/host/tools/new/x"))
    assert namespaces.start(shell(f"touch {tmp_path}/host/tools/new/x/seen", mounts=mounts)).wait() == 0
    assert (data / "seen").exists()
    assert list((tmp_path / "host" / "tools").iterdir()) == []


@pytest.mark.parametrize("name", ["with blank", "quote'\"", "new\nline", "comma,colon:", "ümläut", "-rf", "$(id)"])
def test_names_are_only_names(namespaces: Sandbox, tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    source.mkdir()
    (source / "x").write_text("1")
    target = f"/opt/ml/{name}"
    command = Command(("/bin/cat", f"{target}/x"), {}, (Mount(source, target),), tmp_path / "log")
    assert namespaces.start(command).wait() == 0
    assert (tmp_path / "log").read_text() == "1"


def test_a_source_that_is_not_there_is_refused_by_name(namespaces: Sandbox, shell: Make, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"mount.*no-such-source"):
        namespaces.start(shell("true", mounts=(Mount(tmp_path / "no-such-source", "/opt/ml"),)))


def test_no_mount_of_a_job_is_left_on_the_host(namespaces: Sandbox, shell: Make, data: Path) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    process = namespaces.start(shell("sleep 60", mounts=(Mount(data, "/opt/ml"),)))
    assert Path("/proc/self/mountinfo").read_text() == before
    process.close()
    assert Path("/proc/self/mountinfo").read_text() == before


def test_a_job_sees_only_its_own_processes(namespaces: Sandbox, python: Make, tmp_path: Path) -> None:
    program = "import os; print(os.getpid(), *(name for name in os.listdir('/proc') if name.isdigit()))"
    namespaces.start(python(program)).wait()
    own, *all_pids = (tmp_path / "log").read_text().split()
    assert own != "1"
    assert sorted(all_pids) == ["1", own]


def test_ids_are_those_of_the_user(namespaces: Sandbox, shell: Make, tmp_path: Path) -> None:
    namespaces.start(shell("id -u; id -g")).wait()
    assert (tmp_path / "log").read_text().split() == [str(os.geteuid()), str(os.getegid())]


@pytest.mark.parametrize("port", [None, 8080])
def test_names_of_hosts_resolve_inside(namespaces: Sandbox, python: Make, tmp_path: Path, port: int | None) -> None:
    program = "import socket; print(*map(socket.gethostbyname, ['algo-1', 'algo-2', 'localhost']))"
    assert namespaces.start(python(program, hosts=("algo-1", "algo-2"), port=port)).wait() == 0
    assert (tmp_path / "log").read_text() == "127.0.0.1 127.0.0.1 127.0.0.1\n"
    assert "algo-1" not in Path("/etc/hosts").read_text()


def test_the_file_of_names_is_gone_with_the_job(
    namespaces: Sandbox, shell: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    process = namespaces.start(shell("grep -q algo-1 /etc/hosts && sleep 60", hosts=("algo-1",)))
    [folder] = tmp_path.glob("cloudml-sandbox-*")
    assert len(list(folder.iterdir())) == 1
    process.close()
    assert list(folder.iterdir()) == []
    namespaces.close()
    assert not folder.exists()


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A service of the host that answers what it is sent, once the sender has said that it is done."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer(stream: socket.socket) -> None:
        with stream:
            said = b""
            while part := stream.recv(1 << 16):
                said += part
            stream.sendall(said[::-1])

    def serve() -> None:
        while True:
            try:
                stream, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(stream,)).start()

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()
    server.shutdown(socket.SHUT_RDWR)
    thread.join()
    server.close()


CALL = """
import socket, sys
try:
    stream = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10)
except OSError as error:
    sys.exit(type(error).__name__)
stream.sendall(b"0123456789" * 100_000)
stream.shutdown(socket.SHUT_WR)
data = b""
while part := stream.recv(65536):
    data += part
print(len(data), data == b"9876543210" * 100_000)
"""


def test_a_private_network_reaches_what_it_is_told_to(
    namespaces: Sandbox, python: Make, tmp_path: Path, echo: tuple[str, int]
) -> None:
    command = python(CALL, echo[0], str(echo[1]), port=8080, reach=(echo,))
    assert namespaces.start(command).wait(30) == 0
    assert (tmp_path / "log").read_text() == "1000000 True\n"


def test_a_private_network_reaches_nothing_else(
    namespaces: Sandbox, python: Make, tmp_path: Path, echo: tuple[str, int]
) -> None:
    assert namespaces.start(python(CALL, echo[0], str(echo[1]), port=8080)).wait(30) == 1
    assert (tmp_path / "log").read_text() == "ConnectionRefusedError\n"


def test_without_a_port_the_network_is_the_hosts(
    namespaces: Sandbox, python: Make, tmp_path: Path, echo: tuple[str, int]
) -> None:
    assert namespaces.start(python(CALL, echo[0], str(echo[1]))).wait(30) == 0
    assert (tmp_path / "log").read_text() == "1000000 True\n"


def test_several_ways_out_and_a_service_that_is_down(
    namespaces: Sandbox, python: Make, tmp_path: Path, echo: tuple[str, int]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()
    command = python(CALL, echo[0], str(echo[1]), port=8080, reach=(nobody, echo))
    assert namespaces.start(command).wait(30) == 0
    down = python(CALL, nobody[0], str(nobody[1]), port=8080, reach=(nobody, echo))
    assert namespaces.start(down).wait(30) == 1


ORDINARY = """
import json, os, sys, tempfile
from pathlib import Path
from cloudml.mocks.sandbox import Command, Mount, open_sandbox
with open_sandbox("auto") as sandbox, tempfile.TemporaryDirectory() as folder:
    data = Path(folder, "data")
    data.mkdir()
    log = Path(folder, "log")
    mounts = (Mount(data, "/opt/ml"), Mount(data, "/cloudml-test-gcs/x", read_only=True))
    env = {"PATH": os.environ["PATH"]}
    command = Command(("/bin/sh", "-c", sys.argv[1]), env, mounts, log, hosts=("algo-1",), port=8080)
    code = sandbox.start(command).wait(20)
    print(json.dumps([sandbox.kind, sandbox.reason, code, os.listdir(data), log.read_text().split()]))
"""
IN_IT = """
id -u
ls -d /opt/ml /cloudml-test-gcs/x
grep -c algo-1 /etc/hosts
touch /opt/ml/made
grep CapEff /proc/self/status
"""


def _as_nobody(python: str, packages: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-c", ORDINARY, IN_IT],
        user=65534, group=65534, extra_groups=[], cwd="/", capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip


def test_an_ordinary_user_has_the_same(namespaces: Sandbox) -> None:
    if os.geteuid() != 0:
        pytest.skip("the whole suite runs as an ordinary user")
    python = shutil.which("python3", path="/usr/local/bin:/usr/bin")
    if python is None:
        pytest.skip("no Python that another user may execute")
    # The tree may lie where only its owner may look.
    with tempfile.TemporaryDirectory(dir="/tmp") as shared:
        Path(shared).chmod(0o755)
        for package in ("mocks", "errors"):
            shutil.copytree(ROOT / "cloudml" / package, Path(shared, "cloudml", package))
        result = _as_nobody(python, shared)
    assert result.returncode == 0, result.stderr
    kind, reason, code, made, told = json.loads(result.stdout)
    assert (kind, code) == ("namespaces", 0), (reason, told)
    assert made == ["made"]
    assert told[:4] == ["65534", "/cloudml-test-gcs/x", "/opt/ml", "1"]
    assert told[-1] == "0" * 16, "no capability is left to the program"


def test_a_job_costs_little_more_than_its_process(namespaces: Sandbox, tmp_path: Path) -> None:
    """The aim is 15 ms more than a bare process; the limit here leaves room for a busy machine."""
    command = Command(("/bin/true",), {}, (Mount(tmp_path, "/opt/ml"),), tmp_path / "log")

    def best(run: Callable[[], object]) -> float:
        times = []
        for _ in range(15):
            began = time.perf_counter()
            run()
            times.append(time.perf_counter() - began)
        return min(times)

    isolated = best(lambda: namespaces.start(command).wait())
    bare = best(lambda: subprocess.run(["/bin/true"], check=True))
    assert isolated - bare < 0.030


def test_the_launcher_is_lean(namespaces: Sandbox, shell: Make) -> None:
    """No import of cloudml, no site: it is forked for every job."""
    code = "import sys; sys.path.append(sys.argv[1]); import inside.serve; print(*sys.modules)"
    folder = ROOT / "cloudml" / "mocks" / "sandbox"
    loaded = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(folder)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "inside.jobs" in loaded
    assert not {"cloudml", "subprocess", "site", "asyncio"} & set(loaded)
