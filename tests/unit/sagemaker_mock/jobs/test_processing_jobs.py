"""Processing jobs run under the container contract of the developer guide ("Build Your Own Processing Container")."""

from __future__ import annotations

import json
from typing import Any

import pytest
from job_lab import BUCKET, IMAGE, ROLE, Lab, source, target

GROUP = "/aws/sagemaker/ProcessingJobs"
OUT = "/opt/ml/processing/out"
LOOK = f"""
import json, os, sys
def tree(base):
    found = {{}}
    for place, _, names in os.walk(base):
        for name in names:
            path = os.path.join(place, name)
            found[path] = open(path).read()
    return found
json.dump({{"files": tree("/opt/ml"), "env": dict(os.environ), "argv": sys.argv[1:], "folders": os.listdir("{OUT}")}},
          open("{OUT}/seen", "w"))
"""


def seen(lab: Lab, key: str = "o/seen") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.get(key))
    return found


def test_the_container_finds_what_the_guide_says(lab: Lab) -> None:
    lab.put(**{"in/a.csv": "1,2", "in/deep/b.csv": "3,4"})
    request = lab.processing(
        "look",
        LOOK,
        app={"ContainerArguments": ["--rows", "10"]},
        Environment={"LEVEL": "7"},
        ProcessingInputs=[source(f"s3://{BUCKET}/in")],
        ProcessingOutputConfig={"Outputs": [target(f"s3://{BUCKET}/o")]},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )
    arn = lab.sm.create_processing_job(**request)["ProcessingJobArn"]
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:processing-job/look"
    assert lab.ended("look")["ProcessingJobStatus"] == "Completed"
    found = seen(lab)
    files = found["files"]
    config = json.loads(files.pop("/opt/ml/config/processingjobconfig.json"))
    assert config == {**request, "ProcessingJobArn": arn}
    assert json.loads(files.pop("/opt/ml/config/resourceconfig.json")) == {
        "current_host": "algo-1",
        "hosts": ["algo-1"],
    }
    assert files == {"/opt/ml/processing/in/a.csv": "1,2", "/opt/ml/processing/in/deep/b.csv": "3,4"}
    assert found["env"]["LEVEL"] == "7"
    assert found["env"]["AWS_REGION"] == "us-east-1"
    assert found["argv"] == ["--rows", "10"]
    assert found["folders"] == []


def test_a_job_reaches_the_mock_as_its_aws(lab: Lab) -> None:
    code = "import boto3; boto3.client('s3').put_object(Bucket='data', Key='from-job', Body=b'x')"
    assert lab.process("reach", code)["ProcessingJobStatus"] == "Completed"
    assert lab.get("from-job") == b"x"


def test_describe_tells_the_request_and_the_times(lab: Lab) -> None:
    config = {"Outputs": [target(f"s3://{BUCKET}/o")], "KmsKeyId": "key"}
    request = lab.processing("told", "pass", ProcessingOutputConfig=config, Tags=[{"Key": "a", "Value": "b"}])
    arn = lab.sm.create_processing_job(**request)["ProcessingJobArn"]
    found = lab.ended("told")
    for member in ("ProcessingJobName", "RoleArn", "AppSpecification", "ProcessingResources", "ProcessingOutputConfig"):
        assert found[member] == request[member]
    assert found["CreationTime"] <= found["ProcessingStartTime"] <= found["ProcessingEndTime"]
    assert found["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}
    assert not {"FailureReason", "ExitMessage"} & set(found)
    assert lab.sm.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]


def test_a_failing_program_fails_the_job_with_its_exit_code(lab: Lab) -> None:
    outputs = {"Outputs": [target(f"s3://{BUCKET}/o")]}
    code = f"import sys; open('{OUT}/part', 'w').write('x'); print('why'); sys.exit(3)"
    found = lab.process("fails", code, ProcessingOutputConfig=outputs)
    assert (found["ProcessingJobStatus"], found["FailureReason"]) == ("Failed", "AlgorithmError: , exit code: 3")
    assert lab.keys("o/") == []
    assert lab.log(GROUP) == ["why"]


def test_outputs_of_a_failed_job_are_a_switch(lab: Lab) -> None:
    lab.world.switches.set("outputs-after-failure", "upload")
    outputs = {"Outputs": [target(f"s3://{BUCKET}/o")]}
    lab.process("fails", f"open('{OUT}/part', 'w').write('x'); exit(1)", ProcessingOutputConfig=outputs)
    assert lab.keys("o/") == ["o/part"]


def test_the_message_file_is_the_exit_message_up_to_1_kb(lab: Lab) -> None:
    code = "open('/opt/ml/output/message', 'w').write('m' * 3000)"
    assert lab.process("message", code)["ExitMessage"] == "m" * 1024


def test_a_message_that_is_a_link_is_not_read(lab: Lab) -> None:
    code = "import os; os.symlink('/etc/hostname', '/opt/ml/output/message')"
    assert "ExitMessage" not in lab.process("message", code)


def test_links_and_replaced_folders_are_not_uploaded(lab: Lab) -> None:
    code = f"""
import os
open("{OUT}/kept", "w").write("k")
os.symlink("/etc/hostname", "{OUT}/link")
os.rmdir("/opt/ml/processing/gone")
os.symlink("/etc", "/opt/ml/processing/gone")
"""
    outputs = {"Outputs": [target(f"s3://{BUCKET}/o"), target(f"s3://{BUCKET}/g", "gone")]}
    assert lab.process("links", code, ProcessingOutputConfig=outputs)["ProcessingJobStatus"] == "Completed"
    assert lab.keys() == ["o/kept"]


def test_hosts_share_the_work(lab: Lab) -> None:
    lab.put(**{f"in/{number}": str(number) for number in range(5)}, **{"code/c": "c"})
    code = f"""
import json, os, socket
me = json.load(open("/opt/ml/config/resourceconfig.json"))
seen = [sorted(os.listdir("/opt/ml/processing/" + name)) for name in ("in", "code")]
reach = [socket.gethostbyname(host) for host in me["hosts"]]
json.dump([me, *seen, reach], open("{OUT}/" + me["current_host"], "w"))
"""
    shared = {"S3DataDistributionType": "ShardedByS3Key"}
    inputs = [source(f"s3://{BUCKET}/in", **shared), source(f"s3://{BUCKET}/code", "code")]
    outputs = {"Outputs": [target(f"s3://{BUCKET}/o")]}
    found = lab.process("hosts", code, count=2, ProcessingInputs=inputs, ProcessingOutputConfig=outputs)
    assert found["ProcessingJobStatus"] == "Completed"
    told = {name: json.loads(lab.get(f"o/{name}")) for name in ("algo-1", "algo-2")}
    for name, (me, _, everywhere, reach) in told.items():
        assert me == {"current_host": name, "hosts": ["algo-1", "algo-2"]}
        assert everywhere == ["c"]
        assert reach == ["127.0.0.1"] * 2
    shards = [set(told[name][1]) for name in told]
    assert shards[0] | shards[1] == set("01234")
    assert not shards[0] & shards[1]
    assert sorted(map(len, shards)) == [2, 3]


def test_a_host_that_fails_ends_the_others(lab: Lab) -> None:
    code = """
import json, time, sys
if json.load(open("/opt/ml/config/resourceconfig.json"))["current_host"] == "algo-2":
    sys.exit(4)
time.sleep(600)
"""
    found = lab.process("hosts", code, count=2)
    assert found["FailureReason"] == "AlgorithmError: , exit code: 4"


def test_continuous_output_is_there_while_the_job_runs(lab: Lab) -> None:
    code = f"""
import time
open("{OUT}/first", "w").write("1")
time.sleep(600)
"""
    outputs = {"Outputs": [target(f"s3://{BUCKET}/o", mode="Continuous")]}
    lab.sm.create_processing_job(**lab.processing("live", code, ProcessingOutputConfig=outputs))
    lab.wait(lambda: lab.keys("o/") == ["o/first"])
    assert lab.of("processing", "live")["ProcessingJobStatus"] == "InProgress"


def test_continuous_output_written_last_is_not_lost(lab: Lab) -> None:
    outputs = {"Outputs": [target(f"s3://{BUCKET}/o", mode="Continuous")]}
    lab.process("last", f"open('{OUT}/a', 'w').write('1')", ProcessingOutputConfig=outputs)
    assert lab.get("o/a") == b"1"


@pytest.mark.parametrize("mode", ["EndOfJob", "Continuous"])
def test_an_output_whose_name_is_not_utf8_is_the_clients_mistake(lab: Lab, mode: str) -> None:
    code = f"import os; open(os.fsencode('{OUT}/') + bytes([255]), 'w').close()"
    outputs = {"Outputs": [target(f"s3://{BUCKET}/o", mode=mode)]}
    found = lab.process("odd", code, ProcessingOutputConfig=outputs)
    assert found["ProcessingJobStatus"] == "Failed"
    assert found["FailureReason"].startswith(r"ClientError: Failed to upload output to s3://data/o/\xff: ")
    assert found["FailureReason"].endswith("is not UTF-8.")


def test_an_output_with_a_line_feed_in_its_name_arrives(lab: Lab) -> None:
    outputs = {"Outputs": [target(f"s3://{BUCKET}/o")]}
    found = lab.process("lines", f"open('{OUT}/a' + chr(10) + 'b', 'w').close()", ProcessingOutputConfig=outputs)
    assert found["ProcessingJobStatus"] == "Completed"
    assert lab.keys() == ["o/a\nb"]


def test_an_output_whose_bucket_is_gone(lab: Lab) -> None:
    outputs = {"Outputs": [target("s3://gone/o")]}
    lab.s3.create_bucket(Bucket="gone")
    code = f"import boto3; boto3.client('s3').delete_bucket(Bucket='gone'); open('{OUT}/x', 'w').close()"
    found = lab.process("late", code, ProcessingOutputConfig=outputs)
    assert found["FailureReason"] == (
        "ClientError: Failed to upload output to s3://gone/o/x: The specified bucket does not exist"
    )


def test_logs_are_live_under_awss_names(lab: Lab) -> None:
    lab.sm.create_processing_job(**lab.processing("talks", "import time; print('begun'); time.sleep(600)"))
    lab.wait(lambda: lab.log(GROUP) == ["begun"])
    (stream,) = lab.client("logs").describe_log_streams(logGroupName=GROUP)["logStreams"]
    name, _, epoch = stream["logStreamName"].rpartition("-")
    assert name == "talks/algo-1"
    assert epoch.isdigit()


def test_what_the_application_manages_is_left_to_it(lab: Lab) -> None:
    inputs = [{**source("s3://no-such-bucket/in"), "AppManaged": True}]
    outputs = {"Outputs": [{**target("s3://no-such-bucket/out"), "AppManaged": True}]}
    found = lab.process("managed", "pass", ProcessingInputs=inputs, ProcessingOutputConfig=outputs)
    assert found["ProcessingJobStatus"] == "Completed"


def test_missing_data_fails_the_job(lab: Lab) -> None:
    found = lab.process("empty", "pass", ProcessingInputs=[source(f"s3://{BUCKET}/none")])
    assert found["ProcessingJobStatus"] == "Failed"
    assert found["FailureReason"].startswith("ClientError: Failed to download data.")
    assert f"s3://{BUCKET}/none" in found["FailureReason"]


def test_a_missing_bucket_for_outputs_fails_the_job(lab: Lab) -> None:
    outputs = {"Outputs": [target("s3://no-such-bucket/o")]}
    found = lab.process("nowhere", f"open('{OUT}/a', 'w').write('1')", ProcessingOutputConfig=outputs)
    assert found["FailureReason"].startswith("ClientError: Failed to upload output")


def test_nothing_of_a_job_stays_behind(lab: Lab) -> None:
    lab.process("clean", "open('/opt/ml/scratch', 'w').write('x')")
    lab.wait(lambda: not any((lab.world.folder / "jobs").iterdir()))


def test_lists_filter_sort_and_page(lab: Lab) -> None:
    for name, code in (("b-one", "pass"), ("a-two", "exit(1)"), ("b-three", "pass")):
        lab.process(name, code)

    def names(**given: Any) -> list[str]:
        found = lab.sm.list_processing_jobs(**given)["ProcessingJobSummaries"]
        return [one["ProcessingJobName"] for one in found]

    assert names() == ["b-three", "a-two", "b-one"]
    assert names(SortBy="Name", SortOrder="Ascending") == ["a-two", "b-one", "b-three"]
    assert names(StatusEquals="Failed") == ["a-two"]
    assert names(NameContains="b-") == ["b-three", "b-one"]
    assert names(SortBy="Status", SortOrder="Descending")[0] == "a-two"
    pages = lab.sm.get_paginator("list_processing_jobs").paginate(PaginationConfig={"PageSize": 2})
    assert [len(page["ProcessingJobSummaries"]) for page in pages] == [2, 1]
    (failed,) = lab.sm.list_processing_jobs(StatusEquals="Failed")["ProcessingJobSummaries"]
    assert failed["FailureReason"] == "AlgorithmError: , exit code: 1"


def test_the_waiter_of_boto3_sees_the_end(lab: Lab) -> None:
    lab.sm.create_processing_job(**lab.processing("waited", "pass"))
    waiter = lab.sm.get_waiter("processing_job_completed_or_stopped")
    waiter.wait(ProcessingJobName="waited", WaiterConfig={"Delay": 1, "MaxAttempts": 20})


def test_a_deleted_job_frees_its_name(lab: Lab) -> None:
    lab.process("again", "pass")
    lab.sm.delete_processing_job(ProcessingJobName="again")
    with pytest.raises(lab.sm.exceptions.ClientError, match="Could not find requested job with name: again"):
        lab.of("processing", "again")
    assert lab.process("again", "pass")["ProcessingJobStatus"] == "Completed"


def test_an_image_that_nothing_stands_for_fails_the_job_and_says_how_to_map_it(lab: Lab) -> None:
    lab.world.images = type(lab.world.images)(())
    found = lab.process("unmapped", "pass")
    assert found["ProcessingJobStatus"] == "Failed"
    assert IMAGE in found["FailureReason"]
    assert "--image" in found["FailureReason"]


def test_roles_are_checked_once_there_are_any(lab: Lab) -> None:
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    }
    lab.client("iam").create_role(RoleName="ml", AssumeRolePolicyDocument=json.dumps(trust))
    with pytest.raises(lab.sm.exceptions.ClientError, match=f"Could not assume role {ROLE}"):
        lab.sm.create_processing_job(**lab.processing("role", "pass"))
