"""Clients and short words for the tests of tracking."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from mock_clients import SCOPE, MockLab

from cloudml_sagemaker.mock.start import Mock


class Lab(MockLab):
    def __init__(self, mock: Mock) -> None:
        super().__init__(mock)
        self.sm = self.client("sagemaker")
        self.metrics = self.client("sagemaker-metrics")

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
