"""The four kinds of monitoring job definitions: create, describe, list, delete; and what makes one wrong."""

from __future__ import annotations

from dataclasses import dataclass

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import roles, tags
from cloudml_sagemaker.mock.core.errors import in_use, not_found, validation
from cloudml_sagemaker.mock.core.listing import listed
from cloudml_sagemaker.mock.core.operations import Call, Handler, Parameters, operation
from cloudml_sagemaker.mock.jobs import rules
from cloudml_sagemaker.mock.jobs.processing_run import PREFIX
from cloudml_sagemaker.mock.monitors import times

DATA_QUALITY = "DataQuality"
MERGED = frozenset({"ModelQuality", "ModelBias"})
"""Kinds whose data is joined with ground truth first."""
_INPUTS = ("EndpointInput", "BatchTransformInput")
LONGEST_RUN = 86_400
"""Seconds (API reference, MonitoringStoppingCondition)."""


@dataclass(frozen=True)
class Kind:
    """One MonitoringType: the words from which its operations, members and ARNs are made."""

    name: str

    @property
    def stem(self) -> str:
        """DataQualityJobDefinition: in operations, and the table's kind."""
        return f"{self.name}JobDefinition"

    @property
    def resource(self) -> str:
        """data-quality-job-definition: in ARNs."""
        return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in self.stem).lstrip("-")

    def member(self, part: str) -> str:
        """DataQualityJobInput and the like."""
        return f"{self.name}{part}"


KINDS = {name: Kind(name) for name in (DATA_QUALITY, "ModelQuality", "ModelBias", "ModelExplainability")}


def check_source(given: Document, what: str) -> None:
    """A monitoring input: exactly one source, a path below the processing prefix, offsets that can be read."""
    source = given[rules.only_one(given, _INPUTS, what)]
    rules.local_path(source["LocalPath"], PREFIX, what)
    if "DataCapturedDestinationS3Uri" in source:
        rules.s3_uri(source["DataCapturedDestinationS3Uri"], what)
        rules.only_one(source["DatasetFormat"], ("Csv", "Json", "Parquet"), f"DatasetFormat of {what}")
    try:
        start, end = (times.offset(source.get(name) or "-PT0H") for name in ("StartTimeOffset", "EndTimeOffset"))
    except times.BadTime as error:
        raise validation(str(error)) from None
    if ("StartTimeOffset" in source or "EndTimeOffset" in source) and start >= end:
        raise validation(f"The StartTimeOffset of {what} must lie before its EndTimeOffset.")


def check_output(output: Document, what: str) -> None:
    """The one monitoring output: an S3 URI, and a path below the processing prefix."""
    target = output["MonitoringOutputs"][0]["S3Output"]
    rules.s3_uri(target["S3Uri"], what)
    rules.local_path(target["LocalPath"], PREFIX, what)


def _check(call: Call, kind: Kind) -> None:
    params = call.params
    given = params[kind.member("JobInput")]
    check_source(given, kind.member("JobInput"))
    check_output(params[kind.member("JobOutputConfig")], kind.member("JobOutputConfig"))
    if kind.name in MERGED:
        if not given["GroundTruthS3Input"].get("S3Uri"):
            raise validation(f"{kind.member('JobInput')} must have the S3Uri of its GroundTruthS3Input.")
        rules.s3_uri(given["GroundTruthS3Input"]["S3Uri"], "GroundTruthS3Input")
        if "BatchTransformInput" in given:
            raise rules.not_executed(f"the merge of ground truth with a BatchTransformInput ({kind.name})")
    if kind.name == "ModelQuality" and not params[kind.member("AppSpecification")].get("ProblemType"):
        raise validation("ModelQualityAppSpecification must have a ProblemType.")
    roles.check(call, params["RoleArn"])


def _creator(kind: Kind) -> Handler:
    def create(call: Call) -> Parameters:
        name = call.params["JobDefinitionName"]
        table = call.table(kind.stem)
        if name in table:
            raise in_use(f"Job definition name must be unique, and {table[name]['JobDefinitionArn']} exists already.")
        _check(call, kind)
        arn = call.arn(f"{kind.resource}/{name.lower()}")
        tags.attach(call, arn)
        kept = {member: value for member, value in call.params.items() if member != "Tags"}
        kept.setdefault("StoppingCondition", {"MaxRuntimeInSeconds": LONGEST_RUN})
        table.put(name, {**kept, "JobDefinitionArn": arn, "CreationTime": call.now})
        return {"JobDefinitionArn": arn}

    return create


def existing(call: Call, kind: Kind, name: str) -> Document:
    """The definition. Raises ResourceNotFound."""
    found = call.table(kind.stem).get(name)
    if found is None:
        raise not_found(f"Could not find job definition {call.arn(f'{kind.resource}/{name.lower()}')}.")
    return found


def _describer(kind: Kind) -> Handler:
    def describe(call: Call) -> Parameters:
        return existing(call, kind, call.params["JobDefinitionName"])

    return describe


def _deleter(kind: Kind) -> Handler:
    def delete(call: Call) -> None:
        found = existing(call, kind, call.params["JobDefinitionName"])
        tags.detach(call, found["JobDefinitionArn"])
        call.table(kind.stem).delete(found["JobDefinitionName"])

    return delete


def endpoint_of(kind: Kind, definition: Document) -> str | None:
    """The endpoint that a definition looks at; None for batch transform."""
    name: str | None = definition[kind.member("JobInput")].get("EndpointInput", {}).get("EndpointName")
    return name


def _lister(kind: Kind) -> Handler:
    def summary(row: Document) -> Document:
        return {
            "MonitoringJobDefinitionName": row["JobDefinitionName"],
            "MonitoringJobDefinitionArn": row["JobDefinitionArn"],
            "CreationTime": row["CreationTime"],
            # The model requires it also where there is no endpoint.
            "EndpointName": endpoint_of(kind, row) or "",
        }

    def list_definitions(call: Call) -> Parameters:
        wanted = call.params.get("EndpointName")
        rows = [row for row in call.table(kind.stem) if not wanted or endpoint_of(kind, row) == wanted]
        return listed(call, rows, "JobDefinitionSummaries", name="JobDefinitionName", summary=summary)

    return list_definitions


for _kind in KINDS.values():
    operation(f"Create{_kind.stem}")(_creator(_kind))
    operation(f"Describe{_kind.stem}")(_describer(_kind))
    operation(f"Delete{_kind.stem}")(_deleter(_kind))
    operation(f"List{_kind.stem}s")(_lister(_kind))
