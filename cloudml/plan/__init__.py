"""Desired against observed: resources, changes, plans."""

from cloudml.plan.diff import Change, Plan, diff
from cloudml.plan.resource import Resource, canonical, digest_of

__all__ = ["Change", "Plan", "Resource", "canonical", "diff", "digest_of"]
