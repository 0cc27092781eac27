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
            Feature.GPU,
            Feature.IMAGE,
            Feature.DISTRIBUTION,
            Feature.SCHEDULE,
        ),
        FULL,
    ),
    Feature.SPOT: Support(
        Level.EMULATED, "training and tuning jobs run on spot machines; SageMaker has none for other steps' jobs"
    ),
    Feature.TUNING: Support(
        Level.EMULATED,
        "tuning = 'portable' searches in one job, exactly as the local backend does; tuning = 'native' (the default) "
        "goes over the same points with random and grid, but bayesian is SageMaker's own and proposes other ones",
    ),
    Feature.PRUNING: Support(
        Level.EMULATED,
        "SageMaker stops trials by its own median rule, without startup_trials and warmup_reports; tuning = 'portable' "
        "keeps them",
    ),
    Feature.CONDITION: Support(
        Level.EMULATED,
        "what SageMaker cannot compare (champions, training metrics, arithmetic) a job decides; where something waits "
        "for a condition, or it lies in a map or beside on_exit, the steps of both branches start and one does nothing",
    ),
    Feature.MAP: Support(
        Level.EMULATED,
        "at most 100 items; a list that a step makes is counted by a job; when an item fails, what other "
        "items have not begun is not started",
    ),
    Feature.FINALLY: Support(
        Level.EMULATED,
        "it runs when the last steps have run, however they ended; AWS does not say what it does when an earlier "
        "failure kept one of them from starting",
    ),
    Feature.APPROVE: Support(
        Level.EMULATED,
        "the run waits for an answer to a message in a queue; `expires` is held by whoever watches, resumes or answers",
    ),
    Feature.NOTIFY: Support(
        Level.EMULATED,
        "a job sends it: to an SNS topic for each channel, to Slack, PagerDuty and secret addresses itself",
    ),
    Feature.RETRY: Support(
        Level.EMULATED, "failures of the function are tried again in the same job, faults of the service by SageMaker"
    ),
    Feature.CACHE: Support(
        Level.EMULATED,
        "SageMaker's own, by the addresses of inputs: what stands below a recomputed step is computed too; a year when "
        "no limit is given; off where outputs are collected or checkpoints are kept",
    ),
    Feature.CHECKPOINT: Support(Level.EMULATED, "kept for the attempts of one run; a tuning job's trials keep none"),
    Feature.MONITOR: Support(
        Level.EMULATED,
        "the portable engine is a pipeline of one job that EventBridge Scheduler starts; `quality` needs labels and is "
        "refused; native is Model Monitor, with its own statistics and hours only, for accounts that may use it",
    ),
    Feature.ROLLOUT_STEPS: Support(
        Level.EMULATED,
        "SageMaker's blue-green guardrails: a canary or equal steps by whole instances, with one bake time for all "
        "steps; nobody approves between them, and no step waits for samples",
    ),
    Feature.ROLLOUT_GUARDS: Support(
        Level.EMULATED,
        "CloudWatch alarms, which see the old version and the new one together and know no confidence; latency is the "
        "container's own; with no_data 'hold' a guard without data lets the rollout go on when it has baked",
    ),
    Feature.SHADOW: Support(_LATER, "no shadow variants yet", "verify on a staging endpoint"),
    Feature.SCALING: Support(
        Level.EMULATED,
        "SageMaker counts requests a minute: target_requests times 60; one instance stays at least; no scaling while a "
        "rollout lasts",
    ),
    Feature.CAPTURE: FULL,
    Feature.STICKY_ROUTING: Support(
        Level.UNAVAILABLE, "SageMaker routes each request by itself", "leave `routing` at 'request'"
    ),
}
