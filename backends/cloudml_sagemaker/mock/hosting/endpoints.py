"""CreateEndpoint, its kin, and what changes a live endpoint's weights and capacities."""

from __future__ import annotations

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import tags
from cloudml_sagemaker.mock.core.errors import validation
from cloudml_sagemaker.mock.core.listing import listed
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.hosting import alarms, configs, fleets, rollout, rules, views, wording

KIND = "Endpoint"


@operation(
    "CreateEndpoint",
    executes="each variant's containers run, one set of processes whatever the instance count, until /ping",
)
def create_endpoint(call: Call) -> Parameters:
    """Creating, then InService, or Failed with AWS's FailureReason."""
    name = call.params["EndpointName"]
    # "The name is case-insensitive in CreateEndpoint" (API reference).
    if name.lower() in {known.lower() for known, _ in call.table(KIND).items()}:
        raise wording.taken(call, KIND, name)
    config, models = configuration(call)
    policy = call.params.get("DeploymentConfig")
    if policy:
        rules.shape(policy)
        check_alarms(call, policy)
    arn = wording.arn(call, KIND, name)
    tags.attach(call, arn)
    document: Document = {
        "EndpointName": name,
        "EndpointArn": arn,
        "EndpointStatus": "",
        "CreationTime": call.now,
        "_fleets": {"1": fleets.fleet(1, config, models)},
        "_live": "1",
        "_number": 1,
    }
    if policy:
        document["LastDeploymentConfig"] = policy
    call.table(KIND).put(name, document)
    rollout.status(call.world, call.table(KIND), name, "Creating")
    rollout.create(call.world, call.scope, name)
    return {"EndpointArn": arn}


@operation("DescribeEndpoint")
def describe_endpoint(call: Call) -> Parameters:
    """As it is now, a deployment under way included."""
    return wording.existing(call, KIND, call.params["EndpointName"])


@operation("ListEndpoints")
def list_endpoints(call: Call) -> Parameters:
    """By name, times or status."""
    return listed(call, call.table(KIND), "Endpoints", name="EndpointName", status="EndpointStatus")


@operation("DeleteEndpoint", executes="its processes are stopped: SIGTERM, 30 s, SIGKILL")
def delete_endpoint(call: Call) -> Parameters:
    """Deleting, then gone. Refused while it is being created or changed."""
    endpoint = wording.existing(call, KIND, call.params["EndpointName"])
    if endpoint["EndpointStatus"] not in {"InService", "Failed", "OutOfService", "UpdateRollbackFailed"}:
        raise wording.in_progress(endpoint)
    rollout.status(call.world, call.table(KIND), endpoint["EndpointName"], "Deleting")
    tags.detach(call, endpoint["EndpointArn"])
    rollout.delete(call.world, call.scope, endpoint["EndpointName"])
    return {}


@operation("UpdateEndpointWeightsAndCapacities", executes="traffic follows the new weights; instances are counted only")
def update_weights(call: Call) -> Parameters:
    """Updating, then InService with the desired weights and counts."""
    endpoint = updatable(call)
    if "_deployment" in endpoint:
        # "In service with a mix of the old and new endpoint configurations": UpdateEndpoint is the way out of that.
        raise validation(f'Cannot update endpoint "{endpoint["EndpointArn"]}" in status {endpoint["EndpointStatus"]}.')
    fleet = views.live(endpoint)
    desired: dict[str, Document] = {}
    for wish in call.params["DesiredWeightsAndCapacities"]:
        variant = wish["VariantName"]
        if variant not in fleets.production(fleet):
            raise validation(f'The variant name(s) "{variant}" is/are not present within endpoint configuration '
                             f'"{fleet["Config"]["EndpointConfigName"]}".')  # fmt: skip
        if variant in desired:
            raise validation(f"The variant name {variant} is specified more than once.")
        desired[variant] = _wish(wish, fleet)
    weights = {**fleet["Weights"], **{name: wish["Weight"] for name, wish in desired.items() if "Weight" in wish}}
    if not any(weights[name] > 0 for name in fleets.production(fleet)):
        raise validation("At least one production variant must have a weight greater than 0.")
    endpoint["_desired"] = desired
    rollout.status(call.world, call.table(KIND), endpoint["EndpointName"], "Updating")
    rollout.adjust(call.world, call.scope, endpoint["EndpointName"])
    return {"EndpointArn": endpoint["EndpointArn"]}


def _wish(wish: Document, fleet: Document) -> Document:
    name, count, concurrency = wish["VariantName"], wish.get("DesiredInstanceCount"), wish.get("ServerlessUpdateConfig")
    serverless = name in fleet["Serverless"]
    if serverless and count is not None:
        raise validation(f"DesiredInstanceCount cannot be specified for the serverless variant {name}.")
    if not serverless and concurrency is not None:
        raise validation(f"ServerlessUpdateConfig cannot be specified for the variant {name}, which has instances.")
    if count == 0 and not fleet["Config"].get("AsyncInferenceConfig"):
        # Developer guide, "Autoscale an asynchronous endpoint": only those can scale to zero by variant.
        raise validation(f"DesiredInstanceCount of variant {name} must be at least 1.")
    found = {"Weight": wish.get("DesiredWeight"), "Count": count, "Serverless": concurrency}
    return {key: value for key, value in found.items() if value is not None}


def configuration(call: Call) -> tuple[Document, dict[str, Document]]:
    """The configuration that a request names, and its models. Raises ValidationException when one is gone."""
    config = wording.existing(call, "EndpointConfig", call.params["EndpointConfigName"])
    if config.get("ExplainerConfig"):
        raise validation("Endpoints with an ExplainerConfig (online explanations) are not served by this mock.")
    names = [row["ModelName"] for row in configs.variants(config)]
    return config, {name: wording.existing(call, "Model", name) for name in names}


def updatable(call: Call) -> Document:
    """The endpoint that a request names, when it may be changed. Raises ValidationException."""
    endpoint = wording.existing(call, KIND, call.params["EndpointName"])
    if endpoint["EndpointStatus"] in {"InService", "UpdateRollbackFailed"}:
        return endpoint
    if endpoint["EndpointStatus"] == "Failed":
        # "DeleteEndpoint is the only operation that can be performed on a failed endpoint" (API reference).
        raise validation(f'Cannot update failed endpoint "{endpoint["EndpointArn"]}".')
    raise wording.in_progress(endpoint)


def check_alarms(call: Call, policy: Document) -> None:
    """The alarms of a DeploymentConfig must exist. Raises ValidationException."""
    names = [alarm["AlarmName"] for alarm in (policy.get("AutoRollbackConfiguration") or {}).get("Alarms") or []]
    absent = alarms.missing(call.world, call.scope, names)
    if absent:
        raise validation(f"Could not find the CloudWatch alarm(s) {', '.join(absent)} of AutoRollbackConfiguration.")
