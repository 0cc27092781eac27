"""EndpointConfig and Endpoint steps. AWS's SDK, EndpointConfigStep and EndpointStep."""

from __future__ import annotations

import io
import tarfile
from typing import Any

from pipeline_lab import IMAGE, ROLE, Lab, client, definition, get, parameter

SERVER = IMAGE.replace("/ml:", "/server:")


def text(lab: Lab) -> str:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz"):
        pass
    lab.s3.put_object(Bucket="data", Key="empty/model.tar.gz", Body=data.getvalue())
    container = {"Image": SERVER, "ModelDataUrl": "s3://data/empty/model.tar.gz"}
    variant = {"VariantName": "main", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    names = {"EndpointConfigName": get("Steps.Config.EndpointConfigName"), "EndpointName": get("Parameters.Endpoint")}
    model = {"ExecutionRoleArn": ROLE, "PrimaryContainer": {**container, "Environment": {"MODEL": get("Parameters.M")}}}
    config = {
        "EndpointConfigName": "churn",
        "ProductionVariants": [{**variant, "ModelName": get("Steps.Model.ModelName")}],
    }
    return definition(
        {"Name": "Model", "Type": "Model", "Arguments": model},
        {"Name": "Config", "Type": "EndpointConfig", "Arguments": config},
        {"Name": "Endpoint", "Type": "Endpoint", "Arguments": {**names, "Tags": [{"Key": "a", "Value": "b"}]}},
        parameters=[parameter("Endpoint", default="shop"), parameter("M", default="one")],
    )


def answer(lab: Lab, endpoint: str) -> str:
    runtime: Any = client(lab.mock.url, "sagemaker-runtime")
    return str(runtime.invoke_endpoint(EndpointName=endpoint, Body=b"x")["Body"].read().decode())


def test_an_endpoint_is_created_then_updated(lab: Lab) -> None:
    name = lab.create(text(lab))
    configs = []
    for model in ("one", "two"):
        arn = lab.start(name, {"M": model})
        lab.settle(3600)
        done = lab.look(arn)
        assert done.status == "Succeeded", done
        assert done.steps["Endpoint"]["Metadata"]["Endpoint"]["Arn"].endswith(":endpoint/shop")
        configs.append(done.steps["Config"]["Metadata"]["EndpointConfig"]["Arn"].partition("/")[2])
        told = lab.sagemaker.describe_endpoint(EndpointName="shop")
        assert (told["EndpointStatus"], told["EndpointConfigName"]) == ("InService", configs[-1])
        assert answer(lab, "shop") == model
    # Each execution has a configuration of its own, under the name that the definition gives.
    assert configs[0] != configs[1]
    assert all(config.startswith("churn-") for config in configs)


def test_an_endpoint_that_never_answers_fails_the_step(lab: Lab) -> None:
    lab.mock.world.faults.add(lab.mock.world.faults.parse("unhealthy:sick"))
    arn = lab.start(lab.create(text(lab)), {"Endpoint": "sick"})
    lab.settle(7200)
    done = lab.look(arn)
    assert (done.status, done.statuses["Endpoint"]) == ("Failed", "Failed")
    assert "ping health check" in done.steps["Endpoint"]["FailureReason"]


def test_an_update_that_is_rolled_back_fails_the_step(lab: Lab) -> None:
    name = lab.create(text(lab))
    first = lab.start(name, {"Endpoint": "back", "M": "old"})
    lab.settle(3600)
    assert lab.look(first).status == "Succeeded"
    lab.mock.world.faults.add(lab.mock.world.faults.parse("silent-rollback:back"))
    second = lab.start(name, {"Endpoint": "back", "M": "new"})
    lab.settle(3600)
    assert lab.look(second).statuses["Endpoint"] == "Failed"
    assert answer(lab, "back") == "old"
