"""What is shown of a run while it goes on."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_world import record, task

from cloudml.backend.records import Event, RunRecord
from cloudml.cli.progress import Lines, Live, is_interactive, shown
from cloudml.cli.runview import RunView, view_of
from cloudml.cli.style import Style, cells
from cloudml.cli.tree import tree_lines

PLAIN = Style()


def events(*given: tuple[str | None, str]) -> list[Event]:
    return [Event("churn-1", name, status) for name, status in given]


def test_steps_lie_in_their_containers() -> None:
    tasks = [
        task("a"),
        task("when_1", kind="condition"),
        task("b", parent="when_1"),
        task("c", parent="gone"),
        task("map_1", kind="map"),
        task("group_1[0]", kind="group", parent="map_1"),
        task("d[0]", parent="group_1"),
    ]
    lines = tree_lines(view_of(record(tasks=tasks)), PLAIN)[1:]
    names = {
        name: next(line for line in lines if f" {name} " in line) for name in ("a", "b", "c", "group_1[0]", "d[0]")
    }
    indents = {name: line.index(name) for name, line in names.items()}
    assert indents["a"] == indents["c"] < indents["b"] == indents["group_1[0]"] < indents["d[0]"]


def test_a_tree_higher_than_the_screen_shows_what_matters() -> None:
    tasks = [task(f"s{index}") for index in range(4990)]
    tasks += [task(f"r{index}", "running") for index in range(4)] + [task("bad", "failed")] + [task("p", "pending")] * 5
    view = view_of(record("running", tasks))
    lines = tree_lines(view, PLAIN, width=100, height=20)
    assert len(lines) == 7
    assert all(name in "\n".join(lines) for name in ("r0", "r3", "bad", "4991/4996", "4990 succeeded"))


def test_more_active_steps_than_lines_are_counted() -> None:
    view = view_of(record("running", [task(f"r{index}", "running") for index in range(100)]))
    lines = tree_lines(view, PLAIN, width=100, height=10)
    assert len(lines) <= 10
    assert "(93 more active)" in lines[1]


def test_no_line_is_wider_than_the_screen() -> None:
    view = view_of(record("failed", [task("a" * 60, "failed", reason="x" * 300), task("日" * 40)]))
    for style in (PLAIN, Style(colour=True, unicode=True)):
        assert max(cells(line) for line in tree_lines(view, style, width=70)) <= 70


def test_events_move_the_view_on() -> None:
    view = RunView("local")
    assert view.update(Event("churn-1", "fit", "running", kind="tuning", progress=(2, 24)))
    assert not view.update(Event("churn-1", "fit", "running", progress=(3, 24)))
    line = tree_lines(view, PLAIN)[1]
    assert "3/24" in line
    assert "tuning" in line
    view.update(Event("churn-1", "fit", "succeeded", duration=2.5))
    view.update(Event("churn-1", None, "succeeded", duration=3.0))
    head, line = tree_lines(view, PLAIN)
    assert "2.5s" in line
    assert "3/24" not in line
    assert "3.0s" in head


def test_a_map_shows_how_many_items_ended() -> None:
    tasks = [
        task("map_1", "running", kind="map"),
        task("s[0]", parent="map_1"),
        task("s[1]", "running", parent="map_1"),
    ]
    assert "1/2" in tree_lines(view_of(record("running", tasks)), PLAIN)[1]


def test_the_live_view_learns_the_steps_from_the_backend() -> None:
    asked: list[str] = []

    def lookup(run: str) -> RunRecord:
        asked.append(run)
        return record("running", [task("extract", "running"), task("later", "pending")])

    live = Live(RunView("local"), lookup, PLAIN)
    for event in events((None, "running"), ("extract", "running"), ("extract", "running"), ("extract", "running")):
        live(event)
    assert asked == ["churn-1"], "asked once, not for each event"
    assert "later" in live.frame(100, 40)


def test_a_backend_that_does_not_answer_costs_only_the_display() -> None:
    def lookup(run: str) -> RunRecord:
        raise OSError("gone")

    live = Live(RunView("local"), lookup, PLAIN)
    for event in events((None, "running"), ("extract", "running")):
        live(event)
    assert "extract" in live.frame(100, 40)


def test_5000_steps_are_drawn_in_a_moment() -> None:
    view = view_of(record("running", [task(f"step_{index}", "pending") for index in range(5000)]))
    began = time.process_time()
    for _ in range(5):
        tree_lines(view, PLAIN, width=120, height=40)
    assert (time.process_time() - began) / 5 < 0.12


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_reader_that_goes_away_does_not_stop_the_run() -> None:
    lines = Lines(Broken(), PLAIN)
    for event in events(("a", "running"), ("a", "succeeded")):
        lines(event)


def test_an_ascii_terminal_gets_what_it_can_show() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    Lines(stream, PLAIN)(Event("r", "a", "failed", "chyba: věta"))
    assert b"failed" in raw.getvalue()
    assert b"v?ta" in raw.getvalue()


def test_quiet_listens_and_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with shown("local", lambda run: record(), quiet=True, json=False) as listener:
        listener(Event("r", "a", "running"))
    assert capsys.readouterr().out == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("CI", "true"), ("TERM", "dumb")])
def test_no_live_view_where_nobody_looks(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert is_interactive(Terminal())
    assert not is_interactive(io.StringIO())
    monkeypatch.setenv(variable, value)
    assert not is_interactive(Terminal())


def test_on_a_terminal_the_tree_lives_and_the_cursor_comes_back(tmp_path: Path) -> None:
    script = (
        "import sys, time, pathlib\n"
        "import cli_world as c\n"
        "from cloudml.backend.records import Event\n"
        "from cloudml.cli import main\n"
        "world = c.World()\n"
        "world.session.runs.records = [c.record('running', [c.task('extract', 'running'), c.task('fit', 'pending')])]\n"
        "def drive(listener, *what):\n"
        "    listener(Event('churn-1', 'extract', 'running'))\n"
        "    time.sleep(0.5)\n"
        "    return c.record()\n"
        "world.drive = drive\n"
        "sys.modules.update(c.fake_operations(world, pathlib.Path('.')))\n"
        "sys.exit(main(['run']))\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR")}
    environment |= {"TERM": "xterm-256color", "PYTHONPATH": str(Path(__file__).parent), "PYTHONIOENCODING": "utf-8"}
    parent, child = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", script], stdin=child, stdout=child, stderr=child, env=environment)
    os.close(child)
    shown_bytes = bytearray()
    while True:
        try:
            piece = os.read(parent, 65536)
        except OSError:
            break
        if not piece:
            break
        shown_bytes += piece
    os.close(parent)
    assert process.wait(timeout=30) == 0
    text = shown_bytes.decode("utf-8", "replace")
    assert any(turn in text for turn in "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"), "a spinner turned"
    assert "fit" in text
    assert "pending" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is visible again"
    assert "churn-1 succeeded" in text
