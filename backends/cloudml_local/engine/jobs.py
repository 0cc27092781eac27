"""Tasks that run a function: bind what they read, look into the cache, run, retry, and keep the result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudml.backend.records import DONE
from cloudml_local.engine.attempts import Outcome, Work, retryable
from cloudml_local.engine.graph import Instance
from cloudml_local.engine.key import key_of, key_parts
from cloudml_local.engine.pool import Request
from cloudml_local.engine.values import Unresolved

if TYPE_CHECKING:
    from cloudml_local.engine.driver import Driver

_EXTERNAL = ("pathlib.Path", "cloudml.File", "cloudml.Dataset", "cloudml.Model", "cloudml.Report")


@dataclass(frozen=True)
class Bound:
    """A task's work with every reference resolved, and what its cache key is made of."""

    work: Work
    parts: dict[str, Any]
    key: str


def bind(driver: Driver, instance: Instance) -> Bound:
    """Resolve what a job reads. Raises Unresolved with a reason for the task."""
    reads = instance.reads
    inputs, arguments, secrets = [], {}, {}
    ports = {port["name"]: port for port in reads["inputs"]}
    for name, value in reads["arguments"].items():
        port = ports.get(name, {"name": name, "type": "object", "mode": "value"})
        if value["kind"] == "secret":
            secrets[name] = value["name"]
            continue
        found = _input(driver, instance, port, value)
        if found is not None:
            inputs.append(found)
        else:
            arguments[name] = driver.resolver.json(value, instance)
    work = Work(instance.id, reads["function"], inputs, arguments, secrets, reads["outputs"])
    return _bound(driver, reads, work)


def _bound(driver: Driver, reads: dict[str, Any], work: Work) -> Bound:
    digests = {
        one["name"]: [a["digest"] for a in one["items"]] if "items" in one else one["digest"] for one in work.inputs
    }
    parts = key_parts(reads, driver.document["lock"], work.arguments, digests, work.secrets)
    return Bound(work, parts, key_of(parts))


def _input(driver: Driver, instance: Instance, port: dict[str, Any], value: dict[str, Any]) -> dict[str, Any] | None:
    """The artifact, list of artifacts or external file that an input names; None for a plain JSON value."""
    base = {"name": port["name"], "type": port["type"], "mode": port["mode"]}
    several = driver.resolver.artifacts(value, instance)
    if several is not None:
        if all(one["format"] == "json" for one in several):
            return None
        return {**base, "items": [_located(driver, one) for one in several]}
    one = driver.resolver.artifact(value, instance)
    if one is not None:
        as_value = one["format"] == "json" and port["mode"] == "value"
        return None if as_value else {**base, **_located(driver, one)}
    if port["mode"] == "handle" or port["type"] in _EXTERNAL:
        return {**base, **_external(driver, driver.resolver.json(value, instance), port["name"])}
    return None


def _located(driver: Driver, artifact: dict[str, Any]) -> dict[str, Any]:
    path = driver.store.path(artifact["digest"])
    return {"path": str(path), **{name: artifact[name] for name in ("format", "digest", "filename")}}


def _external(driver: Driver, value: Any, name: str) -> dict[str, Any]:
    """A file of the user's, named by a path relative to the project; digested, never copied."""
    if not isinstance(value, str):
        raise Unresolved(f"input {name} is a file; {value!r} is not a path")
    path = Path(driver.document["root"], value).resolve()
    if not path.exists():
        raise Unresolved(f"input {name}: there is no {path}. Paths start at the project's root.")
    digest, _ = driver.inventory.measure(path)
    return {
        "path": str(path),
        "format": "directory" if path.is_dir() else "file",
        "digest": digest,
        "filename": path.name,
    }


def preload(reads: dict[str, Any]) -> tuple[str, ...]:
    """What to import before the process is forked; an estimator is stored by skops, which is slow to import."""
    modules = tuple(reads.get("preload", ()))
    return (*modules, "skops.io") if any(name.partition(".")[0] == "sklearn" for name in modules) else modules


def run_job(driver: Driver, instance: Instance) -> None:
    """Reuse a result or compute it. Raises Unresolved."""
    run_bound(driver, instance, bind(driver, instance))


def run_bound(driver: Driver, instance: Instance, bound: Bound, modules: tuple[str, ...] = ()) -> None:
    """Like `run_job`, for work that is bound already."""
    if not reuse(driver, instance, bound):
        _attempt(driver, instance, bound, 1, modules)


def reuse(driver: Driver, instance: Instance, bound: Bound) -> bool:
    """End the task with a cached result, if there is one that may be used."""
    policy = instance.reads.get("cache") or {"enabled": False, "ttl": None}
    if not policy["enabled"] or not driver.options.cache or instance.template["id"] in driver.run.fresh:
        return False
    entry = driver.journal.cached(bound.key)
    if entry is None or (policy["ttl"] is not None and entry.age > policy["ttl"]):
        return False
    if not all(driver.store.has(output["digest"]) for output in entry.outputs.values()):
        driver.journal.drop_key(bound.key)
        return False
    driver.end(
        instance, "cached", f"same as in {entry.run}", outputs=entry.outputs, values=entry.values, key=bound.key,
        parts=bound.parts, cached_from=f"{entry.run}/{entry.task}",
    )  # fmt: skip
    return True


def folder_of(driver: Driver, instance: Instance) -> Path:
    return driver.state / "runs" / driver.run.id / instance.id


def _checkpoint(place: Path, bound: Bound) -> Path:
    """Named by the key: other code or other data do not go on from what these left."""
    return place / f"checkpoint-{bound.key[:16]}"


def _attempt(driver: Driver, instance: Instance, bound: Bound, number: int, modules: tuple[str, ...]) -> None:
    reads = instance.reads
    place = folder_of(driver, instance)
    work = bound.work
    if reads.get("checkpoint"):
        work = replace(work, checkpoint=str(_checkpoint(place, bound)))

    def done(outcome: Outcome) -> None:
        _finished(driver, instance, bound, number, outcome, modules)

    driver.pool.submit(
        Request(
            owner=instance.id,
            work=work,
            folder=place / str(number),
            log=place / f"{number}.log",
            attempt=number,
            order=instance.order,
            done=done,
            started=lambda: driver.begin(instance, number),
            cpu=float(reads.get("cpu") or 1),
            timeout=reads.get("timeout"),
            modules=(*preload(reads), *modules),
            environment=reads.get("environment") or {},
        )
    )


def _finished(
    driver: Driver, instance: Instance, bound: Bound, number: int, outcome: Outcome, modules: tuple[str, ...]
) -> None:
    ending = driver.ending(instance)
    place = folder_of(driver, instance)
    if outcome.status == "succeeded":
        driver.sweeper.sweep(place / str(number))
        policy = instance.reads.get("cache") or {"enabled": False}
        driver.end(
            instance, "succeeded", outputs=outcome.outputs, values=outcome.values, key=bound.key, parts=bound.parts,
            reusable=policy["enabled"],
        )  # fmt: skip
        if instance.reads.get("checkpoint"):
            driver.sweeper.sweep(_checkpoint(place, bound))
        return
    if ending is not None:
        driver.end(instance, "stopped", ending)
        return
    failed = outcome.failure or {}
    heal(driver, failed)
    wait = retryable(instance.reads.get("retry"), number, failed)
    if wait is None:
        attempts = f" (after {number} attempts)" if number > 1 else ""
        driver.end(instance, "failed", outcome.reason + attempts, failure=failed, key=bound.key, parts=bound.parts)
        return
    driver.tell(instance, "retrying", f"{outcome.reason}; attempt {number + 1} in {wait:g} s")

    def again() -> None:
        late = driver.ending(instance)
        if late is not None:
            driver.end(instance, "stopped", late)
        else:
            _attempt(driver, instance, bound, number + 1, modules)

    driver.retry_later(wait, again)


def heal(driver: Driver, failed: dict[str, Any]) -> None:
    """A damaged artifact is set aside and forgotten, so that the next resume makes it anew."""
    if failed.get("exception", "").rpartition(".")[2] == "CorruptArtifact":
        discard_damaged(driver)


def discard_damaged(driver: Driver) -> None:
    """Look at every artifact of this run, and forget those that are not what their digest says."""
    for instance in list(driver.graph.instances.values()):
        for output in instance.outputs.values():
            if instance.status in DONE and not driver.store.verify(output["digest"]):
                driver.store.discard(output["digest"])
                driver.journal.drop_cached(output["digest"])
