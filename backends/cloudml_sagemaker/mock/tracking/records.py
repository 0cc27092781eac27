"""Records that people and jobs name: experiments, trials, trial components; contexts and actions of lineage.

One table says what differs; create, describe, update, delete and list are made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloudml.mocks.store import Document
from cloudml_sagemaker.mock.core import tags
from cloudml_sagemaker.mock.core.errors import AwsError, not_found, validation
from cloudml_sagemaker.mock.core.listing import listed
from cloudml_sagemaker.mock.core.operations import Call, Handler, Parameters, operation


@dataclass(frozen=True)
class Kind:
    """One kind of record. `updates`: members that Update sets; `removals`: lists of keys and the maps they empty.

    `filters`: members of List's request and where in a record they must be found.
    """

    name: str
    resource: str
    updates: tuple[str, ...]
    removals: Mapping[str, str] = field(default_factory=dict)
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    displayed: bool = False
    """It has a DisplayName, by default its name."""

    @property
    def key(self) -> str:
        """The member that names it."""
        return f"{self.name}Name"

    @property
    def arn(self) -> str:
        """The member with its ARN."""
        return f"{self.name}Arn"


_PROPERTIES = {"PropertiesToRemove": "Properties"}

EXPERIMENT = Kind("Experiment", "experiment", ("DisplayName", "Description"), displayed=True)
TRIAL = Kind(
    "Trial", "experiment-trial", ("DisplayName",), filters={"ExperimentName": ("ExperimentName",)}, displayed=True
)
COMPONENT = Kind(
    "TrialComponent",
    "experiment-trial-component",
    ("DisplayName", "Status", "StartTime", "EndTime", "Parameters", "InputArtifacts", "OutputArtifacts"),
    removals={
        "ParametersToRemove": "Parameters",
        "InputArtifactsToRemove": "InputArtifacts",
        "OutputArtifactsToRemove": "OutputArtifacts",
    },
    filters={"SourceArn": ("Source", "SourceArn")},
    displayed=True,
)
CONTEXT = Kind(
    "Context",
    "context",
    ("Description", "Properties"),
    _PROPERTIES,
    {"SourceUri": ("Source", "SourceUri"), "ContextType": ("ContextType",)},
)
ACTION = Kind(
    "Action",
    "action",
    ("Description", "Status", "Properties"),
    _PROPERTIES,
    {"SourceUri": ("Source", "SourceUri"), "ActionType": ("ActionType",)},
)
KINDS = (EXPERIMENT, TRIAL, COMPONENT, CONTEXT, ACTION)


def existing(call: Call, kind: Kind, name: str) -> Document:
    """The record. Raises ResourceNotFound."""
    found = call.table(kind.name).get(name)
    if found is None:
        raise not_found(f"{kind.name} {name} does not exist.")
    return found


def merge(kind_updates: tuple[str, ...], removals: Mapping[str, str], record: Document, params: Document) -> None:
    """Set what an Update gives: maps are merged, then emptied of the keys to remove."""
    for member in kind_updates:
        if member in params:
            value = params[member]
            record[member] = {**record.get(member, {}), **value} if isinstance(value, dict) else value
    for member, target in removals.items():
        for key in params.get(member) or []:
            record.get(target, {}).pop(key, None)


def make(call: Call, kind: Kind, given: Document) -> Document:
    """Keep a new record. Raises ValidationException for a name that is taken (so the SDK expects it)."""
    name = given[kind.key]
    table = call.table(kind.name)
    if name in table:
        raise validation(
            f"{kind.name} names must be unique within an AWS account and region. "
            f"{kind.name} with name ({name}) already exists."
        )
    arn = call.arn(f"{kind.resource}/{name.lower()}")
    tags.attach(call, arn)
    record: Document = {
        **{member: value for member, value in given.items() if member != "Tags"},
        kind.arn: arn,
        "CreationTime": call.now,
        "LastModifiedTime": call.now,
    }
    if kind.displayed:
        record.setdefault("DisplayName", name)
    return table.put(name, record)


def _creator(kind: Kind) -> Handler:
    def create(call: Call) -> Parameters:
        if kind is TRIAL:
            existing(call, EXPERIMENT, call.params["ExperimentName"])
        return {kind.arn: make(call, kind, call.params)[kind.arn]}

    return create


def _describer(kind: Kind) -> Handler:
    def describe(call: Call) -> Parameters:
        return existing(call, kind, call.params[kind.key])

    return describe


def _updater(kind: Kind) -> Handler:
    def update(call: Call) -> Parameters:
        record = existing(call, kind, call.params[kind.key])
        merge(kind.updates, kind.removals, record, call.params)
        record["LastModifiedTime"] = call.now
        call.table(kind.name).put(record[kind.key], record)
        return {kind.arn: record[kind.arn]}

    return update


def _deleter(kind: Kind) -> Handler:
    def delete(call: Call) -> Parameters:
        record = existing(call, kind, call.params[kind.key])
        _check_unused(call, kind, record[kind.key])
        tags.detach(call, record[kind.arn])
        call.table(kind.name).delete(record[kind.key])
        return {kind.arn: record[kind.arn]}

    return delete


def _check_unused(call: Call, kind: Kind, name: str) -> None:
    """Trials of an experiment, and components of a trial, go first (API reference of the Delete operations)."""
    problem: AwsError | None = None
    if kind is EXPERIMENT and any(row["ExperimentName"] == name for row in call.table(TRIAL.name)):
        problem = validation(f"Experiment {name} must have no trials before it is deleted.")
    if kind is TRIAL and any(name in row.get("_trials", ()) for row in call.table(COMPONENT.name)):
        problem = validation(f"Trial {name} must have no trial components before it is deleted.")
    if kind is COMPONENT and call.table(kind.name)[name].get("_trials"):
        problem = validation(f"Trial component {name} must be disassociated from its trials before it is deleted.")
    if problem is not None:
        raise problem


def _lister(kind: Kind) -> Handler:
    def list_records(call: Call) -> Parameters:
        rows = [row for row in call.table(kind.name) if _wanted(call, kind, row) and _related(call, kind, row)]
        return listed(call, rows, f"{kind.name}Summaries", name=kind.key, summary=lambda row: _summary(kind, row))

    return list_records


def _summary(kind: Kind, row: Document) -> Document:
    return {**row, f"{kind.name}Source": row.get("Source")}


def _wanted(call: Call, kind: Kind, row: Document) -> bool:
    return all(
        call.params.get(member) is None or found(row, path) == call.params[member]
        for member, path in kind.filters.items()
    )


def found(row: Document, path: tuple[str, ...]) -> object:
    """What a path of members leads to; None where it ends early."""
    value: object = row
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _related(call: Call, kind: Kind, row: Document) -> bool:
    """Filters that go over the association of trials and components."""
    params = call.params
    if kind is TRIAL and params.get("TrialComponentName"):
        component = existing(call, COMPONENT, params["TrialComponentName"])
        return row["TrialName"] in component.get("_trials", ())
    if kind is COMPONENT:
        trials = row.get("_trials", ())
        if params.get("TrialName") and params["TrialName"] not in trials:
            return False
        if params.get("ExperimentName"):
            rows = [trial for name in trials if (trial := call.table(TRIAL.name).get(name))]
            return any(trial["ExperimentName"] == params["ExperimentName"] for trial in rows)
    return True


for _kind in KINDS:
    operation(f"Create{_kind.name}")(_creator(_kind))
    operation(f"Describe{_kind.name}")(_describer(_kind))
    operation(f"Update{_kind.name}")(_updater(_kind))
    operation(f"Delete{_kind.name}")(_deleter(_kind))
    operation(f"List{_kind.name}s")(_lister(_kind))


@operation("AssociateTrialComponent")
def associate_trial_component(call: Call) -> Parameters:
    """A component may be in many trials."""
    component = existing(call, COMPONENT, call.params["TrialComponentName"])
    trial = existing(call, TRIAL, call.params["TrialName"])
    trials = component.setdefault("_trials", [])
    if trial["TrialName"] not in trials:
        trials.append(trial["TrialName"])
    call.table(COMPONENT.name).put(component["TrialComponentName"], component)
    return {"TrialComponentArn": component["TrialComponentArn"], "TrialArn": trial["TrialArn"]}


@operation("DisassociateTrialComponent")
def disassociate_trial_component(call: Call) -> Parameters:
    """Raises ResourceNotFound when they were not associated."""
    component = existing(call, COMPONENT, call.params["TrialComponentName"])
    trial = existing(call, TRIAL, call.params["TrialName"])
    if trial["TrialName"] not in component.get("_trials", ()):
        raise not_found(f"{component['TrialComponentName']} is not associated with {trial['TrialName']}.")
    component["_trials"].remove(trial["TrialName"])
    call.table(COMPONENT.name).put(component["TrialComponentName"], component)
    return {"TrialComponentArn": component["TrialComponentArn"], "TrialArn": trial["TrialArn"]}
