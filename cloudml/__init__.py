"""cloudml: one typed ML pipeline, on a laptop and on both clouds.

    import cloudml as ml

Each name is imported when it is first used, so that `import cloudml` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cloudml.authoring.deferred import (
        cron as cron,
        distribution as distribution,
        every as every,
        pruning as pruning,
        retry as retry,
        spot as spot,
    )
    from cloudml.authoring.facts import (
        champion as champion,
        model as model,
        run_date as run_date,
        run_id as run_id,
        secret as secret,
    )
    from cloudml.authoring.flow import collect as collect, group as group, map as map, on_exit as on_exit, when as when
    from cloudml.authoring.functions import (
        StepFunction as StepFunction,
        evaluation as evaluation,
        processing as processing,
        training as training,
    )
    from cloudml.authoring.messages import fail as fail, notify as notify
    from cloudml.authoring.models import (
        approve as approve,
        batch_predict as batch_predict,
        deploy as deploy,
        monitor as monitor,
        register as register,
        verify as verify,
    )
    from cloudml.authoring.parameters import Param as Param, param as param
    from cloudml.authoring.pipelines import PipelineFunction as PipelineFunction, pipeline as pipeline
    from cloudml.authoring.resources import (
        Endpoint as Endpoint,
        Monitor as Monitor,
        all_at_once as all_at_once,
        canary as canary,
        email as email,
        guard as guard,
        linear as linear,
        log_alert as log_alert,
        pagerduty as pagerduty,
        retrain as retrain,
        slack as slack,
        threshold as threshold,
        webhook as webhook,
    )
    from cloudml.authoring.tuning import (
        choice as choice,
        ints as ints,
        log_uniform as log_uniform,
        tune as tune,
        uniform as uniform,
    )
    from cloudml.errors import AuthoringError as AuthoringError, CloudmlError as CloudmlError, SpecError as SpecError
    from cloudml.runtime.failures import Transient as Transient, TrialPruned as TrialPruned
    from cloudml.runtime.handles import (
        Dataset as Dataset,
        File as File,
        In as In,
        Model as Model,
        Out as Out,
        Report as Report,
    )
    from cloudml.runtime.metrics import Metrics as Metrics
    from cloudml.runtime.reporting import checkpoint_dir as checkpoint_dir, progress as progress, report as report
    from cloudml.spec import (
        Distribution as Distribution,
        Guard as Guard,
        Pruning as Pruning,
        Retry as Retry,
        Rollout as Rollout,
        RolloutStep as RolloutStep,
        Shadow as Shadow,
        Spot as Spot,
    )

_HOMES = {
    "cloudml.authoring.deferred": "cron distribution every pruning retry spot",
    "cloudml.authoring.facts": "champion model run_date run_id secret",
    "cloudml.authoring.flow": "collect group map on_exit when",
    "cloudml.authoring.functions": "StepFunction evaluation processing training",
    "cloudml.authoring.messages": "fail notify",
    "cloudml.authoring.models": "approve batch_predict deploy monitor register verify",
    "cloudml.authoring.parameters": "Param param",
    "cloudml.authoring.pipelines": "PipelineFunction pipeline",
    "cloudml.authoring.resources": "Endpoint Monitor all_at_once canary email guard linear log_alert pagerduty retrain slack threshold webhook",
    "cloudml.authoring.tuning": "choice ints log_uniform tune uniform",
    "cloudml.errors": "AuthoringError CloudmlError SpecError",
    "cloudml.runtime.failures": "Transient TrialPruned",
    "cloudml.runtime.handles": "Dataset File In Model Out Report",
    "cloudml.runtime.metrics": "Metrics",
    "cloudml.runtime.reporting": "checkpoint_dir progress report",
    "cloudml.spec": "Distribution Guard Pruning Retry Rollout RolloutStep Shadow Spot",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = ["__version__", *sorted(_HOME_OF)]  # noqa: PLE0604 - all are strings


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
