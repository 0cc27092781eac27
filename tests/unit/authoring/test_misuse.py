"""Every misuse is refused on the author's line, with its code and the right form.

Each case is the body of a pipeline; its faulty line ends in `# <-`, and that is where the error must point.
"""

from __future__ import annotations

import inspect
import math
from pathlib import Path

import pytest
from authoring_steps import (
    Fit,
    Scores,
    add,
    count,
    double,
    evaluate,
    extract,
    facts,
    fit,
    nothing,
    predict,
    regions,
    split,
    uses_secret,
)

import cloudml as ml
from cloudml.errors import AuthoringError

SPACE = {"eta": ml.log_uniform(0.01, 0.3)}
CHURN = ml.Endpoint("churn")
LOG = ml.log_alert()
KEPT: list[object] = []


def case(code: str, *fragments: str):
    """The code, and texts that message or hint must have."""

    def mark(function):
        return pytest.param(function, code, fragments, id=function.__name__)

    return mark


@case("CML103", "parameter 'min_auc' is not text", "as an argument")
def f_string(min_auc: ml.Param[float] = 0.8) -> None:
    ml.fail(f"below {min_auc}")  # <-


@case("CML103", "parameter 'min_auc' is not text")
def text(min_auc: ml.Param[float] = 0.8) -> None:
    str(min_auc)  # <-


@case("CML104", "with ml.when(")
def if_on_an_output() -> None:
    score = double(1.0)
    if score >= 0.8:  # <-
        nothing()


@case("CML104", "a & b")
def and_on_conditions() -> None:
    score = double(1.0)
    ml.when(score >= 0.8 and score < 1)  # <-


@case("CML104", "a | b")
def or_on_conditions() -> None:
    score = double(1.0)
    ml.when(score >= 0.8 or score < 0)  # <-


@case("CML104", "~(")
def not_on_a_condition() -> None:
    score = double(1.0)
    ml.when(not score)  # <-


@case("CML104", "(low <= x) & (x < high)")
def chained_comparison() -> None:
    score = double(1.0)
    ml.when(0 <= score < 1)  # <-


@case("CML105", "inside a step's function")
def math_function() -> None:
    score = double(1.0)
    math.sqrt(score)  # <-


@case("CML105", "ml.map")
def loop() -> None:
    for _ in regions():  # <-
        nothing()


@case("CML105", "only, not with 'x' (str)")
def add_text() -> None:
    score = double(1.0)
    double(score + "x")  # <-


@case("CML125", "parentheses")
def missing_parentheses() -> None:
    score = double(1.0)
    ml.when(score > 1 & score < 2)  # <-


@case("CML125", "cannot be compared", "evaluate.auc")
def metrics_compared_whole(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    part = split(extract(path))
    best = fit(part.train)
    score = evaluate(best.model, part.test)
    ml.when(score >= 0.8)  # <-


@case("CML125", "ml.when takes conditions", "plain `if`")
def when_true() -> None:
    ml.when(True)  # <-


@case("CML106", "no output or metric 'auk'", "did you mean 'auc'?")
def misspelt_metric(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    part = split(extract(path))
    score = evaluate(fit(part.train).model, part.test)
    ml.when(score.auk >= 0.8)  # <-


@case("CML106", "several outputs", "split.train")
def which_output(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    part = split(extract(path))
    fit(part)  # <-


@case("CML106", "puts nothing out", "after=")
def no_output() -> None:
    double(nothing())  # <-


@case("CML107", "no parameter 'shares'", "did you mean 'share'?")
def unknown_argument(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    split(extract(path), shares=0.2)  # <-


@case("CML107", "is an output of fit", "leave it out")
def output_as_argument(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    fit(split(extract(path)).train, model="here")  # <-


@case("CML107", "takes 1 arguments, and the call gives 2")
def too_many() -> None:
    double(1.0, 2.0)  # <-


@case("CML108", "needs 'rows'", "rows=...")
def missing_argument() -> None:
    split()  # <-


@case("CML109", "split(rows=) takes polars.DataFrame, and count is int")
def wrong_type() -> None:
    split(count("eu"))  # <-


@case("CML109", "takes cloudml.Model")
def frame_as_model(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    part = split(extract(path))
    evaluate(part.train, part.test)  # <-


@case("CML109", "pass one of its metrics", "evaluate.auc")
def metrics_as_number(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    part = split(extract(path))
    double(evaluate(fit(part.train).model, part.test))  # <-


@case("CML110", "takes float, and the call gives '1.0' (str)", "without quotes: 1.0")
def text_for_float() -> None:
    double("1.0")  # <-


@case("CML110", "takes int", "True and False")
def bool_for_int() -> None:
    extract("a", weeks=True)  # <-


@case("CML110", "no other")
def not_finite() -> None:
    double(float("nan"))  # <-


@case("CML110", "make it in a step")
def literal_frame() -> None:
    split([1, 2])  # <-


@case("CML110", "inside a list", "parameter of its own")
def reference_in_a_list() -> None:
    add([count("eu"), count.options(name="c2")("us")])  # <-


@case("CML111", "the step name 'double' is already taken", "test_misuse.py:", ".options(name='double_2')")
def name_twice() -> None:
    double(1.0)
    double(2.0)  # <-


@case("CML112", "first -> second -> first")
def cycle() -> None:
    nothing.options(name="first", after=["second"])()  # <-
    nothing.options(name="second", after=["first"])()


@case("CML126", "no step has that name", "did you mean 'first'?")
def after_nothing() -> None:
    nothing.options(name="first")()
    nothing.options(name="second", after=["frist"])()  # <-


@case("CML113", "only when the branch of 'when_1' is taken", "same `with` block")
def out_of_a_branch() -> None:
    score = double(1.0)
    with ml.when(score > 1):
        inner = double.options(name="inner")(score)
    double.options(name="outer")(inner)  # <-


@case("CML113", "otherwise branch")
def from_branch_to_branch() -> None:
    score = double(1.0)
    with ml.when(score > 1) as gate:
        nothing()
    with gate.otherwise():
        inner = double.options(name="inner")(score)
    double.options(name="outer")(inner)  # <-


@case("CML113", "one value for each item", "ml.collect")
def out_of_a_map() -> None:
    with ml.map(["eu", "us"]) as region:
        one = count(region)
    double(one)  # <-


@case("CML113", "outside of that map")
def item_outside() -> None:
    with ml.map(["eu", "us"]) as region:
        nothing()
    count(region)  # <-


@case("CML113", "not made once an item")
def collect_nothing() -> None:
    ml.collect(double(1.0))  # <-


@case("CML113", "also runs when step 'double' has not succeeded", "ml.run_id()")
def output_in_on_exit() -> None:
    score = double(1.0)
    with ml.on_exit():
        ml.notify(LOG, "{score}", score=score)  # <-


@case("CML113", "inside another block")
def nested_on_exit() -> None:
    with ml.when(double(1.0) > 1):
        nothing()
        with ml.on_exit():  # <-
            nothing.options(name="n2")()


@case("CML114", "another build")
def stale() -> None:
    KEPT.append(double(1.0))
    double.options(name="again")(KEPT[0])  # <-


@case("CML116", "'min_auk' is not defined", "did you mean 'min_auc'?")
def undeclared_parameter(min_auc: ml.Param[float] = 0.8) -> None:
    double(min_auk)  # <-  # noqa: F821


@case("CML117", "their settings differ", "define it once")
def two_endpoints(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    best = fit(split(extract(path)).train)
    version = ml.register(best.model, "churn")
    ml.deploy(version, CHURN)
    ml.deploy(version, ml.Endpoint("churn", cpu=4), name="again")  # <-


@case("CML119", "Fit has no metric 'valid_auk'", "did you mean 'valid_auc'?")
def misspelt_objective(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    rows = split(extract(path)).train
    ml.tune(fit, train=rows, maximize=Fit.valid_auk, trials=2, space=SPACE)  # <-


@case("CML119", "Scores.auc is no metric of fit")
def foreign_objective(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    rows = split(extract(path)).train
    ml.tune(fit, train=rows, maximize=Scores.auc, trials=2, space=SPACE)  # <-


@case("CML119", "one objective")
def two_objectives(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    rows = split(extract(path)).train
    ml.tune(fit, train=rows, maximize=Fit.valid_auc, minimize=Fit.rounds, trials=2, space=SPACE)  # <-


@case("CML120", "no parameter 'etta'", "did you mean 'eta'?")
def unknown_axis(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    rows = split(extract(path)).train
    ml.tune(fit, train=rows, maximize=Fit.valid_auc, trials=2, space={"etta": ml.uniform(0, 1)})  # <-


@case("CML120", "'depth' is int, and the axis draws float")
def wrong_axis(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    rows = split(extract(path)).train
    ml.tune(fit, train=rows, maximize=Fit.valid_auc, trials=2, space={"depth": ml.uniform(0, 1)})  # <-


@case("CML120", "not above zero")
def log_of_zero(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    rows = split(extract(path)).train
    ml.tune(fit, train=rows, maximize=Fit.valid_auc, trials=2, space={"eta": ml.log_uniform(0, 1)})  # <-


@case("CML120", "both given and searched")
def given_and_searched(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    rows = split(extract(path)).train
    ml.tune(fit, train=rows, eta=0.2, maximize=Fit.valid_auc, trials=2, space=SPACE)  # <-


@case("CML123", "a processing step", "@ml.training")
def tune_processing() -> None:
    ml.tune(double, maximize=Fit.valid_auc, trials=2, space=SPACE)  # <-


@case("CML122", "trials = 0")
def no_trials(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    rows = split(extract(path)).train
    ml.tune(fit, train=rows, maximize=Fit.valid_auc, trials=0, space=SPACE)  # <-


@case("CML123", "ml.deploy builds on what ml.register returns")
def deploy_a_model(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    best = fit(split(extract(path)).train)
    ml.deploy(best.model, CHURN)  # <-


@case("CML123", "ml.verify builds on what ml.deploy returns")
def verify_a_version(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    best = fit(split(extract(path)).train)
    ml.verify(ml.register(best.model, "churn"))  # <-


@case("CML109", "takes a model")
def register_a_number() -> None:
    ml.register(double(1.0), "churn")  # <-


@case("CML101", "lambda")
def lambda_predictor(path: ml.Param[Path] = "a") -> None:  # type: ignore[assignment]
    best = fit(split(extract(path)).train)
    ml.register(best.model, "churn", predictor=lambda model, rows: [])  # <-


@case("CML122", "at most 62 letters")
def illegal_name() -> None:
    double.options(name="no spaces")(1.0)  # <-


@case("CML123", "over a list")
def map_over_a_number() -> None:
    with ml.map(double(1.0)):  # <-
        nothing()


@case("CML124", "has no steps")
def empty_map() -> None:
    with ml.map(["eu"]):  # <-
        pass


@case("CML121", "the message has {auc}")
def unfilled_message() -> None:
    ml.fail("AUC is {auc}")  # <-


@case("CML121", "'auc' is given")
def spare_value() -> None:
    ml.fail("no", auc=double(1.0))  # <-


@case("CML121", "secret 'crm'")
def secret_in_a_message() -> None:
    ml.fail("{s}", s=ml.secret("crm"))  # <-


@case("CML106", "no members")
def member_of_a_number() -> None:
    double(double.options(name="d1")(1.0)["a"])  # <-


@case("CML106", "only one level")
def two_levels() -> None:
    facts()["a"]["b"]  # <-


@case("CML122", "no option 'cpus'", "did you mean 'cpu'?")
def unknown_option() -> None:
    double.options(cpus=2)(1.0)  # <-


@case("CML122", "an option of @ml.training")
def spot_for_processing() -> None:
    double.options(spot=True)(1.0)  # <-


@case("CML122", "'16 giga' is not a memory size")
def illegal_memory() -> None:
    double.options(memory="16 giga")(1.0)  # <-


CASES = [value for value in globals().values() if isinstance(value, type(pytest.param()))]


@pytest.mark.parametrize(("function", "code", "fragments"), CASES)
def test_refused_with_line_and_right_form(function, code: str, fragments: tuple[str, ...]) -> None:
    KEPT.clear()
    pipeline = ml.pipeline(function)
    with pytest.raises(AuthoringError) as caught:  # noqa: PT012
        pipeline.build()
        pipeline.build()  # `stale` needs a second one
    error = caught.value
    assert error.code == code
    for fragment in fragments:
        assert fragment in f"{error.message}\n{error.hint}"
    lines, first = inspect.getsourcelines(function)
    marked = first + next(number for number, line in enumerate(lines) if "# <-" in line)
    assert error.where == f"{Path(__file__).relative_to(Path.cwd())}:{marked}"


def test_there_are_cases() -> None:
    assert len(CASES) > 60


def test_a_build_after_a_refusal_is_clean() -> None:
    @ml.pipeline
    def wrong() -> None:
        double("x")

    @ml.pipeline
    def right() -> None:
        double(1.0)

    with pytest.raises(AuthoringError):
        wrong.build()
    assert [step.name for step in right.build().steps] == ["double"]
    assert double.fn(2.0) == 4.0
    assert double(2.0) == 4.0, "outside of a build the plain function is called"


def test_verbs_outside_a_build() -> None:
    with pytest.raises(AuthoringError, match=r"ml\.fail means something only inside") as caught:
        ml.fail("x")
    assert caught.value.code == "CML115"


def test_calling_a_pipeline() -> None:
    @ml.pipeline
    def train() -> None:
        nothing()

    with pytest.raises(AuthoringError, match=r"train\.build\(\)"):
        train()


def test_a_pipeline_inside_another() -> None:
    @ml.pipeline
    def inner() -> None:
        nothing()

    @ml.pipeline
    def outer() -> None:
        inner.build()

    with pytest.raises(AuthoringError, match="built inside the build of another"):
        outer.build()


class TestDecorators:
    def test_nested_function(self) -> None:
        with pytest.raises(AuthoringError, match="top of the module") as caught:

            @ml.processing
            def inside(a: int) -> int:
                return a

        assert caught.value.code == "CML101"
        assert "test_misuse.py:" in caught.value.where

    @pytest.mark.parametrize(
        ("source", "fragment"),
        [
            ("def f(*args: int) -> int: ...", r"\*args"),
            ("def f(**more: int) -> int: ...", r"\*\*more"),
            ("def f(a: int, /) -> int: ...", "positional-only"),
            ("def f(a) -> int: ...", "'a' of f has no type"),
            ("def f(a: int): ...", "what it returns"),
            ("async def f(a: int) -> int: ...", "coroutine"),
            ("def f(a: int) -> int: yield a", "generator"),
        ],
    )
    def test_shapes(self, source: str, fragment: str) -> None:
        space: dict[str, object] = {"__name__": "steps"}
        exec(source, space)
        with pytest.raises(AuthoringError, match=fragment):
            ml.processing(space["f"])  # type: ignore[call-overload]

    @pytest.mark.parametrize(
        ("annotation", "fragment"),
        [("Frame", "names Frame, which"), ("ml.In[int]", "no handle"), ("ml.Param[int]", "which only a pipeline has")],
    )
    def test_annotations(self, annotation: str, fragment: str) -> None:
        space: dict[str, object] = {"__name__": "steps", "ml": ml}
        exec(f"def f(a: {annotation!r}) -> int: ...", space)
        step = ml.processing(space["f"])  # type: ignore[call-overload]
        with pytest.raises(AuthoringError, match=fragment):
            step.shape  # noqa: B018

    def test_schedules(self) -> None:
        for schedule in (
            ml.cron("61 * * * *"),
            ml.cron("0 2 * *"),
            ml.cron("0 0 * * MON", tz="Mars/Base"),
            ml.every("5s"),
        ):

            @ml.pipeline(schedule=schedule)
            def scheduled() -> None:
                nothing()

            with pytest.raises(AuthoringError) as caught:
                scheduled.build()
            assert caught.value.code == "CML118"
            assert caught.value.where == str(schedule.where)

    def test_parameters(self) -> None:
        @ml.pipeline
        def plain(auc: float = 0.8) -> None:
            double(auc)

        with pytest.raises(AuthoringError, match=r"auc: ml\.Param\[float\] = 0\.8"):
            plain.build()

        @ml.pipeline
        def limits(auc: ml.Param[float] = ml.param(2.0, maximum=1)) -> None:  # noqa: B008
            double(auc)

        with pytest.raises(AuthoringError, match="above its maximum 1"):
            limits.build()

    def test_predictor_must_be_a_function(self) -> None:
        assert predict is not None
        assert uses_secret.name == "uses_secret"
