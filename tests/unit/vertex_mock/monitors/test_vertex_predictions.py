"""The requests that endpoints answered: kept, read by window, bounded."""

from __future__ import annotations

import pytest

from cloudml_vertex.mock.core import predictions
from cloudml_vertex.mock.core.errors import GoogleError
from tests.unit.vertex_mock.around.vertex_around import T0
from tests.unit.vertex_mock.monitors.vertex_monitoring import MonitorLab


def seen(
    lab: MonitorLab, deployed: str | None = None, start: float | None = None, end: float | None = None
) -> list[int]:
    return [row.instance for row in predictions.read(lab.world, lab.endpoint, deployed, start, end)]


def test_rows_are_read_by_deployed_model_and_window(lab: MonitorLab) -> None:
    for second in range(60):
        predictions.record(lab.world, lab.endpoint, str(second % 2), second, {"y": second}, at=T0 + second)
    assert seen(lab) == list(range(60))
    assert seen(lab, "1") == list(range(1, 60, 2))
    assert seen(lab, None, T0 + 10, T0 + 13) == [10, 11, 12]
    (row,) = predictions.read(lab.world, lab.endpoint, "0", T0 + 4, T0 + 5)
    assert (row.prediction, row.at, row.deployed_model_id) == ({"y": 4}, T0 + 4, "0")
    lab.reopen()
    assert seen(lab, "1") == list(range(1, 60, 2))


def test_the_oldest_go_first(lab: MonitorLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "MOST_ROWS", 100)
    for number in range(260):
        lab.predict(number)
        if number == 130:
            lab.reopen()
    kept = seen(lab)
    assert kept[-1] == 259
    assert kept == list(range(kept[0], 260))
    assert 50 <= len(kept) <= 100


def test_a_name_that_is_no_endpoint_is_refused(lab: MonitorLab) -> None:
    with pytest.raises(GoogleError):
        predictions.record(lab.world, "projects/1/locations/x/models/1", "1", {}, None)
