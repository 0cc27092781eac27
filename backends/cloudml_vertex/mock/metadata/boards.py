"""TensorBoard as experiments use it: instances, experiments, runs and time series, each below the one before."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cloudml.mocks.store import Scope
from cloudml_vertex.mock.core import etags, labels, lro, masks, names
from cloudml_vertex.mock.core.errors import already_exists, invalid, not_found
from cloudml_vertex.mock.core.listing import listed
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.core.world import World

Document = dict[str, Any]
DATA = "TensorboardData"
_ID = re.compile(r"[a-z0-9-]{1,128}")
_SNAKE = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True)
class Level:
    """One level. `message` as the RPCs call it; `fields` are what clients set, `fixed` those that never change."""

    message: str
    plural: str
    pattern: str
    fields: tuple[str, ...]
    fixed: tuple[str, ...] = ()
    unique: bool = False
    titled: bool = True
    above: Level | None = None
    check: Callable[[Call, Document], None] = field(default=lambda _call, _document: None)

    @property
    def key(self) -> str:
        """The field of requests that holds one: `tensorboard_run`."""
        return _SNAKE.sub("_", self.message).lower()

    @property
    def collection(self) -> str:
        """The last collection of the name."""
        return self.pattern.split("/")[-2]

    def need(self, call: Call, name: str) -> Document:
        """The one of that name. Raises INVALID_ARGUMENT, NOT_FOUND."""
        names.parse(name, self.pattern)
        found = call.table(self.message).get(name)
        if found is None:
            raise not_found(name)
        return found

    def siblings(self, call: Call, parent: str) -> list[Document]:
        """All below a parent; `-` in its name stands for any id."""
        parts = parent.split("/")
        rows = call.table(self.message).items()
        return [row for name, row in rows if _fits(names.parent_of(name).split("/"), parts)]

    def make(self, call: Call, parent: str, given: Document, identifier: str) -> Document:
        """Make one below `parent`. Raises GoogleError."""
        if self.above is not None:
            self.above.need(call, parent)
        wanted = identifier or names.new_id(call.world, self.message)
        names.check_id(wanted, _ID, f"{self.key}_id", "1-128 characters: lower-case letters, digits and dashes.")
        name = names.child(parent, self.collection, wanted)
        title = labels.display_name(given.get("display_name"), required=self.titled)
        twins = [row["name"] for row in self.siblings(call, parent) if self.unique and row["display_name"] == title]
        if name in call.table(self.message) or twins:
            raise already_exists(f"{self.message} '{name}' already exists, or one with the name {title!r}.")
        document = {key: given[key] for key in (*self.fields, *self.fixed) if key in given}
        document.update(name=name, create_time=call.stamp)
        return self.put(call, document)

    def put(self, call: Call, document: Document) -> Document:
        """Keep a new or changed one."""
        labels.check(document.get("labels"))
        self.check(call, document)
        document["update_time"] = call.stamp
        document["etag"] = etags.of(document)
        return call.table(self.message).put(document["name"], document)

    def create(self, call: Call) -> Document:
        """Make one."""
        return self.make(call, call.parent, call.params.get(self.key, {}), str(call.params.get(f"{self.key}_id", "")))

    def get(self, call: Call) -> Document:
        """One of them."""
        return self.need(call, call.name)

    def listing(self, call: Call) -> Document:
        """Those below the parent, by filter."""
        filters = {name: name for name in (*self.fields, *self.fixed, "name", "create_time", "update_time")}
        rows = self.siblings(call, call.parent)
        return listed(
            call, rows, self.plural, filters={**filters, "is_default": lambda row: row.get("is_default", False)}
        )

    def update(self, call: Call) -> Document:
        """Change one."""
        document, patch = self.need(call, call.name), call.params[self.key]
        etags.check(call.world, document, patch.get("etag"))
        return self.put(call, masks.apply(document, patch, call.params.get("update_mask"), self.fields))

    def delete(self, call: Call) -> Document:
        """Begin to delete one and all below it."""
        self.need(call, call.name)
        args = {"name": call.name, "scope": [call.scope.account, call.scope.region]}
        work = ("metadata.board.delete", args)
        return lro.begin(call, on=call.name, metadata="DeleteOperationMetadata", response="Empty", work=work)

    def enter(self) -> None:
        """Serve the RPCs of this level."""
        plural = "" if self.message.endswith("Series") else "s"
        for verb, more, handler in (
            ("Get", "", self.get),
            ("List", plural, self.listing),
            ("Update", "", self.update),
            ("Delete", "", self.delete),
            ("Create", "", self.create),
        ):
            if (verb, self.message) not in _OWN:
                rpc(f"TensorboardService.{verb}{self.message}{more}")(handler)


_OWN = {("Create", "Tensorboard"), ("Update", "Tensorboard")}
"""Long-running, and therefore with handlers of their own."""


def _fits(parts: list[str], wanted: list[str]) -> bool:
    return len(parts) == len(wanted) and all(want in {"-", part} for part, want in zip(parts, wanted, strict=True))


def _one_default(call: Call, document: Document) -> None:
    """A new default marks all other instances as non default (Tensorboard.is_default)."""
    if document.get("is_default"):
        table = call.table("Tensorboard")
        for name, row in table.items():
            if name != document["name"] and row.pop("is_default", False):
                table.put(name, row)


def _typed(_call: Call, document: Document) -> None:
    if document.get("value_type") not in {"SCALAR", "TENSOR", "BLOB_SEQUENCE"}:
        raise invalid("tensorboard_time_series.value_type: it must be SCALAR, TENSOR or BLOB_SEQUENCE.")


_BASE = "projects/*/locations/*/tensorboards/*"
_TEXT = ("display_name", "description", "labels")
BOARD = Level("Tensorboard", "tensorboards", _BASE, (*_TEXT, "is_default"), ("encryption_spec",), check=_one_default)
EXPERIMENT = Level(
    "TensorboardExperiment",
    "tensorboard_experiments",
    f"{_BASE}/experiments/*",
    _TEXT,
    ("source",),
    False,
    False,
    BOARD,
)
RUN = Level("TensorboardRun", "tensorboard_runs", f"{_BASE}/experiments/*/runs/*", _TEXT, unique=True, above=EXPERIMENT)
SERIES = Level(
    "TensorboardTimeSeries",
    "tensorboard_time_series",
    f"{_BASE}/experiments/*/runs/*/timeSeries/*",
    ("display_name", "description", "plugin_name", "plugin_data"),
    ("value_type",),
    unique=True,
    above=RUN,
    check=_typed,
)
for _level in (BOARD, EXPERIMENT, RUN, SERIES):
    _level.enter()


@rpc("TensorboardService.CreateTensorboard")
def create_board(call: Call) -> Document:
    """Begin to make an instance."""
    names.parse(call.parent, "projects/*/locations/*")
    made = BOARD.make(call, call.parent, call.params["tensorboard"], "")
    return _operation(call, made, "CreateTensorboardOperationMetadata")


@rpc("TensorboardService.UpdateTensorboard")
def update_board(call: Call) -> Document:
    """Begin to change an instance."""
    return _operation(call, BOARD.update(call), "UpdateTensorboardOperationMetadata")


def _operation(call: Call, board: Document, metadata: str) -> Document:
    work = ("metadata.board.keep", board)
    return lro.begin(call, on=board["name"], metadata=metadata, response="Tensorboard", work=work)


@rpc("TensorboardService.BatchCreateTensorboardRuns")
def batch_create_runs(call: Call) -> Document:
    """Several runs of one experiment."""
    made = [
        RUN.make(call, call.parent, one.get("tensorboard_run", {}), str(one.get("tensorboard_run_id", "")))
        for one in _children(call, "parent")
    ]
    return {"tensorboard_runs": made}


@rpc("TensorboardService.BatchCreateTensorboardTimeSeries")
def batch_create_series(call: Call) -> Document:
    """Time series of several runs of one experiment."""
    made = [
        SERIES.make(call, names.canonical(call.world, one["parent"]), one.get("tensorboard_time_series", {}), "")
        for one in call.params.get("requests", ())
    ]
    return {"tensorboard_time_series": made}


def _children(call: Call, key: str) -> list[Document]:
    found: list[Document] = call.params.get("requests", [])
    for one in found:
        if names.canonical(call.world, str(one.get(key, ""))) != call.parent:
            raise invalid("requests: every parent must be that of the batch.")
    return found


def install(world: World) -> None:
    """Say what the operations do."""
    lro.register(world, "metadata.board.keep", lambda _world, _name, document: document)
    lro.register(world, "metadata.board.delete", _delete)


def _delete(world: World, _name: str, args: Document) -> None:
    scope = Scope(*args["scope"])
    with world.lock:
        for kind in (*(level.message for level in (BOARD, EXPERIMENT, RUN, SERIES)), DATA):
            table = world.table(kind, scope)
            for name in [name for name, _ in table.items()]:
                if f"{name}/".startswith(f"{args['name']}/"):
                    table.delete(name)
