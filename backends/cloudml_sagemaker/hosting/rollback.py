"""An endpoint goes back to what it served before, by the rollout that it was last changed by."""

from __future__ import annotations

from cloudml_sagemaker.hosting import Aws, Document, Failed, alarms, history, policy, reading, watch
from cloudml_sagemaker.hosting.bring import Wish, bring
from cloudml_sagemaker.hosting.reading import Sight
from cloudml_sagemaker.hosting.watch import Patience


class NothingBefore(Failed):
    """There is nothing to go back to."""


def rollback(aws: Aws, name: str, who: str, reason: str, patience: Patience) -> Document:
    """The endpoint of that name in the account, as DescribeEndpoint tells it when it serves the configuration before.

    An update under way is waited for. Alarms that ring already tell of the version that is left, and do not stand in
    the way: SageMaker would turn back at once. Raises NothingBefore, Failed.
    """
    found = watch.settled(aws, name, patience)
    if found is None:
        raise NothingBefore(f"there is no endpoint {name}")
    sight = reading.sight_of(aws, found)
    config = before(aws, sight)
    settings = quiet(aws, reading.settings_of(aws, sight))
    return bring(aws, Wish(settings, config, who, reason, back=True), patience)


def quiet(aws: Aws, settings: Document) -> Document:
    """The settings without the alarms that are gone or ring already."""
    deployment = settings.get("DeploymentConfig") or {}
    names = policy.alarms(deployment)
    have = alarms.states(aws, names)
    unfit = [name for name in names if name not in have or have[name].get("StateValue") == "ALARM"]
    return {**settings, "DeploymentConfig": policy.without(deployment, unfit)}


def before(aws: Aws, sight: Sight) -> str:
    """The configuration to go back to. Raises NothingBefore."""
    live = str(sight.found["EndpointConfigName"])
    if sight.found["EndpointStatus"] == "UpdateRollbackFailed":
        return live  # the old one of the mix
    for config in history.previous(sight.tags.get(history.TAG, ""), live):
        found = reading.configuration(aws, config)
        models = [row.get("ModelName", "") for row in found.get("ProductionVariants") or ()]
        if models and all(aws.find("sagemaker", "DescribeModel", ModelName=one) for one in models):
            return config
    raise NothingBefore(
        f"the endpoint {sight.tags.get('cloudml:endpoint', sight.name)} served nothing before {live} that is still "
        "there: deploy the version that is wanted"
    )
