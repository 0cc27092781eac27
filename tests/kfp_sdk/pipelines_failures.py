"""Pipelines in which something goes wrong: exit handlers, retries, failure policies."""

from harness import BUCKET, DONE, FAILED, NEVER, PYTHON, SHELL, Case, Run
from kfp import dsl
from parts import SAID, fail, say, shell, tell

POLICY = "Vertex, configure-failure-policy"


@dsl.container_component
def note_status(status: dsl.PipelineTaskFinalStatus, text: str):
    program = (
        "import json, sys; found = json.loads(sys.argv[1]); error = found.get('error') or {};"
        "assert found['pipelineJobResourceName'].startswith('projects/'), found;"
        "assert bool(error.get('message')) == (found['state'] == 'FAILED'), found;"
        f"print('end', sys.argv[2], found['state'], found['pipelineTaskName'], file=open('{SAID}', 'a'))"
    )
    return dsl.ContainerSpec(image=PYTHON, command=["python3", "-c", program], args=[status, text])


@dsl.container_component
def pass_or_fail(code: int, out: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image=SHELL, command=shell('note "work $1"; put "$2" done; exit "$1"'), args=[code, out])


def exit_handler() -> Case:
    @dsl.pipeline(name="exit-handler", description="An exit task that is told how its body ended.")
    def pipeline(code: int = 0):
        leaving = note_status(text="bye")
        with dsl.ExitHandler(leaving, name="guarded"):
            worked = pass_or_fail(code=code)
            say(text=worked.outputs["out"])

    why = "KFP user guide, control flow: the exit task runs when the body has ended, whatever its end"
    body = "exit-handler-1"
    return Case(
        pipeline,
        (
            Run(
                "well", why, DONE,
                {body: DONE, f"{body}.pass-or-fail": DONE, f"{body}.say": DONE, "note-status": DONE},
                said=("work 0", "done", f"end bye SUCCEEDED {body}"), ordered=True,
            ),
            Run(
                "badly", f"{why}; the job has failed nevertheless", FAILED,
                {body: FAILED, f"{body}.pass-or-fail": FAILED, f"{body}.say": NEVER, "note-status": DONE},
                parameters={"code": 3}, said=("work 3", f"end bye FAILED {body}"), ordered=True,
                errors={f"{body}.pass-or-fail": ("3",)},
            ),
        ),  # fmt: skip
    )  # fmt: skip


@dsl.container_component
def clean(text: str = "nothing"):
    return dsl.ContainerSpec(image=SHELL, command=shell('note "clean $1"'), args=[text])


def ignore_failure() -> Case:
    @dsl.pipeline(name="ignore-failure", description="Tasks that run although one before them failed.")
    def pipeline(code: int = 4):
        first = pass_or_fail(code=code)
        clean(text=first.outputs["out"]).ignore_upstream_failure()
        after = clean(text="nothing").after(first).ignore_upstream_failure()
        say(text="after the cleaning").after(after)
        say(text="after the work").after(first)

    why = "KFP dsl reference, PipelineTask.ignore_upstream_failure: runs when what it waits for has ended, even badly"
    return Case(
        pipeline,
        (
            Run(
                "failed",
                f"{why}; an output that is not there is the parameter's default; the job failed, as one task did",
                FAILED,
                {"pass-or-fail": FAILED, "clean": DONE, "clean-2": DONE, "say": DONE, "say-2": NEVER},
                said=("work 4", "clean nothing", "clean nothing", "after the cleaning"),
            ),
            Run(
                "well", why, DONE, {"pass-or-fail": DONE, "clean": DONE, "clean-2": DONE, "say": DONE, "say-2": DONE},
                parameters={"code": 0},
                said=("work 0", "clean done", "clean nothing", "after the cleaning", "after the work"),
            ),
        ),  # fmt: skip
    )  # fmt: skip


@dsl.container_component
def flaky(name: str, good: int, out: dsl.OutputPath(str)):
    program = (
        f"f=/gcs/{BUCKET}/tries-$1-$2; n=$(($(cat $f 2>/dev/null || echo 0) + 1)); echo $n > $f;"
        'note "$1 try $n"; test $n -ge $2; put "$3" "$n"'
    )
    return dsl.ContainerSpec(image=SHELL, command=shell(program), args=[name, good, out])


def retries() -> Case:
    @dsl.pipeline(name="retries", description="Tasks that are tried again.")
    def pipeline(good: int = 3):
        tried = flaky(name="a", good=good).set_retry(
            num_retries=3, backoff_duration="10s", backoff_factor=2.0, backoff_max_duration="30s"
        )
        say(text=tried.outputs["out"])
        flaky(name="b", good=1)

    why = "KFP dsl reference, set_retry: num_retries tries more after the first"
    return Case(
        pipeline,
        (
            Run(
                "the third is good", why, DONE, {"flaky": DONE, "say": DONE, "flaky-2": DONE},
                said=("a try 1", "a try 2", "a try 3", "3", "b try 1"), values={"flaky": {"out": "3"}},
            ),
            Run(
                "none is good", f"{why}: four tries in all", FAILED, {"flaky": FAILED, "say": NEVER, "flaky-2": DONE},
                parameters={"good": 9}, said=("a try 1", "a try 2", "a try 3", "a try 4", "b try 2"),
            ),
        ),  # fmt: skip
    )  # fmt: skip


@dsl.container_component
def wait(seconds: float, text: str):
    return dsl.ContainerSpec(image=SHELL, command=shell('sleep "$1"; note "$2"'), args=[seconds, text])


def failure_policies() -> Case:
    @dsl.pipeline(name="failure-policies", description="What else runs when a task fails.")
    def pipeline():
        fail(text="broken")
        running = wait(seconds=0.4, text="was running")
        last = say(text="next").after(running)
        clean(text="up").after(last).ignore_upstream_failure()

    return Case(
        pipeline,
        (
            Run(
                "slow", f"{POLICY}: by default all tasks run that can", FAILED,
                {"fail": FAILED, "wait": DONE, "say": DONE, "clean": DONE},
                said=("broken", "was running", "next", "clean up"), errors={"fail": ("3",)},
            ),
            Run(
                "fast",
                f"{POLICY}: no new task is scheduled, those that run go on; PipelineFailurePolicy in "
                "pipeline_failure_policy.proto says the same, and that tasks of ALL_UPSTREAM_TASKS_COMPLETED still run",
                FAILED, {"fail": FAILED, "wait": DONE, "say": NEVER, "clean": DONE},
                policy="PIPELINE_FAILURE_POLICY_FAIL_FAST", said=("broken", "was running", "clean up"),
            ),
        ),  # fmt: skip
    )  # fmt: skip


def two_exits() -> Case:
    @dsl.pipeline(name="two-exits", description="Two guarded bodies in a row; a value crosses from a task before.")
    def pipeline(code: int = 1):
        before = tell(text="value")
        with dsl.ExitHandler(note_status(text="first")):
            say(text=before.outputs["out"])
            pass_or_fail(code=code)
        with dsl.ExitHandler(note_status(text="second")):
            say(text="other body")

    return Case(
        pipeline,
        (
            Run(
                "run", "KFP user guide, control flow: each exit task is told of its own body", FAILED,
                {
                    "tell": DONE, "exit-handler-1": FAILED, "exit-handler-1.say": DONE,
                    "exit-handler-1.pass-or-fail": FAILED, "note-status": DONE, "exit-handler-2": DONE,
                    "exit-handler-2.say-2": DONE, "note-status-2": DONE,
                },
                said=(
                    "tell value", "value", "work 1", "other body", "end first FAILED exit-handler-1",
                    "end second SUCCEEDED exit-handler-2",
                ),
            ),
        ),
    )  # fmt: skip


CASES = (exit_handler, ignore_failure, retries, failure_policies, two_exits)
