"""A whole search in one job: trials in processes of their own, proposed in the local backend's very order.

Results are kept below the checkpoints, where the step keeps any: a job that is started again after its spot machine
was taken away goes on where it stood, since what was told once is told again in the same order.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

from cloudml.jobs import failure, job, trial
from cloudml.jobs.context import Context, Document
from cloudml.jobs.control import write
from cloudml.jobs.failure import Refused
from cloudml.jobs.outputs import Outcome
from cloudml.jobs.trials import Trials
from cloudml.runtime.search import FAILED, Result, Search, Trial

HOME = "cloudml-search"
"""The folder of the trials, below the checkpoints or the job's own work."""


def run_search(step: Document, context: Context) -> Outcome:
    """Search; the outputs are the best trial's, with `best_parameters`, `best_value` and `trials`.

    Raises Refused: Optuna is not there, or no trial ended with a value.
    """
    try:
        search = Search(step["search"])
    except ImportError as error:
        raise Refused(
            f"the search needs Optuna, which the image has not ({error}): write optuna into requirements.txt, or set "
            'tuning = "native" for this target'
        ) from error
    inputs, arguments = job.bind(step, context)
    running = _Running(step, context, search, {"inputs": inputs, "arguments": arguments})
    failed = running.run()
    if failed is not None:
        return Outcome("failed", failure=failed)
    return _outcome(step, context, search, running.trials)


class _Running:
    """One search in progress. Only the main thread asks, tells and keeps; threads wait for the trials' processes."""

    def __init__(self, step: Document, context: Context, search: Search, bound: Document) -> None:
        own = set(step["search"]["outputs"])
        self._step = {**step, "outputs": [port for port in step["outputs"] if port["name"] in own]}
        self._context = context
        self._search = search
        self._bound = bound
        self._settings: Mapping[str, Any] = step["search"]
        self._ended: SimpleQueue[tuple[Trial, Future[Outcome]]] = SimpleQueue()
        kept = bool(step.get("checkpoint"))
        home = context.layout.checkpoints if kept else context.folder("kept")
        self.trials = Trials(home / HOME, self._settings["outputs"])

    def run(self) -> Document | None:
        """To the end of the search; the failure that ended it before, if one did."""
        at_once = workers(self._settings)
        with ThreadPoolExecutor(at_once, thread_name_prefix="trial") as pool:
            try:
                failed = self._advance(pool)
            except BaseException:
                self._context.stopping.end()
                raise
            if failed is not None:
                self._context.stopping.end()
            return failed

    def _advance(self, pool: ThreadPoolExecutor) -> Document | None:
        search = self._search
        while not search.ended:
            if self._context.stopping.asked.is_set():
                return self._interrupted()
            asked = search.ask()
            if asked is not None:
                self._begin(asked, pool)
                continue
            number = search.tell()
            if number is not None:
                self._told(number)
                continue
            if (failed := self._take()) is not None:
                return failed
        return None

    def _begin(self, asked: Trial, pool: ThreadPoolExecutor) -> None:
        earlier = self.trials.earlier(asked)
        if earlier is not None:
            self._search.results[asked.number] = earlier
            return
        _say(f"trial {asked.number} begins with {asked.params}")
        future = pool.submit(self._try, asked)
        future.add_done_callback(lambda done: self._ended.put((asked, done)))

    def _try(self, asked: Trial) -> Outcome:
        """In a thread: the trial's process, from its start to its end."""
        if self._context.stopping.asked.is_set():
            return Outcome("failed", failure=failure.record("interrupted", "Stopped", "the search ended"))
        name = f"trial-{asked.number}"
        own = self._step.get("trial_checkpoints")
        given = job.Trial(
            folder=name,
            parameters=asked.params,
            environment={"CLOUDML_TRIAL": str(asked.number)},
            pruning=asked.pruning,
            checkpoint=self._context.layout.checkpoints / name if own else None,
        )
        return job.run_trial(self._step, self._context, self._bound, given)

    def _take(self) -> Document | None:
        """Wait for the next trial that ends, whichever it is; the failure that is one too many."""
        asked, done = self._ended.get()
        outcome = done.result()
        if outcome.status == FAILED and self._context.stopping.asked.is_set():
            return None
        value = trial.objective(outcome.values, self._settings["objective"]) if outcome.status == "succeeded" else None
        result = Result(
            outcome.status, asked.params, value, outcome.more.get("reports", ()), {"values": outcome.values}
        )
        self._search.results[asked.number] = result
        if outcome.status != FAILED:
            self.trials.keep(asked.number, result, outcome.outputs)
            return None
        told = outcome.failure or {}
        _say(f"trial {asked.number} failed: {failure.line(told)}")
        if not self._search.hopeless():
            return None
        return {**told, "exception": "", "message": f"trial {asked.number} failed: {failure.line(told)}", "where": ""}

    def _told(self, number: int) -> None:
        """Speak of a result, and let go of what can not become the best any more."""
        result, best = self._search.results[number], self._search.best()
        if result.value is not None:
            _say(f"trial {number} ended")
            sys.stdout.write(f"cloudml:metric objective={result.value!r}\n")
        elif result.state != FAILED:
            _say(f"trial {number} was {result.state}")
        sys.stdout.flush()
        self.trials.drop_all_but(best, self._search.told)

    def _interrupted(self) -> Document:
        words = (
            f"the search was asked to stop (SIGTERM) when {self._search.told} of {self._search.total} trials were told"
        )
        return failure.record("interrupted", "Interrupted", words)


def workers(settings: Mapping[str, Any]) -> int:
    """How many trials run at once: what the step allows, and what this machine has cores, memory and devices for."""
    asked = settings["resources"]
    if asked["gpu"]:
        return 1
    most = [int(settings["parallel"]), int((os.cpu_count() or 1) // max(1.0, asked["cpu"]))]
    if asked["memory"]:
        most.append(int(_memory() // asked["memory"]))
    return max(1, min(most))


def _memory() -> float:
    """This machine's memory in MiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20


def _outcome(step: Document, context: Context, search: Search, trials: Trials) -> Outcome:
    best = search.best()
    if best is None:
        raise Refused("no trial ended with a value")
    found = search.found()
    ports = {port["name"]: port for port in step["outputs"]}
    result = search.results[best]
    outputs = trials.adopt(best, context.folder("best"))
    outputs |= {name: write(name, ports[name]["type"], value, context) for name, value in found.items()}
    values = {**result.made["values"], **found}
    metrics = {name: values[name] for name, port in ports.items() if port.get("mode") == "metrics" and name in values}
    _say(f"trial {best} of {search.total} is the best")
    sys.stdout.write(f"cloudml:metric objective={result.value!r}\n")
    more = {"parameters": result.params, "trial": best}
    reason = f"trial {best} of {search.total}: {step['search']['objective']} {result.value:.4f}"
    return Outcome("succeeded", outputs, values, metrics, more={**more, "reason": reason})


_speech = threading.Lock()


def _say(text: str) -> None:
    with _speech:
        sys.stdout.write(f"cloudml: {text}\n")
        sys.stdout.flush()
