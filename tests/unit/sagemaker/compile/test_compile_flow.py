"""Branches, maps, groups, finally blocks: native where AWS has them, guarded where it cannot join."""

from __future__ import annotations

import pytest
from compile_lab import RUN, compiled, job, literal, out, pipeline

from cloudml import spec
from cloudml.errors import SpecError
from cloudml_sagemaker.mock.pipelines.definition.parse import parse


def _compare(op: str, left: object, right: object) -> spec.Comparison:
    return spec.Comparison.model_validate({"op": op, "left": left, "right": right})


def _condition(condition: spec.Condition, **fields: object) -> spec.ConditionStep:
    return spec.ConditionStep.model_validate(
        {"name": "gate", "condition": condition, "then": (job("yes", ("value", literal(1))),), **fields}
    )


VALUE = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.start.PropertyFiles.result"}, "Path": "values.output"}}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (
            _compare("ge", out("start"), literal(3)),
            {"Type": "GreaterThanOrEqualTo", "LeftValue": VALUE, "RightValue": 3},
        ),
        (
            _compare("ne", out("start"), literal(3)),
            {"Type": "Not", "Condition": {"Type": "Equals", "LeftValue": VALUE, "RightValue": 3}},
        ),
        (_compare("in", out("start"), literal([1, 2])), {"Type": "In", "QueryValue": VALUE, "Values": [1, 2]}),
        (
            spec.AnyOf(conditions=(_compare("lt", out("start"), literal(1)), _compare("gt", literal(2), literal(1)))),
            {
                "Type": "Or",
                "Conditions": [
                    {"Type": "LessThan", "LeftValue": VALUE, "RightValue": 1},
                    {"Type": "GreaterThan", "LeftValue": 2, "RightValue": 1},
                ],
            },
        ),
    ],
)
def test_what_the_service_can_compare_it_compares(condition: spec.Condition, expected: object) -> None:
    """Condition types and members of AWS's SDK; Std:JsonGet over a property file of a processing step."""
    made = compiled(pipeline(job("start", ("value", literal(1))), _condition(condition)))
    assert made.top == ["start", "gate"]
    assert made.arguments("gate")["Conditions"] == [expected]
    assert made.steps["start"]["PropertyFiles"] == [
        {"PropertyFileName": "result", "OutputName": "result", "FilePath": "result.json"}
    ]


@pytest.mark.parametrize(
    "condition",
    [
        _compare("gt", spec.Arithmetic(op="add", left=out("start"), right=literal(1)), literal(3)),
        _compare("gt", out("start"), spec.ChampionRef(model="m", metric="auc")),
        _compare("lt", literal("a"), literal("b")),
        _compare("eq", out("start"), literal(None)),
        _compare("eq", out("start"), literal("text")),
    ],
)
def test_all_else_a_job_decides(condition: spec.Condition) -> None:
    made = compiled(pipeline(job("start", ("value", literal(1))), _condition(condition)))
    assert made.top == ["start", "gate-decide", "gate"]
    [native] = made.arguments("gate")["Conditions"]
    assert native["RightValue"] is True
    assert native["LeftValue"]["Std:JsonGet"]["Path"] == "values.holds"
    champion = "champion" in str(condition)
    assert ("CacheConfig" in made.steps["gate-decide"]) is not champion, "a champion may change between runs"


def test_the_truth_of_nested_conditions_survives() -> None:
    """Not(Or(Not a, Not b)) for `a and b` inside an or: there is no And among AWS's condition types."""
    both = spec.AllOf(conditions=(_compare("gt", literal(1), literal(0)), _compare("gt", literal(2), literal(0))))
    made = compiled(pipeline(_condition(spec.AnyOf(conditions=(both, _compare("lt", literal(1), literal(0)))))))
    [condition] = made.arguments("gate")["Conditions"]
    inner = condition["Conditions"][0]
    assert inner["Type"] == "Not"
    assert inner["Condition"]["Type"] == "Or"
    assert [one["Type"] for one in inner["Condition"]["Conditions"]] == ["Not", "Not"]


def test_metrics_of_a_processing_step_are_read_from_its_result() -> None:
    port = spec.Port(name="scores", type="sample_jobs.Scores", mode="metrics", fields=("auc",))
    start = job("start", outputs=(port,))
    made = compiled(pipeline(start, _condition(_compare("ge", out("start", "scores", field="auc"), literal(0.5)))))
    [condition] = made.arguments("gate")["Conditions"]
    assert condition["LeftValue"]["Std:JsonGet"]["Path"] == "metrics.scores.auc"


def test_a_branch_after_which_the_pipeline_goes_on_is_guarded() -> None:
    """sagemaker-python-sdk issue 3565: no step can wait for a Condition step, nor for tails of both branches."""
    made = compiled("sample_flow:branches")
    assert not [step for step in made.steps.values() if step["Type"] == "Condition"]
    guards = {name: made.step_json(name).get("guards", []) for name in made.steps}
    assert [one["equals"] for one in guards["yes"]] == [True]
    assert [one["equals"] for one in guards["no"]] == [False]
    assert [one["equals"] for one in guards["shallow"]] == [False]
    decision = made.inputs("deep")[guards["deep"][0]["input"]]
    assert decision == {"Get": "Steps.inner-decide.ProcessingOutputConfig.Outputs['holds'].S3Output.S3Uri"}
    assert guards["inner-decide"][0]["equals"] is True, "the inner condition lies in a branch of the outer"
    waits = set(made.steps["behind"]["DependsOn"])
    assert {"yes", "deep", "shallow", "no"} <= waits


def test_tuning_in_a_guarded_branch_is_refused_with_what_to_do() -> None:
    function = spec.FunctionRef(module="sample_tuning", name="fussy")
    fit = spec.TrainingStep(
        name="search", function=function, inputs=(spec.Port(name="x", type="int"),),
        outputs=(spec.Port(name="scores", type="sample_tuning.Loss", mode="metrics", fields=("loss",)),),
    )  # fmt: skip
    search = spec.TuningStep(
        name="search", job=fit, objective="loss", direction="minimize", trials=2,
        space=(spec.Dimension(name="x", type="int", low=1, high=4),),
    )  # fmt: skip
    condition = _condition(_compare("gt", literal(1), literal(0)), then=(search,))
    native = compiled(pipeline(condition))
    assert [step["Name"] for step in native.arguments("gate")["IfSteps"]] == ["search", "search-best"]
    with pytest.raises(SpecError, match="CML334 step search"):
        compiled(pipeline(condition, job("behind", ("value", literal(1)), after=("gate",))))


def test_a_map_over_a_step_s_list_goes_over_indexes() -> None:
    """AWS's SDK, ForEachStep: IterableItems is a list or the text of one; CurrentItem is known in the body."""
    made = compiled("sample_flow:mapped")
    assert made.top == ["numbers", "each-items", "each", "total"]
    loop = made.arguments("each")
    assert loop["MaxConcurrency"] == 2
    assert loop["IterableItems"]["Std:JsonGet"]["Path"] == "values.indices"
    item = {"Get": "ForEach.CurrentItem"}
    assert made.outputs("more")["output"]["Std:Join"]["Values"] == [
        "s3://my-bucket/samples/aws/runs", RUN, "more", "output", item,
    ]  # fmt: skip
    assert made.inputs("total")["in-0"]["Std:Join"]["Values"] == [
        "s3://my-bucket/samples/aws/runs", RUN, "more", "output", "",
    ]  # fmt: skip
    assert made.steps["total"]["DependsOn"] == ["each"]
    assert made.step_json("total")["sources"]["in-0"] == {"form": "collected", "of": "port"}
    assert made.step_json("double")["items"] == {"input": "in-0", "port": "items"}


def test_an_empty_list_leaves_a_folder_that_can_be_read() -> None:
    made = compiled("sample_flow:mapped")
    assert made.step_json("each-items")["action"]["markers"] == ["mark-0"]
    mark = made.outputs("each-items")["mark-0"]["Std:Join"]["Values"]
    collected = made.inputs("total")["in-0"]["Std:Join"]["Values"]
    assert mark[: len(collected) - 1] == collected[:-1], "the marker lies below the folder that is collected"
    assert "CacheConfig" not in made.steps["each-items"]
    assert "CacheConfig" not in made.steps["more"], "a reused item would lie in its old run's folder"
    assert "CacheConfig" in made.steps["double"]


def test_a_literal_list_needs_no_job() -> None:
    made = compiled("sample_flow:mapped_literal")
    assert made.top == ["each", "total"]
    assert made.arguments("each")["IterableItems"] == [0, 1]
    document = made.step_json("double")
    assert document["items"] == {"literal": [{"name": "a", "size": 1}, {"name": "b", "size": 2}]}
    assert document["arguments"] == {"value": {"item": "size"}}


def test_conditions_in_a_map_are_guarded_since_a_body_holds_none() -> None:
    made = compiled("sample_flow:mapped_branches")
    body = [step["Name"] for step in made.arguments("each")["ForEachBody"]]
    assert body == ["large-decide", "double", "add"]
    [guard] = made.step_json("add")["guards"]
    assert made.inputs("add")[guard["input"]]["Std:Join"]["Values"][-1] == "", "item 1 is not item 10"


def test_limits_of_maps() -> None:
    body = (job("inside", ("value", spec.ItemRef(map="each"))),)
    long = spec.MapStep(name="each", items=literal(list(range(101))), body=body)
    with pytest.raises(SpecError, match="CML339 step each: it goes over 101 items"):
        compiled(pipeline(long))
    with pytest.raises(SpecError, match="CML333 step rows"):
        compiled("sample_flow:nested_maps")
    short = spec.MapStep(name="each", items=literal([1]), body=body)
    with pytest.raises(SpecError, match="CML335 step inside-0"):
        compiled(pipeline(short, job("inside-0", ("value", literal(1)))))


def test_a_group_is_one_job_whose_members_hand_over_inside() -> None:
    made = compiled("sample_flow:grouped")
    assert made.top == ["small", "behind"]
    document = made.step_json("small")
    assert document["kind"] == "group"
    first, never = document["members"]
    assert (first["step"], never["step"]) == ("first", "never")
    assert never["then"][0]["inputs"][0]["from"] == {"member": "first", "port": "output", "field": None}
    assert set(made.outputs("small")) == {"first", "inside", "result"}
    assert made.steps["behind"]["DependsOn"] == ["small"]


def test_members_of_a_group_come_after_what_they_need_and_outside_reads_them() -> None:
    group = spec.GroupStep(
        name="pair", body=(job("second", ("value", out("first"))), job("first", ("value", literal(1))))
    )
    made = compiled(pipeline(group, job("reader", ("value", out("second")))))
    assert [one["step"] for one in made.step_json("pair")["members"]] == ["first", "second"]
    assert made.inputs("reader") == {
        "in-0": {"Get": "Steps.pair.ProcessingOutputConfig.Outputs['second'].S3Output.S3Uri"}
    }
    assert made.step_json("reader")["sources"] == {"in-0": {"form": "ports"}}


def test_a_group_that_one_job_cannot_run_is_dissolved() -> None:
    fail = spec.NotifyStep(name="tell", alerts=("ops",), message="hello")
    group = spec.GroupStep(name="pair", body=(job("first", ("value", literal(1))), fail), after=("zero",))
    alerts = (spec.Alert(name="ops", channel="log"),)
    made = compiled(pipeline(job("zero", ("value", literal(1))), group, alerts=alerts))
    assert made.top == ["zero", "first", "tell"]
    assert made.steps["first"]["DependsOn"] == ["zero"]
    assert made.steps["tell"]["DependsOn"] == ["zero"]


def test_finally_runs_after_the_last_steps_however_they_ended() -> None:
    """AWS's SDK, StepDependency and TriggerCondition: Any is any terminal state."""
    made = compiled("sample_flow:with_exit")
    last = [{"Step": "halt", "Trigger": "Any"}, {"Step": "refuse", "Trigger": "Any"}]
    assert made.steps["always"]["DependsOn"] == last
    assert made.steps["with_data"]["DependsOn"] == last
    assert "CacheConfig" not in made.steps["always"]
    assert made.steps["halt"]["Type"] == "Processing", "a Fail step could not be waited for"


def test_fail_is_native_where_its_message_can_be_joined() -> None:
    def fail(message: str) -> spec.FailStep:
        arguments = (spec.Argument(name="n", value=out("start")),)
        return spec.FailStep(name="stop", message=message, arguments=arguments)

    start = job("start", ("value", literal(1)))
    gate = _condition(_compare("gt", out("start"), literal(0)), then=(fail("n is {n}!"),))
    made = compiled(pipeline(start, gate))
    assert made.arguments("stop") == {"ErrorMessage": {"Std:Join": {"On": "", "Values": ["n is ", VALUE, "!"]}}}
    gate = _condition(_compare("gt", out("start"), literal(0)), then=(fail("n is {n:.1f}"),))
    assert compiled(pipeline(start, gate)).steps["stop"]["Type"] == "Processing"


def test_generated_names_may_not_be_an_author_s() -> None:
    condition = _condition(_compare("eq", literal("a"), literal(None)))
    with pytest.raises(SpecError, match=r"CML335 step gate: its part 'gate-decide' has the name of another step"):
        compiled(pipeline(job("gate-decide", ("value", literal(1))), condition))


def test_the_strictest_reading_of_the_service_is_enough() -> None:
    """Doubts of the mock that say "refuse": whatever is compiled without nested conditions passes them all."""
    import json

    choices = {"argument-limits": "create", "rejoin": "refuse", "depends-on-condition": "refuse",
               "expire-after-forms": "iso-8601", "cache-without-expiry": "refuse"}  # fmt: skip
    for name in ("sample_flow:branches", "sample_flow:mapped", "sample_flow:with_exit", "sample_models:served"):
        parse(json.dumps(compiled(name).definition), choices)
