"""Models and what becomes of them: register, approve, deploy, verify, batch_predict, monitor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from cloudml.authoring.context import Build, current
from cloudml.authoring.deferred import duration, node_of
from cloudml.authoring.functions import add_step
from cloudml.authoring.literals import value
from cloudml.authoring.location import Location, caller
from cloudml.authoring.options import native as native_nodes
from cloudml.authoring.options import resource_fields, resources_node
from cloudml.authoring.options import tags as tag_nodes
from cloudml.authoring.outputs import OutputReference, as_output
from cloudml.authoring.references import Reference, described
from cloudml.authoring.refusal import refusal
from cloudml.authoring.signature import function_ref

if TYPE_CHECKING:
    from cloudml import spec


def _add(
    build: Build, node: type[spec.BaseStep], name: str, where: Location, verb: str, after: Any, fields: dict[str, Any]
) -> Any:
    from cloudml.spec import outputs_of_kind

    kind = str(node.model_fields["kind"].default)
    remedy = f"name one of them: ml.{verb}(..., name='{name}_2')"
    waits = build.after(name, after, where)
    return add_step(build, node, name, where, outputs_of_kind(kind), remedy, after=waits, **fields)


def _reference(given: Any, use: str, form: str, where: Location) -> Reference:
    """An output or other reference. Refuses literals where only the run can know."""
    one = as_output(given)
    if isinstance(one, Reference):
        return one
    raise refusal("CML123", f"{use} takes an output of a step, not {described(given)}", form, where)


def _table(given: Any, use: str, build: Build, where: Location) -> spec.Value:
    """A reference to rows: a frame, a Dataset, a list of dicts or a file."""
    from cloudml.spec import types

    one = _reference(given, use, "pass the output of the step that makes the rows", where)
    if not types.is_table(one._type):
        message = f"{use} takes a table, and {one._label} is {one._type}"
        raise refusal("CML109", message, "pass a polars, pandas or pyarrow table, or an ml.Dataset", where)
    return one.node(build)


def _model(given: Any, use: str, build: Build, where: Location) -> spec.Value:
    from cloudml.spec import types

    one = _reference(given, use, "pass the model that a training step puts out: best.model", where)
    if not types.is_model(one._type):
        message = f"{use} takes a model, and {one._label} is {one._type}"
        raise refusal("CML109", message, "pass an output of type ml.Model or an estimator", where)
    return one.node(build)


def _produced(given: Any, use: str, maker: str, form: str, build: Build, where: Location) -> spec.Value:
    """A reference to what one certain verb puts out, for verbs that build on one another."""
    one = _reference(given, use, form, where)
    if one._type != _MADE_BY[maker]:
        raise refusal("CML123", f"{use} builds on what {maker} returns, and {one._label} is {one._type}", form, where)
    return one.node(build)


_MADE_BY = {"ml.register": "cloudml.ModelVersion", "ml.deploy": "cloudml.Endpoint"}


def _seconds(given: float | str | None, use: str, where: Location) -> float | None:
    return None if given is None else duration(given, use, where)


def register(
    model: Any,
    name_of_model: str,
    /,
    *,
    metrics: Any = (),
    approval: Literal["approved", "pending"] = "approved",
    predictor: Any = None,
    sample: Any = None,
    summary: str = "",
    tags: Mapping[str, str] | None = None,
    native: Mapping[str, Mapping[str, Any]] | None = None,
    name: str | None = None,
    after: Any = (),
) -> Any:
    """Add a version to a registered model: `version = ml.register(best.model, "churn", metrics=score)`.

    `predictor` is the function `(model, rows) -> predictions` that serves it; `sample` a table of rows kept beside it.
    """
    from cloudml import spec

    build, where = current("ml.register"), caller()
    if not isinstance(name_of_model, str):
        raise refusal(
            "CML123",
            f"the name of a model is text, not {described(name_of_model)}",
            'write ml.register(best.model, "churn")',
            where,
        )
    given = metrics if isinstance(metrics, (list, tuple)) else (metrics,)
    fields = {
        "model": _model(model, "ml.register", build, where),
        "model_name": name_of_model,
        "metrics": tuple(_metric(one, build, where) for one in given),
        "approval": approval,
        "predictor": None if predictor is None else function_ref(predictor, "ml.register(predictor=)", where),
        "sample": None if sample is None else _table(sample, "ml.register(sample=)", build, where),
        "summary": summary,
        "tags": tag_nodes(tags or {}, where),
        "native": native_nodes(native or {}, where),
    }
    return _add(build, spec.RegisterStep, name or f"register_{name_of_model}", where, "register", after, fields)


def _metric(given: Any, build: Build, where: Location) -> spec.Value:
    one = _reference(given, "ml.register(metrics=)", "write metrics=score, or metrics=(score.auc, score.f1)", where)
    whole = isinstance(one, OutputReference) and one._port.mode == "metrics"
    if not whole and one._type not in ("float", "int", "Any"):
        message = f"ml.register(metrics=) takes metrics, and {one._label} is {one._type}"
        raise refusal("CML109", message, "pass what a step with ml.Metrics returns, or single metrics of it", where)
    return one.node(build)


def approve(
    message: str = "",
    subject: Any = None,
    *,
    approvers: Sequence[str] = (),
    expires: float | str | None = "3d",
    name: str | None = None,
    after: Any = (),
) -> Any:
    """Wait for a person; without an answer within `expires` it is refused. Steps wait for it by `after=[approval]`."""
    from cloudml import spec

    build, where = current("ml.approve"), caller()
    fields = {
        "message": message,
        "subject": None if subject is None else value(as_output(subject), build, "ml.approve(subject=)"),
        "approvers": tuple(approvers),
        "expires": _seconds(expires, "ml.approve(expires=)", where),
    }
    return _add(build, spec.ApproveStep, name or build.fresh("approve"), where, "approve", after, fields)


_DEPLOY_FORM = 'version = ml.register(best.model, "churn"), then ml.deploy(version, CHURN)'


def deploy(
    version: Any,
    endpoint: spec.Endpoint,
    /,
    *,
    alias: str | None = None,
    timeout: float | str | None = None,
    name: str | None = None,
    after: Any = (),
) -> Any:
    """Bring a model version into service: `ml.deploy(version, CHURN, alias="champion")`; then the alias moves."""
    from cloudml import spec

    build, where = current("ml.deploy"), caller()
    if not isinstance(endpoint, spec.Endpoint):
        raise refusal(
            "CML123",
            f"ml.deploy goes to an endpoint, not {described(endpoint)}",
            'write CHURN = ml.Endpoint("churn") and ml.deploy(version, CHURN)',
            where,
        )
    fields = {
        "version": _produced(version, "ml.deploy", "ml.register", _DEPLOY_FORM, build, where),
        "endpoint": build.declare("endpoints", endpoint, where),
        "alias": alias,
        "timeout": _seconds(timeout, "ml.deploy(timeout=)", where),
    }
    return _add(build, spec.DeployStep, name or f"deploy_{endpoint.name}", where, "deploy", after, fields)


def verify(
    endpoint: Any,
    /,
    *,
    sample: Any = None,
    rows: int = 20,
    requests: int = 20,
    function: Any = None,
    p95: float | str | None = None,
    max_error_rate: float = 0.0,
    timeout: float | str | None = None,
    name: str | None = None,
    after: Any = (),
) -> Any:
    """Call a deployed endpoint, and fail unless it answers right. `p95` is milliseconds, or text such as "200ms"."""
    from cloudml import spec

    build, where = current("ml.verify"), caller()
    fields = {
        "endpoint": _deployed(endpoint, "ml.verify", build, where),
        "sample": None if sample is None else _table(sample, "ml.verify(sample=)", build, where),
        "rows": rows,
        "requests": requests,
        "function": None if function is None else function_ref(function, "ml.verify(function=)", where),
        "p95": duration(p95, "ml.verify(p95=)", where) * 1000 if isinstance(p95, str) else p95,
        "max_error_rate": max_error_rate,
        "timeout": _seconds(timeout, "ml.verify(timeout=)", where),
    }
    return _add(build, spec.VerifyStep, name or f"verify_{_place(endpoint)}", where, "verify", after, fields)


def _deployed(given: Any, verb: str, build: Build, where: Location) -> spec.Value:
    form = f"live = ml.deploy(version, CHURN), then {verb}(live)"
    return _produced(given, verb, "ml.deploy", form, build, where)


def _place(handle: Any) -> str:
    """`churn` of the step `deploy_churn`."""
    return str(handle._step).removeprefix("deploy_")


def batch_predict(
    model: Any,
    data: Any,
    /,
    *,
    predictor: Any = None,
    batch_size: int = 10000,
    keep: Sequence[str] = (),
    cpu: float | None = None,
    memory: int | str | None = None,
    gpu: int | None = None,
    retries: Any = None,
    timeout: float | str | None = None,
    cache: Any = None,
    native: Mapping[str, Mapping[str, Any]] | None = None,
    name: str | None = None,
    after: Any = (),
) -> Any:
    """Apply a model to a table; output `predictions` has its rows in order, with the columns in `keep`."""
    from cloudml import spec
    from cloudml.authoring.options import job_fields

    build, where = current("ml.batch_predict"), caller()
    settings = {"retries": retries, "timeout": timeout, "cache": cache, "native": native}
    resources = resource_fields({"cpu": cpu, "memory": memory, "gpu": gpu}, where)
    fields = {
        "model": _served(model, build, where),
        "data": _table(data, "ml.batch_predict", build, where),
        "predictor": None if predictor is None else function_ref(predictor, "ml.batch_predict(predictor=)", where),
        "batch_size": batch_size,
        "keep": tuple(keep),
        "resources": resources_node(resources, where),
        **job_fields(settings, where),
    }
    return _add(
        build, spec.BatchPredictionStep, name or build.fresh("batch_predict"), where, "batch_predict", after, fields
    )


def _served(given: Any, build: Build, where: Location) -> spec.Value:
    one = as_output(given)
    if isinstance(one, Reference) and one._type == "cloudml.ModelVersion":
        return one.node(build)
    return _model(given, "ml.batch_predict", build, where)


def monitor(endpoint: Any, monitor: Any, /, *, baseline: Any, name: str | None = None, after: Any = ()) -> Any:
    """Put a monitor on a deployed endpoint, with the data that is normal as its baseline."""
    from cloudml import spec

    build, where = current("ml.monitor"), caller()
    node = node_of(monitor)
    if not isinstance(node, spec.Monitor):
        raise refusal(
            "CML123",
            f"ml.monitor takes an ml.Monitor, not {described(monitor)}",
            "write ml.monitor(live, DRIFT, baseline=train)",
            where,
        )
    fields = {
        "endpoint": _deployed(endpoint, "ml.monitor", build, where),
        "monitor": build.declare("monitors", node, where),
        "baseline": _table(baseline, "ml.monitor(baseline=)", build, where),
    }
    return _add(build, spec.MonitorStep, name or f"monitor_{node.name}", where, "monitor", after, fields)


__all__ = ["approve", "batch_predict", "deploy", "monitor", "register", "verify"]
