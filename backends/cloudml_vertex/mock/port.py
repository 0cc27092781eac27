"""The mock as `cloudml.mocks` knows it: light to import, everything else when it starts."""

from __future__ import annotations

from cloudml.errors import MockError
from cloudml.mocks.port import MockCloud, MockOptions, RunningMock


def _start(options: MockOptions) -> RunningMock:
    if options.functions:
        raise MockError(
            "nothing of Vertex AI calls functions", hint="leave --function away: it is of the mock SageMaker"
        )
    from cloudml_vertex.mock.start import start

    return start(options)


mock = MockCloud(
    name="vertex",
    description="A Vertex AI that executes, with Cloud Storage and the services around it",
    extra="mock-vertex",
    start=_start,
    modules=("google.cloud.aiplatform_v1", "grpc", "grpc_status", "trustme", "kfp.pipeline_spec", "cronsim", "optuna"),
)
