"""Lineage: artifacts, associations, and the graph that they make with contexts, actions and trial components."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import tags
from cloudml_sagemaker.mock.core.errors import not_found, validation
from cloudml_sagemaker.mock.core.listing import listed, page
from cloudml_sagemaker.mock.core.operations import Call, Parameters, operation
from cloudml_sagemaker.mock.tracking.records import KINDS, found, merge

ARTIFACT = "Artifact"
ASSOCIATION = "Association"
DEPTH = 10
"""Edges from the start (API reference, QueryLineage: the default and the most)."""

_TYPES = {kind.resource: (kind.name, kind.key, kind.arn) for kind in KINDS} | {
    "artifact": (ARTIFACT, "ArtifactName", "ArtifactArn")
}
_FILTERS = {"SourceUri": ("Source", "SourceUri"), "ArtifactType": ("ArtifactType",)}


@operation("CreateArtifact")
def create_artifact(call: Call) -> Parameters:
    """An artifact is known by an ARN that the service makes up."""
    arn = call.arn(f"artifact/{call.world.unique(ARTIFACT)}{call.world.unique(ARTIFACT)}")
    tags.attach(call, arn)
    kept = {member: value for member, value in call.params.items() if member != "Tags"}
    call.table(ARTIFACT).put(arn, {**kept, "ArtifactArn": arn, "CreationTime": call.now, "LastModifiedTime": call.now})
    return {"ArtifactArn": arn}


def _artifact(call: Call) -> Document:
    arn = call.params.get("ArtifactArn")
    if arn is None:
        if "Source" not in call.params:
            raise validation("Either ArtifactArn or Source must be specified.")
        uri = (call.params.get("Source") or {}).get("SourceUri")
        row = next((row for row in call.table(ARTIFACT) if row["Source"]["SourceUri"] == uri), None)
    else:
        row = call.table(ARTIFACT).get(arn)
    if row is None:
        raise not_found(f"Artifact {arn or 'with that source'} does not exist.")
    return row


@operation("DescribeArtifact")
def describe_artifact(call: Call) -> Parameters:
    """By ARN."""
    return _artifact(call)


@operation("UpdateArtifact")
def update_artifact(call: Call) -> Parameters:
    """Name and properties."""
    row = _artifact(call)
    merge(("ArtifactName", "Properties"), {"PropertiesToRemove": "Properties"}, row, call.params)
    row["LastModifiedTime"] = call.now
    call.table(ARTIFACT).put(row["ArtifactArn"], row)
    return {"ArtifactArn": row["ArtifactArn"]}


@operation("DeleteArtifact")
def delete_artifact(call: Call) -> Parameters:
    """By ARN or by source."""
    row = _artifact(call)
    tags.detach(call, row["ArtifactArn"])
    call.table(ARTIFACT).delete(row["ArtifactArn"])
    return {"ArtifactArn": row["ArtifactArn"]}


@operation("ListArtifacts")
def list_artifacts(call: Call) -> Parameters:
    """By source and type."""
    rows = [
        row
        for row in call.table(ARTIFACT)
        if all(call.params.get(name) in {None, found(row, path)} for name, path in _FILTERS.items())
    ]
    return listed(call, rows, "ArtifactSummaries", name="ArtifactName")


def _entity(call: Call, arn: str) -> tuple[str, Document]:
    """Kind and record behind an ARN. Raises ResourceNotFound."""
    known = _TYPES.get(arn.split(":", 5)[5].partition("/")[0])
    rows = call.table(known[0]) if known is not None else ()
    row = next((row for row in rows if known is not None and row[known[2]] == arn), None)
    if known is None or row is None:
        raise not_found(f"Resource {arn} does not exist.")
    return known[0], row


def _key(source: str, destination: str) -> str:
    return f"{source} {destination}"


@operation("AddAssociation")
def add_association(call: Call) -> Parameters:
    """Both ends must exist; the same pair again is refused."""
    source, destination = call.params["SourceArn"], call.params["DestinationArn"]
    ends = [_entity(call, source), _entity(call, destination)]
    if source == destination:
        raise validation("An entity cannot be associated with itself.")
    table = call.table(ASSOCIATION)
    if _key(source, destination) in table:
        raise validation(f"An association between {source} and {destination} already exists.")
    row: Document = {**call.params, "CreationTime": call.now}
    for side, (kind, record) in zip(("Source", "Destination"), ends, strict=True):
        row[f"{side}Type"] = record.get(f"{kind}Type", kind)
        if record.get(f"{kind}Name"):
            row[f"{side}Name"] = record[f"{kind}Name"]
    table.put(_key(source, destination), row)
    return row


@operation("DeleteAssociation")
def delete_association(call: Call) -> Parameters:
    """Raises ResourceNotFound when there is none."""
    row = call.table(ASSOCIATION).delete(_key(call.params["SourceArn"], call.params["DestinationArn"]))
    if row is None:
        raise not_found("The association does not exist.")
    return row


@operation("ListAssociations")
def list_associations(call: Call) -> Parameters:
    """By either end, their types, and the association's."""
    members = ("SourceArn", "DestinationArn", "SourceType", "DestinationType", "AssociationType")
    rows = [
        row
        for row in call.table(ASSOCIATION)
        if all(call.params.get(name) in {None, row.get(name)} for name in members)
    ]
    sorts = {name: name for name in members}
    return listed(call, rows, "AssociationSummaries", name="SourceName", modified="CreationTime", sorts=dict(sorts))


_NEXT: dict[str, tuple[tuple[str, str], ...]] = {
    "Ascendants": (("DestinationArn", "SourceArn"),),
    "Descendants": (("SourceArn", "DestinationArn"),),
    "Both": (("DestinationArn", "SourceArn"), ("SourceArn", "DestinationArn")),
}


@operation("QueryLineage", executes="walks the associations")
def query_lineage(call: Call) -> Parameters:
    """Breadth first from the start, each entity once; the start itself is not told."""
    params = call.params
    starts = params.get("StartArns") or []
    if not starts:
        raise validation("QueryLineage needs one of StartArns.")
    for arn in starts:
        _entity(call, arn)
    depth = min(params.get("MaxDepth") or DEPTH, DEPTH)
    arns, edges = _walk(call, starts, _NEXT[params.get("Direction", "Both")], depth)
    wanted = _filter(params.get("Filters") or {})
    vertices = [vertex for arn in arns for vertex in _vertex(call, arn, wanted)]
    result = page(call, vertices, "Vertices", size=50)
    if params.get("IncludeEdges", True):
        result["Edges"] = edges
    return result


def _walk(
    call: Call, starts: list[str], ways: tuple[tuple[str, str], ...], depth: int
) -> tuple[list[str], list[Document]]:
    seen, layer = dict.fromkeys(starts), list(starts)
    edges: dict[str, Document] = {}
    for _ in range(depth):
        following: list[str] = []
        for row in call.table(ASSOCIATION):
            for here, there in ways:
                if row[here] in layer:
                    edges[_key(row["SourceArn"], row["DestinationArn"])] = row
                    if row[there] not in seen:
                        seen[row[there]] = None
                        following.append(row[there])
        layer = following
    return [arn for arn in seen if arn not in starts], list(edges.values())


def _filter(filters: Document) -> Callable[[str, str, Document], bool]:
    def wanted(kind: str, type_: str, row: Document) -> bool:
        created, modified = row["CreationTime"], row["LastModifiedTime"]
        properties = row.get("Properties") or {}
        return (
            (not filters.get("LineageTypes") or kind in filters["LineageTypes"])
            and (not filters.get("Types") or type_ in filters["Types"])
            and filters.get("CreatedAfter", created - 1) < created < filters.get("CreatedBefore", created + 1)
            and filters.get("ModifiedAfter", modified - 1) < modified < filters.get("ModifiedBefore", modified + 1)
            and all(properties.get(name) == value for name, value in (filters.get("Properties") or {}).items())
        )

    return wanted


def _vertex(call: Call, arn: str, wanted: Callable[[str, str, Document], bool]) -> Iterator[Document]:
    """The vertex, unless its entity was deleted or is not wanted."""
    known = _TYPES[arn.split(":", 5)[5].partition("/")[0]]
    row = next((row for row in call.table(known[0]) if row[known[2]] == arn), None)
    if row is not None:
        type_ = str(row.get(f"{known[0]}Type", known[0]))
        if wanted(known[0], type_, row):
            yield {"Arn": arn, "Type": type_, "LineageType": known[0]}
