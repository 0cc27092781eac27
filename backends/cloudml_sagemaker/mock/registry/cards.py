"""Model cards: a JSON document per model, with versions and a review status."""

from __future__ import annotations

import json

from cloudml.mocks.bus import Change
from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import tags
from cloudml_sagemaker.mock.core.arns import name_of
from cloudml_sagemaker.mock.core.errors import conflict, not_found, validation
from cloudml_sagemaker.mock.core.listing import listed
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.registry.names import creator


def _latest(call: Call) -> Document:
    name = name_of(call, call.params["ModelCardName"], "model-card")
    found = call.table("ModelCard").get(name)
    if found is None:
        raise not_found(f"Model card {name} does not exist.")
    return found


def _content(text: str) -> str:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise validation("Content of a model card must be a JSON object.")
    return text


@operation("CreateModelCard")
def create_model_card(call: Call) -> Parameters:
    """Version 1 of a card."""
    name = call.params["ModelCardName"]
    table, arn = call.table("ModelCard"), call.arn(f"model-card/{name}")
    if name in table:
        raise conflict(f"Model card {name} already exists.")
    _content(call.params["Content"])
    tags.attach(call, arn)
    table.put(
        name,
        {
            **{member: value for member, value in call.params.items() if member != "Tags"},
            "ModelCardArn": arn,
            "ModelCardVersion": 1,
            "CreationTime": call.now,
            "CreatedBy": creator(call),
            "_earlier": [],
        },
    )
    _tell(call, name, "")
    return {"ModelCardArn": arn}


@operation("UpdateModelCard")
def update_model_card(call: Call) -> Parameters:
    """New content makes a new version; a new status changes the latest (API reference: never both in one call)."""
    found, params = _latest(call), call.params
    if ("Content" in params) == ("ModelCardStatus" in params):
        raise validation("Give either Content or ModelCardStatus, not both in a single call.")
    if found["ModelCardStatus"] == "Archived" and "Content" in params:
        raise conflict(f"Model card {found['ModelCardName']} is archived: it takes no more updates.")
    changed = {**found, "LastModifiedTime": call.now, "LastModifiedBy": creator(call)}
    if "Content" in params:
        changed["Content"] = _content(params["Content"])
        changed["ModelCardVersion"] = found["ModelCardVersion"] + 1
        changed["_earlier"] = [*found["_earlier"], _version(found)]
    else:
        changed["ModelCardStatus"] = params["ModelCardStatus"]
    call.table("ModelCard").put(found["ModelCardName"], changed)
    _tell(call, found["ModelCardName"], found["ModelCardStatus"])
    return changed


def _tell(call: Call, name: str, before: str) -> None:
    card = call.table("ModelCard")[name]
    call.world.bus.publish(Change("ModelCard", call.scope, name, before, card["ModelCardStatus"], card))


def _version(card: Document) -> Document:
    return {name: value for name, value in card.items() if not name.startswith("_")}


def _versions(card: Document) -> list[Document]:
    return [*card["_earlier"], _version(card)]


@operation("DescribeModelCard")
def describe_model_card(call: Call) -> Parameters:
    """The latest version or the one that is asked for; MetadataOnly leaves the content empty."""
    found = _latest(call)
    number = call.params.get("ModelCardVersion", found["ModelCardVersion"])
    chosen = next((each for each in _versions(found) if each["ModelCardVersion"] == number), None)
    if chosen is None:
        raise not_found(f"Model card {found['ModelCardName']} has no version {number}.")
    return {**chosen, "Content": ""} if call.params.get("IncludedData") == "MetadataOnly" else chosen


@operation("DeleteModelCard")
def delete_model_card(call: Call) -> Parameters:
    """With all its versions."""
    found = _latest(call)
    call.table("ModelCard").delete(found["ModelCardName"])
    tags.detach(call, found["ModelCardArn"])
    return {}


@operation("ListModelCards")
def list_model_cards(call: Call) -> Parameters:
    """The latest version of each card."""
    return _listed(call, list(call.table("ModelCard")), "ModelCardSummaries")


@operation("ListModelCardVersions")
def list_model_card_versions(call: Call) -> Parameters:
    """Every version of one card."""
    return _listed(call, _versions(_latest(call)), "ModelCardVersionSummaryList")


def _listed(call: Call, rows: list[Document], key: str) -> Document:
    wanted = call.params.get("ModelCardStatus")
    found = [row for row in rows if wanted is None or row["ModelCardStatus"] == wanted]
    return listed(call, found, key, name="ModelCardName", sorts={"Version": "ModelCardVersion"}, descending=False)
