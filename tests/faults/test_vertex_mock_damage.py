"""Damaged copies of what kfp compiled: refused with INVALID_ARGUMENT or run to an end, and never an INTERNAL error."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPICallError, InvalidArgument

from tests.e2e.vertex_mock.vertex_stage import Stage, standing
from tests.kfp_sdk.playing import OVER, Player, names, read

Json = dict[str, Any]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with standing() as made:
        made.told.choose({})
        yield made


def put(*path: str | int, value: Any) -> Callable[[Json], None]:
    def change(spec: Json) -> None:
        at(spec, *path[:-1])[path[-1]] = value

    return change


def drop(*path: str | int) -> Callable[[Json], None]:
    def change(spec: Json) -> None:
        del at(spec, *path[:-1])[path[-1]]

    return change


def at(value: Any, *path: str | int) -> Any:
    for part in path:
        value = value[part]
    return value


TASKS = ("root", "dag", "tasks")
CONDITION = (*TASKS, "condition-1", "triggerPolicy", "condition")
CONTAINER = ("deploymentSpec", "executors", "exec-write-data", "container")
PARAMETER = "inputs.parameter_values['pipelinechannel--measure-auc']"
DAMAGES: dict[str, tuple[str, Callable[[Json], None], tuple[str, ...]]] = {
    "no schema version": ("linear", drop("schemaVersion"), ("schemaVersion",)),
    "an old schema version": ("linear", put("schemaVersion", value="1.0.0"), ("1.0.0",)),
    "no pipeline name": ("linear", drop("pipelineInfo", "name"), ("name",)),
    "a pipeline name with capitals": ("linear", put("pipelineInfo", "name", value="Linear One"), ("Linear One",)),
    "no root": ("linear", drop("root"), ("root",)),
    "an unknown member": ("linear", put("root", "dags", value={}), ("dags",)),
    "an unknown member of a task": ("linear", put(*TASKS, "report", "inputz", value={}), ("inputz",)),
    "an unknown component": (
        "linear", put(*TASKS, "report", "componentRef", "name", value="comp-none"), ("comp-none",)
    ),
    "an unknown executor": ("linear", put("components", "comp-report", "executorLabel", value="exec-none"), ("exec-none",)),  # noqa: E501
    "no executor": ("linear", drop("deploymentSpec", "executors", "exec-report"), ("exec-report",)),
    "neither executor nor dag": ("linear", drop("components", "comp-report", "executorLabel"), ("comp-report",)),
    "no image": ("linear", drop(*CONTAINER, "image"), ("image",)),
    "an unknown task before": (
        "linear", put(*TASKS, "report", "dependentTasks", value=["none"]), ("none",)
    ),
    "a cycle": ("linear", put(*TASKS, "write-data", "dependentTasks", value=["report"]), ("write-data",)),
    "a task after itself": ("linear", put(*TASKS, "report", "dependentTasks", value=["report"]), ("report",)),
    "an unknown producer": (
        "linear",
        put(*TASKS, "report", "inputs", "parameters", "number", "taskOutputParameter", "producerTask", value="none"),
        ("none",),
    ),
    "an unknown output": (
        "linear",
        put(*TASKS, "report", "inputs", "parameters", "number", "taskOutputParameter", "outputParameterKey", value="no"),  # noqa: E501
        ("no",),
    ),
    "an unknown input of the component": (
        "linear", put(*TASKS, "report", "inputs", "parameters", "more", value={"runtimeValue": {"constant": 1}}), ("more",)  # noqa: E501
    ),
    "a required input is missing": ("linear", drop(*TASKS, "report", "inputs", "parameters", "number"), ("number",)),
    "a parameter that the pipeline has not": (
        "linear",
        put(*TASKS, "write-data", "inputs", "parameters", "rows", "componentInputParameter", value="none"),
        ("none",),
    ),
    "a text constant for a number": (
        "linear",
        put(*TASKS, "write-data", "inputs", "parameters", "rows", value={"runtimeValue": {"constant": "four"}}),
        ("rows",),
    ),
    "a type that is none": (
        "linear", put("root", "inputDefinitions", "parameters", "rows", "parameterType", value="NUMBER"), ("NUMBER",)
    ),
    "a default of another type": (
        "linear", put("root", "inputDefinitions", "parameters", "rows", "defaultValue", value="four"), ("rows",)
    ),
    "negative retries": (
        "retries", put(*TASKS, "flaky", "retryPolicy", "maxRetryCount", value=-1), ("maxRetryCount",)
    ),
    "a duration that is none": (
        "retries", put(*TASKS, "flaky", "retryPolicy", "backoffDuration", value="ten"), ("backoffDuration",)
    ),
    "a condition that is cut off": ("named_condition", put(*CONDITION, value=f"{PARAMETER} >"), ("condition-1",)),
    "a condition on what is not passed": (
        "named_condition", put(*CONDITION, value="inputs.parameter_values['none'] > 1"), ("none",)
    ),
    "a condition that is no boolean": ("named_condition", put(*CONDITION, value=f"{PARAMETER} + 1.0"), ("condition-1",)),  # noqa: E501
    "a condition of a number and a text": (
        "named_condition", put(*CONDITION, value=f"{PARAMETER} == 'high'"), ("condition-1",)
    ),
    "a call of what is no function": ("named_condition", put(*CONDITION, value=f"exec({PARAMETER})"), ("exec",)),
    "a strategy that is none": (
        "exit_handler", put(*TASKS, "note-status", "triggerPolicy", "strategy", value="ALWAYS"), ("ALWAYS",)
    ),
    "the final status of no task": (
        "exit_handler",
        put(*TASKS, "note-status", "inputs", "parameters", "status", "taskFinalStatus", "producerTask", value="none"),
        ("none",),
    ),
    "a loop into no input": (
        "loop_static", put(*TASKS, "for-loop-2", "parameterIterator", "itemInput", value="none"), ("none",)
    ),
    "a loop over a text that is no JSON": (
        "loop_static", put(*TASKS, "for-loop-2", "parameterIterator", "items", "raw", value="[1, 2"), ("for-loop-2",)
    ),
    "a negative limit": (
        "loop_static", put(*TASKS, "for-loop-2", "iteratorPolicy", "parallelismLimit", value=-2), ("parallelismLimit",)
    ),
    "a task name with a full stop": (
        "linear", lambda spec: at(spec, *TASKS).update({"a.b": at(spec, *TASKS, "report")}), ("a.b",)
    ),
}  # fmt: skip
UNTOLD = {"a task name with a full stop", "a pipeline name with capitals"}
"""What the proto does not forbid in words: it may be accepted too."""


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_refused(stage: Stage, name: str) -> None:
    case, damage, words = DAMAGES[name]
    spec = copy.deepcopy(read(case)["spec"])
    damage(spec)
    player = Player(stage.cloud, read(case))
    if name in UNTOLD:
        assert attempt(player, "untold-" + str(len(name)), spec) in ("", "INVALID_ARGUMENT")
        return
    with pytest.raises(InvalidArgument) as refused:
        player.create("damaged", {}, spec)
    for word in words:
        assert word in refused.value.message


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a document."""
    if path:
        yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield from places(inner, (*path, key))


VALUES = (
    None,
    "",
    "none",
    "x" * 3000,
    -1,
    0,
    1e300,
    True,
    [],
    {},
    [[]],
    {"a": {"b": []}},
    "{{$.inputs.parameters['",
    "{{$}}",
    "'",
)


def damaged(spec: Json, chance: random.Random) -> Json:
    """A copy with one to three damages: something dropped, put elsewhere, renamed, replaced or cut."""
    made = copy.deepcopy(spec)
    for _ in range(chance.choice((1, 1, 2, 3))):
        every = list(places(made))
        if not every:
            break
        path = chance.choice(every)
        holder, key = at(made, *path[:-1]), path[-1]
        act = chance.randrange(5)
        if act == 0:
            del holder[key]
        elif act == 1:
            holder[key] = copy.deepcopy(chance.choice(VALUES))
        elif act == 2 and isinstance(holder, dict):
            holder[f"{key}{chance.choice(('s', ' ', '.', '/', 'é'))}"] = holder.pop(key)
        elif act == 3:
            holder[key] = copy.deepcopy(at(made, *chance.choice(every[:1] + every)) if len(every) < 3000 else None)
        elif isinstance(holder[key], str) and holder[key]:
            cut = chance.randrange(len(holder[key]))
            holder[key] = holder[key][:cut] + chance.choice(("", "'", "{{", "\\", "\x00", "é")) + holder[key][cut + 1 :]
        else:
            holder[key] = str(holder[key])
    return made


def attempt(player: Player, identifier: str, spec: Json) -> str:
    """The status code with which a document is refused; "" when it is accepted and the job came to an end."""
    try:
        job = player.create(identifier, {"parameters": {}}, spec)
    except GoogleAPICallError as refused:
        return str(refused.grpc_status_code.name)
    assert player.finish(job.name).state.name in OVER
    return ""


def test_a_refusal_that_is_too_long_for_grpc_arrives_cut(stage: Stage) -> None:
    stage.mock.reset()
    case = read("linear")
    spec = copy.deepcopy(case["spec"])
    for number in range(40):
        put(*TASKS, f"extra-{number}", value={"componentRef": {"name": f"none-{number}-" + "é" * 2000}})(spec)
    player = Player(stage.cloud, case)
    player.prepare()
    with pytest.raises(InvalidArgument) as refused:
        player.create("long", {"parameters": {}}, spec)
    message = str(refused.value.message)
    assert "extra-0" in message
    assert message.endswith("...")
    violations = refused.value.details[0].field_violations
    assert 0 < len(violations) < 40
    assert "extra-0" in violations[0].field


PLAYED = sorted(set(names()) - {"tuning", "upload_and_deploy", "batch_prediction"})
SEEDS = range(200)


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=[pytest.mark.slow] if seed >= 4 else []) for seed in SEEDS])
def test_whatever_is_damaged_nothing_breaks(stage: Stage, seed: int) -> None:
    chance = random.Random(seed)
    stage.mock.reset()
    codes: dict[str, int] = {}
    for number in range(25):
        case = read(chance.choice(PLAYED))
        spec = damaged(case["spec"], chance)
        if too_long(spec):
            continue
        player = Player(stage.cloud, case)
        player.prepare()
        code = attempt(player, f"damaged-{number}", spec)
        assert code in ("", "INVALID_ARGUMENT"), (seed, number, code)
        codes[code] = codes.get(code, 0) + 1
    assert codes.get("INVALID_ARGUMENT", 0) > 3, codes
    assert stage.told.health()


def too_long(spec: Json) -> bool:
    """Damage that makes a container sleep, or fails to, for long; 1e300 is a number of seconds too."""
    text = json.dumps(spec)
    return "sleep" in text and ("1e+300" in text or '"sleep' in text.replace('"sleep 0.2', ""))
