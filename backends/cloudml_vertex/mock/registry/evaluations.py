"""Model evaluations and their slices: imported records, which belong to a model."""

from __future__ import annotations

from typing import Any

from cloudml_vertex.mock.core import names
from cloudml_vertex.mock.core.errors import invalid, not_found
from cloudml_vertex.mock.core.listing import listed
from cloudml_vertex.mock.core.operations import Call, rpc
from cloudml_vertex.mock.registry import models

Document = dict[str, Any]
EVALUATION = "ModelEvaluation"
SLICE = "ModelEvaluationSlice"
_PATTERN = f"{models.PATTERN}/evaluations/*"


@rpc("ModelService.ImportModelEvaluation")
def import_model_evaluation(call: Call) -> Document:
    """Keep an evaluation that was made elsewhere."""
    model, _ = models.find(call.world, call.parent)
    given = call.params["model_evaluation"]
    if "metrics" in given and not given.get("metrics_schema_uri"):
        raise invalid("model_evaluation.metrics_schema_uri: metrics need the URI of their schema.")
    name = names.child(model["name"], "evaluations", names.new_id(call.world, EVALUATION))
    row = {**given, "name": name, "create_time": call.stamp}
    return call.table(EVALUATION).put(name, row)


@rpc("ModelService.GetModelEvaluation")
def get_model_evaluation(call: Call) -> Document:
    """One evaluation."""
    return _one(call, EVALUATION, call.name)


@rpc("ModelService.ListModelEvaluations")
def list_model_evaluations(call: Call) -> Document:
    """The evaluations of a model."""
    model, _ = models.find(call.world, call.parent)
    rows = _below(call, EVALUATION, f"{model['name']}/")
    filters = {
        "display_name": "display_name",
        "metrics_schema_uri": "metrics_schema_uri",
        "create_time": "create_time",
        "metadata": "metadata",
    }
    return listed(call, rows, "model_evaluations", filters=filters)


@rpc("ModelService.BatchImportModelEvaluationSlices")
def batch_import_slices(call: Call) -> Document:
    """Keep slices of an evaluation; it then tells their dimensions."""
    names.parse(call.parent, _PATTERN)
    evaluation = _one(call, EVALUATION, call.parent)
    made = []
    for given in call.params["model_evaluation_slices"]:
        name = names.child(call.parent, "slices", names.new_id(call.world, SLICE))
        call.table(SLICE).put(name, {**given, "name": name, "create_time": call.stamp})
        made.append(name)
    found = [row.get("slice", {}).get("dimension", "") for row in _below(call, SLICE, f"{call.parent}/")]
    evaluation["slice_dimensions"] = sorted({one for one in found if one})
    call.table(EVALUATION).put(call.parent, evaluation)
    return {"imported_model_evaluation_slices": made}


@rpc("ModelService.GetModelEvaluationSlice")
def get_slice(call: Call) -> Document:
    """One slice."""
    return _one(call, SLICE, call.name)


@rpc("ModelService.ListModelEvaluationSlices")
def list_slices(call: Call) -> Document:
    """The slices of an evaluation."""
    _one(call, EVALUATION, call.parent)
    rows = _below(call, SLICE, f"{call.parent}/")
    return listed(call, rows, "model_evaluation_slices", filters={"slice.dimension": "slice.dimension"})


def _one(call: Call, kind: str, name: str) -> Document:
    found = call.table(kind).get(name)
    if found is None:
        raise not_found(name)
    return found


def _below(call: Call, kind: str, prefix: str) -> list[Document]:
    return [row for key, row in call.table(kind).items() if key.startswith(prefix)]
