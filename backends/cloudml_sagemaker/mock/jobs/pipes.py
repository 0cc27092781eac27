"""Pipe mode: a channel's objects, one after the other, through a FIFO for each epoch (`CHANNEL_0`, `CHANNEL_1`, ...).

Developer guide, "How Amazon SageMaker Provides Training Information", Pipe mode.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.core import s3
from cloudml_sagemaker.mock.core.world import World

_GZIP = zlib.MAX_WBITS | 16


class Pipe:
    """Feeds one channel of one host until `stop`. Each epoch begins when its FIFO is opened for reading."""

    def __init__(
        self,
        world: World,
        scope: Scope,
        base: Path,
        entries: Sequence[s3.Entry],
        *,
        gzip: bool = False,
        seed: int | None = None,
    ) -> None:
        """`base`: the path of the FIFOs without their epoch; `seed`: shuffle the objects anew for every epoch."""
        self._world = world
        self._scope = scope
        self._base = base
        self._entries = list(entries)
        self._gzip = gzip
        self._shuffle = None if seed is None else random.Random(seed)  # noqa: S311 - an order, not a secret
        self._stopped = threading.Event()
        self._epoch = 0
        self._make(0)
        self._thread = threading.Thread(target=self._run, name="mock-pipe", daemon=True)

    def start(self) -> None:
        """Begin to wait for a reader."""
        self._thread.start()

    def stop(self) -> None:
        """Feed no more. What the FIFOs hold is lost."""
        self._stopped.set()
        while self._thread.is_alive():
            # The feeder may wait for a reader, which never comes now: be it for a moment.
            with contextlib.suppress(OSError):
                os.close(os.open(self._path(self._epoch), os.O_RDONLY | os.O_NONBLOCK))
            self._thread.join(0.05)

    def _path(self, epoch: int) -> Path:
        return self._base.with_name(f"{self._base.name}_{epoch}")

    def _make(self, epoch: int) -> None:
        os.mkfifo(self._path(epoch))

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._feed()
            except OSError:  # the reader has closed early, or the folder is gone
                if not self._path(self._epoch + 1).exists():
                    return
            self._epoch += 1

    def _feed(self) -> None:
        with open(self._path(self._epoch), "wb", buffering=0) as fifo:
            self._make(self._epoch + 1)
            if self._shuffle is not None:
                self._shuffle.shuffle(self._entries)
            for data in self._data():
                if self._stopped.is_set():
                    return
                view = memoryview(data)
                while view:
                    view = view[fifo.write(view) :]

    def _data(self) -> Iterator[bytes]:
        for entry in self._entries:
            data = s3.read(self._world, self._scope, entry.uri)
            yield zlib.decompress(data, _GZIP) if self._gzip else data
