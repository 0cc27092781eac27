"""A mock for each pipeline of AWS's SDK, with what belongs to it in the outside world."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import Mock, start
from tests.sagemaker_sdk.playing import Player, image_rules, read


class Stage:
    """One mock at a time: it stays while tests ask for the same case."""

    def __init__(self) -> None:
        self._name = ""
        self._player: Player | None = None
        self._mock: Mock | None = None

    def player(self, name: str) -> Player:
        """The player of a case, everything set up."""
        if self._player is None or name != self._name:
            self.close()
            case = read(name)
            self._mock = start(Options(images=image_rules(case, sys.executable, sys.prefix)))
            self._player = Player.at(self._mock.url, case)
            self._player.set_up()
            self._name = name
        return self._player

    def close(self) -> None:
        """Take the mock down."""
        self._player = None
        if self._mock is not None:
            self._mock.stop()
        self._mock = None


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()
