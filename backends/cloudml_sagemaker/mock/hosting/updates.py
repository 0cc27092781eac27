"""UpdateEndpoint: a new fleet takes the place of the old one, as the DeploymentConfig says."""

from __future__ import annotations

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.errors import validation
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.hosting import fleets, rollout, rules, scaling, stages, views
from cloudml_sagemaker.mock.hosting.endpoints import KIND, check_alarms, configuration, updatable


@operation(
    "UpdateEndpoint",
    executes="a second fleet is started, traffic moves and bakes by the DeploymentConfig, alarms roll it back",
)
def update_endpoint(call: Call) -> Parameters:
    """Updating, then InService with the new configuration, or RollingBack and InService with the old one."""
    endpoint = updatable(call)
    name = endpoint["EndpointName"]
    config, models = configuration(call)
    old = views.live(endpoint)
    _check_flags(call.params)
    number = endpoint["_number"] + 1
    new = fleets.fleet(number, config, models)
    if call.params.get("RetainAllVariantProperties"):
        _retain(endpoint, new, {item["VariantPropertyType"] for item in _excluded(call.params)})
    policy = _policy(call, endpoint)
    if policy:
        rules.check(policy, old["Config"], config, fleets.counts(new))
        check_alarms(call, policy)
    scaling.check_update(call.world, call.scope, name, old["Config"], config)
    silent = call.world.faults.strike("endpoint", name, kinds=("silent-rollback",)) is not None
    rollout.abandon(call.world, call.scope, name, endpoint)
    endpoint["_number"] = number
    endpoint["_fleets"][new["Id"]] = new
    endpoint["_deployment"] = stages.begin(
        rules.effective(policy, config),
        fleets.counts(old),
        fleets.counts(new),
        call.now,
        Old=old["Id"],
        New=new["Id"],
        Silent=silent,
        Paced=call.world.switches["rollback-batches"] == "paced",
    )
    if policy:
        endpoint["LastDeploymentConfig"] = policy
    else:
        endpoint.pop("LastDeploymentConfig", None)
    rollout.status(call.world, call.table(KIND), name, "Updating", "")
    rollout.update(call.world, call.scope, name)
    return {"EndpointArn": endpoint["EndpointArn"]}


def _excluded(params: Document) -> list[Document]:
    return list(params.get("ExcludeRetainedVariantProperties") or [])


def _check_flags(params: Document) -> None:
    """API reference, UpdateEndpoint: exclusions go with RetainAllVariantProperties."""
    if _excluded(params) and not params.get("RetainAllVariantProperties"):
        raise validation("ExcludeRetainedVariantProperties needs RetainAllVariantProperties to be true.")
    if params.get("RetainDeploymentConfig") and params.get("DeploymentConfig"):
        raise validation("DeploymentConfig cannot be specified when RetainDeploymentConfig is true.")


def _policy(call: Call, endpoint: Document) -> Document:
    if call.params.get("RetainDeploymentConfig"):
        return dict(endpoint.get("LastDeploymentConfig") or {})
    return dict(call.params.get("DeploymentConfig") or {})


def _retain(endpoint: Document, new: Document, excluded: set[str]) -> None:
    """Keep what the live variants have, for those that the new configuration has too."""
    old = views.live(endpoint)
    kept = (("Counts", "DesiredInstanceCount"), ("Weights", "DesiredWeight"))
    for variant in fleets.production(new):
        for member, name in kept:
            same_kind = (variant in new["Serverless"]) == (variant in old["Serverless"])
            if name not in excluded and variant in old[member] and same_kind:
                new[member][variant] = old[member][variant]
    if "DataCaptureConfig" not in excluded:
        new["Capture"] = views.capture_settings(endpoint)
