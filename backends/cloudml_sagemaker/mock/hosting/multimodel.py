"""Containers of many models (Mode MultiModel): models are loaded when they are first asked for.

The contract: developer guide, "Custom Containers Contract for Multi-Model Endpoints" (POST /models with model_name and
url, POST /models/NAME/invoke, DELETE /models/NAME, 507 when there is no memory for one more).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from cloudml.mocks.store import Document, Scope
from cloudml_sagemaker.mock.core.errors import AwsError
from cloudml_sagemaker.mock.core.world import World
from cloudml_sagemaker.mock.hosting import modeldata
from cloudml_sagemaker.mock.hosting.containers import InvocationFailed, ModelServer, Reply, definitions

_LOAD_SECONDS = 60.0
_NO_MEMORY = 507
_LOADED = 409


def is_multi(model: Document) -> bool:
    """Whether the model's (only) container is of that mode."""
    found = definitions(model)
    return len(found) == 1 and found[0][1].get("Mode") == "MultiModel"


def ask(
    world: World,
    scope: Scope,
    server: ModelServer,
    model: Document,
    wanted: str,
    body: bytes,
    headers: Mapping[str, str],
    seconds: float,
) -> Reply:
    """Invoke one model, loading it first when need be. Raises InvocationFailed, ValidationError."""
    name = hashlib.sha256(wanted.encode()).hexdigest()[:32]
    loaded = server.loaded
    with loaded.lock:
        if loaded.restarts != server.containers[0].restarts:
            loaded.names.clear()
            loaded.restarts = server.containers[0].restarts
        if name not in loaded.names:
            _load(world, scope, server, model, wanted, name)
        loaded.names.pop(name, None)
        loaded.names[name] = None
    return server.request("POST", f"/models/{name}/invoke", body, headers, seconds)


def _load(world: World, scope: Scope, server: ModelServer, model: Document, wanted: str, name: str) -> None:
    prefix = definitions(model)[0][1]["ModelDataUrl"]
    folder = server.containers[0].root / "models" / name / "model"
    try:
        modeldata.one(world, scope, prefix + wanted.lstrip("/"), folder)
    except modeldata.ModelDataFailed as error:
        raise AwsError("ValidationError", f"Failed to download model data ({wanted}): {error}") from None
    told = json.dumps({"model_name": name, "url": f"/opt/ml/models/{name}/model"}).encode()
    sent = {"Content-Type": "application/json"}
    while True:
        try:
            server.request("POST", "/models", told, sent, _LOAD_SECONDS)
        except InvocationFailed as error:
            if error.status == _LOADED:
                return
            if error.status != _NO_MEMORY or not server.loaded.names:
                raise
            oldest = next(iter(server.loaded.names))
            server.loaded.names.pop(oldest)
            server.request("DELETE", f"/models/{oldest}", b"", {}, _LOAD_SECONDS)
        else:
            return
