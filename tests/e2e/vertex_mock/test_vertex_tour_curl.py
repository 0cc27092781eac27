"""The tour by curl: plain JSON with the names of the REST reference, no client of Google's at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections import Counter
from typing import Any
from urllib.parse import quote

import pytest

from cloudml.testing.mocks import MockInUse
from tests.e2e.vertex_mock import vertex_tour_parts as parts

PATIENCE = 30.0
LOOK = 0.02
HOST = f"https://{parts.LOCATION}-aiplatform.googleapis.com"

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not there")


class Curl:
    """`base` is what comes before the version in an URL."""

    def __init__(self, mock: MockInUse, base: str) -> None:
        self._base = base
        self._environment = {"PATH": os.environ["PATH"], **mock.environment}

    def __call__(self, verb: str, path: str, body: Any = None, *, version: str = "v1") -> tuple[int, Any]:
        """The status, and the JSON answered."""
        url = f"{self._base}/{version}/{path}"
        words = ["curl", "-sS", "-X", verb, url, "-H", "Authorization: Bearer x", "-w", "\n%{http_code}"]
        if body is not None:
            words += ["-H", "Content-Type: application/json", "--data-binary", "@-"]
        given = json.dumps(body) if body is not None else None
        ran = subprocess.run(
            words, input=given, env=self._environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert ran.returncode == 0, ran.stderr
        text, _, status = ran.stdout.rpartition("\n")
        return int(status), json.loads(text)

    def good(self, verb: str, path: str, body: Any = None) -> Any:
        """What a request that succeeds answers."""
        status, answer = self(verb, path, body)
        assert status == 200, answer
        return answer

    def refused(self, verb: str, path: str, body: Any = None) -> tuple[int, str]:
        """Status and canonical code of a refusal."""
        status, answer = self(verb, path, body)
        assert answer["error"]["code"] == status
        return status, answer["error"]["status"]

    def done(self, verb: str, path: str, body: Any = None) -> Any:
        """The response of the long-running operation that a request begins."""
        operation = self.good(verb, path, body)
        limit = time.monotonic() + PATIENCE
        while not operation.get("done"):
            assert time.monotonic() < limit
            time.sleep(LOOK)
            operation = self.good("GET", operation["name"])
        assert "error" not in operation, operation
        return operation["response"]

    def over(self, name: str) -> Any:
        """A job that has come to its end."""
        limit = time.monotonic() + PATIENCE
        while "endTime" not in (job := self.good("GET", name)):
            assert time.monotonic() < limit, job["state"]
            time.sleep(LOOK)
        return job


def camel(value: Any) -> Any:
    """A document with the names of proto3's JSON; the names in a pipeline's own document are its own."""
    if isinstance(value, dict):
        return {
            _camel(key): one if key in {"pipeline_spec", "labels", "parameter_values"} else camel(one)
            for key, one in value.items()
        }
    return [camel(one) for one in value] if isinstance(value, list) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.title, rest))


@pytest.mark.parametrize("base", ["url", HOST], ids=["plain", "proxy"])
def test_the_tour(tour_mock: MockInUse, base: str) -> None:
    parts.fill(tour_mock)
    curl = Curl(tour_mock, tour_mock.url if base == "url" else base)
    pipelines(curl)
    schedules(curl)
    custom_jobs(curl)
    tuning(curl)
    model = models(curl)
    endpoints(curl, model)
    curl.done("DELETE", model)
    assert curl.good("GET", f"{parts.PARENT}/models") == {}


def pipelines(curl: Curl) -> None:
    path = f"{parts.PARENT}/pipelineJobs"
    names = []
    for job_id, value, cached in (("first", 0.9, False), ("again", 0.9, True), ("below", 0.2, False)):
        job = curl.good("POST", f"{path}?pipelineJobId={job_id}", camel(parts.pipeline_job(value)))
        job = curl.over(job["name"])
        assert job["state"] == "PIPELINE_STATE_SUCCEEDED"
        details = job["jobDetail"]["taskDetails"]
        assert {one["taskName"]: one["state"] for one in details} == parts.expected_tasks(value, cached)
        names.append(job["name"])
    again = curl.refused("POST", f"{path}?pipelineJobId=first", camel(parts.pipeline_job(0.9)))
    assert again == (409, "ALREADY_EXISTS")
    unknown = {**camel(parts.pipeline_job(0.9)), "colour": "red"}
    assert curl.refused("POST", path, unknown) == (400, "INVALID_ARGUMENT")
    wanted = f"{path}?filter={quote('labels.team=tour')}&orderBy=create_time&pageSize=2"
    page = curl.good("GET", wanted)
    rest = curl.good("GET", f"{wanted}&pageToken={quote(page['nextPageToken'])}")
    assert "nextPageToken" not in rest
    assert [one["name"] for one in (*page["pipelineJobs"], *rest["pipelineJobs"])] == names
    long = curl.good("POST", path, camel(parts.pipeline_job(0.9, seconds=60)))["name"]
    assert curl.refused("DELETE", long) == (400, "FAILED_PRECONDITION")
    assert curl.good("POST", f"{long}:cancel", {}) == {}
    assert curl.over(long)["state"] == "PIPELINE_STATE_CANCELLED"
    curl.done("DELETE", long)
    assert curl.refused("GET", long) == (404, "NOT_FOUND")


def schedules(curl: Curl) -> None:
    path = f"{parts.PARENT}/schedules"
    request = {"parent": parts.PARENT, "pipelineJob": camel(parts.pipeline_job(0.9))}
    document = {"displayName": "yearly", "cron": parts.YEARLY, "maxConcurrentRunCount": "1"}
    name = curl.good("POST", path, {**document, "createPipelineJobRequest": request})["name"]
    curl.good("POST", f"{name}:pause", {})
    assert curl.good("GET", name)["state"] == "PAUSED"
    curl.good("POST", f"{name}:resume", {"catchUp": False})
    changed = curl.good(
        "PATCH", f"{name}?updateMask=displayName,maxRunCount", {"displayName": "two", "maxRunCount": "2"}
    )
    assert (changed["displayName"], changed["maxRunCount"], changed["state"]) == ("two", "2", "ACTIVE")
    assert [one["name"] for one in curl.good("GET", path)["schedules"]] == [name]
    assert curl.refused("PATCH", f"{name}?updateMask=cron", {"cron": "every day"})[0] == 400
    curl.done("DELETE", name)
    assert curl.refused("GET", name) == (404, "NOT_FOUND")


def custom_jobs(curl: Curl) -> None:
    path = f"{parts.PARENT}/customJobs"
    ends = {"echo hello": "SUCCEEDED", "exit 3": "FAILED", "sleep 60": "CANCELLED"}
    names = {text: curl.good("POST", path, camel(parts.custom_job(text)))["name"] for text in ends}
    curl.good("POST", f"{names['sleep 60']}:cancel", {})
    assert {text: curl.over(name)["state"] for text, name in names.items()} == {
        text: f"JOB_STATE_{state}" for text, state in ends.items()
    }
    found = curl.good("GET", f"{path}?filter={quote('state=JOB_STATE_FAILED')}")["customJobs"]
    assert [one["name"] for one in found] == [names["exit 3"]]
    curl.done("DELETE", names["exit 3"])
    assert curl.refused("GET", names["exit 3"]) == (404, "NOT_FOUND")


def tuning(curl: Curl) -> None:
    job = curl.good("POST", f"{parts.PARENT}/hyperparameterTuningJobs", camel(parts.search()))
    job = curl.over(job["name"])
    assert (job["state"], len(job["trials"])) == ("JOB_STATE_SUCCEEDED", 3)
    for trial in job["trials"]:
        given = {one["parameterId"]: one["value"] for one in trial["parameters"]}
        assert trial["finalMeasurement"]["metrics"][0]["value"] == pytest.approx(parts.score(**given))


def models(curl: Curl) -> str:
    path, parent = f"{parts.PARENT}/models", ""
    for version in parts.FACTORS:
        more = {"parentModel": parent} if parent else {"modelId": "multiplier"}
        answer = curl.done("POST", f"{path}:upload", {"model": camel(parts.model(version)), **more})
        assert answer["modelVersionId"] == version
        parent = answer["model"]
    for version in parts.FACTORS:
        curl.good("POST", f"{parent}@{version}:mergeVersionAliases", {"versionAliases": ["champion"]})
    listed = curl.good("GET", f"{parent}:listVersions")["models"]
    assert {one["versionId"]: one.get("versionAliases", []) for one in listed} == {"1": ["default"], "2": ["champion"]}
    assert curl.good("GET", f"{parent}%40champion")["versionId"] == "2"
    assert curl.refused("GET", f"{parent}@9") == (404, "NOT_FOUND")
    return str(parent)


def endpoints(curl: Curl, model: str) -> None:
    name = curl.done("POST", f"{parts.PARENT}/endpoints", {"displayName": "multiplier"})["name"]
    for version, identifier, split in (("1", "11", {"0": 100}), ("2", "22", {"0": 10, "11": 90})):
        deployed = camel(parts.deployed(f"{model}@{version}", identifier))
        curl.done("POST", f"{name}:deployModel", {"deployedModel": deployed, "trafficSplit": split})
    endpoint = curl.good("GET", name)
    assert endpoint["trafficSplit"] == {"11": 90, "22": 10}
    for split in ({"11": 90, "22": 20}, {"11": 100, "33": 0}):
        assert curl.refused("PATCH", f"{name}?updateMask=trafficSplit", {"trafficSplit": split})[0] == 400
    answers = [curl.good("POST", f"{name}:predict", {"instances": [3]}) for _ in range(10)]
    seen = Counter((one["deployedModelId"], one["predictions"][0]) for one in answers)
    assert set(seen) <= {("11", 6), ("22", 9)} and seen["11", 6] > seen["22", 9]
    assert curl.refused("POST", f"{name}:undeployModel", {"deployedModelId": "11"})[0] == 400
    change = {"trafficSplit": {"11": 0, "22": 100}, "etag": endpoint["etag"]}
    curl.good("PATCH", f"{name}?updateMask=trafficSplit", change)
    assert curl.refused("PATCH", f"{name}?updateMask=trafficSplit", change) == (409, "ABORTED")
    raw = {"instances": [5]}
    for method in ("rawPredict", "streamRawPredict"):
        assert curl.good("POST", f"{name}:{method}", raw) == {"predictions": [15]}
    assert curl.refused("DELETE", name) == (400, "FAILED_PRECONDITION")
    for identifier in ("11", "22"):
        curl.done("POST", f"{name}:undeployModel", {"deployedModelId": identifier})
    curl.done("DELETE", name)
    assert curl.good("GET", f"{parts.PARENT}/endpoints") == {}
