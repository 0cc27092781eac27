"""Finding runs: only those of pipelines with this project's and target's tags, whatever others are called."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fake_aws import FakeClient, missing

from cloudml.errors import NotFound
from cloudml_sagemaker import names
from cloudml_sagemaker.executions import Executions
from cloudml_sagemaker.target import Place

PLACE = Place("shop", "prod", Path(), "us-east-1", "arn:aws:iam::123456789012:role/ml", "b", "p")
BASE = "arn:aws:sagemaker:us-east-1:123456789012:pipeline"


def tags(project: str, target: str, pipeline: str, **more: str) -> dict[str, str]:
    return {"cloudml:project": project, "cloudml:target": target, "cloudml:pipeline": pipeline, **more}


PIPELINES = {
    "shop-prod-churn": (tags("shop", "prod", "churn"), ["aaaaaaaaaaa1", "aaaaaaaaaaa3"]),
    "shop-prod-spend": (tags("shop", "prod", "spend"), ["bbbbbbbbbbb2"]),
    "shop-prod-churn-watch": (tags("shop", "prod", "churn", **{"cloudml:monitor": "drift"}), ["wwwwwwwwwww9"]),
    "shop-production-churn": (tags("shop", "production", "churn"), ["ccccccccccc8"]),
    "shop-prod-untagged": ({}, ["ddddddddddd7"]),
}


def moment(execution: str) -> datetime:
    """The last character is the day."""
    return datetime(2026, 1, int(execution[-1]), tzinfo=UTC)


def client() -> FakeClient:
    def executions(PipelineName: str, **_: Any) -> Any:
        rows = [
            {"PipelineExecutionArn": f"{BASE}/{PipelineName}/execution/{one}", "StartTime": moment(one),
             "PipelineExecutionStatus": "Succeeded"}
            for one in sorted(PIPELINES[PipelineName][1], key=moment, reverse=True)
        ]  # fmt: skip
        return {"PipelineExecutionSummaries": rows}

    def describe(PipelineExecutionArn: str) -> Any:
        name, _, execution = PipelineExecutionArn.removeprefix(f"{BASE}/").partition("/execution/")
        if execution not in PIPELINES[name][1]:
            raise missing("sagemaker", "DescribePipelineExecution")
        return {}

    def pipeline(PipelineName: str) -> Any:
        if PipelineName not in PIPELINES:
            raise missing("sagemaker", "DescribePipeline")
        return {}

    return FakeClient(
        ListPipelines=lambda PipelineNamePrefix: {
            "PipelineSummaries": [{"PipelineName": n} for n in PIPELINES if n.startswith(PipelineNamePrefix)]
        },
        ListTags=lambda ResourceArn: {
            "Tags": [{"Key": k, "Value": v} for k, v in PIPELINES[ResourceArn.rpartition("/")[2]][0].items()]
        },
        ListPipelineExecutions=executions,
        DescribePipelineExecution=describe,
        DescribePipeline=pipeline,
    )


def ids(pipeline: str | None = None, limit: int = 50) -> list[str]:
    found = Executions(client(), PLACE).arns(pipeline, limit)
    return [one["PipelineExecutionArn"].rpartition("/")[2] for one in found]


def test_the_newest_come_first_over_all_pipelines_of_the_target() -> None:
    assert ids() == ["aaaaaaaaaaa3", "bbbbbbbbbbb2", "aaaaaaaaaaa1"]
    assert ids(limit=2) == ["aaaaaaaaaaa3", "bbbbbbbbbbb2"]
    assert ids("churn") == ["aaaaaaaaaaa3", "aaaaaaaaaaa1"]
    assert ids("nothing") == []


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("last", "shop-prod-churn/execution/aaaaaaaaaaa3"),
        ("bbbbbbbbbbb2", "shop-prod-spend/execution/bbbbbbbbbbb2"),
        ("wwwwwwwwwww9", "shop-prod-churn-watch/execution/wwwwwwwwwww9"),
        (f"{BASE}/shop-prod-spend/execution/bbbbbbbbbbb2", "shop-prod-spend/execution/bbbbbbbbbbb2"),
    ],
)
def test_a_run_by_last_by_id_by_arn(given: str, found: str) -> None:
    assert Executions(client(), PLACE).find(given) == f"{BASE}/{found}"


@pytest.mark.parametrize(
    "given",
    ["ccccccccccc8", "ddddddddddd7", "nobody-1", "../../x", f"{BASE}/shop-production-churn/execution/ccccccccccc8"],
)
def test_what_belongs_to_others_is_not_found(given: str) -> None:
    with pytest.raises(NotFound, match="no run"):
        Executions(client(), PLACE).find(given)


def test_a_misspelt_run_is_told_with_the_close_one() -> None:
    with pytest.raises(NotFound) as caught:
        Executions(client(), PLACE).find("aaaaaaaaaaa4")
    assert "aaaaaaaaaaa3" in caught.value.hint


@pytest.mark.parametrize(("project", "target"), [("shop", "prod"), ("Shop_A", "prod-eu"), ("x" * 60, "y" * 60)])
@pytest.mark.parametrize("pipeline", ["churn", "a" * 70, "What's this?"])
def test_the_stem_begins_every_name_there_can_be(project: str, target: str, pipeline: str) -> None:
    place = Place(project, target, Path(), "us-east-1", PLACE.role, "b", "p")
    stem = Executions(client(), place)._stem()
    assert names.pipeline(project, target, pipeline).startswith(stem)
    assert len(stem) >= min(len(f"{project}-{target}"), names.LONGEST_PIPELINE - 10)
