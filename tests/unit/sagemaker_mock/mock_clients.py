"""Real boto3 clients of a mock, over HTTP, without checks and retries of their own: what it refuses shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
from botocore.config import Config

from cloudml.errors import MockError
from cloudml.mocks.store import Scope
from cloudml_sagemaker.mock.options import Options
from cloudml_sagemaker.mock.start import Mock, start

SCOPE = Scope("123456789012", "us-east-1")
ROLE = "arn:aws:iam::123456789012:role/ml"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/ml:1"


_CLIENTS: dict[str, Any] = {}


def client(url: str, service: str, region: str = SCOPE.region, **config: Any) -> Any:
    """A client of the mock at `url`; `config` goes into botocore's Config. It is made once: that takes 20 ms each."""
    key = repr((url, service, region, sorted(config.items())))
    if key not in _CLIENTS:
        settings: dict[str, Any] = {"parameter_validation": False, "retries": {"total_max_attempts": 1}, **config}
        _CLIENTS[key] = boto3.client(
            service,
            region_name=region,
            endpoint_url=url,
            aws_access_key_id="k",
            aws_secret_access_key="s",
            config=Config(**settings),
        )
    return _CLIENTS[key]


_PORT = [0]


def started(options: Options) -> Mock:
    """A mock; mocks that follow one another in this process have the same url, and so the same clients."""
    try:
        mock = start(replace(options, port=options.port or _PORT[0]))
    except MockError as error:
        if options.port or not _PORT[0] or "cannot be had" not in error.message:
            raise
        mock = start(options)
    _PORT[0] = int(mock.url.rpartition(":")[2])
    return mock


class MockLab:
    """What every laboratory has: the mock, its world, clients."""

    def __init__(self, mock: Mock) -> None:
        self.mock = mock
        self.world = mock.world

    def client(self, service: str) -> Any:
        """A client of the laboratory's mock."""
        return client(self.mock.url, service)
