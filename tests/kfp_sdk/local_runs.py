"""What kfp.local makes of the same documents: the local runner that comes with kfp, run over the data files.

    kfpenv/bin/python tests/kfp_sdk/local_runs.py [NAME ...]

Result: tests/data/kfp/local.json: by case and run, the lines that containers wrote down, how it ended, and what it
warned of. Its SubprocessRunner refuses containers (only Docker runs them); its two checks are taken out here, the
orchestrator that walks the pipeline is the same for both runners. /gcs is a folder, as it is no machine of Vertex's.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import logging
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from compile import DATA
from kfp import components, local
from kfp.local.subprocess_task_handler import SubprocessTaskHandler

BUCKET = "team-data"


def let_containers_run() -> None:
    """Take the two checks out."""
    for check in ("validate_not_container_component", "validate_not_containerized_python_component"):
        setattr(SubprocessTaskHandler, check, lambda _self, _command: None)


def play(case: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """One run: its end and what was said."""
    with tempfile.TemporaryDirectory() as folder:
        bucket = Path(folder, BUCKET)
        bucket.mkdir()
        text = json.dumps(case["spec"]).replace(f"/gcs/{BUCKET}", str(bucket))
        told: list[str] = []
        handler = logging.Handler(logging.WARNING)
        handler.emit = lambda record: told.append(record.getMessage().replace(folder, ""))  # type: ignore[method-assign]
        logging.getLogger().addHandler(handler)
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=f"{folder}/root", raise_on_error=True)
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                components.load_component_from_text(text)(**run.get("parameters", {}))
            end = "SUCCEEDED"
        except Exception as error:
            end = "FAILED"
            told.append(f"{type(error).__name__}: {error}".replace(folder, ""))
        finally:
            logging.getLogger().removeHandler(handler)
        said = bucket / "said"
        lines = said.read_text().splitlines() if said.exists() else []
    return {"state": end, "said": lines, "told": sorted({line.splitlines()[0][:200] for line in told if line})[:6]}


def main(names: list[str]) -> None:
    """Run the named cases, or all that need no Google service."""
    warnings.simplefilter("ignore")
    let_containers_run()
    path = DATA / "local.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() and names else {}
    kept["kfp"] = importlib.metadata.version("kfp")
    runs = kept.setdefault("runs", {})
    for file in sorted(DATA.glob("*.json")):
        case = json.loads(file.read_text())
        if (
            "spec" not in case
            or (names and file.stem not in names)
            or "google-cloud-pipeline" in json.dumps(case["spec"])
        ):
            continue
        if case["needs"] or case["files"]:
            continue
        runs[file.stem] = {run["name"]: play(case, run) for run in case["runs"]}
        differing = [
            run["name"]
            for run in case["runs"]
            if (runs[file.stem][run["name"]]["state"], sorted(runs[file.stem][run["name"]]["said"]))
            != (run["state"], sorted(run.get("said", [])))
        ]
        print(f"{file.stem}: {len(case['runs'])} runs; ends otherwise: {differing}")
    path.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
