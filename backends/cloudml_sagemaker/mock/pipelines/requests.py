"""What the operations of this room have in common: look-ups, idempotency tokens, who did it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core.arns import name_of
from cloudml_sagemaker.mock.core.errors import conflict, limit_exceeded, not_found, validation
from cloudml_sagemaker.mock.core.operations import Call
from cloudml_sagemaker.mock.pipelines import records
from cloudml_sagemaker.mock.pipelines.room import Run, room_of

REQUESTS = "_PipelineRequest"


def pipeline(call: Call, value: str) -> Document:
    """The pipeline of that name or ARN. Raises ResourceNotFound."""
    name = name_of(call, value, "pipeline")
    found = call.table(records.PIPELINES).get(name)
    if found is None:
        raise not_found(f"Pipeline '{call.arn(f'pipeline/{name}')}' does not exist.")
    return found


def version(call: Call, found: Document, number: int | None = None, alias: str | None = None) -> Document:
    """A version of a pipeline: by number or alias, else the newest. Raises ValidationException, ResourceNotFound."""
    if number is not None and alias is not None:
        raise validation("PipelineVersionId and PipelineVersionAlias cannot be specified together.")
    if alias is not None:
        match = [row for row in versions(call, found["PipelineName"]) if alias in row["PipelineVersionAliases"]]
        if not match:
            raise not_found(f"No version of pipeline '{found['PipelineArn']}' has the alias '{alias}'.")
        return match[0]
    number = number if number is not None else found["_version"]
    row = call.table(records.VERSIONS).get(records.version_key(found["PipelineName"], number))
    if row is None:
        raise not_found(f"Version {number} of pipeline '{found['PipelineArn']}' does not exist.")
    return row


def versions(call: Call, name: str) -> list[Document]:
    """Every version of a pipeline, the oldest first."""
    last = call.table(records.PIPELINES)[name]["_version"]
    return [call.table(records.VERSIONS)[records.version_key(name, number)] for number in range(1, last + 1)]


def execution(call: Call, arn: str | None = None) -> Run:
    """The execution that the request names. Raises ResourceNotFound."""
    arn = arn or str(call.params.get("PipelineExecutionArn", ""))
    found = room_of(call.world).run(call.scope, arn)
    if found is None:
        raise not_found(f"Pipeline execution '{arn}' does not exist.")
    return found


def once(call: Call, subject: str, action: Callable[[], Document]) -> Document:
    """Do it, unless the same request with the same ClientRequestToken was done: then give its answer again.

    Raises ConflictException when the token was given with another request (API reference, ConflictException).
    """
    token = call.params.get("ClientRequestToken")
    if not token:
        return action()
    text = json.dumps({key: value for key, value in call.params.items() if key != "ClientRequestToken"}, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    row = f"{call.operation}/{subject}/{token}"
    seen = call.table(REQUESTS).get(row)
    if seen is not None:
        if seen["request"] != digest:
            raise conflict("The ClientRequestToken was already used with another request.")
        return dict(seen["answer"])
    answer = action()
    call.table(REQUESTS).put(row, {"request": digest, "answer": answer})
    return answer


def forget(call: Call, name: str) -> None:
    """Forget the tokens of requests about a pipeline that is deleted."""
    for row in dict(call.table(REQUESTS).items()):
        subject = row.split("/", 1)[1]
        if subject.startswith((f"{name}/", f"{call.arn(f'pipeline/{name}')}/")):
            call.table(REQUESTS).delete(row)


def by(call: Call, *members: str) -> Document:
    """CreatedBy and LastModifiedBy, as far as the caller is known."""
    return {member: {"IamIdentity": {"Arn": call.principal}} for member in members} if call.principal else {}


def within_quota(call: Call, count: Callable[[], int], quota: int, what: str) -> None:
    """Raises ResourceLimitExceeded when the account has `quota` of something already and its quotas are held."""
    if call.world.switches["pipeline-quotas"] == "default" and (used := count()) >= quota:
        raise limit_exceeded(
            f"The account-level service limit '{what}' is {quota}, with current utilization of {used}."
        )


def given(params: Document, *members: str) -> dict[str, Any]:
    """The members of a request that are there."""
    return {member: params[member] for member in members if params.get(member) is not None}
