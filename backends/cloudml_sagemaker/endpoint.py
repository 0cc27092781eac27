"""Live endpoints of a target: looked at, called, stopped, started, taken back. Found by their tags, never by memory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace

from cloudml.backend.records import EndpointRecord, Invocation
from cloudml.errors import NotFound, Refused
from cloudml_sagemaker import names
from cloudml_sagemaker.client import Client, Patience
from cloudml_sagemaker.gaps import canned, made_up
from cloudml_sagemaker.hosting import Document, Failed, history, labels_of, policy, reading, scaling, watch
from cloudml_sagemaker.hosting.bring import Wish, bring
from cloudml_sagemaker.hosting.reading import Sight
from cloudml_sagemaker.hosting.rollback import NothingBefore, quiet, rollback
from cloudml_sagemaker.kept import Kept, made_at
from cloudml_sagemaker.refusals import AwsError
from cloudml_sagemaker.resources.endpoint import ENDPOINT, patience
from cloudml_sagemaker.resources.kind import World
from cloudml_sagemaker.resources.tags import is_ours

STATUS = {
    "Creating": "creating",
    "InService": "in_service",
    "Updating": "updating",
    "SystemUpdating": "updating",
    "RollingBack": "updating",
    "UpdateRollbackFailed": "failed",
    "OutOfService": "failed",
    "Failed": "failed",
    "Deleting": "stopped",
}
"""AWS's words in those of every backend."""
_ANSWERED = re.compile(r'\((\d{3})\) from \S+ with message "(.*)"', re.DOTALL)
"""A container's own error, as InvokeEndpoint passes it on (ModelError)."""


def _started(kept: Document, sight: Sight) -> bool:
    """Whether what is there was made by a start of what was stopped then, and by no deploy since."""
    made_since = kept.get("made") != made_at(sight)
    return made_since and sight.found["EndpointConfigName"] == kept["config"]


class SagemakerEndpoints:
    """The port's `Endpoints`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._client = world.client
        self._kept = Kept(world)
        self._callers: dict[float, Client] = {}

    # -- looking ------------------------------------------------------------------------------------------------

    def list(self) -> list[EndpointRecord]:
        """All of the project and target, the stopped ones too, by name. Raises AwsError."""
        live: dict[str, EndpointRecord] = {}
        for one in ENDPOINT.owned(self._world):
            sight = reading.see(self._client, one.name)
            if sight is not None:
                live[one.name] = self._record(sight)
        for name in self._kept.names():
            kept = None if name in live else self._kept.read(name)
            if kept is not None:
                live[name] = self._stopped_record(kept)
        return sorted(live.values(), key=lambda record: record.name)

    def get(self, name: str) -> EndpointRecord:
        """Raises NotFound, AwsError."""
        sight = self._see(name)
        if sight is not None:
            return self._record(sight)
        kept = self._kept.read(self._aws_name(name))
        if kept is None:
            raise self._unknown(name)
        return self._stopped_record(kept)

    def logs(self, name: str) -> Iterator[str]:
        """What its containers wrote, oldest first. Raises NotFound, AwsError."""
        self.get(name)
        group = f"/aws/sagemaker/Endpoints/{self._aws_name(name)}"
        if not any(
            one["logGroupName"] == group
            for one in self._client.pages("logs", "DescribeLogGroups", "logGroups", logGroupNamePrefix=group)
        ):
            return
        for event in self._client.pages("logs", "FilterLogEvents", "events", logGroupName=group):
            yield str(event["message"]).rstrip("\n")

    # -- calling ------------------------------------------------------------------------------------------------

    def invoke(self, name: str, body: bytes, content_type: str, timeout: float = 60.0) -> Invocation:
        """One request, asked once. An error of the model's own is an answer too. Raises NotFound, Refused, AwsError."""
        if timeout not in self._callers:
            self._callers[timeout] = Client(self._world.place, patience=Patience(attempts=1), read_timeout=timeout)
        try:
            answer = self._callers[timeout].call(
                "sagemaker-runtime",
                "InvokeEndpoint",
                EndpointName=self._aws_name(name),
                ContentType=content_type,
                Accept=content_type,
                Body=body,
            )
        except AwsError as error:
            found = _ANSWERED.search(error.reason)
            if found is not None:
                return Invocation(int(found[1]), "text/plain", found[2].encode())
            record = self.get(name)
            if record.status in ("in_service", "updating"):
                raise
            raise self._idle(name, record.status) from error
        try:
            content = answer["Body"].read()
        except Exception as error:
            raise AwsError("connection", "InvokeEndpoint", type(error).__name__, str(error)) from error
        if canned(answer):
            raise made_up(name)
        return Invocation(200, str(answer.get("ContentType", "")), content)

    # -- changing -----------------------------------------------------------------------------------------------

    def stop(self, name: str) -> EndpointRecord:
        """Delete the endpoint and keep what it served by, so that `start` makes it again. Raises NotFound, Refused."""
        sight = self._see(name)
        if sight is None:
            return self.get(name)
        wait = patience({})
        try:
            found = watch.settled(self._client, sight.name, wait)
            if found is None:
                return self.get(name)
            sight = reading.sight_of(self._client, found)
            self._kept.write(sight)
            scaling.forget(self._client, sight.name, sight.variant.get("VariantName", "main"))
            self._client.find("sagemaker", "DeleteEndpoint", EndpointName=sight.name)
            watch.gone(self._client, sight.name, wait)
        except Failed as error:
            raise Refused(str(error), code="CML541") from error
        return self.get(name)

    def start(self, name: str) -> EndpointRecord:
        """Make it again by its last configuration; a start that was cut off is ended. Raises NotFound, Refused."""
        kept, sight = self._kept.read(self._aws_name(name)), self._see(name)
        going = sight is not None and sight.found["EndpointStatus"] == "Deleting"
        if sight is not None and not going and (kept is None or not _started(kept, sight)):
            return self.get(name)
        if kept is None:
            raise self._unknown(name)
        config = str(kept["config"])
        if not reading.configuration(self._client, config):
            raise Refused(
                f"the configuration {config} that endpoint {name!r} served by is gone",
                hint="run the pipeline: its deploy step makes the endpoint anew",
                code="CML540",
            )
        settings = quiet(self._client, kept["settings"])
        settings["tags"] = {**settings["tags"], policy.TAG: kept["tags"].get(policy.TAG, "")}
        self._bring(Wish(settings, config, "cloudml endpoints --start", "started again", back=True))
        self._restore(kept)
        return self.get(name)

    def rollback(self, name: str, who: str, reason: str) -> EndpointRecord:
        """Back to the configuration before, shifted and watched like a deploy.

        Alarms that ring already tell of the version that is left, and do not stand in the way. Raises NotFound,
        Refused: there is nothing before, or SageMaker did not get there.
        """
        sight = self._see(name)
        if sight is None:
            raise self._idle(name, self.get(name).status)
        wait = patience(reading.settings_of(self._client, sight))
        try:
            rollback(self._client, sight.name, who, reason, wait)
        except NothingBefore as error:
            raise Refused(str(error), hint="`cloudml models` shows what there is", code="CML540") from error
        except Failed as error:
            raise Refused(str(error), code="CML541") from error
        return self.get(name)

    # -- how ----------------------------------------------------------------------------------------------------

    def _aws_name(self, name: str) -> str:
        return names.resource(self._world.place.project, self._world.place.target, name)

    def _see(self, name: str) -> Sight | None:
        """The endpoint, when there is one and it is ours."""
        sight = reading.see(self._client, self._aws_name(name))
        return sight if sight is not None and is_ours(sight.tags, self._world.place) else None

    def _bring(self, wish: Wish) -> None:
        try:
            bring(self._client, wish, patience(wish.settings))
        except Failed as error:
            raise Refused(str(error), code="CML541") from error

    # -- records ------------------------------------------------------------------------------------------------

    def _record(self, sight: Sight) -> EndpointRecord:
        found = sight.found
        instances = {
            one["VariantName"]: {
                "instances": one.get("CurrentInstanceCount", 0),
                "desired": one.get("DesiredInstanceCount", 0),
            }
            for one in found.get("ProductionVariants") or ()
        }
        record = self._served(sight.tags.get("cloudml:endpoint", sight.name), sight.name, sight.config_tags)
        changed = {key: sight.tags[f"cloudml:{key}"] for key in ("by", "why") if f"cloudml:{key}" in sight.tags}
        news = {"deployment": watch.progress(found)} if found["EndpointStatus"] in watch.CHANGING else {}
        return replace(
            record,
            status=STATUS.get(found["EndpointStatus"], "updating"),
            error=found.get("FailureReason") or None,
            counters={"variants": instances, "configuration": found["EndpointConfigName"], **changed, **news},
        )

    def _served(self, name: str, aws_name: str, tags: dict[str, str]) -> EndpointRecord:
        version = tags.get("cloudml:version", "")
        return EndpointRecord(
            name=name,
            url=f"{self._runtime()}/endpoints/{aws_name}/invocations",
            status="stopped",
            model=tags.get("cloudml:model") or None,
            version=int(version) if version.isdigit() else None,
            digest=tags.get("cloudml:digest") or None,
        )

    def _runtime(self) -> str:
        place = self._world.place
        for variable in ("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", "AWS_ENDPOINT_URL"):
            if os.environ.get(variable):
                return os.environ[variable].rstrip("/")
        suffix = ".cn" if place.partition == "aws-cn" else ""
        return f"https://runtime.sagemaker.{place.region}.amazonaws.com{suffix}"

    def _unknown(self, name: str) -> NotFound:
        place = self._world.place
        return NotFound(
            f"there is no endpoint {name!r} in target {place.target!r} of project {place.project!r}",
            hint="`cloudml endpoints` shows those that there are; a run's deploy step makes one",
        )

    def _idle(self, name: str, status: str) -> Refused:
        return Refused(f"endpoint {name!r} is {status}: nothing answers there", hint="deploy to it, or start it again")

    def _stopped_record(self, kept: Document) -> EndpointRecord:
        config = reading.configuration(self._client, kept["config"])
        tags = labels_of(self._client, config["EndpointConfigArn"]) if config else {}
        record = self._served(kept["name"], kept["EndpointName"], tags)
        error = None if config else "its configuration is gone: run the pipeline to deploy anew"
        return replace(record, error=error, counters={"configuration": kept["config"]})

    def _restore(self, kept: Document) -> None:
        """Its history, which it had before it was stopped; then the note of the stop is of no use any more."""
        found = watch.look(self._client, kept["EndpointName"])
        before = kept["tags"].get(history.TAG)
        if found is not None and before:
            tags = [{"Key": history.TAG, "Value": before}]
            self._client.call("sagemaker", "AddTags", ResourceArn=found["EndpointArn"], Tags=tags)
        self._kept.remove(kept["EndpointName"])
