"""QualityCheck steps: which baseline is held against what, and what is given on.

Developer guide, "pipelines-quality-clarify-baseline-lifecycle".
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from pipeline_lab import Lab, definition, function, get, output, processing, register

CHECK = """
import json, os, pathlib
out = pathlib.Path("/opt/ml/processing/output"); out.mkdir(parents=True, exist_ok=True)
(out / "constraints.json").write_text("{}")
(out / "statistics.json").write_text("{}")
given = os.environ.get("baseline_constraints")
if given:
    found = json.loads(pathlib.Path(given).read_text())["found"]
    rows = [{"feature_name": name} for name in found]
    (out / "constraint_violations.json").write_text(json.dumps({"violations": rows}))
"""


def check(lab: Lab, name: str = "Check", **beside: Any) -> dict[str, Any]:
    lab.s3.put_object(Bucket="data", Key="code/check.py", Body=CHECK.encode())
    code = {"S3Uri": "s3://data/code/check.py", "LocalPath": "/opt/ml/processing/code"}
    step = processing(
        name,
        "python3 /opt/ml/processing/code/check.py",
        ProcessingOutputConfig=output("output", f"s3://data/check/{name}"),
        ProcessingInputs=[{"InputName": "code", "S3Input": {**code, "S3DataType": "S3Prefix", "S3InputMode": "File"}}],
    )
    return {**step, "Type": "QualityCheck", "CheckType": "DATA_QUALITY", **beside}


def supplied(lab: Lab, found: list[str]) -> dict[str, str]:
    lab.s3.put_object(Bucket="data", Key="base/constraints.json", Body=json.dumps({"found": found}).encode())
    lab.s3.put_object(Bucket="data", Key="base/statistics.json", Body=b"{}")
    return {
        "SuppliedBaselineConstraints": "s3://data/base/constraints.json",
        "SuppliedBaselineStatistics": "s3://data/base/statistics.json",
    }


NEW = {"Constraints": "s3://data/check/Check/constraints.json", "Statistics": "s3://data/check/Check/statistics.json"}
OLD = {"Constraints": "s3://data/base/constraints.json", "Statistics": "s3://data/base/statistics.json"}


@pytest.mark.parametrize(
    ("skip", "register", "found", "fails", "status", "used"),
    [
        (False, False, [], True, "Succeeded", OLD),
        (False, True, [], True, "Succeeded", NEW),
        (True, False, ["x"], True, "Succeeded", OLD),
        (True, True, ["x"], True, "Succeeded", NEW),
        (False, False, ["x"], True, "Failed", OLD),
        (False, False, ["x"], False, "Succeeded", OLD),
    ],
)
def test_quality_checks(
    lab: Lab, skip: bool, register: bool, found: list[str], fails: bool, status: str, used: dict[str, str]
) -> None:
    flags: dict[str, Any] = {"SkipCheck": skip, "RegisterNewBaseline": register, "FailOnViolation": fails}
    lab.s3.delete_object(Bucket="data", Key="check/Check/constraint_violations.json")
    done = lab.run(definition(check(lab, **flags, **supplied(lab, found))))
    assert done.status == status, done.steps["Check"]
    told = done.steps["Check"]["Metadata"]["QualityCheck"]
    assert told["CalculatedBaselineConstraints"] == NEW["Constraints"]
    assert told["CalculatedBaselineStatistics"] == NEW["Statistics"]
    assert {part: told[f"BaselineUsedForDriftCheck{part}"] for part in used} == used
    assert (told["CheckType"], told["SkipCheck"], told["RegisterNewBaseline"]) == ("DATA_QUALITY", skip, register)
    report = "s3://data/check/Check/constraint_violations.json" if found and not skip else None
    assert told.get("ViolationReport") == report
    assert ":processing-job/" in told["CheckJobArn"]


def test_a_check_without_a_previous_baseline_fails(lab: Lab) -> None:
    done = lab.run(definition(check(lab, SkipCheck=False, RegisterNewBaseline=True, FailOnViolation=True)))
    assert done.status == "Failed"
    assert "no previous baseline" in done.steps["Check"]["FailureReason"]


def test_a_check_whose_output_is_not_in_s3_fails(lab: Lab) -> None:
    step = check(lab, **supplied(lab, []))
    store = {"FeatureGroupName": "group"}
    step["Arguments"]["ProcessingOutputConfig"] = {
        "Outputs": [{"OutputName": "output", "FeatureStoreOutput": store, "AppManaged": True}]
    }
    assert "no output in Amazon S3" in lab.run(definition(step)).steps["Check"]["FailureReason"]


def test_baselines_are_properties(lab: Lab) -> None:
    seen: dict[str, Any] = {}
    lab.lambdas["see"] = lambda event: seen.update(event) or {}
    see = function("See", "see", new=get("Steps.Check.CalculatedBaselineConstraints"),
                   used=get("Steps.Check.BaselineUsedForDriftCheckStatistics"))  # fmt: skip
    lab.run(definition(check(lab, SkipCheck=True, RegisterNewBaseline=True), see))
    assert seen == {"new": NEW["Constraints"], "used": NEW["Statistics"]}


def test_checks_use_the_latest_approved_package_of_a_group(lab: Lab) -> None:
    supplied(lab, ["age"])
    files = {part: {"S3Uri": uri, "ContentType": "application/json"} for part, uri in OLD.items()}
    baselines = {"ModelDataQuality": files}
    lab.s3.put_object(Bucket="data", Key="model/model.tar.gz", Body=b"")
    first = register("Register", "drift", ModelApprovalStatus="Approved", DriftCheckBaselines=baselines)
    assert lab.run(definition(first)).status == "Succeeded"
    done = lab.run(definition(check(lab, ModelPackageGroupName="drift", SkipCheck=False, FailOnViolation=True)))
    assert done.status == "Failed"
    assert "1 drift check violations" in done.steps["Check"]["FailureReason"]
    told = done.steps["Check"]["Metadata"]["QualityCheck"]
    assert told["BaselineUsedForDriftCheckConstraints"] == OLD["Constraints"]
