"""ClientToken of requests about model packages: the same request with the same token happens once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.errors import conflict
from cloudml_sagemaker.mock.core.operations import Call

TOKENS = "_ModelPackageToken"


def once(call: Call, action: Callable[[], Document]) -> Document:
    """Do it, unless the same request with the same token was done: then answer with the same ARN again.

    Raises ConflictException when the token was given with another request.
    """
    token = call.params.get("ClientToken")
    if not token:
        return action()
    text = json.dumps({name: value for name, value in call.params.items() if name != "ClientToken"}, sort_keys=True)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    key = f"{call.operation}/{token}"
    seen = call.table(TOKENS).get(key)
    if seen is None:
        answer = {"ModelPackageArn": action()["ModelPackageArn"]}
        call.table(TOKENS).put(key, {"digest": digest, "arn": answer["ModelPackageArn"]})
        return answer
    if seen["digest"] != digest:
        raise conflict("The ClientToken was already used for a request with other parameters.")
    return {"ModelPackageArn": seen["arn"]}
