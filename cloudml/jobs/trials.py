"""What the trials of a search have left on disk: a record of each, and the outputs of those that may be the best."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cloudml.jobs import outputs, sources
from cloudml.jobs.context import Document
from cloudml.runtime.digest import MissingHash, matches
from cloudml.runtime.failures import StepError
from cloudml.runtime.search import SUCCEEDED, Result, Trial

RECORD = "trial.json"


class Trials:
    """A folder with one folder for each trial. Services copy it file by file: a record is trusted when it is whole.

    `ports` are the outputs that a trial has.
    """

    def __init__(self, home: Path, ports: Sequence[str]) -> None:
        self._home = home
        self._ports = tuple(ports)
        self._dropped: set[int] = set()

    def earlier(self, trial: Trial) -> Result | None:
        """The result of the same trial in an earlier attempt of the job; None when it must be run."""
        found = _read(self._folder(trial.number) / RECORD)
        if found is None or found.get("params") != trial.params:
            return None
        try:
            result = Result(
                found["state"], found["params"], found["value"], found["reports"], {"values": found["values"]}
            )
            needed = found["state"] == SUCCEEDED and not found["dropped"]
        except KeyError:
            return None
        if needed and not self._whole(trial.number):
            return None
        if found["dropped"]:
            self._dropped.add(trial.number)
        return result

    def keep(self, number: int, result: Result, made: Mapping[str, sources.Stored]) -> None:
        """Keep a result with its outputs; the record is written last."""
        folder = self._folder(number)
        folder.mkdir(parents=True, exist_ok=True)
        for name, stored in made.items():
            outputs.place(stored, folder / name)
        self._write(number, result)

    def drop_all_but(self, best: int | None, told: int) -> None:
        """Remove the outputs of told trials that are not the best: they never will be."""
        for number in range(told):
            path = self._folder(number) / RECORD
            if number == best or number in self._dropped or not path.is_file():
                continue
            found = _read(path) or {}
            _replace(path, {**found, "dropped": True})
            for name in self._ports:
                shutil.rmtree(self._folder(number) / name, ignore_errors=True)
            self._dropped.add(number)

    def adopt(self, number: int, folder: Path) -> dict[str, sources.Stored]:
        """The outputs of a trial, in another folder: a search that is repeated finds its own still there."""
        found = {}
        for name in self._ports:
            shutil.copytree(self._folder(number) / name, folder / name, symlinks=True)
            found[name] = sources.read(folder / name)
        return found

    def _whole(self, number: int) -> bool:
        try:
            stored = [sources.read(self._folder(number) / name) for name in self._ports]
            return all(matches(one.path, one.digest) for one in stored)
        except (StepError, MissingHash, OSError):
            return False

    def _folder(self, number: int) -> Path:
        return self._home / f"trial-{number}"

    def _write(self, number: int, result: Result) -> None:
        document = {
            "state": result.state,
            "params": result.params,
            "value": result.value,
            "reports": [list(report) for report in result.reports],
            "values": result.made["values"],
            "dropped": False,
        }
        _replace(self._folder(number) / RECORD, document)


def _read(path: Path) -> Document | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _replace(path: Path, document: Mapping[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(document), encoding="utf-8")
    os.replace(temporary, path)
