"""Clients and short words for the tests of tracking."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudml_sagemaker.mock.core.store import Scope
from cloudml_sagemaker.mock.start import Mock

SCOPE = Scope("123456789012", "us-east-1")


class Lab:
    def __init__(self, mock: Mock) -> None:
        self.mock = mock
        self.world = mock.world
        self.sm = self.client("sagemaker")
        self.metrics = self.client("sagemaker-metrics")

    def client(self, service: str) -> Any:
        config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
        return boto3.client(
            service,
            region_name=SCOPE.region,
            endpoint_url=self.mock.url,
            aws_access_key_id="k",
            aws_secret_access_key="s",
            config=config,
        )

    def keep(self, kind: str, name: str, **document: Any) -> None:
        """A document of another room, as that would keep it."""
        with self.world.lock:
            self.world.table(kind, SCOPE).put(name, document)

    def search(self, resource: str, *filters: tuple[str, ...], **more: Any) -> list[dict[str, Any]]:
        """The records that match all filters (name, operator, value)."""
        given = [dict(zip(("Name", "Operator", "Value"), one, strict=False)) for one in filters]
        expression = {"Filters": given} if given else {}
        answer = self.sm.search(Resource=resource, SearchExpression={**expression, **more.pop("also", {})}, **more)
        return [next(iter(row.values())) for row in answer["Results"]]


def refused(call: Any, **params: Any) -> str:
    """The code of the refusal."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    code: str = caught.value.response["Error"]["Code"]
    return code
