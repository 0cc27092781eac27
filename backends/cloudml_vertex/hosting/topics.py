"""Topics of Pub/Sub: where alerts are sent, for whoever subscribes there.

The document: `name` (the topic's id), `labels`, `kms` where there is a key, and perhaps a `note` for a person.
"""

from __future__ import annotations

from collections.abc import Iterator

from cloudml_vertex.hosting.port import Document, Google


def full(project: str, name: str) -> str:
    """The topic's resource name; `project`: the project's id."""
    return f"projects/{project}/topics/{name}"


def read(google: Google, project: str, name: str) -> Document | None:
    """What there is, as the document has it."""
    found = google.find("Publisher.GetTopic", topic=full(project, name))
    if found is None:
        return None
    key = found.get("kms_key_name")
    return {"name": name, "labels": found.get("labels", {}), **({"kms": key} if key else {})}


def create(google: Google, project: str, document: Document) -> None:
    """Make the topic; one that is there gets the labels."""
    name = full(project, document["name"])
    if google.find("Publisher.GetTopic", topic=name) is not None:
        update(google, project, document)
        return
    key = {"kms_key_name": document["kms"]} if document.get("kms") else {}
    google.call("Publisher.CreateTopic", name=name, labels=document["labels"], **key)


def update(google: Google, project: str, document: Document) -> None:
    """Labels are all that can be changed."""
    topic = {"name": full(project, document["name"]), "labels": document["labels"]}
    google.call("Publisher.UpdateTopic", topic=topic, update_mask="labels")


def delete(google: Google, project: str, name: str) -> None:
    """What is gone already is no error; subscriptions stay, without a topic."""
    if google.find("Publisher.GetTopic", topic=full(project, name)) is not None:
        google.call("Publisher.DeleteTopic", topic=full(project, name))


def every(google: Google, project: str) -> Iterator[tuple[str, dict[str, str]]]:
    """All topics of the project: id and labels."""
    for one in google.pages("Publisher.ListTopics", "topics", project=f"projects/{project}"):
        yield str(one["name"]).rpartition("/")[2], one.get("labels", {})


def subscriptions(google: Google, project: str, name: str) -> int:
    """How many listen."""
    rpc = "Publisher.ListTopicSubscriptions"
    return sum(1 for _ in google.pages(rpc, "subscriptions", topic=full(project, name)))
