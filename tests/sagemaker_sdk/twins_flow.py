"""Twins about control flow: conditions, ForEach, Callback, run conditions."""

from __future__ import annotations

from typing import Any

from sagemaker.core.workflow.conditions import (
    ConditionEquals,
    ConditionGreaterThan,
    ConditionGreaterThanOrEqualTo,
    ConditionIn,
    ConditionLessThan,
    ConditionLessThanOrEqualTo,
    ConditionNot,
    ConditionOr,
)
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.mlops.workflow.callback_step import CallbackOutput, CallbackOutputTypeEnum, CallbackStep
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.for_each_step import CurrentItem, ForEachStep
from sagemaker.mlops.workflow.step_dependency import StepDependency, TriggerCondition
from sagemaker.mlops.workflow.steps import CacheConfig
from twin_parts import FRESH, RESULT, ROLE, RUN, Twin, output_of, processing, result_of
from twins_jobs import OWNER, pipeline


def gates(session: Any) -> Twin:
    """Conditions of every kind, nested, over parameters and over a processing job's result; a Fail step."""
    floor = ParameterFloat("floor", default_value=0.5)
    mode = ParameterString("mode", default_value="full")
    level = ParameterInteger("level", default_value=5)
    measure = processing(session, "measure", RUN, write=("scores", "total"), property_files=[RESULT])
    auc = result_of("measure", "metrics.scores.auc")
    total = result_of("measure", "values.total")
    # `1 < total and total < 9` inside of an or: the SDK has no And either, so De Morgan's law says it.
    both = ConditionNot(
        ConditionOr([ConditionNot(ConditionGreaterThan(total, 1)), ConditionNot(ConditionLessThan(total, 9))])
    )
    inner = ConditionStep(
        name="inner",
        display_name="inner",
        conditions=[ConditionOr([both, ConditionNot(ConditionEquals(level, 5))])],
        if_steps=[processing(session, "often", RUN, read=(output_of(measure, "total"),))],
        else_steps=[processing(session, "seldom", RUN)],
    )
    message = Join(on="", values=["auc ", auc, " is below ", floor])
    outer = ConditionStep(
        name="outer",
        display_name="outer",
        conditions=[
            ConditionGreaterThanOrEqualTo(auc, floor),
            ConditionLessThanOrEqualTo(level, 10),
            ConditionIn(mode, ["full", "half"]),
            ConditionNot(ConditionEquals(mode, "half")),
        ],
        if_steps=[inner],
        else_steps=[FailStep(name="stop", error_message=message, display_name="stop")],
    )
    return Twin(pipeline(session, [measure, outer], floor, mode, level), ROLE, OWNER)


def each(session: Any) -> Twin:
    """ForEach over known numbers, and over those that a job counts; a body with two steps."""
    item = CurrentItem()
    index = ("index", item)
    start = processing(session, "start", RUN)
    rows = processing(session, "rows", index, RUN, item=(item,))
    handed = Join(on="/", values=[output_of(rows), ""])
    total = processing(session, "sum", index, RUN, read=(handed,), item=(item,))
    known = ForEachStep(
        name="regions", display_name="regions", iterable_items=[0, 1], max_concurrency=2, for_each_body=[rows, total]
    )
    counted = processing(
        session, "numbers-items", ("fresh", FRESH), read=(output_of(start),), write=("items",), display="numbers",
        property_files=[RESULT], cache_config=CacheConfig(enable_caching=True, expire_after="P365D"),
    )  # fmt: skip
    numbers = ForEachStep(
        name="numbers",
        display_name="numbers",
        iterable_items=result_of("numbers-items", "values.indices"),
        max_concurrency=50,
        for_each_body=[processing(session, "twice", index, RUN, item=(item,))],
    )
    return Twin(pipeline(session, [start, known, counted, numbers]), ROLE, OWNER)


def asked(session: Any) -> Twin:
    """A Callback step after a job, and a job that is told one of its output parameters."""
    start = processing(session, "start", RUN)
    parts = [CallbackOutput(name, CallbackOutputTypeEnum.String) for name in ("action", "who", "reason")]
    ask = CallbackStep(
        name="ask",
        display_name="ask",
        sqs_queue_url="https://sqs.us-east-1.amazonaws.com/123456789012/samples-aws-approvals",
        inputs={"task": "ask", "message": "go on?", "approvers": '["ann"]', "expires": "3600"},
        outputs=parts,
        depends_on=[start],
    )
    told = processing(session, "told", ("ask.who", ask.properties.Outputs["who"]), RUN)
    return Twin(pipeline(session, [start, ask, told]), ROLE, OWNER)


def ending(session: Any) -> Twin:
    """Two steps that run however the first one ends; the second of them after the first of them, too."""
    first = processing(session, "first", RUN)
    ended = StepDependency(first, TriggerCondition.ANY)
    clean = processing(session, "clean", RUN, depends_on=[ended])
    tell = processing(session, "tell", RUN, depends_on=[ended, clean])
    return Twin(pipeline(session, [first, clean, tell]), ROLE, OWNER)


TWINS = (gates, each, asked, ending)
