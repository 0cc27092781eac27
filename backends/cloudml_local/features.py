"""What the local backend has. The same table feeds the check, the tests' marks and the docs."""

from __future__ import annotations

from collections.abc import Mapping

from cloudml.backend.feature import FULL, Feature, Level, Support

_LATER = Level.NOT_IMPLEMENTED

FEATURES: Mapping[Feature, Support] = {
    **dict.fromkeys(
        (
            Feature.PROCESSING,
            Feature.TRAINING,
            Feature.TUNING,
            Feature.PRUNING,
            Feature.BATCH_PREDICTION,
            Feature.CONDITION,
            Feature.MAP,
            Feature.FINALLY,
            Feature.REGISTER,
            Feature.APPROVE,
            Feature.DEPLOY,
            Feature.VERIFY,
            Feature.FAIL,
            Feature.RETRY,
            Feature.TIMEOUT,
            Feature.CACHE,
            Feature.SECRETS,
            Feature.CHECKPOINT,
        ),
        FULL,
    ),
    Feature.GROUP: Support(
        Level.EMULATED, "each step keeps a process of its own; starting one costs milliseconds here"
    ),
    Feature.NOTIFY: Support(Level.EMULATED, "the message is written to the run and to outbox.jsonl; nothing is sent"),
    Feature.SPOT: Support(Level.EMULATED, "a laptop is never reclaimed; the checkpoint directory is kept all the same"),
    Feature.SCHEDULE: Support(
        Level.EMULATED, "it is stored and shown, not kept", "let cron or a systemd timer call `cloudml run`"
    ),
    Feature.SCALING: Support(Level.EMULATED, "the minimum number of copies serves"),
    Feature.MONITOR: Support(_LATER, "no scheduled analysis yet", "leave the monitor step out for this target"),
    Feature.ROLLOUT_STEPS: Support(_LATER, "only all at once yet", "use `ml.all_at_once()` for this target"),
    Feature.ROLLOUT_GUARDS: Support(_LATER, "nothing watches a rollout yet", "verify the endpoint with `ml.verify`"),
    Feature.SHADOW: Support(_LATER, "no mirrored traffic yet", "verify on a staging endpoint"),
    Feature.STICKY_ROUTING: Support(_LATER, "one version serves at a time", "leave `routing` at 'request'"),
    Feature.CAPTURE: Support(_LATER, "requests are not kept yet", "leave `capture` out"),
    Feature.GPU: Support(_LATER, "devices are not assigned to steps", "leave `gpu` at 0; a library may still use one"),
    Feature.DISTRIBUTION: Support(_LATER, "no torchrun launcher yet", "leave `distribution` out"),
    Feature.IMAGE: Support(
        Level.NEVER, "steps run in this Python environment", "leave `image` out; install what it has"
    ),
}
