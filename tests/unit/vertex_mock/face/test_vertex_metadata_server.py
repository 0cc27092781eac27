"""The metadata server, asked by Google's own authentication library and as its documentation says."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
from google.auth import compute_engine
from google.auth.compute_engine import _metadata
from google.auth.transport.requests import Request

from cloudml_vertex.mock.start import Mock


def test_googles_library_gets_a_token(running: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    host = running.environment["GCE_METADATA_HOST"]
    monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", host)
    monkeypatch.setattr(_metadata, "_GCE_DEFAULT_HOST", host, raising=False)
    credentials = compute_engine.Credentials(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    credentials.refresh(Request())
    assert credentials.token
    assert not credentials.expired
    assert _metadata.get_project_id(Request()) == "mock-project"


def ask(running: Mock, path: str, flavor: str = "Google") -> tuple[int, str, bytes]:
    request = urllib.request.Request(f"{running.url}/computeMetadata/v1{path}", headers={"Metadata-Flavor": flavor})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers["Metadata-Flavor"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Metadata-Flavor"], error.read()


def test_numbers_and_names_are_texts(running: Mock) -> None:
    status, flavor, number = ask(running, "/project/numeric-project-id")
    assert (status, flavor) == (200, "Google")
    assert number.isdigit()
    assert ask(running, "/instance/service-accounts/default/email")[2].startswith(number)


@pytest.mark.parametrize(
    ("path", "flavor", "status"), [("/project/project-id", "Other", 403), ("/nothing", "Google", 404)]
)
def test_what_is_refused(running: Mock, path: str, flavor: str, status: int) -> None:
    assert ask(running, path, flavor)[0] == status
