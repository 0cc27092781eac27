"""Fault rules: text, counting, chance; switches: names and choices."""

from __future__ import annotations

import pytest

from cloudml.errors import MockError
from cloudml.mocks.faults import Fault, FaultKind, Faults, table
from cloudml.mocks.switches import Switch, Switches

KINDS = table((FaultKind("throttle", "operation", "..."), FaultKind("die", "job", "...")))


def test_a_rule_is_read_from_text() -> None:
    rule = Faults(KINDS).parse("throttle:Create*,count=2,after=1,probability=0.5,seed=7,seconds=1.5")
    assert rule == Fault("throttle", "Create*", count=2, after=1, probability=0.5, seed=7, seconds=1.5)
    assert Faults(KINDS).parse("die").pattern == "*"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("melt:x", "throttle"),
        ("die:x,often=2", "often"),
        ("die:x,count=two", "count=two"),
        ("die:x,count", "count"),
        ("die:x,count=0", "1 or more"),
        ("die:x,after=-1", "0 or more"),
        ("die:x,seconds=nan", "0 or more"),
        ("die:x,probability=50", "at most 1"),
        ("die:x,probability=0", "more than 0"),
    ],
)
def test_a_wrong_rule_says_what_would_be_right(text: str, word: str) -> None:
    with pytest.raises(MockError) as refused:
        Faults(KINDS).parse(text)
    assert word in str(refused.value)


def test_an_unknown_kind_cannot_be_armed() -> None:
    with pytest.raises(MockError, match="melt"):
        Faults(KINDS).add(Fault("melt"))
    with pytest.raises(MockError, match="probability"):
        Faults(KINDS).add(Fault("die", probability=2))


def test_count_and_after_are_counted_on_matches_only() -> None:
    faults = Faults(KINDS)
    faults.add(Fault("throttle", "CreateModel", count=2, after=1))
    calls = ["ListModels", "CreateModel", "CreateModel", "ListModels", "CreateModel", "CreateModel"]
    assert [faults.strike("operation", name) is not None for name in calls] == [False, False, True, False, True, False]
    assert [struck for _, struck in faults.rules()] == [2]


def test_a_fault_strikes_only_at_its_place_and_for_any_of_the_subjects() -> None:
    faults = Faults(KINDS)
    faults.add(Fault("die", "step/Train"))
    assert faults.strike("operation", "step/Train") is None
    assert faults.strike("job", "TrainingJob/abc", "step/Train") is not None
    faults.clear()
    assert faults.strike("job", "step/Train") is None


def test_chance_follows_the_seed() -> None:
    def pattern(seed: int) -> list[bool]:
        faults = Faults(KINDS)
        faults.add(Fault("die", probability=0.3, seed=seed))
        return [faults.strike("job", "x") is not None for _ in range(400)]

    assert pattern(1) == pattern(1)
    assert pattern(1) != pattern(2)
    # 400 draws at 0.3: mean 120, standard deviation 9.2; five of them on either side.
    assert 74 <= sum(pattern(1)) <= 166


def test_switches_have_defaults_and_refuse_what_they_do_not_know() -> None:
    switches = Switches(
        [Switch("visible", ("yes", "no"), "", ""), Switch("hurried", ("never",), "", "")], {"visible": "no"}
    )
    assert switches["visible"] == "no"
    assert switches.in_force() == {"visible": "no", "hurried": "never"}
    with pytest.raises(MockError, match="yes, no"):
        switches.set("visible", "maybe")
    with pytest.raises(MockError, match="visible"):
        switches.set("hidden", "no")
