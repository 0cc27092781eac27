"""cloudml: one typed ML pipeline, on a laptop and on both clouds.

    import cloudml as ml

Each name is imported when it is first used, so that `import cloudml` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cloudml.authoring.deferred import cron, distribution, every, pruning, retry, spot
    from cloudml.authoring.facts import champion, model, run_date, run_id, secret
    from cloudml.authoring.flow import collect, group, map, on_exit, when  # noqa: A004 - used as ml.map
    from cloudml.authoring.functions import StepFunction, evaluation, processing, training
    from cloudml.authoring.messages import fail, notify
    from cloudml.authoring.models import approve, batch_predict, deploy, monitor, register, verify
    from cloudml.authoring.parameters import Param, param
    from cloudml.authoring.pipelines import PipelineFunction, pipeline
    from cloudml.authoring.resources import (
        Endpoint,
        Monitor,
        all_at_once,
        canary,
        email,
        guard,
        linear,
        log_alert,
        pagerduty,
        retrain,
        slack,
        threshold,
        webhook,
    )
    from cloudml.authoring.tuning import choice, ints, log_uniform, tune, uniform
    from cloudml.errors import AuthoringError, CloudmlError, SpecError
    from cloudml.runtime.failures import Transient, TrialPruned
    from cloudml.runtime.handles import Dataset, File, In, Model, Out, Report
    from cloudml.runtime.metrics import Metrics
    from cloudml.runtime.reporting import checkpoint_dir, progress, report
    from cloudml.spec import Distribution, Guard, Pruning, Retry, Rollout, RolloutStep, Shadow, Spot

_HOMES = {
    "cloudml.authoring.deferred": "cron distribution every pruning retry spot",
    "cloudml.authoring.facts": "champion model run_date run_id secret",
    "cloudml.authoring.flow": "collect group map on_exit when",
    "cloudml.authoring.functions": "StepFunction evaluation processing training",
    "cloudml.authoring.messages": "fail notify",
    "cloudml.authoring.models": "approve batch_predict deploy monitor register verify",
    "cloudml.authoring.parameters": "Param param",
    "cloudml.authoring.pipelines": "PipelineFunction pipeline",
    "cloudml.authoring.resources": "Endpoint Monitor all_at_once canary email guard "
    "linear log_alert pagerduty retrain slack threshold webhook",
    "cloudml.authoring.tuning": "choice ints log_uniform tune uniform",
    "cloudml.errors": "AuthoringError CloudmlError SpecError",
    "cloudml.runtime.failures": "Transient TrialPruned",
    "cloudml.runtime.handles": "Dataset File In Model Out Report",
    "cloudml.runtime.metrics": "Metrics",
    "cloudml.runtime.reporting": "checkpoint_dir progress report",
    "cloudml.spec": "Distribution Guard Pruning Retry Rollout RolloutStep Shadow Spot",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "AuthoringError",
    "CloudmlError",
    "Dataset",
    "Distribution",
    "Endpoint",
    "File",
    "Guard",
    "In",
    "Metrics",
    "Model",
    "Monitor",
    "Out",
    "Param",
    "PipelineFunction",
    "Pruning",
    "Report",
    "Retry",
    "Rollout",
    "RolloutStep",
    "Shadow",
    "SpecError",
    "Spot",
    "StepFunction",
    "Transient",
    "TrialPruned",
    "__version__",
    "all_at_once",
    "approve",
    "batch_predict",
    "canary",
    "champion",
    "checkpoint_dir",
    "choice",
    "collect",
    "cron",
    "deploy",
    "distribution",
    "email",
    "evaluation",
    "every",
    "fail",
    "group",
    "guard",
    "ints",
    "linear",
    "log_alert",
    "log_uniform",
    "map",
    "model",
    "monitor",
    "notify",
    "on_exit",
    "pagerduty",
    "param",
    "pipeline",
    "processing",
    "progress",
    "pruning",
    "register",
    "report",
    "retrain",
    "retry",
    "run_date",
    "run_id",
    "secret",
    "slack",
    "spot",
    "threshold",
    "training",
    "tune",
    "uniform",
    "verify",
    "webhook",
    "when",
]


if not TYPE_CHECKING:  # a type checker shall see the names above, and no others

    def __getattr__(name: str) -> Any:
        """Import a public name from where it lives, once."""
        home = _HOME_OF.get(name)
        if home is None:
            raise AttributeError(f"module 'cloudml' has no attribute {name!r}")
        found = getattr(import_module(home), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted(__all__)
