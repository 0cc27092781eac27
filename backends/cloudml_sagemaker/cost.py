"""What a target may cost, from the package's dated table of prices: a range, never a quote. Pure.

Billing of SageMaker: jobs by the second from start to end of their machines, endpoints as long as they exist
(https://aws.amazon.com/sagemaker/ai/pricing/).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudml.backend.port import Target
from cloudml.backend.records import Cost, CostItem
from cloudml.plan import Resource
from cloudml_sagemaker import machines
from cloudml_sagemaker.occurrences import monthly

HOURS = 730
"""Of a month, as AWS's own calculator has it."""
SHORTEST = 120.0
"""Seconds: what the smallest job is billed, for the start of its container and the transfer of its data."""
USUAL = 3_600.0
"""Seconds that a job without a time limit of its own is taken to run at most."""
UNLIMITED = 86_400
"""The limit that the compiler sets where the author has set none (`compile.policies.DAY`)."""
MOST_ITEMS = 100
"""Items of a map that are counted when the pipeline runs."""
MONITOR = "cloudml:monitor"
"""The tag of a pipeline that a monitor runs, not a person."""

Json = Mapping[str, Any]


@dataclass(frozen=True)
class _Job:
    """A job of a definition: machines, seconds, how often it runs in one run of the pipeline."""

    name: str
    machine: Any
    machines: Any
    volume: Any
    limit: Any
    times: tuple[float, float]
    spot: bool = False


def cost(target: Target, resources: Sequence[Resource]) -> Cost:
    """For each run its jobs; for each month its endpoints, what a schedule starts, what monitors take."""
    prices = machines.prices()
    pipelines = {one.name: one.document for one in resources if one.kind == "pipeline"}
    jobs = {name: [_item(job) for job in _jobs(document)] for name, document in pipelines.items()}
    found = [item for name, items in jobs.items() if not _watches(pipelines[name]) for item in items]
    for one in resources:
        found += _MONTHLY[one.kind](one.document, jobs) if one.kind in _MONTHLY else []
    return Cost(prices.currency, prices.as_of, tuple(found), tuple(_assumptions(target, prices)))


def _watches(document: Json) -> bool:
    return any(tag["Key"] == MONITOR for tag in document.get("Tags", ()))


def _assumptions(target: Target, prices: machines.Prices) -> Iterator[str]:
    region = target.settings.get("region")
    where = f"{prices.region}; they differ in {region}" if region != prices.region else prices.region
    yield f"list prices on demand of {prices.as_of} in {where}"
    yield f"a job is billed {SHORTEST / 60:.0f} minutes at least, and its time limit at most"
    yield f"a job without a time limit of its own runs {USUAL / 3600:.0f} hour at most"
    yield "what is reused from an earlier run costs nothing; what stands in a branch may not run"
    yield f"a spot machine costs {100 * (1 - prices.spot[1]):.0f} % to {100 * (1 - prices.spot[0]):.0f} % of the price"
    yield f"an endpoint is there {HOURS} hours a month; a new version doubles it while it takes over"
    yield "left out: S3, CloudWatch, data transfer, retries after faults of the service, taxes and discounts"


# -- jobs -------------------------------------------------------------------------------------------------------


def _jobs(document: Json) -> Iterator[_Job]:
    yield from _walk(document["definition"]["Steps"], (1.0, 1.0))


def _walk(steps: Sequence[Json], times: tuple[float, float]) -> Iterator[_Job]:
    low, high = times
    for step in steps:
        arguments = step.get("Arguments", {})
        reader = _JOBS.get(step["Type"])
        if reader is not None:
            yield reader(str(step["Name"]), arguments, times)
        for branch in ("IfSteps", "ElseSteps"):
            yield from _walk(arguments.get(branch, ()), (0.0, high))
        items = step.get("IterableItems", arguments.get("IterableItems"))
        fewest, most = (len(items), len(items)) if isinstance(items, list) else (0, MOST_ITEMS)
        body = step.get("ForEachBody") or arguments.get("ForEachBody", ())
        yield from _walk(body, (low * fewest, high * most))


def _processing(name: str, arguments: Json, times: tuple[float, float]) -> _Job:
    cluster = arguments.get("ProcessingResources", {}).get("ClusterConfig", {})
    return _job(name, cluster, arguments, times)


def _training(name: str, arguments: Json, times: tuple[float, float]) -> _Job:
    spot = arguments.get("EnableManagedSpotTraining") is True
    return _job(name, arguments.get("ResourceConfig", {}), arguments, times, spot)


def _tuning(name: str, arguments: Json, times: tuple[float, float]) -> _Job:
    limits = arguments.get("HyperParameterTuningJobConfig", {}).get("ResourceLimits", {})
    trials = _number(limits.get("MaxNumberOfTrainingJobs"), 1)
    each = (times[0] * trials, times[1] * trials)
    return _training(name, arguments.get("TrainingJobDefinition", {}), each)


def _job(name: str, cluster: Json, arguments: Json, times: tuple[float, float], spot: bool = False) -> _Job:
    limit = arguments.get("StoppingCondition", {}).get("MaxRuntimeInSeconds")
    machine, count, volume = (cluster.get(key) for key in ("InstanceType", "InstanceCount", "VolumeSizeInGB"))
    return _Job(name, machine, count, volume, limit, times, spot)


_JOBS: Mapping[str, Callable[[str, Json, tuple[float, float]], _Job]] = {
    "Processing": _processing,
    "Training": _training,
    "Tuning": _tuning,
}


def _item(job: _Job) -> CostItem:
    hourly = _hourly(job)
    if hourly is None:
        return CostItem(job.name, "run", 0.0, 0.0, f"{_shown(job.machine)} is not in the table of prices: not counted")
    least, most = machines.prices().spot if job.spot else (0.0, 0.0)
    limit = _number(job.limit, UNLIMITED)
    longest = USUAL if limit == UNLIMITED else limit
    low = job.times[0] * hourly * min(SHORTEST, longest) / 3_600 * (1 - most)
    high = job.times[1] * hourly * longest / 3_600 * (1 - least)
    return CostItem(job.name, "run", low, high, _note(job))


def _hourly(job: _Job) -> float | None:
    """Machines and their volumes for an hour; None when the table does not know the machine."""
    machine = machines.named(job.machine) if isinstance(job.machine, str) else None
    if machine is None:
        return None
    storage = _number(job.volume, 0) * machines.prices().storage / HOURS
    return _number(job.machines, 1) * (machine.price + storage)


def _note(job: _Job) -> str:
    low, high = job.times
    many = "" if low == high == 1 else f"{high:g} × " if low == high else f"{low:g} to {high:g} × "
    count = _number(job.machines, 1)
    several = f"{count:g} " if count != 1 else ""
    return f"{many}{several}{job.machine}{', spot' if job.spot else ''}"


def _number(value: Any, usual: float) -> float:
    """A number of the definition; what is known only at run time is taken for the usual."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else usual


def _shown(machine: Any) -> str:
    return machine if isinstance(machine, str) else "a machine that is chosen when it runs"


# -- months -----------------------------------------------------------------------------------------------------

Items = Mapping[str, Sequence[CostItem]]


def _endpoint(document: Json, jobs: Items) -> list[CostItem]:
    del jobs
    variant, scaling = document["variant"], document.get("scaling", {})
    name, machine = str(document["EndpointName"]), machines.named(str(variant.get("InstanceType")))
    if machine is None:
        note = f"{variant.get('InstanceType')} is not in the table of prices: not counted"
        return [CostItem(f"endpoint {name}", "month", 0.0, 0.0, note)]
    first = _number(variant.get("InitialInstanceCount"), 1)
    low, high = _number(scaling.get("MinCapacity"), first), _number(scaling.get("MaxCapacity"), first)
    monthly_price = HOURS * machine.price
    count = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return [CostItem(f"endpoint {name}", "month", low * monthly_price, high * monthly_price, f"{count} {machine.name}")]


def _schedule(document: Json, jobs: Items) -> list[CostItem]:
    """The runs that a schedule starts, of the author's pipeline or of a monitor's."""
    pipeline = str(document.get("Target", {}).get("Arn", "")).rpartition("/")[2]
    found = jobs.get(pipeline)
    if found is None or document.get("State") == "DISABLED":
        return []
    low, high = sum(one.low for one in found), sum(one.high for one in found)
    return [_often(f"schedule {document['Name']}", str(document["ScheduleExpression"]), low, high)]


def _monitor(document: Json, jobs: Items) -> list[CostItem]:
    """SageMaker's own monitor: one processing job each time."""
    del jobs
    definition = document.get("definition", {})
    cluster = definition.get("JobResources", {}).get("ClusterConfig", {})
    each = _item(_job("", cluster, definition, (1.0, 1.0)))
    name = f"monitor {document['MonitoringScheduleName']}"
    if not each.high:
        return [CostItem(name, "month", 0.0, 0.0, each.note)]
    return [_often(name, str(document.get("ScheduleExpression", "")), each.low, each.high)]


def _often(what: str, expression: str, low: float, high: float) -> CostItem:
    times = monthly(expression)
    if times is None:
        return CostItem(what, "month", 0.0, 0.0, f"how often {expression} fires is not known: not counted")
    return CostItem(what, "month", times * low, times * high, f"{times:.4g} times a month")


_MONTHLY: Mapping[str, Callable[[Json, Items], list[CostItem]]] = {
    "endpoint": _endpoint,
    "schedule": _schedule,
    "monitor": _monitor,
}
