"""Pipelines about control flow: callbacks, ForEach, run conditions, failing branches."""

from __future__ import annotations

from typing import Any

from harness import BUCKET, PROGRAMS, TRAINER, Broken, Case, Run, drop, put, session, step_path
from parts import ANNOUNCE, RAW_URI, announce, function_arn, image_trainer, output_of, prepare, processor, source, train
from sagemaker.core.lambda_helper import Lambda
from sagemaker.core.shapes import ProcessingOutput, ProcessingS3Output
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import ParameterInteger, ParameterString
from sagemaker.mlops.workflow.callback_step import CallbackOutput, CallbackOutputTypeEnum, CallbackStep
from sagemaker.mlops.workflow.for_each_step import CurrentItem, ForEachSelector, ForEachStep, IterationOutput
from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.step_dependency import StepDependency, TriggerCondition
from sagemaker.mlops.workflow.steps import ProcessingStep

DONE = "Succeeded"


def approval() -> Case:
    """Lambda -> Callback (a person answers through SQS) -> Lambda, with execution variables and run-time joins."""
    sdk = session()
    who = ParameterString("Who", default_value="team")
    asked = announce("Ask", {"1": ExecutionVariables.PIPELINE_NAME, "2": who})
    outputs = [
        CallbackOutput("approver", CallbackOutputTypeEnum.String),
        CallbackOutput("grade", CallbackOutputTypeEnum.Integer),
    ]
    approve = CallbackStep(
        name="Approve",
        sqs_queue_url="https://sqs.us-east-1.amazonaws.com/123456789012/approvals",
        inputs={"question": Join(on=" ", values=["may we?", asked.properties.Outputs["text"]]), "attempt": 1},
        outputs=outputs,
    )
    said = announce("Thank", {"1": approve.properties.Outputs["approver"], "2": approve.properties.Outputs["grade"]})
    pipeline = Pipeline(name="approval", parameters=[who], steps=[asked, approve, said], sagemaker_session=sdk)
    ask = {"Ask": {"text": "approval|team", "count": "2", "urgent": "false"}}
    runs = (
        Run(
            "approved",
            "SendPipelineExecutionStepSuccess ends the step with the given outputs",
            DONE,
            {"Ask": DONE, "Approve": DONE, "Thank": DONE},
            replies={"Approve": {"approver": "ann", "grade": "7"}},
            outputs=ask | {"Thank": {"text": "ann|7", "count": "2", "urgent": "false"}},
        ),
        Run(
            "rejected",
            "SendPipelineExecutionStepFailure fails the step with its reason",
            "Failed",
            {"Ask": DONE, "Approve": "Failed"},
            absent=("Thank",),
            parameters={"Who": "risk"},
            replies={"Approve": "not convinced"},
            failure={"Approve": "not convinced"},
        ),
    )

    def damage(definition: dict[str, Any]) -> tuple[Broken, ...]:
        at = {name: step_path(definition, name) for name in ("Ask", "Approve", "Thank")}
        return (
            Broken(
                "function that raises",
                "an unhandled error of the function fails its step",
                [put(f"{at['Ask']}/FunctionArn", function_arn("refuse"))],
                at=("run",),
                step="Ask",
            ),
            Broken(
                "no function",
                "FunctionArn is a required member of a Lambda step",
                [drop(f"{at['Ask']}/FunctionArn")],
                says=("FunctionArn",),
            ),
            Broken(
                "no queue",
                "SqsQueueUrl is a required member of a Callback step",
                [drop(f"{at['Approve']}/SqsQueueUrl")],
                says=("SqsQueueUrl",),
            ),
            Broken(
                "self-reference",
                "a step cannot wait for itself",
                [put(f"{at['Thank']}/Arguments/1", {"Get": "Steps.Thank.OutputParameters['text']"})],
                says=("cycl",),
            ),
            Broken(
                "unknown execution variable",
                "the SDK's list of execution variables is closed",
                [put(f"{at['Ask']}/Arguments/1", {"Get": "Execution.Weather"})],
                says=("Weather",),
            ),
        )

    functions = ANNOUNCE | {function_arn("refuse"): "lambdas/refuse.py:handler"}
    return Case(pipeline, runs, damage, functions=functions, queues=("approvals",))


def for_each() -> Case:
    """ForEach over a JSON list given at start (processing jobs), and over literal objects with a selector (lambdas)."""
    sdk = session()
    regions = ParameterString("Regions", default_value='["east", "west"]')
    target = Join(on="/", values=[f"s3://{BUCKET}/reports", ExecutionVariables.PIPELINE_EXECUTION_ID, CurrentItem()])
    output = ProcessingOutput(
        output_name="report",
        s3_output=ProcessingS3Output(
            s3_uri=target, local_path="/opt/ml/processing/output/report", s3_upload_mode="EndOfJob"
        ),
    )
    body = processor(sdk).run(
        code=str(PROGRAMS / "region_report.py"),
        inputs=[source("raw", RAW_URI)],
        outputs=[output],
        arguments=["--region", CurrentItem()],
    )
    per_region = ForEachStep(
        name="PerRegion",
        iterable_items=regions,
        max_concurrency=2,
        for_each_body=[ProcessingStep(name="Report", step_args=body)],
    )
    item = CurrentItem()
    score = LambdaStep(
        name="Score",
        lambda_func=Lambda(function_arn=function_arn("score")),
        inputs={"name": item.name, "weight": item.weight},
        outputs=[LambdaOutput("score", LambdaOutputTypeEnum.Float), LambdaOutput("label", LambdaOutputTypeEnum.String)],
    )
    candidates = ForEachStep(
        name="Candidates",
        iterable_items=['{"name": "a", "weight": 1.5}', '{"name": "b", "weight": 4}', '{"name": "c", "weight": 2}'],
        max_concurrency=1,
        for_each_body=[score],
        selector=ForEachSelector("MaxBy", IterationOutput(score).OutputParameters["score"]),
    )
    found = per_region.properties
    said = announce(
        "Summary",
        {
            "1": found.InputItemCount,
            "2": found.SucceededStepCount,
            "3": candidates.properties.Selected.OutputParameters["label"],
            "4": candidates.properties.IterationOutputs[0].Score.OutputParameters["label"],
        },
    )
    pipeline = Pipeline(
        name="for-each", parameters=[regions], steps=[per_region, candidates, said], sagemaker_session=sdk
    )
    scored = {f"Score-{n}": DONE for n in range(3)} | {"Candidates": DONE}
    runs = (
        Run(
            "two regions",
            "children are <body>-<index>; b weighs most, so MaxBy selects it",
            DONE,
            {"PerRegion": DONE, "Report-0": DONE, "Report-1": DONE, "Summary": DONE} | scored,
            objects={"reports/": 2},
            outputs={"Summary": {"text": "2|2|b-4|a-1.5", "count": "4", "urgent": "false"}},
        ),
        Run(
            "one region",
            "the list is read at run time",
            DONE,
            {"PerRegion": DONE, "Report-0": DONE, "Summary": DONE} | scored,
            parameters={"Regions": '["west"]'},
            objects={"reports/": 1},
            outputs={"Summary": {"text": "1|1|b-4|a-1.5", "count": "4", "urgent": "false"}},
        ),
        Run(
            "a region without customers",
            "a child that fails fails the ForEach step, and the execution with it",
            "Failed",
            {"PerRegion": "Failed", "Report-0": DONE, "Report-1": "Failed"} | scored,
            absent=("Summary",),
            parameters={"Regions": '["east", "north"]'},
        ),
    )
    functions = ANNOUNCE | {function_arn("score"): "lambdas/score.py:handler"}
    return Case(
        pipeline, runs, _break_for_each, functions=functions, doubt="children of ForEach in ListPipelineExecutionSteps"
    )


def _break_for_each(definition: dict[str, Any]) -> tuple[Broken, ...]:
    at = {name: step_path(definition, name) for name in ("PerRegion", "Candidates", "Report", "Summary")}
    return (
        Broken(
            "no concurrency",
            "MaxConcurrency is 1 to 50",
            [put(f"{at['PerRegion']}/Arguments/MaxConcurrency", 0)],
            says=("MaxConcurrency",),
        ),
        Broken(
            "too much concurrency",
            "MaxConcurrency is 1 to 50",
            [put(f"{at['PerRegion']}/Arguments/MaxConcurrency", 51)],
            says=("MaxConcurrency",),
        ),
        Broken(
            "too many items",
            "a literal list has at most 100 elements",
            [put(f"{at['Candidates']}/Arguments/IterableItems", ["{}"] * 101)],
            says=("IterableItems",),
        ),
        Broken(
            "current item outside of a body",
            "ForEach.CurrentItem has a value inside a body only",
            [put(f"{at['Summary']}/Arguments/1", {"Get": "ForEach.CurrentItem"})],
            says=("CurrentItem",),
        ),
        Broken(
            "name like a child",
            "the service rejects top-level names that look like <body>-<digits>",
            [put(f"{at['Summary']}/Name", "Report-1")],
            says=("Report-1",),
        ),
        Broken(
            "fail step in a body",
            "bodies hold no Condition, Fail or ForEach step",
            [
                put(
                    f"{at['PerRegion']}/Arguments/ForEachBody/-",
                    {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "x"}},
                )
            ],
            says=("Stop",),
        ),
        Broken(
            "items that are no list",
            "a reference must resolve to a JSON list, and does so at run time only",
            [put("/Parameters/0/DefaultValue", "east")],
            at=("run",),
            step="PerRegion",
        ),
    )


def run_conditions() -> Case:
    """Steps that run when another one failed, stopped or ended in any way."""
    sdk = session()
    fail = ParameterString("Fail", default_value="no")
    prepared = prepare(sdk)
    trained = train(image_trainer(sdk, {"threshold": 50, "fail": fail}), output_of(prepared, "train"))

    def on(name: str, trigger: TriggerCondition) -> LambdaStep:
        return announce(name, {"what": name}, depends_on=[StepDependency(trained, trigger)])

    steps = [
        prepared,
        trained,
        on("OnFailed", TriggerCondition.FAILED),
        on("OnStopped", TriggerCondition.STOPPED),
        on("OnAny", TriggerCondition.ANY),
        on("OnCompleted", TriggerCondition.COMPLETED),
        announce("AfterFailed", {"what": "after"}, depends_on=["OnFailed"]),
    ]
    pipeline = Pipeline(name="run-conditions", parameters=[fail], steps=steps, sagemaker_session=sdk)
    runs = (
        Run(
            "training succeeds",
            "a plain name means Completed; Any holds as well",
            DONE,
            {"Prepare": DONE, "Train": DONE, "OnAny": DONE, "OnCompleted": DONE},
            absent=("OnFailed", "OnStopped", "AfterFailed"),
        ),
        Run(
            "training fails",
            "steps ran on the failed one, so the execution is CompletedWithFailures (SDK, StepDependency)",
            "CompletedWithFailures",
            {"Prepare": DONE, "Train": "Failed", "OnFailed": DONE, "OnAny": DONE, "AfterFailed": DONE},
            absent=("OnStopped", "OnCompleted"),
            parameters={"Fail": "diverged"},
            failure={"Train": "diverged"},
            doubt="whether AfterFailed, which waits for a step that ran on the failure, starts is not published",
        ),
    )

    def damage(definition: dict[str, Any]) -> tuple[Broken, ...]:
        at = {name: step_path(definition, name) for name in ("OnFailed", "OnAny")}
        return (
            Broken(
                "unknown trigger",
                "Completed, Failed, Stopped or Any",
                [put(f"{at['OnFailed']}/DependsOn/0/Trigger", "Bored")],
                says=("Bored",),
            ),
            Broken(
                "trigger on a missing step",
                "it must name a step",
                [put(f"{at['OnAny']}/DependsOn/0/Step", "Gone")],
                says=("Gone",),
            ),
        )

    return Case(pipeline, runs, damage, images={TRAINER: "trainer.py"}, functions=ANNOUNCE)


def failing_branch() -> Case:
    """Two branches that know nothing of each other; one fails while the other still runs."""
    sdk = session()
    code = ParameterInteger("Code", default_value=4)

    def slow(name: str, seconds: float, exit_code: Any, **options: Any) -> ProcessingStep:
        arguments = ["--seconds", str(seconds), "--code", Join(on="", values=[exit_code])]
        step_args = processor(sdk, max_runtime_in_seconds=300).run(code=str(PROGRAMS / "slow.py"), arguments=arguments)
        return ProcessingStep(name=name, step_args=step_args, **options)

    steps = [
        slow("Quick", 0, code),
        slow("AfterQuick", 0, 0, depends_on=["Quick"]),
        slow("Long", 2, 0),
        slow("AfterLong", 0, 0, depends_on=["Long"]),
    ]
    pipeline = Pipeline(name="failing-branch", parameters=[code], steps=steps, sagemaker_session=sdk)
    runs = (
        Run(
            "one fails",
            "what runs goes on to its end; nothing new starts",
            "Failed",
            {"Quick": "Failed", "Long": DONE},
            absent=("AfterQuick", "AfterLong"),
            doubt="whether AfterLong still starts is not published",
        ),
        Run("none fails", "exit code 0", DONE, {step.name: DONE for step in steps}, parameters={"Code": "0"}),
    )

    def damage(definition: dict[str, Any]) -> tuple[Broken, ...]:
        at = step_path(definition, "Long")
        runtime = f"{at}/Arguments/StoppingCondition/MaxRuntimeInSeconds"
        return (
            Broken(
                "time-out",
                "a processing job that runs longer than MaxRuntimeInSeconds is stopped, and so is its step",
                [
                    put(runtime, 1),
                    put(f"{step_path(definition, 'Quick')}/Arguments/AppSpecification/ContainerArguments/3", "0"),
                ],
                at=("run",),
                step="Long",
                status=("Failed", "Stopped"),
            ),
            Broken(
                "self-dependency",
                "a step cannot wait for itself",
                [put(f"{at}/DependsOn", ["Long"])],
                says=("cycl",),
            ),
        )

    return Case(pipeline, runs, damage, parallelism=4)


CASES = (approval, for_each, run_conditions, failing_branch)
