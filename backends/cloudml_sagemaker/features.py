"""What the SageMaker backend has. The same table feeds the check, the tests' marks and the docs."""

from __future__ import annotations

from collections.abc import Mapping

from cloudml.backend.feature import FULL, Feature, Level, Support

_LATER = Level.NOT_IMPLEMENTED

FEATURES: Mapping[Feature, Support] = {
    **dict.fromkeys(
        (
            Feature.PROCESSING,
            Feature.TRAINING,
            Feature.BATCH_PREDICTION,
            Feature.GROUP,
            Feature.REGISTER,
            Feature.DEPLOY,
            Feature.VERIFY,
            Feature.FAIL,
            Feature.TIMEOUT,
            Feature.SECRETS,
            Feature.SPOT,
            Feature.GPU,
            Feature.IMAGE,
            Feature.DISTRIBUTION,
            Feature.SCHEDULE,
        ),
        FULL,
    ),
    Feature.TUNING: Support(
        Level.EMULATED,
        "strategy bayesian is SageMaker's own, which proposes other points than a laptop; random and grid go over the "
        "very points of the local backend",
    ),
    Feature.PRUNING: Support(
        Level.EMULATED, "SageMaker stops trials by its own median rule; startup_trials and warmup_reports are not its"
    ),
    Feature.CONDITION: Support(
        Level.EMULATED,
        "what SageMaker cannot compare (champions, training metrics, arithmetic) a job decides; where something waits "
        "for a condition, or it lies in a map or beside on_exit, the steps of both branches start and one does nothing",
    ),
    Feature.MAP: Support(Level.EMULATED, "at most 100 items; a list that a step makes is counted by a job"),
    Feature.FINALLY: Support(
        Level.EMULATED,
        "it runs when the last steps have run, however they ended; AWS does not say what it does when an earlier "
        "failure kept one of them from starting",
    ),
    Feature.APPROVE: Support(
        Level.EMULATED, "the run waits for an answer to a message in a queue; `expires` is held by whoever answers"
    ),
    Feature.NOTIFY: Support(Level.EMULATED, "a job sends it; channels without a topic write to the job's log"),
    Feature.RETRY: Support(
        Level.EMULATED, "failures of the function are tried again in the same job, faults of the service by SageMaker"
    ),
    Feature.CACHE: Support(
        Level.EMULATED,
        "SageMaker's own: a year when no limit is given; off where outputs are collected or checkpoints are kept",
    ),
    Feature.CHECKPOINT: Support(Level.EMULATED, "kept for the attempts of one run; a tuning job's trials keep none"),
    Feature.MONITOR: Support(_LATER, "no scheduled analysis yet", "leave the monitor step out for this target"),
    Feature.ROLLOUT_STEPS: Support(_LATER, "only all at once yet", "use `ml.all_at_once()` for this target"),
    Feature.ROLLOUT_GUARDS: Support(_LATER, "no alarms are made yet", "verify the endpoint with `ml.verify`"),
    Feature.SHADOW: Support(_LATER, "no shadow variants yet", "verify on a staging endpoint"),
    Feature.SCALING: Support(_LATER, "endpoints keep their minimum yet", "set maximum to minimum for this target"),
    Feature.CAPTURE: Support(_LATER, "requests are not kept yet", "leave `capture` out"),
    Feature.STICKY_ROUTING: Support(
        Level.UNAVAILABLE, "SageMaker routes each request by itself", "leave `routing` at 'request'"
    ),
}
