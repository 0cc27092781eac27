"""What starts, waits and is skipped: the field comments of Schedule."""

from __future__ import annotations

import pytest

from cloudml_vertex.mock.schedules.timetable import Limits, Moment, due


@pytest.mark.parametrize(
    ("limits", "queue", "now", "active", "started", "expected"),
    [
        (Limits(), (), (1.0,), 5, 9, Moment(start=(1.0,))),
        (Limits(active=1), (), (1.0,), 0, 0, Moment(start=(1.0,))),
        (Limits(active=1), (), (1.0,), 1, 1, Moment(skip=(1.0,))),
        (Limits(active=1, queueing=True), (), (1.0,), 1, 1, Moment(queue=(1.0,))),
        (Limits(active=1, queueing=True), (1.0, 2.0), (), 0, 1, Moment(start=(1.0,), queue=(2.0,))),
        (Limits(active=2), (1.0, 2.0, 3.0), (4.0,), 1, 1, Moment(start=(1.0,), queue=(2.0, 3.0), skip=(4.0,))),
        (Limits(runs=2), (), (1.0,), 0, 1, Moment(start=(1.0,), completed=True)),
        (Limits(runs=2), (1.0, 2.0, 3.0), (), 0, 1, Moment(start=(1.0,), completed=True)),
        (Limits(active=1, runs=2, queueing=True), (), (1.0,), 1, 1, Moment(queue=(1.0,))),
        (Limits(runs=2), (), (1.0,), 0, 2, Moment(completed=True)),
    ],
)
def test_moments(limits: Limits, queue: tuple, now: tuple, active: int, started: int, expected: Moment) -> None:
    assert due(limits, queue, now, active=active, started=started) == expected
