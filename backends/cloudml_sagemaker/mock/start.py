"""Putting a mock together: clock, store, moto, rooms, server; and taking it down again."""

from __future__ import annotations

import atexit
import importlib.util
import logging
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Mapping, MutableMapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cloudml.errors import MissingExtra, MockError
from cloudml.mocks.bus import Bus
from cloudml.mocks.clock import HeldClock, RealClock
from cloudml.mocks.control import keep_time, kept_time
from cloudml.mocks.faults import Faults
from cloudml.mocks.folder import StateFolder
from cloudml.mocks.functions import loaded
from cloudml.mocks.http.serving import Server
from cloudml.mocks.images import ImageMap
from cloudml.mocks.sandbox import LazySandbox, open_sandbox
from cloudml.mocks.store import Store
from cloudml.mocks.switches import Switches
from cloudml.mocks.workers import Workers
from cloudml_sagemaker.mock import toolkit
from cloudml_sagemaker.mock.core.aws import Aws
from cloudml_sagemaker.mock.core.doubts import SWITCHES
from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.core.faultkinds import KINDS
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.face.app import Application
from cloudml_sagemaker.mock.face.behind import Behind
from cloudml_sagemaker.mock.face.journal import Journal
from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.port import mock as cloud
from cloudml_sagemaker.mock.rooms import install

log = logging.getLogger(__name__)

REGION = "us-east-1"
_ENDING_SECONDS = 5.0
"""Real seconds that the threads of jobs have to end once their processes were killed."""


class Mock:
    """A mock that runs. `url` is what clients take as AWS_ENDPOINT_URL; `world` is another one after a `reset`."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._changing = threading.RLock()
        self._process = os.getpid()
        self._stopped = False
        with ExitStack() as undo:
            self._folder = _folder(options, undo)
            journal = Journal(self._folder / "moto") if options.state else None
            self._behind = Behind(journal)
            self._application = Application(self._behind, self.reset)
            self._server = _listen(self._application, options.port)
            undo.callback(self._server.stop)
            self.url = f"http://127.0.0.1:{self._server.port}"
            self._behind.begin()
            undo.callback(self._behind.close)
            if journal is not None:
                _read_state(self._behind, self._folder)
            self.world = self._build()
            self._journal = journal
            self._undo = undo.pop_all()
        self._server.start()
        atexit.register(self._at_exit)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which boto3, the AWS CLI and other SDKs find the mock."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "mock",
            "AWS_SECRET_ACCESS_KEY": "mock",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def hides(self) -> tuple[str, ...]:
        """How the names of variables begin that would lead a client past the mock, to real accounts."""
        return (
            "AWS_ENDPOINT_URL",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "AWS_PROFILE",
            "AWS_DEFAULT_PROFILE",
            "AWS_SESSION_TOKEN",
            "AWS_SECURITY_TOKEN",
            "AWS_ROLE_ARN",
            "AWS_WEB_IDENTITY",
            "AWS_CONTAINER_",
        )

    @property
    def lambdas(self) -> MutableMapping[str, Any]:
        """Python handlers of Lambda functions by name or ARN, for Lambda steps: `mock.lambdas["score"] = handler`."""
        found: MutableMapping[str, Any] = self.world.rooms["lambdas"]
        return found

    @property
    def isolation(self) -> tuple[str, str]:
        """The sandbox's kind, and why it was chosen."""
        return self.world.sandbox.kind, self.world.sandbox.reason

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know about this start."""
        state = self._journal.warnings if self._journal is not None else ()
        return (*state, *self.world.images.warnings)

    def reset(self) -> None:
        """Forget everything, moto's services too: a new world with the same options at the same url.

        Raises MockError after `stop`.
        """
        with self._changing:
            if self._stopped:
                raise MockError("the mock was stopped", hint="start another")
            self._application.leave()
            self._end()
            self._behind.reset()
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
            self._server.stop()
            if self._options.hold:
                keep_time(self.world)
            self._end()
            self._undo.close()

    def _at_exit(self) -> None:
        """The program forgot to stop its mock. A fork of it must not take down what is its parent's."""
        if os.getpid() == self._process:
            self.stop()

    def _build(self) -> World:
        world = _world(self._options, self._folder, self._behind)
        world.url = self.url
        try:
            install(world)
        except BaseException:
            _close(world)
            raise
        world.bus.start()
        self._application.enter(world)
        return world

    def _end(self) -> None:
        _close(self.world)


def start(options: Options | None = None) -> Mock:
    """Start a mock in this process. Raises MissingExtra, MockError.

    moto keeps one state a process: two mocks in one process have their own SageMaker, but share S3 and the rest.
    """
    for module in cloud.modules:
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(cloud.extra, module)
    return Mock(options or Options())


def _folder(options: Options, undo: ExitStack) -> Path:
    if options.state is None:
        temporary = Path(tempfile.mkdtemp(prefix="cloudml-mock-"))
        undo.callback(shutil.rmtree, temporary, ignore_errors=True)
        return temporary
    folder = StateFolder(options.state)
    undo.callback(folder.close)
    return folder.path


def _listen(application: Application, port: int) -> Server:
    try:
        return Server(application, port)
    except (OSError, OverflowError) as error:
        hint = "take another port, or --port 0 for any that is free"
        raise MockError(f"port {port} cannot be had: {error}", hint=hint) from error


def _read_state(behind: Behind, folder: Path) -> None:
    """Wait for moto's state, so that what is wrong with it is told before anything is answered."""
    try:
        behind.wait()
    except AwsError as error:
        hint = "take another folder, or remove its folder `moto`"
        raise MockError(f"the state cannot be read: {error.message}", where=str(folder), hint=hint) from error


def _store(folder: Path) -> Store:
    try:
        return Store(folder / "state.sqlite")
    except (sqlite3.Error, ValueError) as error:
        hint = "take another folder, or remove this file"
        raise MockError(f"the state cannot be read: {error}", where=str(folder / "state.sqlite"), hint=hint) from error


def _world(options: Options, folder: Path, behind: Behind) -> World:
    faults = Faults(KINDS)
    for rule in options.faults:
        faults.add(faults.parse(rule))
    switches = Switches(SWITCHES, options.switches)
    images = ImageMap(options.images, toolkit.rules())
    store = _store(folder) if options.state else Store()
    try:
        functions = loaded(options.functions)
        # What was asked for by name is tried at once, so that its refusal is told at the start.
        sandbox = LazySandbox() if options.isolation == "auto" else open_sandbox(options.isolation)
    except BaseException:
        store.close()
        raise
    clock = HeldClock(options.start or kept_time(store)) if options.hold else RealClock()
    return World(
        store=store,
        clock=clock,
        bus=Bus(clock),
        aws=Aws(behind),
        workers=Workers(clock, options.jobs),
        faults=faults,
        switches=switches,
        images=images,
        sandbox=sandbox,
        folder=folder,
        functions=functions,
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
    """Remove what the world that ended left in its folder: all but moto's journal and the lock, which are in use."""
    for path in folder.iterdir():
        if path.name in {"moto", StateFolder.LOCK}:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
