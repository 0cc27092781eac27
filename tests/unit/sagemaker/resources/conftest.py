from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudml.testing.mocks import MockInUse, running_sagemaker
from cloudml_sagemaker import library

sys.path.insert(0, str(Path(__file__).parent))

from resources_lab import Lab


@pytest.fixture(scope="package")
def account_server() -> Iterator[MockInUse]:
    with running_sagemaker(images=(f"*={sys.prefix}",)) as running:
        yield running


@pytest.fixture
def small_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """One file travels to the jobs, instead of a few hundred: no job runs here."""
    one = {"cloudml/__init__.py": library.files()["cloudml/__init__.py"]}
    digest = library.digest_of({name: path.read_bytes() for name, path in one.items()})
    monkeypatch.setattr(library, "files", lambda: one)
    monkeypatch.setattr(library, "digest", lambda: digest)


@pytest.fixture
def lab(account_server: MockInUse, small_library: None, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Project `samples`, target `test`, in an empty account with a bucket."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in account_server.environment.items():
        monkeypatch.setenv(name, value)
    made = Lab(account_server)
    made.fresh()
    return made


@pytest.fixture
def another(lab: Lab) -> Callable[..., Lab]:
    """Another project or target in the same account."""
    return lambda **settings: Lab(lab.mock, **settings)
