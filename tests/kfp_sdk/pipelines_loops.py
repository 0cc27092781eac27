"""Pipelines with ParallelFor and Collected."""

from harness import BUCKET, DONE, FAILED, NEVER, NOT_TRIGGERED, SHELL, Case, Run
from kfp import dsl
from parts import count, items, say, shell, square, total

LOOPS = "KFP user guide, control flow: ParallelFor runs its body once an item; dsl.Collected is the list of outputs"


@dsl.container_component
def slow(number: int, out: dsl.OutputPath(int)):
    return dsl.ContainerSpec(
        image=SHELL, command=shell('note "slow $1"; sleep 0.2; put "$2" $(($1 + 100))'), args=[number, out]
    )


def loop_static() -> Case:
    @dsl.pipeline(name="loop-static", description="A loop over given items, two at a time, and what it collected.")
    def pipeline() -> int:
        with dsl.ParallelFor(items=[1, 2, 3, 4, 5], parallelism=2) as item:
            worked = slow(number=item)
        return total(numbers=dsl.Collected(worked.outputs["out"])).outputs["out"]

    loop = "for-loop-2"
    return Case(
        pipeline,
        (
            Run(
                "run", f"{LOOPS}; parallelism limits the iterations that run at a time", DONE,
                {loop: DONE, f"{loop}.slow": [DONE] * 5, "total": DONE},
                said=(*(f"slow {n}" for n in range(1, 6)), "total [101, 102, 103, 104, 105]"),
                at_once={f"{loop}.slow": 2}, values={"total": {"out": 515}},
            ),
        ),  # fmt: skip
    )  # fmt: skip


def loop_dynamic() -> Case:
    @dsl.pipeline(name="loop-dynamic", description="A loop over what a task found; also over nothing.")
    def pipeline(text: str = "[3, 1, 2]"):
        found = items(text=text)
        with dsl.ParallelFor(items=found.outputs["found"]) as item:
            squared = square(number=item)
        total(numbers=dsl.Collected(squared.outputs["out"]))

    loop = "for-loop-1"

    def run(name, text, numbers, doubt=""):
        return Run(
            name, LOOPS, DONE,
            {
                "items": DONE, loop: DONE, "total": DONE,
                f"{loop}.square": [DONE] * len(numbers) or NEVER,
            },
            parameters={"text": text},
            said=(*(f"square {n}" for n in numbers), f"total {sorted(n * n for n in numbers)}"),
            values={"total": {"out": sum(n * n for n in numbers)}}, doubt=doubt,
        )  # fmt: skip

    return Case(
        pipeline,
        (
            run("three", "[3, 1, 2]", (3, 1, 2)),
            run("one", "[7]", (7,)),
            run("none", "[]", (), "a loop over nothing ends well, and collects nothing"),
        ),
    )


@dsl.container_component
def pair(tag: int, size: int, letter: str):
    return dsl.ContainerSpec(image=SHELL, command=shell('note "$1 $2 $3"'), args=[tag, size, letter])


def nested_loops() -> Case:
    @dsl.pipeline(name="nested-loops", description="A loop in a loop, over a parameter and over structures.")
    def pipeline(letters: list = ["x", "y"]):  # noqa: B006
        with dsl.ParallelFor(items=letters) as letter:
            with dsl.ParallelFor(items=[{"size": 1, "tag": 10}, {"size": 2, "tag": 20}, {"size": 3, "tag": 30}]) as row:
                pair(tag=row.tag, size=row.size, letter=letter)

    outer, inner = "for-loop-1", "for-loop-1.for-loop-3"
    rows = ((10, 1), (20, 2), (30, 3))

    def run(name, letters):
        return Run(
            name, f"{LOOPS}; item.tag is a member of the item", DONE,
            {outer: DONE, inner: [DONE] * len(letters), f"{inner}.pair": [DONE] * (3 * len(letters))},
            parameters={"letters": letters} if name != "default" else {},
            said=tuple(f"{tag} {size} {letter}" for tag, size in rows for letter in letters),
        )  # fmt: skip

    return Case(pipeline, (run("default", ["x", "y"]), run("given", ["p", "q", "r"])))


def loop_conditions() -> Case:
    @dsl.pipeline(name="loop-conditions", description="Each item takes its own branch.")
    def pipeline(limit: int = 2):
        with dsl.ParallelFor(items=[1, 2, 3, 4]) as item:
            counted = count(value=item)
            with dsl.If(counted.outputs["number"] > limit):
                say(text="above")
            with dsl.Else():
                say(text="not above")

    loop, branch = "for-loop-2", "for-loop-2.condition-branches-3"

    def run(limit):
        above = sum(n > limit for n in (1, 2, 3, 4))
        below = 4 - above

        def states(count_, else_):
            return sorted([DONE] * count_ + [else_] * (4 - count_))

        return Run(
            f"limit {limit}", LOOPS, DONE,
            {
                loop: DONE, f"{loop}.count": [DONE] * 4, branch: [DONE] * 4,
                f"{branch}.condition-4": states(above, NOT_TRIGGERED),
                f"{branch}.condition-4.say": [DONE] * above or NEVER,
                f"{branch}.condition-5": states(below, NOT_TRIGGERED),
                f"{branch}.condition-5.say-2": [DONE] * below or NEVER,
            },
            parameters={"limit": limit}, said=("above",) * above + ("not above",) * below,
        )  # fmt: skip

    return Case(pipeline, (run(2), run(0), run(3)))


@dsl.container_component
def may_fail(number: int, out: dsl.OutputPath(int)):
    program = 'note "try $1"; test "$1" != 2; put "$2" "$1"'
    return dsl.ContainerSpec(image=SHELL, command=shell(program), args=[number, out])


def loop_failure() -> Case:
    @dsl.pipeline(name="loop-failure", description="One iteration fails.")
    def pipeline():
        with dsl.ParallelFor(items=[1, 2, 3]) as item:
            tried = may_fail(number=item)
        total(numbers=dsl.Collected(tried.outputs["out"]))

    return Case(
        pipeline,
        (
            Run(
                "run",
                "Vertex, configure-failure-policy: with the default (slow) all tasks that can run do; the job fails",
                FAILED,
                {"for-loop-2": FAILED, "for-loop-2.may-fail": [FAILED, DONE, DONE], "total": NEVER},
                said=("try 1", "try 2", "try 3"),
                doubt="the loop's own state when one iteration failed",
            ),
        ),
    )


@dsl.container_component
def meet(number: int):
    """Waits until three of its kind are there; alone it fails after a while."""
    program = (
        f'mkdir -p /gcs/{BUCKET}/met; : > "/gcs/{BUCKET}/met/$1"; left=100;'
        f'while [ "$(ls /gcs/{BUCKET}/met | wc -l)" -lt 3 ]; do'
        ' left=$((left - 1)); [ $left -gt 0 ] || exit 4; sleep 0.1; done; note "met $1"'
    )
    return dsl.ContainerSpec(image=SHELL, command=shell(program), args=[number])


def loop_meeting() -> Case:
    @dsl.pipeline(name="loop-meeting", description="Three iterations that wait for one another: all run at a time.")
    def pipeline():
        with dsl.ParallelFor(items=[1, 2, 3], parallelism=3) as item:
            meet(number=item)

    return Case(
        pipeline,
        (
            Run(
                "run", f"{LOOPS}; with parallelism 3 three of them at a time", DONE,
                {"for-loop-2": DONE, "for-loop-2.meet": [DONE] * 3}, said=("met 1", "met 2", "met 3"),
            ),
        ),
    )  # fmt: skip


CASES = (loop_static, loop_dynamic, loop_meeting, nested_loops, loop_conditions, loop_failure)
