"""The churn template on real data, the CDNOW purchase log: SageMaker finds what the local backend finds.

What is changed in the template is what `tests/e2e/cdnow` changes. Set CLOUDML_CDNOW to the file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from sagemaker_project import AWS, LOCAL, Project, left, make_account, outcome

from cloudml.testing.mocks import MockInUse

sys.path.insert(0, str(Path(__file__).parents[1] / "cdnow"))

from test_cdnow import EDITS, HERE, PARAMETERS, VARIABLE

ASKED = (
    ("    as_of: ml.Param[str]", "    database: ml.Param[Path],\n    as_of: ml.Param[str]"),
    ('schedule=ml.cron("0 2 * * MON", tz="Europe/Prague")', ""),
)
"""The file is given with each run, so that it is brought to where the run is; no schedule could do that."""


@pytest.fixture
def project(empty_account: MockInUse, tmp_path: Path) -> Project:
    """The template with its extract step changed, or a skip that says why."""
    log = Path(os.environ.get(VARIABLE, ""))
    if not log.is_file():
        pytest.skip(f"{VARIABLE} names no file: it is that of the CDNOW purchase log, purchases.txt.gz")
    Project(tmp_path).cloudml("init", "churn", "demo")
    made = Project(tmp_path / "demo")
    made.add_target()
    (made.root / "churn" / "extract.py").write_bytes((HERE / "extract.py").read_bytes())
    for name in ("crm.py", "invent.py"):
        (made.root / "churn" / name).unlink()
    first, path, parameter, step = EDITS
    made.edit("churn/pipeline.py", first, path, (parameter[0], ""), step, *ASKED)
    return made


@pytest.mark.slow
def test_the_purchase_log_gives_the_same_model(project: Project) -> None:
    """The file goes to S3 by itself."""
    make_account()
    parameters = {**PARAMETERS, "database": str(Path(os.environ[VARIABLE]).resolve())}
    given = [word for name, value in parameters.items() for word in ("--param", f"{name}={value}")]
    there = project.json("deploy", *AWS, *given)["run"]
    here = project.json("deploy", *LOCAL, *given)["run"]
    try:
        assert outcome(there) == outcome(here)
        assert there["status"] == "succeeded"
        scores = {task["id"]: task for task in there["tasks"]}["evaluate"]["values"]["scores"]
        assert 0.77 < scores["auc"] < 0.85, "what test_cdnow says of this log"
    finally:
        project.cloudml("destroy", *LOCAL, "--yes")
    project.cloudml("destroy", *AWS, "--yes")
    assert left() == {}
