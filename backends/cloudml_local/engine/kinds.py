"""What to do with a task that may start: one small function a kind, found in a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from cloudml.errors import CloudmlError
from cloudml_local.engine.graph import Instance
from cloudml_local.engine.jobs import discard_damaged, run_job
from cloudml_local.engine.lifecycle import batch_prediction, deploy, register, verify
from cloudml_local.engine.values import Damaged, Unresolved
from cloudml_local.state.journal import now

if TYPE_CHECKING:
    from cloudml_local.engine.driver import Driver

APPROVAL_POLL = 0.5
"""Seconds between two looks for a decision, while a driver stays to wait for it."""


def dispatch(driver: Driver, instance: Instance) -> None:
    """Start a task, or end it at once when its kind needs no process. Whatever is wrong with it becomes its reason."""
    try:
        _KINDS[instance.kind](driver, instance)
    except Damaged as problem:
        discard_damaged(driver)
        driver.end(instance, "failed", f"{problem}. `cloudml resume {driver.run.id}` computes it again")
    except Unresolved as problem:
        driver.end(instance, "failed", str(problem))
    except CloudmlError as error:
        reason = f"{error.message} {error.hint}".strip()
        driver.end(instance, "failed", reason)


def _condition(driver: Driver, instance: Instance) -> None:
    holds, words = driver.resolver.holds(instance.reads["condition"], instance)
    values = {"branch": "then" if holds else "otherwise", "why": words}
    driver.end(instance, "succeeded", "; ".join(words), values=values)


def _map(driver: Driver, instance: Instance) -> None:
    items = driver.resolver.json(instance.reads["items"], instance)
    if not isinstance(items, list):
        raise Unresolved(f"a map runs over a list; it was given {type(items).__name__}")
    if not items:
        driver.end(instance, "succeeded", "0 items")
        return
    driver.begin(instance)
    driver.ready(driver.graph.expand(instance, items))


def _tuning(driver: Driver, instance: Instance) -> None:
    from cloudml_local.engine.tuning import tune

    tune(driver, instance)


def approval_subject(run: str, task: str) -> str:
    """Under which name the decisions on an approval step are kept."""
    return f"run:{run}/{task}"


def _approve(driver: Driver, instance: Instance) -> None:
    if _decided(driver, instance):
        return
    known = driver.journal.task(driver.run.id, instance.id)
    asked_at = (known or {}).get("started_at") or now()
    driver.begin(instance)
    instance.status = "waiting"
    driver.waiting[instance.id] = instance
    driver.journal.wait_task(driver.run.id, instance.id, asked_at)
    driver.tell(instance, "waiting", instance.reads["message"] or "for approval")
    _poll(driver, instance, asked_at)


def _poll(driver: Driver, instance: Instance, asked_at: str) -> None:
    if instance.ended or driver.stopping is not None:
        return
    if _decided(driver, instance):
        return
    expires = instance.reads["expires"]
    if expires is not None and _seconds_since(asked_at) >= expires:
        driver.waiting.pop(instance.id, None)
        driver.end(instance, "failed", f"nobody approved within {expires:g} s")
        return
    driver.timers.after(APPROVAL_POLL, lambda: _poll(driver, instance, asked_at))


def _seconds_since(moment: str) -> float:
    """A clock that was set back gives zero, so that nothing expires early for it."""
    return max(0.0, (datetime.fromisoformat(now()) - datetime.fromisoformat(moment)).total_seconds())


def _decided(driver: Driver, instance: Instance) -> bool:
    decisions = driver.journal.decisions(approval_subject(driver.run.id, instance.template["id"]))
    decisions += driver.journal.decisions(approval_subject(driver.run.id, instance.id)) if instance.indices else []
    if not decisions:
        return False
    last = decisions[-1]
    driver.waiting.pop(instance.id, None)
    said = f"{last['action']} by {last['who']}" + (f": {last['reason']}" if last["reason"] else "")
    if last["action"] != "approved":
        driver.end(instance, "failed", said)
        return True
    subject = instance.reads["subject"]
    if subject is not None:
        version = driver.resolver.json(subject, instance)
        if isinstance(version, dict) and "model" in version and "version" in version:
            driver.registry.decide(version["model"], version["version"], True, last["who"], last["reason"])
    driver.end(instance, "succeeded", said, values={"approval": last})
    return True


def _text(driver: Driver, instance: Instance) -> str:
    values = {name: driver.resolver.json(value, instance) for name, value in instance.reads["arguments"].items()}
    try:
        return str(instance.reads["message"]).format(**values)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise Unresolved(f"the message cannot be filled in: {error!r}") from None


def _notify(driver: Driver, instance: Instance) -> None:
    message = _text(driver, instance)
    line = {
        "at": now(),
        "run": driver.run.id,
        "step": instance.id,
        "alerts": instance.reads["alerts"],
        "message": message,
    }
    with open(driver.state / "outbox.jsonl", "a", encoding="utf-8") as outbox:
        outbox.write(json.dumps(line, ensure_ascii=False) + "\n")
    driver.end(instance, "succeeded", message)


def _fail(driver: Driver, instance: Instance) -> None:
    message = _text(driver, instance)
    driver.end(instance, "failed", message)
    driver.fail_run(message)


Handler = Callable[["Driver", Instance], None]

_KINDS: dict[str, Handler] = {
    "processing": run_job,
    "training": run_job,
    "tuning": _tuning,
    "batch_prediction": batch_prediction,
    "condition": _condition,
    "map": _map,
    "register": register,
    "approve": _approve,
    "deploy": deploy,
    "verify": verify,
    "notify": _notify,
    "fail": _fail,
}
