"""Pipelines with If, Elif, Else and OneOf."""

from harness import DONE, NEVER, NOT_TRIGGERED, Case, Run
from kfp import dsl
from parts import count, decide, measure, say, tell

CONTROL = "KFP user guide, control flow: dsl.If runs its tasks when the condition holds; Vertex: else NOT_TRIGGERED"


def named_condition() -> Case:
    @dsl.pipeline(name="named-condition", description="If on a named output at the top level.")
    def pipeline(value: float = 0.9, limit: float = 0.8):
        measured = measure(value=value)
        with dsl.If(measured.outputs["auc"] > limit, name="good enough"):
            say(text="deploy")
        with dsl.If(measured.outputs["auc"] <= 0.5):
            say(text="alarm")

    def run(name, value, first, second, said):
        return Run(
            name, CONTROL, DONE,
            {
                "measure": DONE,
                "condition-1": first, "condition-1.say": DONE if first == DONE else NEVER,
                "condition-2": second, "condition-2.say-2": DONE if second == DONE else NEVER,
            },
            parameters={"value": value}, said=said,
        )  # fmt: skip

    return Case(
        pipeline,
        (
            run("above", 0.9, DONE, NOT_TRIGGERED, ("deploy",)),
            run("between", 0.6, NOT_TRIGGERED, NOT_TRIGGERED, ()),
            run("below", 0.1, NOT_TRIGGERED, DONE, ("alarm",)),
            run("equal is not greater", 0.8, NOT_TRIGGERED, NOT_TRIGGERED, ()),
            run("whole numbers", 1, DONE, NOT_TRIGGERED, ("deploy",)),
        ),
    )


def branches() -> Case:
    @dsl.pipeline(name="branches", description="If, Elif, Else; the output of whichever ran is used.")
    def pipeline(number: int = 0) -> str:
        counted = count(value=number)
        with dsl.If(counted.outputs["number"] < 0):
            low = tell(text="negative")
        with dsl.Elif(counted.outputs["number"] == 0):
            zero = tell(text="zero")
        with dsl.Else():
            high = tell(text="positive")
        one = dsl.OneOf(low.outputs["out"], zero.outputs["out"], high.outputs["out"])
        say(text=one)
        return one

    def run(name, number, place):
        inner = {}
        for index, task in enumerate(("tell", "tell-2", "tell-3")):
            path = f"condition-branches-1.condition-{index + 2}"
            inner[path] = DONE if index == place else NOT_TRIGGERED
            inner[f"{path}.{task}"] = DONE if index == place else NEVER
        return Run(
            name,
            "KFP user guide, control flow: of If/Elif/Else one branch runs; dsl.OneOf is the output of the one that ran",
            DONE,
            {"count": DONE, "condition-branches-1": DONE, "say": DONE, **inner},
            parameters={"number": number},
            said=(f"tell {name}", name),
            ordered=True,
        )

    return Case(pipeline, (run("negative", -5, 0), run("zero", 0, 1), run("positive", 12, 2)))


def nested_conditions() -> Case:
    @dsl.pipeline(name="nested-conditions", description="Conditions in conditions, on texts, booleans and numbers.")
    def pipeline(kind: str = "full", really: str = "true", size: int = 10):
        decided = decide(text=really)
        told = tell(text=kind)
        with dsl.If(kind != "none"):
            outer = say(text="some")
            with dsl.If(decided.outputs["yes"] == True):  # noqa: E712
                with dsl.If(told.outputs["out"] == "full"):
                    say(text="all three")
                with dsl.Else():
                    say(text="not full")
                with dsl.If(size >= 100):
                    say(text="large").after(outer)

    first, second = "condition-1", "condition-1.condition-2"
    third, fourth = f"{second}.condition-branches-3", f"{second}.condition-6"

    def run(name, parameters, said, states):
        every = {"decide": DONE, "tell": DONE, **dict(zip(PATHS, states, strict=True))}
        told = f"tell {parameters.get('kind', 'full')}"
        return Run(name, CONTROL, DONE, every, parameters=parameters, said=(told, *said))

    PATHS = (
        first, f"{first}.say", second, third, f"{third}.condition-4", f"{third}.condition-4.say-2",
        f"{third}.condition-5", f"{third}.condition-5.say-3", fourth, f"{fourth}.say-4",
    )  # fmt: skip
    off, no = NOT_TRIGGERED, NEVER
    return Case(
        pipeline,
        (
            run("full", {}, ("some", "all three"), (DONE, DONE, DONE, DONE, DONE, DONE, off, no, off, no)),
            run(
                "half and large", {"kind": "half", "size": 100}, ("some", "not full", "large"),
                (DONE, DONE, DONE, DONE, off, no, DONE, DONE, DONE, DONE),
            ),
            run("false", {"really": "false"}, ("some",), (DONE, DONE, off, no, no, no, no, no, no, no)),
            run("none", {"kind": "none"}, (), (off, no, no, no, no, no, no, no, no, no)),
        ),  # fmt: skip
    )  # fmt: skip


def quoted_values() -> Case:
    @dsl.pipeline(name="quoted-values", description="Texts with quotes, backslashes and code in conditions.")
    def pipeline(text: str = "plain", other: str = "plain"):
        told = tell(text=text)
        with dsl.If(told.outputs["out"] == "plain"):
            say(text="is plain")
        with dsl.Else():
            say(text="is other")
        with dsl.If(told.outputs["out"] == other):
            say(text="same")

    def run(name, text, other, plain, same):
        branch = "condition-branches-1"
        said = [f"tell {text}", "is plain" if plain else "is other", *(["same"] if same else [])]
        return Run(
            name,
            "Common Expression Language: a parameter's value is a value, whatever it holds; it is never parsed",
            DONE,
            {
                "tell": DONE, branch: DONE,
                f"{branch}.condition-2": DONE if plain else NOT_TRIGGERED,
                f"{branch}.condition-2.say": DONE if plain else NEVER,
                f"{branch}.condition-3": NOT_TRIGGERED if plain else DONE,
                f"{branch}.condition-3.say-2": NEVER if plain else DONE,
                "condition-4": DONE if same else NOT_TRIGGERED,
                "condition-4.say-3": DONE if same else NEVER,
            },
            parameters={"text": text, "other": other}, said=tuple(said),
        )  # fmt: skip

    return Case(
        pipeline,
        (
            run("plain", "plain", "plain", plain=True, same=True),
            run("quote", "it's", "it's", plain=False, same=True),
            run("both quotes", "'\"", "'", plain=False, same=False),
            run("code", "plain' || 'a' == 'a", "x", plain=False, same=False),
            run("backslash", "a\\nb\\", "a\\nb\\", plain=False, same=True),
            run("number", "1", "1.0", plain=False, same=False),
            run("empty", "", "", plain=False, same=True),
        ),
    )


CASES = (named_condition, branches, nested_conditions, quoted_values)
