"""Plan, apply, destroy and what is around them, over the local backend and over a backend that can be cut off."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudml import discovery
from cloudml.backend.port import Backend, Target
from cloudml.backend.records import Destroyed, Removed
from cloudml.errors import CloudError, NotFound, ProjectError, Refused
from cloudml.operations import planfile, seen, world
from cloudml.operations.prepare import prepare
from cloudml.operations.project import Project, load_project
from cloudml.operations.run import deploy, rehearse, run
from cloudml.operations.session import open_session
from cloudml.plan import Observed, Plan, Resource, desired_state, state_of

SOURCE = """
import cloudml as ml

@ml.processing
def double(value: int) -> int:
    print("doubling", value)
    return 2 * value

@ml.processing
def add(left: int, right: int = 1) -> int:
    return left + right

@ml.pipeline
def pipeline(value: ml.Param[int] = 3) -> None:
    add(double(value))
"""

Make = Callable[[str], Project]


@pytest.fixture
def make(tmp_path: Path, request: pytest.FixtureRequest) -> Make:
    """A project with a module of its own name; called again it is the same one with other code."""
    name = f"world_{abs(hash(request.node.nodeid)) % 10**9}"

    def made(source: str = SOURCE, settings: str = "") -> Project:
        (tmp_path / f"{name}.py").write_text(source)
        (tmp_path / "cloudml.toml").write_text(
            f'[project]\nname = "p"\npipeline = "{name}:pipeline"\n[targets.local]\nbackend = "local"\n{settings}'
        )
        return load_project(tmp_path)

    return made  # type: ignore[return-value]


def actions(plan: Plan) -> list[tuple[str, str]]:
    return [(change.action, change.kind) for change in plan.changes]


def test_apply_makes_it_so_and_the_next_plan_finds_nothing(make: Make) -> None:
    project = make(SOURCE)
    target = project.target()
    assert actions(world.plan(project, target).plan) == [("create", "pipeline")]
    told: list[Any] = []
    applied = world.apply(project, target, announce=lambda prepared, plan: told.append((prepared, plan)))
    assert told == [(applied.prepared, applied.plan)]
    assert not world.plan(project, target).plan.has_changes
    make(SOURCE.replace("2 * value", "3 * value"))
    [change] = world.plan(project, target).plan.changes
    assert change.action == "update"
    assert any("tasks.double" in field or "tasks" in field for field in change.fields)


def test_an_announcement_that_raises_changes_nothing(make: Make) -> None:
    project = make(SOURCE)

    def refuse(prepared: object, plan: object) -> None:
        raise Refused("no")

    for act in (world.apply, deploy):
        with pytest.raises(Refused, match="no"):
            act(project, project.target(), announce=refuse)  # type: ignore[operator]
    assert world.plan(project, project.target()).plan.has_changes


def test_offline_compares_with_what_was_seen_last(make: Make) -> None:
    project = make(SOURCE)
    target = project.target()
    first = world.plan(project, target, offline=True)
    assert actions(first.plan) == [("create", "pipeline")]
    assert "nothing of this target was seen" in first.plan.notes[0]
    world.apply(project, target)
    second = world.plan(project, target, offline=True)
    assert (second.plan.has_changes, second.offline) == (False, True)
    assert second.seen_at and second.seen_at in second.plan.notes[0]
    make(SOURCE.replace("2 * value", "3 * value"))
    assert actions(world.plan(project, target, offline=True).plan) == [("update", "pipeline")]


def test_another_place_was_never_seen(make: Make) -> None:
    project = make(SOURCE)
    world.apply(project, project.target())
    elsewhere = make(SOURCE, 'state = "elsewhere"\n')  # type: ignore[call-arg]
    assert world.plan(elsewhere, elsewhere.target(), offline=True).seen_at == ""


def test_targets_and_pipelines_whose_names_join_to_one_are_kept_apart(make: Make) -> None:
    """Pipeline `b-c` of target `a`, and pipeline `c` of target `a-b`, in the very same place."""
    project = make(SOURCE)
    first, second = (replace(project.target(), name=name) for name in ("a", "a-b"))
    seen.keep(project, first, "b-c", [])
    assert seen.recall(project, second, "c") is None
    seen.forget(project, second)
    assert seen.recall(project, first, "b-c") is not None
    seen.forget(project, first)
    assert seen.recall(project, first, "b-c") is None, "also of a pipeline that the project names no more"


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"format": 1, "place": 1, "observed": []}'])
def test_a_damaged_memory_is_none(make: Make, damage: str) -> None:
    project = make(SOURCE)
    world.plan(project, project.target())
    [file] = (project.root / ".cloudml" / "seen").glob("*.json")
    file.write_text(damage)
    assert seen.recall(project, project.target(), "pipeline") is None
    assert world.plan(project, project.target(), offline=True).plan.has_changes


def test_offline_opens_no_session_and_imports_no_sdk(make: Make) -> None:
    project = make(SOURCE)
    world.plan(project, project.target())
    script = f"""
import sys
from pathlib import Path
from cloudml.cli import main
code = main(["plan", "--offline", "--project", {str(project.root)!r}])
print([name for name in ("cloudml_local.session", "boto3", "botocore", "pydantic") if name in sys.modules], code)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[] 2"


def test_a_saved_plan_is_applied_as_long_as_it_holds(make: Make, tmp_path: Path) -> None:
    project = make(SOURCE)
    target, file = project.target(), tmp_path / "saved.plan"
    world.save(project, target, world.plan(project, target), file)
    assert json.loads(file.read_text())["plan"]["changes"][0]["action"] == "create"
    assert world.apply(project, target, plan_file=file).plan.has_changes
    with pytest.raises(Refused, match="the world has moved since: pipeline pipeline is new") as caught:
        world.apply(project, target, plan_file=file)
    assert caught.value.code == "CML530"


def test_a_saved_plan_of_other_code_is_refused(make: Make, tmp_path: Path) -> None:
    project = make(SOURCE)
    target, file = project.target(), tmp_path / "saved.plan"
    world.save(project, target, world.plan(project, target), file)
    make(SOURCE.replace("2 * value", "3 * value"))
    with pytest.raises(Refused, match="the code declares otherwise now: pipeline pipeline changed"):
        world.apply(project, target, plan_file=file)
    with pytest.raises(Refused, match="made for target 'local', not 'other'"):
        world.apply(project, replace(target, name="other"), plan_file=file)
    assert world.plan(project, target).plan.has_changes, "nothing was applied"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "project": "p", "desired": [1]}'])
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.plan").write_text(text)
    with pytest.raises(ProjectError, match="no plan of this version"):
        planfile.load(tmp_path / "x.plan")
    with pytest.raises(ProjectError, match="cannot be read"):
        planfile.load(tmp_path / "nothing.plan")


def test_a_plan_is_written_whole_or_not_at_all(make: Make, tmp_path: Path) -> None:
    project = make(SOURCE)
    with pytest.raises(ProjectError, match="cannot be written"):
        world.save(project, project.target(), world.plan(project, project.target()), tmp_path / "no" / "x.plan")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ProjectError):
        world.save(project, project.target(), world.plan(project, project.target()), tmp_path / "folder")
    assert not list(tmp_path.glob(".folder*"))


def test_the_local_backend_refuses_a_stale_plan(make: Make) -> None:
    project = make(SOURCE)
    target = project.target()
    with open_session(target) as session:
        old = world.plan_in(session, target, prepare(project, target))
        session.apply(old.prepared.resources, old.plan)
        with pytest.raises(Refused) as caught:
            session.apply(old.prepared.resources, old.plan)
    assert caught.value.code == "CML530"


def test_rehearse_computes_one_step_with_todays_code(make: Make, tmp_path: Path) -> None:
    project = make(SOURCE)
    target = project.target()
    record = run(project, target, parameters={"value": 5})
    make(SOURCE.replace("left + right", "left * 100"))
    task = rehearse(project, target, record.id, "add", tmp_path / "again")
    assert (task.status, task.values) == ("succeeded", {"output": 1000})
    assert json.loads(Path(task.outputs[0].path).read_text()) == 1000
    first = rehearse(project, target, "last", "double", tmp_path / "first")
    assert first.values == {"output": 10}
    assert "doubling 5" in (tmp_path / "first" / "log").read_text()
    with open_session(target) as session:
        assert session.runs.get(record.id) == record, "the run is as it was"
    with pytest.raises(ProjectError, match="not empty"):
        rehearse(project, target, record.id, "add", tmp_path / "again")
    with pytest.raises(NotFound, match="no step 'other'"):
        rehearse(project, target, record.id, "other", tmp_path / "other")


def test_rehearse_tells_a_failure_as_a_record(make: Make, tmp_path: Path) -> None:
    project = make(SOURCE)
    record = run(project, project.target())
    make(SOURCE.replace("left + right", "1 // 0"))
    task = rehearse(project, project.target(), record.id, "add", tmp_path / "again")
    assert task.status == "failed"
    assert task.failure is not None and task.failure["exception"].endswith("ZeroDivisionError")


def test_destroy_removes_all_and_nothing_else(make: Make) -> None:
    project = make(SOURCE)
    target = project.target()
    run(project, target)
    world.apply(project, target)
    (project.root / ".cloudml" / "mine.txt").write_text("mine")
    foreseen = world.destroy(project, target, dry_run=True)
    assert ("pipeline", "pipeline") in [(one.kind, one.name) for one in foreseen.removed]
    assert (project.root / ".cloudml" / "state.db").exists()
    kept = world.destroy(project, target, keep_data=True)
    assert kept.complete and kept.kept
    with open_session(target) as session:
        assert session.runs.get("last").status == "succeeded"
    assert world.plan(project, target).plan.has_changes
    gone = world.destroy(project, target)
    assert gone.complete
    left = {path.name for path in (project.root / ".cloudml").iterdir()}
    assert left <= {"mine.txt", ".gitignore", "prepared", "seen"}
    assert world.destroy(project, target).removed == (), "safe to repeat"


class Half:
    """A session whose apply ends after some resources."""

    def __init__(self, error: BaseException, count: int) -> None:
        self.there: dict[tuple[str, str], Resource] = {}
        self._error, self._count = error, count

    def observe(self, resources: Sequence[Resource]) -> list[Observed]:
        return [Observed(one) for one in self.there.values()]

    def apply(self, resources: Sequence[Resource], plan: Plan) -> None:
        assert plan.base == state_of(self.observe(resources))
        assert plan.desired == desired_state(resources)
        for one in resources:
            if len(self.there) == self._count:
                raise self._error
            self.there[one.kind, one.name] = one

    def destroy(self, dry_run: bool, keep_data: bool) -> Destroyed:
        return Destroyed(tuple(Removed(*key) for key in self.there), (), dry_run)

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def half(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], Half]:
    """A backend in the place of the local one that makes three resources and is cut off after the second."""
    real = discovery.load_backend("local")
    names = ("a", "b", "c")

    def compiled(*_: object) -> tuple[Resource, ...]:
        return tuple(Resource.of("queue", name, {"x": 1, "note": f"connect {name}"}) for name in names)

    def begin(error: BaseException) -> Half:
        session = Half(error, 2)
        backend = Backend(
            "local", "", real.features, compiled, lambda target: session, facts=lambda: {"botocore": "1.2.3"}
        )
        for module in ("cloudml.operations.world", "cloudml.operations.prepare", "cloudml.operations.session"):
            monkeypatch.setattr(f"{module}.load_backend", lambda name: backend)
        return session

    return begin


@pytest.mark.parametrize("error", [CloudError("CreateQueue", "AccessDenied", "no"), KeyboardInterrupt()])
def test_an_apply_that_is_cut_off_says_what_stands_and_the_next_goes_on(
    make: Make, half: Callable[[BaseException], Half], error: BaseException
) -> None:
    project = make(SOURCE)
    session = half(error)
    with pytest.raises(type(error)) as caught:
        world.apply(project, project.target())
    [note] = caught.value.__notes__
    assert "2 of 3 changes stand (queue a, queue b)" in note
    assert "goes on with the rest (queue c)" in note
    session._count = 9
    applied = world.apply(project, project.target()).plan
    assert (actions(applied)[2], applied.notes) == (("create", "queue"), ("queue c: connect c",))
    planned = world.plan(project, project.target())
    assert (planned.plan.has_changes, planned.plan.facts) == (False, {"botocore": "1.2.3"})


def test_a_refusal_at_the_door_says_nothing_of_what_stands(make: Make, half: Callable[[BaseException], Half]) -> None:
    half(Refused("somebody else applies", code="CML531"))
    project = make(SOURCE)
    with pytest.raises(Refused) as caught:
        world.apply(project, project.target())
    assert not hasattr(caught.value, "__notes__")


def test_targets_know_where_the_modules_lie(make: Make) -> None:
    project = make(SOURCE)
    assert project.target() == Target("local", "local", "p", project.root, {}, source=project.source)
    assert project.target(backend="vertex").source == project.source
