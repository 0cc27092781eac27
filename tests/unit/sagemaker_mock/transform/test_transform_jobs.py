"""Transform jobs end to end: a real server gets the objects, and what it answers is what lies in the output."""

from __future__ import annotations

import gzip
import json
import re
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from mock_clients import ROLE
from transform_lab import LINES, Lab

from cloudml_sagemaker.mock.start import Mock
from cloudml_sagemaker.mock.transform import job as job_module


def test_every_object_below_a_prefix_becomes_an_out_object_beside_its_kin(lab: Lab) -> None:
    lab.prepare()
    lab.put("in/a.csv", "1,2\n3,4\n")
    lab.put("in/more/deep/b.csv", "5,6\n")
    lab.put("in/folder/", "")
    lab.put("inside-not.csv", "1\n")
    job = lab.run(given={"ContentType": "text/csv"})
    assert job["TransformJobStatus"] == "Completed"
    assert "FailureReason" not in job
    assert job["TransformStartTime"] <= job["TransformEndTime"]
    assert lab.outputs() == {"a.csv.out": "3.0\n7.0", "more/deep/b.csv.out": "11.0"}


def test_a_single_object_and_a_manifest(lab: Lab) -> None:
    lab.prepare()
    lab.put("in/a.csv", "1,2")
    lab.put("in/x/b.csv", "3")
    lab.put("list.manifest", json.dumps([{"prefix": "s3://box/in/"}, "x/b.csv"]))
    assert lab.run("one", uri="s3://box/in/a.csv")["TransformJobStatus"] == "Completed"
    assert lab.outputs() == {"a.csv.out": "3.0"}
    lab.run("two", uri="s3://box/list.manifest", kind="ManifestFile", output={"S3OutputPath": "s3://box/second/"})
    assert lab.outputs("second/") == {"x/b.csv.out": "3.0"}


def test_records_are_batched_and_assembled_in_their_order(lab: Lab) -> None:
    lab.prepare()
    rows = [f"{number},1" for number in range(40)]
    lab.put("in/a.csv", "\n".join(rows) + "\n")
    expected = "".join(f"{number + 1}.0\n" for number in range(40))
    more: dict[str, Any] = {"given": LINES, "output": {"AssembleWith": "Line"}}
    lab.run("whole", **more)
    assert lab.outputs() == {"a.csv.out": expected}
    lab.run("single", BatchStrategy="SingleRecord", MaxConcurrentTransforms=4, **more)
    assert lab.outputs() == {"a.csv.out": expected}
    lab.put("in/a.csv", "count:\nx\ny\n")
    lab.run("counted", given=LINES)
    assert lab.outputs() == {"a.csv.out": "3"}


def test_filters_and_join_of_csv(lab: Lab) -> None:
    lab.prepare()
    lab.put("in/a.csv", 'id1,1,2\n"id,2",3,4\n')
    processing = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}
    output = {"Accept": "text/csv", "AssembleWith": "Line"}
    job = lab.run(given=LINES, output=output, DataProcessing=processing)
    assert job["DataProcessing"] == processing
    assert lab.outputs() == {"a.csv.out": 'id1,3.0\n"id,2",7.0\n'}


def test_filters_and_join_of_json_lines(lab: Lab) -> None:
    lab.prepare(MEDIA="application/jsonlines")
    lab.put("in/a.jsonl", '{"id":1,"features":[1,2]}\n{"id":2,"features":[3,4]}\n')
    lab.run(
        given={"ContentType": "application/jsonlines", "SplitType": "Line"},
        output={"Accept": "application/jsonlines", "AssembleWith": "Line"},
        DataProcessing={
            "InputFilter": "$.features",
            "JoinSource": "Input",
            "OutputFilter": "$['id','SageMakerOutput']",
        },
    )
    (text,) = lab.outputs().values()
    assert [json.loads(line) for line in text.splitlines()] == [
        {"id": 1, "SageMakerOutput": {"sum": 3}},
        {"id": 2, "SageMakerOutput": {"sum": 7}},
    ]


def test_compressed_input(lab: Lab) -> None:
    lab.prepare()
    lab.put("in/a.csv.gz", gzip.compress(b"1,2\n"))
    lab.run(given={**LINES, "CompressionType": "Gzip"})
    assert lab.outputs() == {"a.csv.gz.out": "3.0"}


def test_the_container_contract(lab: Lab) -> None:
    lab.prepare(SET="by the model", OWN="model")
    lab.put("in/environment", "environment:")
    lab.put("in/headers", "headers:")
    lab.put("in/model", "model:")
    lab.run(given={"ContentType": "text/csv"}, output={"Accept": "application/json"}, Environment={"SET": "by the job"})
    found = lab.outputs()
    assert found["model.out"] == "the model"
    headers = json.loads(found["headers.out"])
    assert (headers["content-type"], headers["accept"]) == ("text/csv", "application/json")
    environment = json.loads(found["environment.out"])
    assert (environment["SET"], environment["OWN"]) == ("by the job", "model")
    assert environment["SAGEMAKER_BATCH"] == "true"
    # The guide: what the user does not set is not passed.
    assert not {"SAGEMAKER_MAX_PAYLOAD_IN_MB", "SAGEMAKER_BATCH_STRATEGY", "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"} & set(
        environment
    )
    lab.run("set", MaxPayloadInMB=2, BatchStrategy="SingleRecord", MaxConcurrentTransforms=3)
    environment = json.loads(lab.outputs()["environment.out"])
    assert environment["SAGEMAKER_MAX_PAYLOAD_IN_MB"] == "2"
    assert environment["SAGEMAKER_BATCH_STRATEGY"] == "SINGLE_RECORD"
    assert environment["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] == "3"
    lines = lab.log("set")
    assert lines[""] == ["serving"]
    assert lines["data-log"] == [
        "[sagemaker logs]: MaxConcurrentTransforms=3, BatchStrategy=SINGLE_RECORD, MaxPayloadInMB=2"
    ]


@pytest.mark.parametrize(
    ("told", "request_", "most"),
    [
        ({"MaxConcurrentTransforms": 3, "BatchStrategy": "SINGLE_RECORD"}, {}, {"3"}),
        ({"MaxConcurrentTransforms": 3, "BatchStrategy": "SINGLE_RECORD"}, {"MaxConcurrentTransforms": 1}, {"1"}),
        ({"MaxConcurrentTransforms": "many", "BatchStrategy": "SINGLE_RECORD"}, {}, {"1"}),
    ],
)
def test_a_container_chooses_what_the_request_leaves_open(
    lab: Lab, told: dict[str, Any], request_: dict[str, Any], most: set[str]
) -> None:
    lab.prepare(PARAMETERS=json.dumps(told))
    lab.put("in/a", "most:\n" * 6)
    lab.run(given=LINES, output={"AssembleWith": "Line"}, **request_)
    lines = lab.outputs()["a.out"].split()
    assert len(lines) == 6
    assert {max(lines)} == most


def test_one_bad_object_fails_the_job_and_the_others_are_written(lab: Lab) -> None:
    lab.prepare()
    lab.put("in/a", "1,2")
    lab.put("in/b", "bad:")
    lab.put("in/c", "3,4")
    job = lab.run(DataCaptureConfig={"DestinationS3Uri": "s3://box/capture"})
    assert job["TransformJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: s3://box/in/b: ")
    assert "no such record" in job["FailureReason"]
    assert lab.outputs() == {"a.out": "3.0", "c.out": "7.0"}
    assert lab.outputs("capture/") == {}
    assert any("box/in/b: ClientError" in line for line in lab.log()["data-log"])


def test_a_record_that_fails_in_the_middle_leaves_no_part_of_its_object(lab: Lab) -> None:
    lab.prepare()
    lab.put("in/a", "1\nbad:\n2\n")
    lab.put("in/b", "1\n")
    assert lab.run(given=LINES, BatchStrategy="SingleRecord")["TransformJobStatus"] == "Failed"
    assert set(lab.outputs()) == {"b.out"}


@pytest.mark.parametrize(("failures", "status"), [(3, "Completed"), (4, "Failed")])
def test_server_errors_are_tried_again_three_times(lab: Lab, failures: int, status: str) -> None:
    lab.prepare()
    lab.put("in/a", f"flaky:{failures}")
    job = lab.run()
    assert job["TransformJobStatus"] == status
    assert ("AlgorithmError" in job.get("FailureReason", "")) is (status == "Failed")


def test_an_answer_that_takes_too_long_fails(lab: Lab) -> None:
    lab.prepare()
    lab.put("in/a", "sleep:5")
    client = {"InvocationsTimeoutInSeconds": 1, "InvocationsMaxRetries": 0}
    job = lab.run(ModelClientConfig=client)
    assert "timed out" in job["FailureReason"]


def test_capture_writes_manifests(lab: Lab) -> None:
    lab.prepare()
    lab.put("in/a", "1")
    lab.put("in/x/b", "2")
    job = lab.run(DataCaptureConfig={"DestinationS3Uri": "s3://box/capture"})
    found = {
        re.sub(r"\d\d/[a-z0-9]+\.json$", "", key): json.loads(text) for key, text in lab.outputs("capture/").items()
    }
    day = job["TransformEndTime"].strftime("%Y/%m/%d/")
    assert found == {
        f"input/{day}": [{"prefix": "s3://box/in/"}, "a", "x/b"],
        f"output/{day}": [{"prefix": "s3://box/out/"}, "a.out", "x/b.out"],
    }


def test_a_server_that_ends_and_one_that_never_gets_well(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.prepare(GONE="1")
    lab.model("sick", {"SICK": "1"})
    lab.put("in/a", "1")
    job = lab.run()
    assert (job["TransformJobStatus"], job["FailureReason"].split(":")[0]) == ("Failed", "AlgorithmError")
    assert lab.log()[""] == ["cannot load the model"]
    monkeypatch.setattr(job_module, "PATIENCE", 1.0)
    job = lab.run("sick", ModelName="sick")
    assert "health checks in time" in job["FailureReason"]
    assert lab.outputs() == {}


def test_a_stop_ends_the_requests_and_stores_nothing(lab: Lab) -> None:
    lab.prepare()
    lab.put("in/a", "1,2")
    lab.put("in/b", "sleep:60")
    lab.create()
    limit = time.monotonic() + 30
    while lab.seen().get("TransformStartTime") is None and time.monotonic() < limit:
        time.sleep(0.05)
    time.sleep(0.7)
    lab.sm.stop_transform_job(TransformJobName="job")
    assert lab.seen()["TransformJobStatus"] in {"Stopping", "Stopped"}
    job = lab.wait(seconds=20)
    assert job["TransformJobStatus"] == "Stopped"
    assert "FailureReason" not in job
    assert lab.outputs() == {}
    with pytest.raises(ClientError, match="is in status Stopped"):
        lab.sm.stop_transform_job(TransformJobName="job")


@pytest.mark.parametrize(
    ("rule", "words"),
    [("capacity:TransformJob/job", "CapacityError"), ("internal:*", "InternalServerError"), ("die:*", "killed")],
)
def test_faults_that_fail_a_job(lab: Lab, mock: Mock, rule: str, words: str) -> None:
    lab.prepare()
    lab.put("in/a", "1")
    mock.world.faults.add(mock.world.faults.parse(f"{rule},count=1"))
    job = lab.run()
    assert job["TransformJobStatus"] == "Failed"
    assert words in job["FailureReason"]
    assert lab.run("next")["TransformJobStatus"] == "Completed"


def test_faults_that_take_time(lab: Lab, mock: Mock) -> None:
    lab.prepare()
    lab.put("in/a", "1")
    faults = mock.world.faults
    faults.add(faults.parse("hang:TransformJob/hung"))
    faults.add(faults.parse("slow:TransformJob/slow,seconds=1"))
    lab.create("hung")
    job = lab.run("slow")
    assert (job["TransformEndTime"] - job["TransformStartTime"]).total_seconds() >= 1
    assert lab.seen("hung")["TransformJobStatus"] == "InProgress"
    lab.sm.stop_transform_job(TransformJobName="hung")
    assert lab.wait("hung")["TransformJobStatus"] == "Stopped"


def test_no_data_and_a_model_that_is_gone(lab: Lab, mock: Mock) -> None:
    lab.prepare()
    job = lab.run("empty")
    assert "No S3 objects found under S3 URL s3://box/in/" in job["FailureReason"]
    lab.put("in/a", "1")
    with pytest.raises(ClientError, match="Could not find model") as refused:
        lab.create("nobody", ModelName="nobody")
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    lab.s3.delete_object(Bucket="box", Key="model.tar.gz")
    job = lab.run("lost")
    assert job["FailureReason"].startswith("ClientError")
    assert "model.tar.gz" in job["FailureReason"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"MaxPayloadInMB": 50, "MaxConcurrentTransforms": 3}, "must not exceed 100"),
        ({"given": {"SplitType": "RecordIO"}}, "not executed"),
        ({"DataProcessing": {"InputFilter": "$..x"}}, "JSONPath"),
        ({"DataProcessing": {"JoinSource": "Input"}}, "ContentType and Accept"),
        ({"DataProcessing": {"InputFilter": "$.x"}, "given": LINES}, "indexes, not names"),
        (
            {"DataProcessing": {"JoinSource": "Input"}, "given": LINES, "output": {"Accept": "text/csv"}},
            "must both be Line",
        ),
        ({"DataCaptureConfig": {"DestinationS3Uri": "s3://box/c", "GenerateInferenceId": True}}, "not executed"),
        ({"kind": "AugmentedManifestFile"}, "not executed"),
    ],
)
def test_requests_that_cannot_work_are_refused(lab: Lab, more: dict[str, Any], words: str) -> None:
    lab.prepare()
    with pytest.raises(ClientError) as refused:
        lab.create(**more)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert words in refused.value.response["Error"]["Message"]
    assert lab.sm.list_transform_jobs()["TransformJobSummaries"] == []


def test_models_that_batch_transform_cannot_run(lab: Lab) -> None:
    lab.prepare()
    lab.put("many/a.txt", "x")
    source = {"S3DataSource": {"S3Uri": "s3://box/many/", "S3DataType": "S3Prefix", "CompressionType": "None"}}
    containers: dict[str, dict[str, Any]] = {
        "ModelDataSource": {"ModelDataSource": source},
        "MultiModel": {"ModelDataUrl": "s3://box/many/", "Mode": "MultiModel"},
    }
    for name, container in containers.items():
        lab.sm.create_model(ModelName=name, PrimaryContainer={"Image": "server:1", **container}, ExecutionRoleArn=ROLE)
        with pytest.raises(ClientError, match=name) as refused:
            lab.create(ModelName=name)
        assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_names_lists_and_tags(lab: Lab) -> None:
    lab.prepare()
    lab.put("in/a", "1")
    lab.create(Tags=[{"Key": "team", "Value": "ml"}])
    with pytest.raises(ClientError) as taken:
        lab.create()
    assert taken.value.response["Error"]["Code"] == "ResourceInUse"
    arn = lab.wait()["TransformJobArn"]
    assert lab.sm.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "ml"}]
    (row,) = lab.sm.list_transform_jobs(StatusEquals="Completed", NameContains="jo")["TransformJobSummaries"]
    assert row["TransformJobName"] == "job"
    with pytest.raises(ClientError) as missing:
        lab.seen("nobody")
    assert missing.value.response["Error"]["Code"] == "ResourceNotFound"
