"""An endpoint is brought to a configuration: created or updated, watched, judged, scaled.

Safe to repeat at any moment: in the middle of an update to the same configuration it goes on watching; while another
one is under way it waits for its end. "InService" is also how an update ends that was rolled back, so the live
configuration is read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cloudml_sagemaker.hosting import (
    Aws,
    Document,
    Failed,
    alarms,
    history,
    labels_of,
    policy,
    scaling,
    tag_list,
    watch,
)
from cloudml_sagemaker.hosting.watch import Patience

_TRIES = 5
"""Attempts of a call that may come a moment too early."""
_EARLY = ("Could not find", "does not exist")
"""A configuration that was just made is not seen everywhere at once (CreateEndpoint, API reference)."""
_TAKEN = ("already exist", "in-progress")
"""Somebody else makes or changes it just now, or an answer of ours was lost."""
_OWNERS = ("cloudml:project", "cloudml:target")


@dataclass(frozen=True)
class Wish:
    """What an endpoint shall be: its settings, the configuration, who wants it and why.

    `back`: it is a return to an earlier configuration, which leaves the history as it is.
    """

    settings: Document
    config: str
    who: str
    why: str
    back: bool = False

    @property
    def name(self) -> str:
        """The endpoint's name in the account."""
        return str(self.settings["EndpointName"])

    @property
    def variant(self) -> str:
        """The one name of its variant."""
        return str(self.settings["variant"]["VariantName"])

    @property
    def policy(self) -> Document:
        """The DeploymentConfig; empty for AWS's own: all at once, and no alarms."""
        return dict(self.settings.get("DeploymentConfig") or {})

    def tags(self) -> dict[str, str]:
        """Those of the settings, and what one may want to know of the last change."""
        declared = {} if self.back else {policy.TAG: policy.digest(self.policy)}
        return {**self.settings.get("tags", {}), **declared, "cloudml:endpoint": self.settings["name"]}

    def reason(self) -> dict[str, str]:
        """Tags of the last change: who and why."""
        return {"cloudml:by": history.clean(self.who), "cloudml:why": history.clean(self.why)}


@dataclass
class _Course:
    """What is remembered on the way."""

    aws: Aws
    wish: Wish
    patience: Patience
    before: str = ""
    """The configuration in service when the update began."""
    since: datetime | None = None
    unscaled: Document | None = None
    """The scaling that was taken away for the time of the update."""


class _Again(Exception):
    """Somebody else was first: look anew."""


def bring(aws: Aws, wish: Wish, patience: Patience) -> Document:
    """The endpoint, as DescribeEndpoint tells it, when it serves the configuration.

    Raises Failed with the reason of whatever did not happen; the endpoint then serves what it served before, unless
    the text says otherwise.
    """
    for _ in range(_TRIES):
        try:
            return _bring(_Course(aws, wish, patience))
        except _Again:
            continue
    raise Failed(f"the endpoint {wish.name} is changed by others again and again: see who else deploys to it")


def _bring(course: _Course) -> Document:
    aws, wish, patience = course.aws, course.wish, course.patience
    found = _begin(course)
    if found is None:
        _create(course)
        watch.seen(aws, wish.name, patience)
    elif _serves(found, wish):
        _remark(course, found)
    else:
        _update(course, found)
    after = watch.settled(aws, wish.name, patience)
    if after is None or not _serves(after, wish):
        raise _missed(course, after)
    scaling.ensure(aws, wish.name, wish.variant, wish.settings.get("scaling"))
    return after


def owned(aws: Aws, found: Document, tags: Mapping[str, str]) -> dict[str, str]:
    """The tags of an endpoint that is ours. Raises Failed: it belongs to somebody else."""
    have = labels_of(aws, found["EndpointArn"])
    for name in _OWNERS:
        if name in tags and have.get(name) != tags[name]:
            raise Failed(
                f"the endpoint {found['EndpointName']} is not cloudml's of this project and target ({name} is "
                f"{have.get(name)!r}): rename the endpoint of the pipeline, or remove that one"
            )
    return have


def _missed(course: _Course, after: Document | None) -> Failed:
    """What happened instead. An endpoint that serves what it served before is scaled again as it was."""
    aws, wish = course.aws, course.wish
    if after is not None and after["EndpointStatus"] == "InService":
        # An attempt that died has taken the scaling with it: then that of the settings.
        wanted = course.unscaled or wish.settings.get("scaling")
        if wanted is not None and scaling.read(aws, wish.name, wish.variant) is None:
            scaling.ensure(aws, wish.name, wish.variant, wanted)
    return Failed(_verdict(course, after))


def _serves(found: Document, wish: Wish) -> bool:
    return bool(found["EndpointStatus"] == "InService" and found["EndpointConfigName"] == wish.config)


def _begin(course: _Course) -> Document | None:
    """The endpoint when it can be changed, after whatever was under way; None when one must be made."""
    aws, wish, patience = course.aws, course.wish, course.patience
    found = watch.look(aws, wish.name)
    if found is not None and found["EndpointStatus"] == "Deleting":
        watch.gone(aws, wish.name, patience)
        return None
    if found is None:
        return None
    owned(aws, found, wish.settings.get("tags", {}))
    going = watch.pending(found) if found["EndpointStatus"] == "Updating" else ""
    begun = found
    found = watch.settled(aws, wish.name, patience)
    if found is None:
        return None
    if going == wish.config and not _serves(found, wish):  # an update of ours that somebody else has begun to watch
        course.before, course.since = begun["EndpointConfigName"], begun.get("LastModifiedTime")
        raise _missed(course, found)
    if found["EndpointStatus"] == "Failed":  # DeleteEndpoint is all that AWS allows then (API reference)
        patience.say(f"{wish.name}: Failed ({found.get('FailureReason', 'no reason')}); it is made anew")
        aws.find("sagemaker", "DeleteEndpoint", EndpointName=wish.name)
        watch.gone(aws, wish.name, patience)
        return None
    return found


def _create(course: _Course) -> None:
    wish = course.wish
    tags = {**wish.tags(), **wish.reason(), history.TAG: wish.config}
    alarms.check(course.aws, wish.name, policy.alarms(wish.policy), quiet=False)
    request: Document = {"EndpointName": wish.name, "EndpointConfigName": wish.config, "Tags": tag_list(tags)}
    if wish.policy:
        request["DeploymentConfig"] = wish.policy
    _ask(course, "CreateEndpoint", request)


def _update(course: _Course, found: Document) -> None:
    wish, aws = course.wish, course.aws
    course.before, course.since = found["EndpointConfigName"], found.get("LastModifiedTime")
    alarms.check(aws, wish.name, policy.alarms(wish.policy))
    now = scaling.read(aws, wish.name, wish.variant)
    if now is not None and _retyped(course):
        # "Update endpoints that use automatic scaling" (developer guide): deregister first, register again after.
        scaling.forget(aws, wish.name, wish.variant)
        course.unscaled = now
    kept = labels_of(aws, found["EndpointArn"]).get(history.TAG, "")
    tag = kept if wish.back else history.asked(kept, course.before, wish.config)
    _mark(course, found, {history.TAG: tag} if tag else {})
    request: Document = {"EndpointName": wish.name, "EndpointConfigName": wish.config}
    if wish.policy:
        request["DeploymentConfig"] = wish.policy
    if wish.settings.get("scaling") and now is not None:
        # The count that scaling has found stays; what is kept of the traffic is as the new configuration says.
        request["RetainAllVariantProperties"] = True
        request["ExcludeRetainedVariantProperties"] = [{"VariantPropertyType": "DataCaptureConfig"}]
    _ask(course, "UpdateEndpoint", request)
    _begun(course, found)


def _begun(course: _Course, before: Document) -> None:
    """Wait a little until the update is to be seen, for a view from before it looks like a way back; note its begin."""
    shown = ("EndpointStatus", "EndpointConfigName", "LastModifiedTime")
    for count in range(_TRIES):
        found = watch.look(course.aws, course.wish.name)
        if found is None:
            return
        if any(found.get(member) != before.get(member) for member in shown):
            course.since = found.get("LastModifiedTime")
            return
        course.patience.pause(count, f"the update of {course.wish.name} is not to be seen yet")


def _remark(course: _Course, found: Document) -> None:
    """Bring the tags of an endpoint up to date that serves already what it shall."""
    have = labels_of(course.aws, found["EndpointArn"])
    changed = {key: value for key, value in course.wish.tags().items() if have.get(key) != value}
    if changed:
        course.aws.call("sagemaker", "AddTags", ResourceArn=found["EndpointArn"], Tags=tag_list(changed))


def _mark(course: _Course, found: Document, more: Mapping[str, str]) -> None:
    """Tags before the update: they are right however it ends."""
    tags = {**course.wish.tags(), **course.wish.reason(), **more}
    course.aws.call("sagemaker", "AddTags", ResourceArn=found["EndpointArn"], Tags=tag_list(tags))


def _retyped(course: _Course) -> bool:
    """Whether the instance type of the variant changes."""
    types = []
    for name in (course.before, course.wish.config):
        config = course.aws.find("sagemaker", "DescribeEndpointConfig", EndpointConfigName=name) or {}
        rows = config.get("ProductionVariants") or ()
        types.append([one.get("InstanceType") for one in rows if one["VariantName"] == course.wish.variant])
    return types[0] != types[1]


def _ask(course: _Course, operation: str, request: Document) -> None:
    """The call, once more while it comes too early. That it is done already is no error. Raises Failed, _Again."""
    for attempt in range(_TRIES):
        try:
            course.aws.call("sagemaker", operation, **request)
        except Exception as error:
            if any(words in str(error) for words in _TAKEN):
                watch.seen(course.aws, course.wish.name, course.patience)
            if _done(course):
                return
            if any(words in str(error) for words in _TAKEN):
                raise _Again from error
            if attempt == _TRIES - 1 or not any(words in str(error) for words in _EARLY):
                raise Failed(f"{operation} of {course.wish.name} was refused: {error}") from error
            course.patience.pause(attempt, f"{operation} of {course.wish.name} is still refused ({error})")
        else:
            return


def _done(course: _Course) -> bool:
    """Whether the endpoint is on its way to the configuration: an answer was lost, or another attempt was first."""
    found = watch.look(course.aws, course.wish.name)
    if found is None:
        return False
    if found["EndpointStatus"] == "Creating":
        return bool(found["EndpointConfigName"] == course.wish.config)
    return watch.pending(found) == course.wish.config or _serves(found, course.wish)


def _verdict(course: _Course, after: Document | None) -> str:
    """What happened instead, why, and what to do."""
    name, config = course.wish.name, course.wish.config
    if after is None:
        return f"the endpoint {name} is gone: somebody deleted it while it was brought to {config}"
    reason = after.get("FailureReason") or "SageMaker gives no reason"
    rung = alarms.stories(course.aws, policy.alarms(course.wish.policy), course.since)
    because = reason + (f" Alarms: {'; '.join(rung)}" if rung else "")
    status, live = after["EndpointStatus"], after["EndpointConfigName"]
    if status == "InService":
        return f"the endpoint {name} went back to {live} and serves it, not {config}: {because}"
    if status == "UpdateRollbackFailed":
        return (
            f"the endpoint {name} is in service with a mix of {live} and {config}: neither the update nor the way back "
            f"ended ({because}). Bring one of them in whole: `cloudml rollback` for the old one, or run the pipeline "
            "again; SageMaker takes an update in this state"
        )
    return f"the endpoint {name} did not come into service: {status}: {because}"
