"""Putting a mock together: clock, store, rooms, servers; and taking it down again."""

from __future__ import annotations

import atexit
import importlib.util
import json
import logging
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cloudml.errors import MissingExtra, MockError
from cloudml.mocks import control
from cloudml.mocks.bus import Bus
from cloudml.mocks.clock import HeldClock, RealClock
from cloudml.mocks.faults import Faults
from cloudml.mocks.folder import StateFolder
from cloudml.mocks.http.serving import Server
from cloudml.mocks.images import ImageMap
from cloudml.mocks.sandbox import LazySandbox, open_sandbox
from cloudml.mocks.store import Store
from cloudml.mocks.switches import Switches
from cloudml.mocks.workers import Workers
from cloudml_vertex.mock.core import container
from cloudml_vertex.mock.core.doubts import SWITCHES
from cloudml_vertex.mock.core.faultkinds import KINDS
from cloudml_vertex.mock.core.operations import OPERATIONS
from cloudml_vertex.mock.core.world import World
from cloudml_vertex.mock.face.answering import Gate
from cloudml_vertex.mock.face.certificates import Authority
from cloudml_vertex.mock.face.proxy import Proxy
from cloudml_vertex.mock.face.rest import Application
from cloudml_vertex.mock.face.rpc import GrpcServer
from cloudml_vertex.mock.face.secure import SecureServer
from cloudml_vertex.mock.options import Options
from cloudml_vertex.mock.port import mock as cloud
from cloudml_vertex.mock.rooms import install

log = logging.getLogger(__name__)

PROJECT = "mock-project"
LOCATION = "us-central1"
_ENDING_SECONDS = 5.0
"""Real seconds that the threads of jobs have to end once their processes were killed."""
_LOOPBACK = "localhost,127.0.0.1,::1"
_PROXIES = ("https_proxy", "http_proxy", "all_proxy", "no_proxy", "grpc_proxy", "no_grpc_proxy")
_TRUSTING = ("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""Where gRPC, requests, curl and OpenSSL (Python's ssl, httpx) read whom to trust."""
_KEPT = frozenset({StateFolder.LOCK, "tls"})


class Mock:
    """A mock that runs. `url` is its HTTP front; `endpoint` its gRPC front in the clear, `tls_endpoint` both with a
    certificate that `environment` makes trusted; `proxy_url` leads the hosts of Google here; `world` is another one
    after a `reset`."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._changing = threading.RLock()
        self._process = os.getpid()
        self._stopped = False
        self._gate = Gate()
        with ExitStack() as undo:
            self._folder = _folder(options, undo)
            self._authority = Authority(self._folder / "tls")
            about = "A Vertex AI that executes, on this machine."
            subject = control.Subject("cloudml mock vertex", about, _served, self.reset)
            application = Application(self._gate, subject, PROJECT)
            self._http = _listen(application, options.port)
            undo.callback(self._http.stop)
            self._grpc = GrpcServer(self._gate)
            undo.callback(self._grpc.stop)
            self._secure = SecureServer(application, self._authority, self._grpc.port)
            undo.callback(self._secure.stop)
            own = frozenset({self._http.port, self._grpc.port, self._secure.port})
            self._proxy = Proxy(application, self._authority, self._grpc.port, own)
            undo.callback(self._proxy.stop)
            self.url = f"http://127.0.0.1:{self._http.port}"
            self.endpoint = f"127.0.0.1:{self._grpc.port}"
            self.tls_endpoint = f"localhost:{self._secure.port}"
            self.proxy_url = f"http://127.0.0.1:{self._proxy.port}"
            self._credentials = _credentials(self._folder / "tls", self.url)
            self.world = self._build()
            self._undo = undo.pop_all()
        self._http.start()
        self._grpc.start()
        self._secure.start()
        self._proxy.start()
        atexit.register(self._at_exit)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which Google's clients find the mock.

        Vertex AI's own have none for their host: they are led by the proxy, or directly when they are given
        `api_endpoint=os.environ["CLOUDML_VERTEX_ENDPOINT"]`. Only the mock's authority is trusted: nothing else can be
        reached anyhow.
        """
        authority, metadata = str(self._authority.place), self.url.removeprefix("http://")
        return {
            "CLOUDML_VERTEX_ENDPOINT": self.tls_endpoint,
            "CLOUDML_VERTEX_REST": self.url,
            "GOOGLE_APPLICATION_CREDENTIALS": str(self._credentials),
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "STORAGE_EMULATOR_HOST": self.url,
            "PUBSUB_EMULATOR_HOST": self.endpoint,
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
            **dict.fromkeys(("https_proxy", "HTTPS_PROXY"), self.proxy_url),
            **dict.fromkeys(("no_proxy", "NO_PROXY"), _LOOPBACK),
            **dict.fromkeys(_TRUSTING, authority),
            **dict.fromkeys(("GCE_METADATA_HOST", "GCE_METADATA_IP"), metadata),
        }

    @property
    def hides(self) -> tuple[str, ...]:
        """How the names of variables begin that would lead a client past the mock, to real projects."""
        return (
            "GOOGLE_",
            "CLOUDSDK_",
            "GCE_METADATA",
            "GCLOUD_PROJECT",
            "STORAGE_EMULATOR_HOST",
            "PUBSUB_EMULATOR_HOST",
            *_PROXIES,
            *map(str.upper, _PROXIES),
            *_TRUSTING,
            "SSL_CERT_DIR",
        )

    @property
    def isolation(self) -> tuple[str, str]:
        """The sandbox's kind, and why it was chosen."""
        return self.world.sandbox.kind, self.world.sandbox.reason

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know about this start."""
        return self.world.images.warnings

    def reset(self) -> None:
        """Forget everything: a new world with the same options at the same url. Raises MockError after `stop`."""
        with self._changing:
            if self._stopped:
                raise MockError("the mock was stopped", hint="start another")
            self._gate.leave()
            _close(self.world)
            _empty(self._folder)
            self.world = self._build()

    def stop(self) -> None:
        """Take it down: no process of a job or an endpoint stays. May be called more than once."""
        with self._changing:
            if self._stopped:
                return
            self._stopped = True
            atexit.unregister(self._at_exit)
            self.world.closing.set()
            if self._options.hold:
                control.keep_time(self.world)
            _close(self.world)
            self._undo.close()

    def _at_exit(self) -> None:
        """The program forgot to stop its mock. A fork of it must not take down what is its parent's."""
        if os.getpid() == self._process:
            self.stop()

    def _build(self) -> World:
        world = _world(self._options, self._folder)
        world.url = self.url
        world.environment = dict(self.environment)
        world.gcs.mkdir(parents=True, exist_ok=True)
        try:
            install(world)
        except BaseException:
            _close(world)
            raise
        world.bus.start()
        self._gate.enter(world)
        return world


def start(options: Options | None = None) -> Mock:
    """Start a mock in this process. Raises MissingExtra, MockError."""
    for module in cloud.modules:
        if not _is_there(module):
            raise MissingExtra(cloud.extra, module)
    return Mock(options or Options())


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _served() -> dict[str, Any]:
    return {"served": [{"name": one.rpc, "executes": one.executes} for _, one in sorted(OPERATIONS.items())]}


def _folder(options: Options, undo: ExitStack) -> Path:
    if options.state is None:
        temporary = Path(tempfile.mkdtemp(prefix="cloudml-mock-"))
        undo.callback(shutil.rmtree, temporary, ignore_errors=True)
        return temporary
    folder = StateFolder(options.state)
    undo.callback(folder.close)
    return folder.path


def _credentials(folder: Path, url: str) -> Path:
    """A service account that no cloud knows; its tokens come from the mock."""
    import trustme

    key = trustme.CA(key_type=trustme.KeyType.RSA).issue_cert("mock", key_type=trustme.KeyType.RSA).private_key_pem
    document = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "mock",
        "private_key": key.bytes().decode(),
        "client_email": f"mock@{PROJECT}.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": f"{url}/token",
    }
    place = folder / "credentials.json"
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(document, file)
    return place


def _listen(application: Application, port: int) -> Server:
    try:
        return Server(application, port)
    except (OSError, OverflowError) as error:
        hint = "take another port, or --port 0 for any that is free"
        raise MockError(f"port {port} cannot be had: {error}", hint=hint) from error


def _store(folder: Path) -> Store:
    try:
        return Store(folder / "state.sqlite")
    except (sqlite3.Error, ValueError) as error:
        hint = "take another folder, or remove this file"
        raise MockError(f"the state cannot be read: {error}", where=str(folder / "state.sqlite"), hint=hint) from error


def _world(options: Options, folder: Path) -> World:
    faults = Faults(KINDS)
    for rule in options.faults:
        faults.add(faults.parse(rule))
    switches = Switches(SWITCHES, options.switches)
    images = ImageMap(options.images, container.rules())
    store = _store(folder) if options.state else Store()
    try:
        # What was asked for by name is tried at once, so that its refusal is told at the start.
        sandbox = LazySandbox() if options.isolation == "auto" else open_sandbox(options.isolation)
    except BaseException:
        store.close()
        raise
    clock = HeldClock(options.start or control.kept_time(store)) if options.hold else RealClock()
    return World(
        store=store,
        clock=clock,
        bus=Bus(clock),
        workers=Workers(clock, options.jobs),
        faults=faults,
        switches=switches,
        images=images,
        sandbox=sandbox,
        folder=folder,
    )


def _close(world: World) -> None:
    for write in world.at_close:
        try:
            write()
        except Exception:
            log.exception("something was not written when the mock went down")
    world.closing.set()
    world.clock.close()
    world.workers.close()
    world.sandbox.close()
    world.workers.join(_ENDING_SECONDS)
    world.bus.close()
    with world.lock:
        world.store.close()


def _empty(folder: Path) -> None:
    """Remove what the world that ended left in its folder: all but the lock and the certificates, which are in use."""
    for path in folder.iterdir():
        if path.name in _KEPT:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
