"""The metadata server that programs on Google's machines ask for their project and their token.

"About VM metadata" and "Authenticate workloads using service accounts": a request without `Metadata-Flavor: Google` is
refused, and every answer carries the header, by which clients know the server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from cloudml_vertex.mock.core.world import World

PREFIX = "/computeMetadata/v1"
FLAVOR = {"Metadata-Flavor": "Google"}
_ACCOUNTS = "/instance/service-accounts"
_SCOPES = "https://www.googleapis.com/auth/cloud-platform"
Answer = tuple[int, str, bytes, dict[str, str]]


def answer(world: World, project: str, path: str, headers: Mapping[str, str]) -> Answer:
    """Answer one request: `path` is the whole one, `headers` by their names in lower case."""
    if headers.get("metadata-flavor") != "Google":
        return 403, "text/html; charset=UTF-8", b"Missing required header: Metadata-Flavor", FLAVOR
    number = world.project_number(project)
    email = f"{number}-compute@developer.gserviceaccount.com"
    account = {"aliases": ["default"], "email": email, "scopes": [_SCOPES]}
    token = {"access_token": "mock", "expires_in": 3599, "token_type": "Bearer"}
    texts: dict[str, Callable[[], str]] = {
        "/project/project-id": lambda: project,
        "/project/numeric-project-id": lambda: number,
        _ACCOUNTS: lambda: f"default/\n{email}/\n",
    }
    documents: dict[str, Callable[[], object]] = {}
    for name in ("default", email):
        own = f"{_ACCOUNTS}/{name}"
        texts |= {f"{own}/email": lambda: email, f"{own}/scopes": lambda: f"{_SCOPES}\n"}
        documents |= {own: lambda: account, f"{own}/token": lambda: token}
    asked = path.removeprefix(PREFIX).rstrip("/")
    if asked in documents:
        return 200, "application/json", json.dumps(documents[asked]()).encode(), FLAVOR
    if asked in texts:
        return 200, "application/text", texts[asked]().encode(), FLAVOR
    return 404, "text/html; charset=UTF-8", b"Not Found", FLAVOR
