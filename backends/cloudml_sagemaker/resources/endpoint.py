"""Endpoints: a run's deploy step makes one, because only a run has a model; a changed declaration is brought to it."""

from __future__ import annotations

from collections.abc import Iterator

from cloudml.errors import Refused
from cloudml.plan import Resource
from cloudml_sagemaker.hosting import Document, Failed, content, policy, reading, scaling, watch
from cloudml_sagemaker.hosting.bring import Wish, bring
from cloudml_sagemaker.hosting.watch import Patience
from cloudml_sagemaker.resources.kind import Kind, Live, Owned, World, reduced
from cloudml_sagemaker.resources.tags import containing, owned_of_sagemaker, superfluous

__all__ = ["ENDPOINT", "patience"]

_PROBLEMS = {
    "UpdateRollbackFailed": "it serves a mix of two configurations: `cloudml rollback`, or run the pipeline again",
    "Failed": "it failed: the next run that deploys to it makes it anew",
    "OutOfService": "it answers nobody: run the pipeline again",
}
_SPARE = 600.0


def patience(settings: Document) -> Patience:
    """As long as SageMaker itself gives the deployment, and a little longer."""
    blue_green = (settings.get("DeploymentConfig") or {}).get("BlueGreenUpdatePolicy") or {}
    limit = float(blue_green.get("MaximumExecutionTimeoutInSeconds") or policy.LONGEST_DEPLOYMENT)
    return Patience(limit + _SPARE)


def _read(world: World, resource: Resource) -> Live | None:
    sight = reading.see(world.client, resource.name)
    if sight is None or sight.found["EndpointStatus"] == "Deleting":
        return None
    status = sight.found["EndpointStatus"]
    live = reading.document(world.client, sight, resource.document)
    shown = reduced(live, resource.document)
    for member in ("configuration", "scaling"):  # not declared, and there: a difference all the same
        if member in live and member not in resource.document and (member == "scaling" or shown == resource.document):
            shown[member] = live[member]
    problem = _PROBLEMS.get(status, "")
    if problem and sight.found.get("FailureReason"):
        problem = f"{problem} ({sight.found['FailureReason']})"
    if status in watch.CHANGING:
        problem = f"it is changing just now ({watch.progress(sight.found)})"
    return Live(shown, problem=problem)


def _create(world: World, resource: Resource) -> None:
    """Nothing: the run's deploy step makes it."""


def _update(world: World, resource: Resource, fields: tuple[str, ...]) -> None:
    """The version in service, by the new settings. Raises Refused with the reason of whatever did not happen."""
    settings, client = resource.document, world.client
    sight = reading.see(client, resource.name)
    if sight is None:
        return
    served = content.package(client, sight.config_tags)
    if served is None:
        raise Refused(
            f"which version the endpoint {settings['name']} serves is not to be seen: its configuration, or the "
            "version, was removed",
            hint="run the pipeline: its deploy step brings a version into service by the new settings",
            code="CML541",
        )
    try:
        config = content.make(client, settings, served)
        wish = Wish(settings, config, "cloudml apply", f"changed: {', '.join(fields)}")
        bring(client, wish, patience(settings))
    except Failed as error:
        raise Refused(str(error), code="CML541") from error
    gone = superfluous(wish.tags(), fields, "tags")
    if gone:
        client.call("sagemaker", "DeleteTags", ResourceArn=sight.found["EndpointArn"], TagKeys=gone)


def _delete(world: World, name: str) -> None:
    """Not before its scaling is taken away, and whatever is under way has ended."""
    client, wait = world.client, patience({})
    try:
        found = watch.look(client, name)
        if found is None:
            return
        for variant in found.get("ProductionVariants") or ():
            scaling.forget(client, name, variant["VariantName"])
        if found["EndpointStatus"] != "Deleting":
            if watch.settled(client, name, wait) is None:
                return
            client.find("sagemaker", "DeleteEndpoint", EndpointName=name)
        watch.gone(client, name, wait)
    except Failed as error:
        raise Refused(str(error), code="CML541") from error


def _owned(world: World) -> Iterator[Owned]:
    listing = ("ListEndpoints", "Endpoints")
    yield from owned_of_sagemaker(world, listing, "EndpointName", "EndpointArn", **containing(world))


ENDPOINT = Kind("endpoint", _read, _create, _update, _delete, _owned, deferred=True)
