"""AWS's scikit-learn image, stood for by script mode: train, serve and transform a real model through the API.

scikit-learn's own is on a sandbox; without one a model of numpy does, since each of its processes is sooner there.
"""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mock_clients import ROLE
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from cloudml_sagemaker.mock.options import Options

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
SCRIPT = """
import argparse, os, pickle
import numpy as np

def model_fn(folder):
    with open(os.path.join(folder, "model.pkl"), "rb") as file:
        return pickle.load(file)

if __name__ == "__main__":
    from sklearn.linear_model import LogisticRegression
    parser = argparse.ArgumentParser()
    parser.add_argument("-C", type=float)
    parser.add_argument("--train", default=os.environ["SM_CHANNEL_TRAIN"])
    given = parser.parse_args()
    data = np.loadtxt(os.path.join(given.train, "train.csv"), delimiter=",")
    model = LogisticRegression(C=given.C).fit(data[:, 1:], data[:, 0])
    print(f"accuracy={model.score(data[:, 1:], data[:, 0])};")
    with open(os.path.join(os.environ["SM_MODEL_DIR"], "model.pkl"), "wb") as file:
        pickle.dump(model, file)
"""

LEAST_SQUARES = """
import os
import numpy as np

def model_fn(folder):
    return np.load(os.path.join(folder, "weights.npy"))

def predict_fn(rows, weights):
    return (rows @ weights > 0.5).astype(float)

if __name__ == "__main__":
    data = np.loadtxt(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "train.csv"), delimiter=",")
    weights = np.linalg.lstsq(data[:, 1:], data[:, 0], rcond=None)[0]
    print(f"accuracy={np.mean(predict_fn(data[:, 1:], weights) == data[:, 0])};")
    np.save(os.path.join(os.environ["SM_MODEL_DIR"], "weights.npy"), weights)
"""


def logistic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    predictions: np.ndarray = LogisticRegression(C=0.5).fit(x, y).predict(x.astype(np.float32))
    return predictions


def least_squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    weights = np.linalg.lstsq(x, y.astype(float), rcond=None)[0]
    return (x @ weights > 0.5).astype(float)


Fit = Callable[[np.ndarray, np.ndarray], np.ndarray]
CASES: dict[str, tuple[str, Fit]] = {"auto": (SCRIPT, logistic), "paths": (LEAST_SQUARES, least_squares)}
"""By isolation: the script, and the same by hand."""


@pytest.fixture(params=CASES)
def isolation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def options(isolation: str) -> Options:
    return Options(isolation=isolation)


def wait(describe: Callable[[], dict[str, Any]], key: str, seconds: float = 90) -> dict[str, Any]:
    limit = time.monotonic() + seconds
    while (seen := describe())[key] in {"InProgress", "Creating"}:
        assert time.monotonic() < limit, seen
        time.sleep(0.1)
    return seen


def csv(rows: np.ndarray) -> bytes:
    stream = io.StringIO()
    np.savetxt(stream, rows, delimiter=",")
    return stream.getvalue().encode()


def test_a_model_is_trained_served_and_used_in_batch(aws: Callable[..., Any], isolation: str) -> None:
    script, fit = CASES[isolation]
    x, y = make_classification(n_samples=200, n_features=5, random_state=3)
    expected = fit(x, y)
    s3, sm, runtime = aws("s3"), aws("sagemaker"), aws("sagemaker-runtime")
    s3.create_bucket(Bucket="ml-data")
    s3.put_object(Bucket="ml-data", Key="train/train.csv", Body=csv(np.column_stack([y, x])))
    s3.put_object(Bucket="ml-data", Key="batch/x.csv", Body=csv(x))
    code = io.BytesIO()
    with tarfile.open(fileobj=code, mode="w:gz") as tar:
        member = tarfile.TarInfo("train.py")
        member.size = len(script)
        tar.addfile(member, io.BytesIO(script.encode()))
    s3.put_object(Bucket="ml-data", Key="code/sourcedir.tar.gz", Body=code.getvalue())
    source = "s3://ml-data/code/sourcedir.tar.gz"

    channel = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://ml-data/train/"}}
    sm.create_training_job(
        TrainingJobName="fit",
        AlgorithmSpecification={
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "accuracy", "Regex": "accuracy=([0-9.]+);"}],
        },
        RoleArn=ROLE,
        InputDataConfig=[{"ChannelName": "train", "DataSource": channel}],
        OutputDataConfig={"S3OutputPath": "s3://ml-data/models"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
        HyperParameters={
            "C": "0.5",
            "sagemaker_program": json.dumps("train.py"),
            "sagemaker_submit_directory": json.dumps(source),
        },
    )
    job = wait(lambda: sm.describe_training_job(TrainingJobName="fit"), "TrainingJobStatus")
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert job["FinalMetricDataList"][0]["Value"] == pytest.approx(np.mean(expected == y))

    container = {
        "Image": IMAGE,
        "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"],
        "Environment": {"SAGEMAKER_PROGRAM": "train.py", "SAGEMAKER_SUBMIT_DIRECTORY": source},
    }
    sm.create_model(ModelName="model", PrimaryContainer=container, ExecutionRoleArn=ROLE)
    variant = {
        "VariantName": "all",
        "ModelName": "model",
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    sm.create_endpoint_config(EndpointConfigName="config", ProductionVariants=[variant])
    sm.create_endpoint(EndpointName="live", EndpointConfigName="config")
    endpoint = wait(lambda: sm.describe_endpoint(EndpointName="live"), "EndpointStatus")
    assert endpoint["EndpointStatus"] == "InService", endpoint
    answer = runtime.invoke_endpoint(
        EndpointName="live", Body=csv(x[:20]), ContentType="text/csv", Accept="application/json"
    )
    assert json.loads(answer["Body"].read()) == expected[:20].tolist()

    sm.create_transform_job(
        TransformJobName="batch",
        ModelName="model",
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://ml-data/batch/"}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        TransformOutput={"S3OutputPath": "s3://ml-data/out", "Accept": "text/csv", "AssembleWith": "Line"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    batch = wait(lambda: sm.describe_transform_job(TransformJobName="batch"), "TransformJobStatus")
    assert batch["TransformJobStatus"] == "Completed", batch
    written = s3.get_object(Bucket="ml-data", Key="out/x.csv.out")["Body"].read()
    assert np.loadtxt(io.BytesIO(written)).tolist() == expected.tolist()
