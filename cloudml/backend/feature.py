"""The abilities that a pipeline may need and a backend may have: one table for the check, the tests and the docs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Feature(StrEnum):
    """One ability that a pipeline may need of a backend."""

    PROCESSING = "processing"
    TRAINING = "training"
    TUNING = "tuning"
    PRUNING = "pruning"
    BATCH_PREDICTION = "batch_prediction"
    CONDITION = "condition"
    MAP = "map"
    GROUP = "group"
    FINALLY = "finally"
    REGISTER = "register"
    APPROVE = "approve"
    DEPLOY = "deploy"
    VERIFY = "verify"
    MONITOR = "monitor"
    NOTIFY = "notify"
    FAIL = "fail"
    RETRY = "retry"
    TIMEOUT = "timeout"
    CACHE = "cache"
    SECRETS = "secrets"
    CHECKPOINT = "checkpoint"
    SPOT = "spot"
    GPU = "gpu"
    IMAGE = "image"
    DISTRIBUTION = "distribution"
    SCHEDULE = "schedule"
    ROLLOUT_STEPS = "rollout_steps"
    ROLLOUT_GUARDS = "rollout_guards"
    SHADOW = "shadow"
    STICKY_ROUTING = "sticky_routing"
    SCALING = "scaling"
    CAPTURE = "capture"


class Level(StrEnum):
    """How far a backend supports a feature. The last three are refusals: ours to do, the provider's, or for good."""

    FULL = "full"
    EMULATED = "emulated"
    NOT_IMPLEMENTED = "not_implemented"
    UNAVAILABLE = "unavailable"
    NEVER = "never"


@dataclass(frozen=True)
class Support:
    """A level, why, and what to do instead."""

    level: Level
    reason: str = ""
    instead: str = ""

    @property
    def usable(self) -> bool:
        return self.level in (Level.FULL, Level.EMULATED)


FULL = Support(Level.FULL)
