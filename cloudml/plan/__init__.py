"""Desired against observed: resources, changes, plans."""

from cloudml.plan.diff import Change, Plan, desired_state, diff, differences
from cloudml.plan.observed import Observed, after, state_of
from cloudml.plan.resource import Resource, canonical, digest_of

__all__ = [
    "Change",
    "Observed",
    "Plan",
    "Resource",
    "after",
    "canonical",
    "desired_state",
    "diff",
    "differences",
    "digest_of",
    "state_of",
]
