"""The pages about backends, made from their own tables: features side by side, each one's reasons, target settings.

python -m cloudml.cli.backend_pages [DOCS]     (default: docs)
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cloudml.backend.feature import FULL, Feature, Level
from cloudml.backend.port import Backend
from cloudml.discovery import backends, load_backend
from cloudml.errors import DISTRIBUTION

COMMAND = "python -m cloudml.cli.backend_pages"

FEATURES: Mapping[Feature, str] = {
    Feature.PROCESSING: "steps that transform data: `@ml.processing`, `@ml.evaluation`",
    Feature.TRAINING: "steps that train a model: `@ml.training`",
    Feature.TUNING: "a search over hyperparameters: `ml.tune`",
    Feature.PRUNING: "hopeless trials end early: `prune=`",
    Feature.BATCH_PREDICTION: "a model's predictions for a whole table: `ml.batch_predict`",
    Feature.CONDITION: "branches: `ml.when`, `otherwise`",
    Feature.MAP: "the same steps for each item of a list: `ml.map`, `ml.collect`",
    Feature.GROUP: "several steps in one job: `ml.group`",
    Feature.FINALLY: "steps that run whatever happened: `ml.on_exit`",
    Feature.REGISTER: "versions in the model registry: `ml.register`",
    Feature.APPROVE: "a run waits for a person: `ml.approve`",
    Feature.DEPLOY: "a version goes into service: `ml.deploy`",
    Feature.VERIFY: "real requests to an endpoint, judged: `ml.verify`",
    Feature.MONITOR: "what a served model sees and says is analysed on a schedule: `ml.monitor`",
    Feature.NOTIFY: "messages to people: `ml.notify`, alerts",
    Feature.FAIL: "a run ends as failed, with words: `ml.fail`",
    Feature.RETRY: "a failed step is tried again: `retries=`",
    Feature.TIMEOUT: "limits of time for steps and runs: `timeout=`",
    Feature.CACHE: "a step whose code and inputs are unchanged is reused: `cache=`",
    Feature.SECRETS: "values that no document holds: `ml.secret`",
    Feature.CHECKPOINT: "a training that was cut off goes on: `ml.checkpoint_dir`",
    Feature.SPOT: "spare machines, cheaper and revocable: `ml.spot`",
    Feature.GPU: "machines with devices: `gpu=`",
    Feature.IMAGE: "a container image of one's own for a step: `image=`",
    Feature.DISTRIBUTION: "one training on several machines: `ml.distribution`",
    Feature.SCHEDULE: "runs by the calendar: `schedule=` with `ml.cron`, `ml.every`",
    Feature.ROLLOUT_STEPS: "traffic moves to a new version in steps: `ml.canary`, `ml.linear`",
    Feature.ROLLOUT_GUARDS: "what is measured during a rollout can take it back: `ml.guard`",
    Feature.SHADOW: "a version answers copies of real requests: `ml.Shadow`",
    Feature.STICKY_ROUTING: "the same caller meets the same version: `routing` of a rollout",
    Feature.SCALING: "the number of servers follows the load: `instances=(1, 4)`, `target_requests=`",
    Feature.CAPTURE: "requests and answers are kept: `capture=`",
}

_WORDS = {
    Level.FULL: "yes",
    Level.EMULATED: "emulated",
    Level.NOT_IMPLEMENTED: "not yet",
    Level.UNAVAILABLE: "not offered",
    Level.NEVER: "never",
}

_LEVELS = """\
| word | meaning |
|---|---|
| yes | as the pages about pipelines say it |
| emulated | it works, and differs in what the backend's page says; `cloudml check` and `cloudml plan` warn of it |
| not yet | cloudml cannot translate it yet; refused before anything runs |
| not offered | the service has no such thing; refused |
| never | it makes no sense there; refused |
"""


def pages(found: Sequence[Backend]) -> dict[str, str]:
    """Every page by its path below the docs folder."""
    own = {f"backends/{one.name}.md": _backend(one) for one in found}
    return {"backends/index.md": _index(found), **own, "reference/targets.md": _targets(found)}


def shipped() -> list[Backend]:
    """The backends of this distribution that can be loaded, by name."""
    return [load_backend(one.name) for one in backends() if one.distribution == DISTRIBUTION and one.installed]


def _index(found: Sequence[Backend]) -> str:
    head = ["feature", *(f"[{one.name}]({one.name}.md)" for one in found), "what it is"]
    rows = [(f"`{feature}`", *(_word(one, feature) for one in found), about) for feature, about in FEATURES.items()]
    return _page(
        "# What each backend can do",
        "The same tables that `cloudml check --target NAME` holds a pipeline against, side by side. "
        f"This page is made from the code: `{COMMAND}`.",
        _table(head, rows),
        _LEVELS,
        "How to name a target and what it may say: [targets](../reference/targets.md). How to write another backend: "
        "[Write a backend](../how-to/write-a-backend.md).",
    )


def _backend(one: Backend) -> str:
    full = [feature for feature in FEATURES if one.features.get(feature) == FULL]
    other = [
        (feature, one.features[feature]) for feature in FEATURES if feature in one.features and feature not in full
    ]
    rows = [(f"`{feature}`", _WORDS[found.level], found.reason, found.instead) for feature, found in other]
    return _page(
        f"# Backend {one.name}",
        f"{one.description}. This page is made from the code: `{COMMAND}`. [All backends side by side](index.md) says "
        "what the words mean.",
        "## As described",
        f"{', '.join(f'`{feature}`' for feature in full)}.",
        "## With differences",
        _table(("feature", "there", "why", "instead"), rows),
        f'A target says `backend = "{one.name}"`; what else it may say: [targets](../reference/targets.md#{one.name}).',
    )


def _targets(found: Sequence[Backend]) -> str:
    parts = [
        "# Targets",
        "A section `[targets.NAME]` of `cloudml.toml` says where a pipeline can run: `backend`, and settings that only "
        "this backend reads. `cloudml deploy --target NAME` picks one, `--backend NAME` the first of that backend. A "
        f"setting that the backend does not know is refused. This page is made from the code: `{COMMAND}`.",
    ]
    for one in found:
        parts += [f"## {one.name}", f"{one.description}. [What it can do](../backends/{one.name}.md).", _settings(one)]
    return _page(*parts)


def _settings(one: Backend) -> str:
    return _table(("setting", "what it says"), [(f"`{name}`", help_) for name, help_ in one.settings.items()])


def _word(one: Backend, feature: Feature) -> str:
    found = one.features.get(feature)
    return _WORDS[Level.NOT_IMPLEMENTED if found is None else found.level]


def _page(*parts: str) -> str:
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(map(_cell, row)) + " |" for row in rows)])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def main(arguments: Sequence[str]) -> int:
    """Write the pages."""
    docs = Path(arguments[0]) if arguments else Path("docs")
    for path, text in pages(shipped()).items():
        (docs / path).parent.mkdir(parents=True, exist_ok=True)
        (docs / path).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
