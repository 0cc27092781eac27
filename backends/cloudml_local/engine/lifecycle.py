"""Tasks of a model's life: register, deploy, verify, batch prediction. Each may be repeated without doing it twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloudml.backend.records import ModelVersion
from cloudml.errors import NotFound
from cloudml_local.engine.attempts import Outcome, Work
from cloudml_local.engine.graph import Instance
from cloudml_local.engine.jobs import Bound, folder_of, heal, run_bound
from cloudml_local.engine.key import key_of, key_parts
from cloudml_local.engine.pool import Request
from cloudml_local.engine.values import Unresolved

if TYPE_CHECKING:
    from cloudml_local.engine.driver import Driver

_BUILTIN = "cloudml_local.engine.builtin"
_RESULT = [{"name": "output", "type": "dict", "mode": "value", "fields": []}]
SAMPLE_ROWS = 20


def register(driver: Driver, instance: Instance) -> None:
    """Add a version. A sample of the data becomes the rows that a server of it warms up with."""
    reads = instance.reads
    model = driver.resolver.artifact(reads["model"], instance)
    if model is None:
        raise Unresolved("the model is not an artifact of a step")
    metrics = _metrics(driver, instance)
    inputs = {"model": model["digest"]}
    work = Work(instance.id, f"{_BUILTIN}:sample_rows", arguments={"limit": SAMPLE_ROWS}, outputs=_RESULT)
    if reads["sample"] is not None:
        sample = _artifact_input(driver, instance, "sample", reads["sample"])
        inputs["sample"] = sample["digest"]
        work = replace(work, inputs=[sample])
    parts = key_parts(
        reads, driver.document["lock"], {"model_name": reads["model_name"], "metrics": metrics}, inputs, {}
    )
    bound = Bound(work, parts, key_of(parts))
    if _known(driver, instance, bound):
        return
    if reads["sample"] is None:
        driver.begin(instance)
        _add_version(driver, instance, bound, model, metrics, [])
        return

    def sampled(outcome: Outcome) -> None:
        if _ended_badly(driver, instance, outcome):
            return
        _add_version(driver, instance, bound, model, metrics, outcome.values["output"]["rows"])

    _process(driver, instance, work, sampled, modules=("polars",))


def _known(driver: Driver, instance: Instance, bound: Bound) -> bool:
    """End at once when the very same registration stands in the registry already."""
    entry = driver.journal.cached(bound.key)
    if entry is None or "version" not in entry.values:
        return False
    version = entry.values["version"]
    try:
        found = driver.registry.get(version["model"], version["version"])
    except NotFound:
        return False
    _end_registered(driver, instance, bound, found, "cached")
    return True


def _add_version(
    driver: Driver, instance: Instance, bound: Bound, model: dict[str, Any], metrics: dict[str, float], rows: list[Any]
) -> None:
    reads = instance.reads
    source = driver.resolver.source(reads["model"], instance)
    made = driver.journal.task(driver.run.id, source.id) or {}
    parts = made.get("parts") or {}
    body = {
        **{name: model[name] for name in ("digest", "format", "filename", "type")},
        "metrics": metrics,
        "predictor": reads["function"],
        "predictor_code": reads["code"],
        "sample": rows,
        "run": driver.run.id,
        "step": source.id,
        "code": source.reads.get("code", ""),
        "data": dict(parts.get("inputs") or {}),
        "parameters": {**(parts.get("arguments") or {}), **source.values.get("best_parameters", {})},
        "summary": reads["summary"],
        "bundle": driver.bundle.name,
    }
    found = driver.registry.register(reads["model_name"], body, reads["approval"])
    _end_registered(driver, instance, bound, found, "succeeded")


def _end_registered(driver: Driver, instance: Instance, bound: Bound, found: ModelVersion, status: str) -> None:
    values = {"version": {"model": found.model, "version": found.version, "digest": found.digest}}
    reason = f"{found.model}/{found.version}" + (" exists already" if status == "cached" else "")
    driver.end(instance, status, reason, values=values, key=bound.key, parts=bound.parts, reusable=True)


def _metrics(driver: Driver, instance: Instance) -> dict[str, float]:
    found: dict[str, float] = {}
    for reference in instance.reads["metrics"]:
        value = driver.resolver.json(reference, instance)
        if isinstance(value, dict):
            found.update({name: float(number) for name, number in value.items() if isinstance(number, (int, float))})
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[reference.get("field") or reference["output"]] = float(value)
        else:
            raise Unresolved(f"{value!r} is not a metric")
    return found


def deploy(driver: Driver, instance: Instance) -> None:
    """Bring a version into service; when the endpoint serves it already there is nothing to do but to say so."""
    from cloudml_local.endpoints import deployment_of

    reads = instance.reads
    wanted = driver.resolver.json(reads["version"], instance)
    found = driver.registry.get(wanted["model"], wanted.get("version"), wanted.get("alias"))
    if found.approval != "approved":
        raise Unresolved(
            f"{found.model}/{found.version} is {found.approval}; only an approved version is deployed. "
            f"Run: cloudml approve {found.model}/{found.version} --reason …, then cloudml resume {driver.run.id}"
        )
    name = reads["endpoint"]
    settings = driver.document["endpoints"][name]
    deployment = deployment_of(driver.registry, driver.store, found, settings, driver.state / "bundles")
    manager = driver.endpoints
    if manager.serves(name, found.model, found.version, found.digest):
        status = manager.status(name)
        assert status is not None
        _end_deployed(driver, instance, found, status.url, status.deployment_id, "cached")
        return
    limit = reads["timeout"] or settings["rollout"]["provision_timeout"]
    arguments = {"state": str(driver.state), "name": name, "deployment": deployment, "timeout": limit}
    work = Work(instance.id, f"{_BUILTIN}:deploy", arguments=arguments, outputs=_RESULT)

    def deployed(outcome: Outcome) -> None:
        if not _ended_badly(driver, instance, outcome):
            told = outcome.values["output"]
            _end_deployed(driver, instance, found, told["url"], told["deployment"], "succeeded")

    _process(driver, instance, work, deployed, timeout=limit + 30.0)


def _end_deployed(
    driver: Driver, instance: Instance, found: ModelVersion, url: str, deployment: int | None, status: str
) -> None:
    alias = instance.reads["alias"]
    if alias is not None:
        why = f"deployed to {instance.reads['endpoint']} by {driver.run.id}"
        driver.registry.promote(found.model, found.version, alias, "cloudml", why)
    endpoint = {
        "name": instance.reads["endpoint"],
        "url": url,
        "deployment": deployment,
        "model": found.model,
        "version": found.version,
        "digest": found.digest,
    }
    words = "serves already" if status == "cached" else "serves"
    driver.end(
        instance,
        status,
        f"{endpoint['name']} {words} {found.model}/{found.version} at {url}",
        values={"endpoint": endpoint},
    )


def verify(driver: Driver, instance: Instance) -> None:
    """Call the endpoint. The same deployment, verified before with the same rows, is not called again."""
    reads = instance.reads
    endpoint = driver.resolver.json(reads["endpoint"], instance)
    arguments = {
        "url": endpoint["url"],
        "version": endpoint["version"],
        "judge": reads["function"],
        **{name: reads[name] for name in ("rows", "requests", "p95", "max_error_rate")},
    }
    work = Work(instance.id, f"{_BUILTIN}:verify", arguments=arguments, outputs=_RESULT)
    inputs: dict[str, Any] = {}
    if reads["sample"] is not None:
        sample = _artifact_input(driver, instance, "sample", reads["sample"])
        inputs["sample"] = sample["digest"]
        work = replace(work, inputs=[sample])
    else:
        rows = driver.registry.body(endpoint["model"], endpoint["version"])["sample"]
        work = replace(work, arguments={**arguments, "given": rows})
    parts = key_parts(reads, driver.document["lock"], {**arguments, "deployment": endpoint["deployment"]}, inputs, {})
    bound = Bound(work, parts, key_of(parts))
    entry = driver.journal.cached(bound.key) if driver.options.cache else None
    if entry is not None and instance.template["id"] not in driver.run.fresh:
        reason = f"verified in {entry.run}"
        driver.end(
            instance,
            "cached",
            reason,
            values=entry.values,
            key=bound.key,
            parts=parts,
            cached_from=f"{entry.run}/{entry.task}",
        )
        return

    def verified(outcome: Outcome) -> None:
        if not _ended_badly(driver, instance, outcome, bound):
            report = outcome.values["output"]
            reason = f"{report['requests']} requests, {report['errors']} errors, p95 {report['p95_ms']:.1f} ms"
            driver.end(
                instance, "succeeded", reason, values={"report": report}, key=bound.key, parts=parts, reusable=True
            )

    _process(driver, instance, work, verified, timeout=reads["timeout"] or 300.0, modules=("polars", *reads["preload"]))


def batch_prediction(driver: Driver, instance: Instance) -> None:
    """Predict in a process of its own, in chunks."""
    reads = instance.reads
    model = _artifact_input(driver, instance, "model", reads["model"])
    place = {"type": "pathlib.Path", "mode": "handle"}
    data = {**_artifact_input(driver, instance, "data", reads["data"]), **place}
    arguments = {"predictor": reads["function"], "batch_size": reads["batch_size"], "keep": reads["keep"]}
    ports = [{"name": "predictions", "type": "polars.DataFrame", "mode": "value", "fields": []}]
    function = "cloudml.runtime.batch:batch_predict"
    work = Work(instance.id, function, [{**model, **place}, data], arguments, outputs=ports)
    digests = {"model": model["digest"], "data": data["digest"]}
    parts = key_parts(reads, driver.document["lock"], arguments, digests, {})
    run_bound(driver, instance, Bound(work, parts, key_of(parts)), modules=("polars",))


def _artifact_input(driver: Driver, instance: Instance, name: str, value: dict[str, Any]) -> dict[str, Any]:
    found = driver.resolver.artifact(value, instance)
    if found is None:
        raise Unresolved(f"{name} is not an artifact of a step")
    path = str(driver.store.path(found["digest"]))
    kept = {key: found[key] for key in ("format", "digest", "filename")}
    return {"name": name, "type": "polars.DataFrame", "mode": "value", "path": path, **kept}


def _process(
    driver: Driver,
    instance: Instance,
    work: Work,
    done: Any,
    *,
    timeout: float | None = None,
    modules: tuple[str, ...] = (),
) -> None:
    """Run one of our own functions in a worker, once."""
    place = folder_of(driver, instance)

    def cleaned(outcome: Outcome) -> None:
        if outcome.status == "succeeded":
            driver.sweeper.sweep(place / "1")
        done(outcome)

    driver.pool.submit(
        Request(
            owner=instance.id,
            work=work,
            folder=place / "1",
            log=place / "1.log",
            attempt=1,
            order=instance.order,
            done=cleaned,
            started=lambda: driver.begin(instance),
            timeout=timeout,
            modules=modules,
        )
    )


def _ended_badly(driver: Driver, instance: Instance, outcome: Outcome, bound: Bound | None = None) -> bool:
    if outcome.status == "succeeded":
        return False
    ending = driver.ending(instance)
    if ending is not None:
        driver.end(instance, "stopped", ending)
    else:
        heal(driver, outcome.failure or {})
        parts = {} if bound is None else {"key": bound.key, "parts": bound.parts}
        driver.end(instance, "failed", outcome.reason, failure=outcome.failure, **parts)
    return True
