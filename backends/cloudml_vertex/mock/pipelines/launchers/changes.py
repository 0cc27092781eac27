"""Launchers that change models and endpoints by a long-running operation, and wait for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cloudml_vertex.mock.pipelines.launchers import payloads
from cloudml_vertex.mock.pipelines.launchers.command import Launch
from cloudml_vertex.mock.pipelines.launchers.progress import Call, Document, Failed, output_artifacts

Outputs = Callable[[Launch, Document], Mapping[str, str]]


@dataclass(frozen=True)
class Change:
    """The RPC, its request, and what is written when its operation is done (a document of Operation)."""

    rpc: str
    request: Callable[[Launch, Call, Mapping[str, str]], Document]
    outputs: Outputs


def _nothing(_: Launch, __: Document) -> Mapping[str, str]:
    return {}


def _model(launch: Launch, operation: Document) -> Mapping[str, str]:
    response = operation["response"]
    name = str(response["model"])
    if response.get("model_version_id"):
        name = f"{name}@{response['model_version_id']}"
    return output_artifacts(launch, {"model": (launch.prefix + name, {"resourceName": name})})


def _endpoint(launch: Launch, operation: Document) -> Mapping[str, str]:
    name = str(operation["response"]["name"])
    return output_artifacts(launch, {"endpoint": (launch.prefix + name, {"resourceName": name})})


def _output_info(launch: Launch, operation: Document) -> Mapping[str, str]:
    info = operation.get("metadata", {}).get("output_info", {})
    told = {"artifactOutputUri": info.get("artifact_output_uri"), "imageOutputUri": info.get("image_output_uri")}
    return {launch.options["output_info"]: json.dumps({key: value for key, value in told.items() if value})}


def _deploy(launch: Launch, _: Call, __: Mapping[str, str]) -> Document:
    return payloads.pruned(launch.payload)


def _undeploy(launch: Launch, call: Call, _: Mapping[str, str]) -> Document:
    """The first DeployedModel of the model is undeployed; of the version when the model's name has one."""
    asked = payloads.pruned(launch.payload)
    model, _at, version = str(asked.get("model", "")).partition("@")
    endpoint = call("EndpointService.GetEndpoint", {"name": asked["endpoint"]})
    for deployed in endpoint.get("deployed_models", []):
        same = str(deployed.get("model", "")).partition("@")[0] == model
        if same and (not version or deployed.get("model_version_id") == version):
            request: Document = {"endpoint": asked["endpoint"], "deployed_model_id": deployed["id"]}
            return {**request, "traffic_split": asked["traffic_split"]} if "traffic_split" in asked else request
    raise Failed(f"Model {asked.get('model', '')} not found at endpoint {asked['endpoint']}.")


def _delete_model(launch: Launch, _: Call, __: Mapping[str, str]) -> Document:
    """The whole model, not only the version that the name has."""
    return {"name": str(launch.payload["model"]).rsplit("@", 1)[0]}


def _delete_endpoint(launch: Launch, _: Call, __: Mapping[str, str]) -> Document:
    return {"name": launch.payload["endpoint"]}


def _export(launch: Launch, _: Call, __: Mapping[str, str]) -> Document:
    return payloads.pruned(launch.payload)


CHANGES: dict[str, Change] = {
    "UploadModel": Change(
        "ModelService.UploadModel", lambda launch, _, labels: payloads.upload(launch, labels), _model
    ),
    "ExportModel": Change("ModelService.ExportModel", _export, _output_info),
    "DeleteModel": Change("ModelService.DeleteModel", _delete_model, _nothing),
    "CreateEndpoint": Change(
        "EndpointService.CreateEndpoint", lambda launch, _, labels: payloads.create_endpoint(launch, labels), _endpoint
    ),
    "DeleteEndpoint": Change("EndpointService.DeleteEndpoint", _delete_endpoint, _nothing),
    "DeployModel": Change("EndpointService.DeployModel", _deploy, _nothing),
    "UndeployModel": Change("EndpointService.UndeployModel", _undeploy, _nothing),
}
"""By --type of the launcher."""


def get_model(launch: Launch, call: Call) -> tuple[str, Mapping[str, str]]:
    """The launcher that only reads: the model's name with its version, and what to write."""
    found = call("ModelService.GetModel", {"name": f"{launch.parent}/models/{launch.options['model_name']}"})
    name = f"{str(found['name']).split('@', 1)[0]}@{found.get('version_id', '')}"
    return name, output_artifacts(launch, {"model": (launch.prefix + name, {"resourceName": name})})
