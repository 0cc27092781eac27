"""The mock as `cloudml.mocks` knows it: light to import, everything else when it starts."""

from __future__ import annotations

from cloudml.mocks.port import MockCloud, MockOptions, RunningMock


def _start(options: MockOptions) -> RunningMock:
    from cloudml_sagemaker.mock.start import start

    return start(options)


mock = MockCloud(
    name="sagemaker",
    description="A SageMaker that executes, with moto's services around it",
    extra="mock",
    start=_start,
    modules=("boto3", "moto", "flask", "flask_cors", "werkzeug", "regex"),
)
