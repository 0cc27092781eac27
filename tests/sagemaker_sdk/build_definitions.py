"""Build pipelines with AWS's own `sagemaker` SDK 3.x and keep what it made as data, with the right end of each.

Needs an environment of its own (the SDK and moto; 1.1 GB):

    python3.11 -m venv sdkenv
    uv pip install --python sdkenv/bin/python 'sagemaker>=3,<4' 'moto[server,all]' 'boto3>=1.44'
    sdkenv/bin/python tests/sagemaker_sdk/build_definitions.py [NAME ...]

Everything runs under moto in this process. Result: tests/data/sagemaker_sdk/<name>.json, and shared.json with the
files that the SDK uploads for every training job (base64 by SHA-256). The members of a data file:

- sdk: versions; pipeline: the name; definition: as the SDK made it (time stamps in generated names are counters);
- files: what must lie in S3, by URI: {"base64"} or {"shared": SHA-256}; images: programs of images, by image URI;
  functions: Lambda handlers by ARN (file:function below programs/); queues, groups: to be created first;
- expect: executions in this order and their right end (harness.Run); refused: starts that are refused
  (harness.Refused); broken: damaged definitions as JSON Patches (harness.Broken).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from harness import document, offline

DATA = Path(__file__).parent.parent / "data" / "sagemaker_sdk"


def write(path: Path, body: dict[str, Any]) -> None:
    """JSON, readable in a diff."""
    path.write_text(json.dumps(body, indent=1) + "\n")


def main(names: list[str]) -> None:
    """Build the named cases, or all."""
    import pipelines_checks
    import pipelines_conditions
    import pipelines_flow
    import pipelines_jobs
    import pipelines_models

    DATA.mkdir(parents=True, exist_ok=True)
    kept = DATA / "shared.json"
    shared = json.loads(kept.read_text()) if kept.exists() and names else {}
    modules = (pipelines_jobs, pipelines_models, pipelines_conditions, pipelines_flow, pipelines_checks)
    for make in (case for module in modules for case in module.CASES):
        if names and make.__name__ not in names:
            continue
        with offline():
            body, blobs = document(make())
        shared |= blobs
        write(DATA / f"{make.__name__}.json", body)
        types = sorted({step["Type"] for step in body["definition"]["Steps"]})
        print(f"{make.__name__}: {len(json.dumps(body['definition']))} bytes, {', '.join(types)}")
    write(kept, dict(sorted(shared.items())))


if __name__ == "__main__":
    main(sys.argv[1:])
