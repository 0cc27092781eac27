"""What a calculation's type is: as in Python, whole numbers stay whole but for `/`."""

from __future__ import annotations

import pytest

import cloudml as ml
from cloudml.errors import AuthoringError
from cloudml.validation import validate


@ml.processing
def count(n: int) -> int:
    return n


@ml.pipeline
def whole(n: ml.Param[int] = 3) -> None:
    count(n * 2 + 1)


@ml.pipeline
def fraction(n: ml.Param[int] = 3) -> None:
    count(n / 2)


def test_int_and_int_is_an_int() -> None:
    assert validate(whole.build()) == ()


def test_a_quotient_is_not_an_int() -> None:
    with pytest.raises(AuthoringError, match="takes int"):
        fraction.build()
