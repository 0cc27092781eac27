"""The churn template on real data: only its extract step is changed, and where the data come from.

Who bought in the first twelve months of the CDNOW log: does the customer buy in the six months that follow? Set
CLOUDML_CDNOW to the file (purchases.txt.gz: customer, YYYYMMDD, number of CDs, dollars).
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cloudml_templates

VARIABLE = "CLOUDML_CDNOW"
HERE = Path(__file__).parent
ROOT = HERE.parents[2]

PARAMETERS = {
    "as_of": "2022-07-02",  # 26 weeks after the first twelve months end
    "history_weeks": "53",  # all of the first twelve months
    "active_weeks": "53",  # a customer is whoever bought in them
    "lead_weeks": "0",
    "horizon_weeks": "26",
}

# What the README says to do with data of one's own: without the step that invents customers, the file is a parameter.
EDITS = (
    ("from churn.crm import crm_database\n", ""),
    ("import cloudml as ml\n", "from pathlib import Path\n\nimport cloudml as ml\n"),
    ("    customers: ml.Param[int] = 10_000,\n", "    database: ml.Param[Path] = Path({file!r}),\n"),
    ("    database = crm_database(customers=customers, until=as_of)\n", ""),
)


@pytest.fixture(scope="module")
def purchases() -> Path:
    """The log, or a skip that says why."""
    given = os.environ.get(VARIABLE)
    if not given:
        pytest.skip(f"{VARIABLE} is not set: it names the CDNOW purchase log, purchases.txt.gz")
    path = Path(given)
    if not path.is_file():
        pytest.skip(f"{VARIABLE}={given}: there is no such file")
    return path.resolve()


@pytest.fixture(scope="module")
def project(purchases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with its extract step changed."""
    folder = tmp_path_factory.mktemp("cdnow") / "project"
    for path, content in cloudml_templates.files("churn").items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / "churn" / "extract.py").write_bytes((HERE / "extract.py").read_bytes())
    for name in ("crm.py", "invent.py"):
        (folder / "churn" / name).unlink()
    pipeline = (folder / "churn" / "pipeline.py").read_text(encoding="utf-8")
    for old, new in EDITS:
        assert pipeline.count(old) == 1, old
        pipeline = pipeline.replace(old, new.format(file=str(purchases)))
    (folder / "churn" / "pipeline.py").write_text(pipeline, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def plain(project: Path, purchases: Path) -> dict[str, Any]:
    """What the same functions reach in plain Python, in one process."""
    command = [sys.executable, str(ROOT / "benchmarks" / "churn_plain.py"), "--project", str(project)]
    given = [word for name, value in PARAMETERS.items() for word in ("--set", f"{name}={value}")]
    answer = subprocess.run(
        [*command, "--database", str(purchases), *given], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    result: dict[str, Any] = json.loads(answer.stdout)
    return result


def cloudml(project: Path, *words: str) -> dict[str, Any]:
    """A command of the command line, as it answers with `--output json`."""
    command = [sys.executable, "-m", "cloudml", *words, "--project", str(project), "--output", "json"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    document: dict[str, Any] = json.loads(answer.stdout)
    return document


def in_project(project: Path, code: str) -> str:
    """What a piece of Python prints that imports the project's own `churn`."""
    answer = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_the_target_is_that_of_the_raw_log(project: Path, purchases: Path) -> None:
    """Counted here from the log's lines alone: who bought in 2021, who of them did not in 2022."""
    with gzip.open(purchases, "rt", encoding="ascii") as lines:
        bought = [(int(fields[0]), fields[1]) for fields in (line.split() for line in lines)]
    first_year = {customer for customer, day in bought if day < "20220101"}
    came_back = {customer for customer, day in bought if day >= "20220101"}
    code = f"""
import json
from pathlib import Path
from churn.extract import extract
from churn.features import features
table = features(*extract(Path({str(purchases)!r}), "2022-07-02"), 53, 53, 0, 26)
print(json.dumps(dict(zip(table["customer_id"].to_list(), table["churned"].to_list()))))
"""
    churned = {int(customer): value for customer, value in json.loads(in_project(project, code)).items()}
    assert churned == {customer: int(customer not in came_back) for customer in first_year}
    assert len(churned) > 23_000


def test_features_come_from_the_first_twelve_months_only(project: Path, purchases: Path, tmp_path: Path) -> None:
    """The log with every later purchase rewritten gives the same features to the bit."""
    rewritten = tmp_path / "rewritten.txt.gz"
    with gzip.open(purchases, "rt") as old, gzip.open(rewritten, "wt") as new:
        for line in old:
            customer, day, _, _ = line.split()
            new.write(line if day < "20220101" else f"{customer} {day} 77 999.99\n")
    code = f"""
from pathlib import Path
from churn.extract import extract
from churn.features import features
one, two = (
    features(*extract(Path(file), "2022-07-02"), 53, 53, 0, 26) for file in ({str(purchases)!r}, {str(rewritten)!r})
)
print(one.equals(two), one.height)
"""
    same, height = in_project(project, code).split()
    assert same == "True"
    assert int(height) > 23_000


def test_plain_python_finds_who_comes_back(plain: dict[str, Any]) -> None:
    """A first look with plain gradient boosting gave an AUC of 0.79 on a random quarter."""
    assert 0.77 < plain["metrics"]["auc"] < 0.85
    assert plain["metrics"]["worst_group_gap"] < 0.1
    assert sum(plain["rows"].values()) > 23_000


def test_the_pipeline_reaches_the_same_to_the_bit(project: Path, plain: dict[str, Any]) -> None:
    given = [word for name, value in PARAMETERS.items() for word in ("--param", f"{name}={value}")]
    try:
        run = cloudml(project, "run", "--backend", "local", *given)["run"]
        tasks = {task["id"]: task for task in run["tasks"]}
        assert run["status"] == "succeeded"
        assert tasks["evaluate"]["values"]["scores"] == plain["metrics"]
        assert tasks["fit"]["values"]["best_value"] == plain["best"]["valid_auc"]
        assert tasks["fit"]["values"]["best_parameters"] == plain["best"]["parameters"]
        again = cloudml(project, "run", "--backend", "local", *given)["run"]
        assert {task["status"] for task in again["tasks"] if task["kind"] in ("processing", "training", "tuning")} == {
            "cached"
        }
    finally:
        for endpoint in ("churn", "churn-staging"):
            cloudml(project, "stop", endpoint)
