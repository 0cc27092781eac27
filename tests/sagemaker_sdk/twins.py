"""Twins of pipelines that cloudml's compiler writes, built with AWS's own `sagemaker` SDK 3.x, kept as data.

Runs in the environment of build_definitions.py:

    sdkenv/bin/python tests/sagemaker_sdk/twins.py [NAME ...]

Each function of twins_jobs and twins_flow says with the SDK's classes what the function of the same name in
tests/unit/sagemaker/compile/twin_pipelines.py says in cloudml's words; test_against_sdk.py beside that compares what
comes of both. Result: tests/data/sagemaker_sdk/twins/<name>.json:

- sdk: versions; request: CreatePipeline as the SDK sends it, without the definition; definition: as the SDK made it.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from harness import offline, session
from twin_parts import Twin

FOLDER = Path(__file__).parent.parent / "data" / "sagemaker_sdk" / "twins"


def document(twin: Twin) -> dict[str, Any]:
    """The data file of a twin."""
    client = twin.pipeline.sagemaker_session.sagemaker_client
    with mock.patch.object(client, "create_pipeline") as create:
        twin.pipeline.create(
            role_arn=twin.role,
            description=twin.description,
            tags=[{"Key": key, "Value": value} for key, value in twin.tags.items()],
            parallelism_config={"MaxParallelExecutionSteps": twin.parallel} if twin.parallel else None,
        )
    request = dict(create.call_args.kwargs)
    definition = json.loads(request.pop("PipelineDefinition"))
    packages = ("sagemaker", "sagemaker-core", "sagemaker-mlops", "sagemaker-train", "botocore")
    return {
        "sdk": {name: importlib.metadata.version(name) for name in packages},
        "request": request,
        "definition": definition,
    }


def main(names: list[str]) -> None:
    """Build the named twins, or all."""
    import twins_flow
    import twins_jobs

    FOLDER.mkdir(parents=True, exist_ok=True)
    for make in (*twins_jobs.TWINS, *twins_flow.TWINS):
        if names and make.__name__ not in names:
            continue
        with offline():
            body = document(make(session()))
        (FOLDER / f"{make.__name__}.json").write_text(json.dumps(body, indent=1) + "\n")
        print(make.__name__, ", ".join(step["Type"] for step in body["definition"]["Steps"]))


if __name__ == "__main__":
    main(sys.argv[1:])
