"""Compile pipelines with Google's own kfp and google-cloud-pipeline-components, and keep what came out as data.

Needs an environment of its own (kfp's pins suit no library, and the components want google-cloud-aiplatform 1.x):

    python3.11 -m venv kfpenv
    kfpenv/bin/pip install 'kfp==2.17.0' 'google-cloud-pipeline-components==2.22.0'
    kfpenv/bin/python tests/kfp_sdk/compile.py [NAME ...]

Result: tests/data/kfp/<name>.json, each with these members:

- sdk: versions; about: one sentence; spec: the PipelineSpec as kfp's compiler wrote it, unchanged;
- caching: false when the runs are submitted with `enable_caching=False`;
- files: objects that must lie in Cloud Storage first, by URI; programs: images whose own entry point is run, by the
  program in programs/ that stands for them; needs: `kfp` when a container runs kfp's executor;
- runs: job by job, in this order, with their right end (harness.Run);
- refused: CreatePipelineJob requests that are answered with INVALID_ARGUMENT (harness.Refused).
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

import yaml
from harness import Case
from kfp import compiler

DATA = Path(__file__).parent.parent / "data" / "kfp"
PACKAGES = ("kfp", "kfp-pipeline-spec", "google-cloud-pipeline-components")


def compiled(pipeline: Any) -> dict[str, Any]:
    """The PipelineSpec of a pipeline. Raises ValueError for one that has a platform specification too."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        documents = list(yaml.safe_load_all(path.read_text()))
    if len(documents) != 1:
        raise ValueError("the pipeline has a platform specification: Vertex takes none")
    return dict(documents[0])


def plain(value: Any) -> dict[str, Any]:
    """The members that say something."""
    return {name: member for name, member in dataclasses.asdict(value).items() if member not in (None, {}, (), "")}


def document(case: Case) -> dict[str, Any]:
    """The data file of a case."""
    return {
        "sdk": {name: importlib.metadata.version(name) for name in PACKAGES},
        "about": " ".join((case.pipeline.description or "").split()),
        "needs": list(case.needs),
        "caching": case.caching,
        "files": case.files,
        "programs": case.programs,
        "runs": [plain(run) for run in case.runs],
        "refused": [plain(one) for one in case.refused],
        "spec": compiled(case.pipeline),
    }


def main(names: list[str]) -> None:
    """Compile the named cases, or all."""
    import pipelines_conditions
    import pipelines_containers
    import pipelines_failures
    import pipelines_google
    import pipelines_loops
    import pipelines_python

    modules = (
        pipelines_containers,
        pipelines_conditions,
        pipelines_loops,
        pipelines_failures,
        pipelines_python,
        pipelines_google,
    )
    for make in (case for module in modules for case in module.CASES):
        if names and make.__name__ not in names:
            continue
        text = json.dumps(document(make()), indent=1)
        (DATA / f"{make.__name__}.json").write_text(text + "\n")
        print(f"{make.__name__}: {len(text)} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
