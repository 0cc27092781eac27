"""Real boto3 clients of a mock, over HTTP, without checks and retries of their own: what it refuses shows."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

from cloudml_sagemaker.mock.core.store import Scope
from cloudml_sagemaker.mock.start import Mock

SCOPE = Scope("123456789012", "us-east-1")


def client(url: str, service: str, region: str = SCOPE.region, **config: Any) -> Any:
    """A client of the mock at `url`; `config` goes into botocore's Config."""
    settings: dict[str, Any] = {"parameter_validation": False, "retries": {"total_max_attempts": 1}, **config}
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id="k",
        aws_secret_access_key="s",
        config=Config(**settings),
    )


class MockLab:
    """What every laboratory has: the mock, its world, clients."""

    def __init__(self, mock: Mock) -> None:
        self.mock = mock
        self.world = mock.world

    def client(self, service: str) -> Any:
        """A client of the laboratory's mock."""
        return client(self.mock.url, service)
