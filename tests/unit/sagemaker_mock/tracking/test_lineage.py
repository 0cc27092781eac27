"""Artifacts, contexts, actions, associations, and walks over them."""

from __future__ import annotations

from tracking_lab import Lab, refused


def graph(lab: Lab) -> dict[str, str]:
    """data -> action -> model -> context, and data -> other."""
    sm = lab.sm
    arns = {
        "data": sm.create_artifact(Source={"SourceUri": "s3://b/data"}, ArtifactType="DataSet")["ArtifactArn"],
        "model": sm.create_artifact(
            Source={"SourceUri": "s3://b/model"}, ArtifactType="Model", ArtifactName="m", Properties={"a": "1"}
        )["ArtifactArn"],
        "other": sm.create_artifact(Source={"SourceUri": "s3://b/other"}, ArtifactType="DataSet")["ArtifactArn"],
        "action": sm.create_action(ActionName="fit", Source={"SourceUri": "x"}, ActionType="Fit")["ActionArn"],
        "context": sm.create_context(ContextName="live", Source={"SourceUri": "y"}, ContextType="Endpoint")[
            "ContextArn"
        ],
    }
    for source, destination in (("data", "action"), ("action", "model"), ("model", "context"), ("data", "other")):
        sm.add_association(SourceArn=arns[source], DestinationArn=arns[destination], AssociationType="ContributedTo")
    return arns


def walked(lab: Lab, **query: object) -> list[str]:
    return [vertex["Arn"] for vertex in lab.sm.query_lineage(**query)["Vertices"]]


def test_walks(lab: Lab) -> None:
    arns = graph(lab)
    start = {"StartArns": [arns["model"]]}
    assert walked(lab, **start, Direction="Ascendants") == [arns["action"], arns["data"]]
    assert walked(lab, **start, Direction="Descendants") == [arns["context"]]
    assert set(walked(lab, **start)) == {arns[name] for name in ("action", "data", "context", "other")}
    assert walked(lab, **start, Direction="Ascendants", MaxDepth=1) == [arns["action"]]
    filters = {"LineageTypes": ["Artifact"]}
    assert walked(lab, **start, Direction="Ascendants", Filters=filters) == [arns["data"]]
    assert walked(lab, StartArns=[arns["data"]], Filters={"Properties": {"a": "1"}}) == [arns["model"]]
    answer = lab.sm.query_lineage(**start, Direction="Descendants", IncludeEdges=True)
    assert [(edge["SourceArn"], edge["DestinationArn"]) for edge in answer["Edges"]] == [
        (arns["model"], arns["context"])
    ]
    assert answer["Vertices"][0] == {"Arn": arns["context"], "Type": "Endpoint", "LineageType": "Context"}


def test_associations(lab: Lab) -> None:
    arns = graph(lab)
    pair = {"SourceArn": arns["data"], "DestinationArn": arns["action"]}
    assert refused(lab.sm.add_association, **pair) == "ValidationException"
    none = "arn:aws:sagemaker:us-east-1:123456789012:artifact/none"
    assert refused(lab.sm.add_association, SourceArn=none, DestinationArn=arns["data"]) == "ResourceNotFound"
    (row,) = lab.sm.list_associations(SourceArn=arns["model"])["AssociationSummaries"]
    assert (row["SourceType"], row["DestinationType"], row["SourceName"]) == ("Model", "Endpoint", "m")
    assert len(lab.sm.list_associations(SourceType="DataSet")["AssociationSummaries"]) == 2
    lab.sm.delete_association(**pair)
    assert refused(lab.sm.delete_association, **pair) == "ResourceNotFound"
    assert walked(lab, StartArns=[arns["model"]], Direction="Ascendants") == [arns["action"]]


def test_artifacts(lab: Lab) -> None:
    arns = graph(lab)
    sm = lab.sm
    assert len(sm.list_artifacts(ArtifactType="DataSet")["ArtifactSummaries"]) == 2
    assert [row["ArtifactArn"] for row in sm.list_artifacts(SourceUri="s3://b/model")["ArtifactSummaries"]] == [
        arns["model"]
    ]
    sm.update_artifact(ArtifactArn=arns["model"], Properties={"b": "2"}, PropertiesToRemove=["a"])
    assert sm.describe_artifact(ArtifactArn=arns["model"])["Properties"] == {"b": "2"}
    assert refused(sm.delete_artifact) == "ValidationException"
    sm.delete_artifact(Source={"SourceUri": "s3://b/model"})
    assert refused(sm.describe_artifact, ArtifactArn=arns["model"]) == "ResourceNotFound"


def test_contexts_and_actions(lab: Lab) -> None:
    graph(lab)
    sm = lab.sm
    assert [row["ContextName"] for row in sm.list_contexts(ContextType="Endpoint")["ContextSummaries"]] == ["live"]
    assert sm.list_actions(ActionType="none")["ActionSummaries"] == []
    sm.update_action(ActionName="fit", Status="Completed", Properties={"a": "1"})
    described = sm.describe_action(ActionName="fit")
    assert (described["Status"], described["Properties"]) == ("Completed", {"a": "1"})
    sm.delete_context(ContextName="live")
    assert refused(sm.describe_context, ContextName="live") == "ResourceNotFound"
