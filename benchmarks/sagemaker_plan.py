"""How soon a plan for SageMaker is there: nothing to change, against the mock; and offline. Whole processes.

    python benchmarks/sagemaker_plan.py [--rounds N] [--json]

The project is the churn template with one target more; it is applied to the mock once. The floor is a process that
imports boto3 and makes the clients that a plan asks: no program that asks AWS through boto3 answers sooner.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from measuring import CLOUDML, Claim, cost, cost_table, interleave, parser, tell, workplace
from mock_api import served

TEMPLATE = Path(__file__).parents[1] / "templates" / "cloudml_templates" / "churn"
BUCKET = "plan-benchmark"
TARGET = f"""
[targets.aws]
backend = "sagemaker"
region = "us-east-1"
role = "arn:aws:iam::123456789012:role/churn"
bucket = "{BUCKET}"
"""
FLOOR = "import boto3; [boto3.client(one) for one in ('s3', 'sagemaker', 'sqs', 'scheduler', 'cloudwatch')]"
PLAN = [*CLOUDML, "plan", "--target", "aws"]


def make(folder: Path, variables: Mapping[str, str]) -> Path:
    """The project, applied to the mock."""
    place = folder / "churn"
    shutil.copytree(TEMPLATE, place, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    with (place / "cloudml.toml").open("a") as file:
        file.write(TARGET)
    bucket = f"import boto3; boto3.client('s3').create_bucket(Bucket={BUCKET!r})"
    cost([sys.executable, "-c", bucket], place, variables)
    cost([*CLOUDML, "apply", "--target", "aws", "--yes"], place, variables)
    return place


def main() -> int:
    """Read the command line, measure, print."""
    given = parser(__doc__, rounds=9).parse_args()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    with workplace() as folder, served([*CLOUDML, "mock", "sagemaker", "--output", "json"]) as url:
        variables = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "mock",
            "AWS_SECRET_ACCESS_KEY": "mock",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        place = make(folder, variables)
        costs = interleave(
            {
                "python, boto3's clients": partial(cost, [sys.executable, "-c", FLOOR], place, variables),
                "plan, nothing to change": partial(cost, PLAN, place, variables),
                "plan --offline": partial(cost, [*PLAN, "--offline"], place),
            },
            given.rounds,
        )
    claims = [
        Claim("plan of an unchanged project against the mock, wall", costs["plan, nothing to change"].wall, 1.5, " s"),
        Claim("plan --offline from process start, wall", costs["plan --offline"].wall, 1, " s"),
    ]
    return tell(given.json, cost_table(costs, "python, boto3's clients"), claims, costs=costs)


if __name__ == "__main__":
    sys.exit(main())
