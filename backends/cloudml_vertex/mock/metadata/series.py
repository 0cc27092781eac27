"""Points of TensorBoard's time series: written, read and exported."""

from __future__ import annotations

from typing import Any

from cloudml_vertex.mock.core import names
from cloudml_vertex.mock.core.errors import invalid, not_executed
from cloudml_vertex.mock.core.listing import page
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.metadata.boards import BOARD, DATA, EXPERIMENT, RUN, SERIES

Document = dict[str, Any]
POINTS = 1000
"""Points that are read unless more are asked for (ReadTensorboardTimeSeriesDataRequest.max_data_points)."""


@rpc("TensorboardService.WriteTensorboardRunData")
def write_run(call: Call) -> Document:
    """Add points to series of a run; one with the step of another replaces it."""
    run = names.canonical(call.world, call.params["tensorboard_run"])
    _write(call, run, call.params.get("time_series_data", []))
    return {}


@rpc("TensorboardService.WriteTensorboardExperimentData")
def write_experiment(call: Call) -> Document:
    """Add points to series of several runs of an experiment."""
    experiment = names.canonical(call.world, call.params["tensorboard_experiment"])
    EXPERIMENT.need(call, experiment)
    for one in call.params.get("write_run_data_requests", ()):
        run = names.canonical(call.world, str(one.get("tensorboard_run", "")))
        if names.parent_of(run) != experiment:
            raise invalid(f"write_run_data_requests: '{run}' is not of the experiment '{experiment}'.")
        _write(call, run, one.get("time_series_data", []))
    return {}


def _write(call: Call, run: str, data: list[Document]) -> None:
    RUN.need(call, run)
    found = [(SERIES.need(call, f"{run}/timeSeries/{one.get('tensorboard_time_series_id', '')}"), one) for one in data]
    for series, one in found:
        if one.get("value_type") != series["value_type"]:
            raise invalid(f"time_series_data.value_type: '{series['name']}' has {series['value_type']}.")
    for series, one in found:
        held = call.table(DATA).get(series["name"]) or {"values": []}
        points = {int(point.get("step", 0)): point for point in [*held["values"], *one.get("values", [])]}
        values = [points[step] for step in sorted(points)]
        call.table(DATA).put(series["name"], {"values": values})
        if values:
            times = [point["wall_time"] for point in values if "wall_time" in point]
            told: Document = {"max_step": values[-1].get("step", 0), **({"max_wall_time": max(times)} if times else {})}
            SERIES.put(call, {**series, "metadata": told})


@rpc("TensorboardService.ReadTensorboardTimeSeriesData")
def read(call: Call) -> Document:
    """The points of one series, evenly chosen when there are more than asked for."""
    if call.params.get("filter"):
        raise not_executed("a filter on points", "read them all")
    name = names.canonical(call.world, call.params["tensorboard_time_series"])
    return {"time_series_data": _data(call, name, int(call.params.get("max_data_points", 0)) or POINTS)}


@rpc("TensorboardService.BatchReadTensorboardTimeSeriesData")
def batch_read(call: Call) -> Document:
    """The points of several series of one instance."""
    board = names.canonical(call.world, call.params["tensorboard"])
    BOARD.need(call, board)
    wanted = [names.canonical(call.world, name) for name in call.params.get("time_series", ())]
    if any(not name.startswith(f"{board}/") for name in wanted):
        raise invalid(f"time_series: every one must be of '{board}'.")
    return {"time_series_data": [_data(call, name, POINTS) for name in wanted]}


@rpc("TensorboardService.ExportTensorboardTimeSeriesData")
def export(call: Call) -> Document:
    """All points of a series, by pages."""
    if call.params.get("filter"):
        raise not_executed("a filter on points", "read them all")
    name = names.canonical(call.world, call.params["tensorboard_time_series"])
    SERIES.need(call, name)
    return page(call, (call.table(DATA).get(name) or {"values": []})["values"], "time_series_data_points", size=POINTS)


def _data(call: Call, name: str, most: int) -> Document:
    series = SERIES.need(call, name)
    values = (call.table(DATA).get(name) or {"values": []})["values"]
    if len(values) > most:
        last = max(most - 1, 1)
        values = [values[index * (len(values) - 1) // last] for index in range(most)]
    return {"tensorboard_time_series_id": names.id_of(name), "value_type": series["value_type"], "values": values}
