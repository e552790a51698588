"""Why a verdict is what it is, in words: the formula, the arithmetic, the inputs, and what more the rule says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo_guard.clock import from_unix
from slo_guard.domain.explanations import Explanation
from slo_guard.domain.kpi import (
    KPI,
    BurnPair,
    Combine,
    Drift,
    ErrorBudget,
    Exclusion,
    Matcher,
    MatchOp,
    NoData,
    NoDataThen,
    Objective,
    Op,
    Pace,
    Quotient,
    RatioPair,
    Selection,
    Severity,
    Single,
    When,
    Window,
    WindowKind,
)
from slo_guard.domain.readings import IndicatorType, Observation
from slo_guard.domain.verdicts import Verdict
from slo_guard.evaluate import EvaluationState, evaluate
from slo_guard.evaluate.comparison_words import comparison
from slo_guard.evaluate.explaining import SECTIONS, explain
from slo_guard.evaluate.objectives import meets
from tests.support.builders import (
    SPRINT_END,
    SPRINT_START,
    a_batch,
    a_failure,
    a_frame,
    a_kpi,
    a_plan,
    a_sign_off,
    an_evidence,
    an_objective,
    labels,
    numbered,
)

T0 = SPRINT_START
HOUR = 3600.0


def explained(kpi: KPI, observations: Iterable[Observation], *times: float) -> Explanation:
    """Evaluate at T0 + each of ``times`` and explain what the last one found."""
    plan, state, waiting = a_plan(kpi), EvaluationState.fresh(), numbered(observations)
    for time in times:
        news = [each for each in waiting if each.observation.seen_at <= T0 + time]
        waiting = [each for each in waiting if each.observation.seen_at > T0 + time]
        [frame] = evaluate(plan, news, state, from_unix(T0 + time)).verdicts
    return explain(state.tracks[kpi.sprint, kpi.id], frame, T0 + times[-1], plan.indicators)


def steps(kpi: KPI, observations: Iterable[Observation], *times: float) -> tuple[str, ...]:
    """Return the arithmetic of the worst series."""
    return explained(kpi, observations, *times).series[0].arithmetic


def counted(values: Sequence[float], name: str = "a", step: float = 60.0, **by: Any) -> list[Observation]:
    return [a_frame(name, T0 + step * place, value, **by) for place, value in enumerate(values)]


class TestComparison:
    """The sentence that a teammate checks by hand."""

    @pytest.mark.parametrize(
        ("op", "bound", "value", "unit", "says"),
        [
            ("at_most", 1.16, 1.21, "seconds", "1.21s is not at most 1.16: 50ms above"),
            ("at_most", 1.16, 1.05, "seconds", "1.05s is at most 1.16, with 110ms to spare"),
            ("at_most", 1.16, 1.16, "seconds", "1.16s is at most 1.16"),
            ("below", 0.008, 0.009, "ratio", "0.9% is not below 0.008: 0.1 percentage points above"),
            ("below", 0.008, 0.008, "ratio", "0.8% is not below 0.008: it stands on the bound, which does not count"),
            ("at_least", 100, 97, "", "97 is not at least 100: 3 short"),
            ("above", 2, 2, "", "2 is not above 2: it stands on the bound, which does not count"),
            ("equals", 0, 2, "", "2 is not exactly 0: 2 above"),
            ("is", 1, 0, "", "it is false, and must be true"),
            ("is", 1, 1, "", "it is true, as it must be"),
        ],
    )
    def test_it_says_by_how_much(self, op, bound, value, unit, says):
        """Red or green is not enough to act on."""
        assert (
            comparison(an_objective(op, bound) if op != "is" else Objective(Op.IS, bound, "is true"), value, unit)
            == says
        )

    @pytest.mark.parametrize(("value", "says"), [(1, "1 below"), (4, "1 above")])
    def test_between_names_the_bound_that_is_broken(self, value, says):
        """Too many sources is another mistake than too few."""
        objective = Objective(Op.BETWEEN, 2, "between 2 and 3", 3)

        assert comparison(objective, value, "") == f"{value} is not between 2 and 3: {says}"

    def test_a_value_that_is_rounded_onto_its_bound_is_told_apart(self):
        """Else it reads "1.16s is not at most 1.16s", and is taken for a fault of ours."""
        said = comparison(Objective(Op.AT_MOST, 1.16, "at_most 1.16s"), 1.160012, "seconds")

        assert said == "1.160012s is not at most 1.16s: 0.012ms above"

    @given(
        op=st.sampled_from(["at_most", "below", "at_least", "above", "equals"]),
        bound=st.floats(-1e6, 1e6),
        value=st.floats(-1e6, 1e6),
        unit=st.sampled_from(["", "seconds", "ratio", "bytes"]),
    )
    @settings(max_examples=150)
    def test_the_words_never_contradict_the_verdict(self, op, bound, value, unit):
        """Words that are worked out beside the evaluator could say met of what is missed."""
        objective = an_objective(op, bound)

        met = bool(meets(objective, np.array([value]))[0])

        assert (" is not " not in comparison(objective, value, unit)) is met


class TestArithmetic:
    """From what was measured to the verdict."""

    def test_a_ratio_shows_its_two_counts(self):
        """A share without its total can be one of three."""
        kpi = a_kpi(measure="ratio over 1h", unit="ratio", objective=an_objective("below", 0.008), min_total=200)
        frames = [*counted([0, 18], "part"), *counted([0, 2000], "total")]

        assert steps(kpi, frames, 60) == (
            "18 bad of 2,000 = 0.9%",
            "0.9% is not below 0.008: 0.1 percentage points above",
            "a total of 2,000, enough: at least 200 are needed",
            "seen for 100% of the last 1h",
        )

    def test_an_increase_shows_where_it_counts_from(self):
        """A limit for the sprint is counted from its start, not from the counter's beginning."""
        kpi = a_kpi(measure="increase over sprint", unit="", objective=an_objective("equals", 0))

        found = steps(kpi, counted([7, 7, 9]), 0, 120)

        assert found[:2] == (
            "the counter stood at 7 at the window's start and at 9 now: 2 more",
            "2 is not exactly 0: 2 above",
        )
        assert "2 past the limit, for good" in found

    def test_a_counter_that_was_reset_says_so(self):
        """What it stands at is less than what it gained."""
        kpi = a_kpi(measure="increase over sprint", unit="", objective=an_objective("at_most", 9))

        assert steps(kpi, counted([7, 9, 1]), 0, 120)[0] == (
            "the counter stands at 1; with its resets taken out it gained 3"
        )

    def test_what_came_after_the_verdict_is_not_mixed_into_it(self):
        """A slow rule's verdict is minutes old: "9 now: 2 more" beside a counter that stands at 12 adds up to nothing."""
        kpi = a_kpi(measure="increase over sprint", unit="", objective=an_objective("equals", 0))
        plan, state = a_plan(kpi), EvaluationState.fresh()
        *seen, newer = numbered(counted([7, 9, 12]))
        [frame] = evaluate(plan, seen, state, from_unix(T0 + 60)).verdicts
        state.take_all([newer])

        found = explain(state.tracks[kpi.sprint, kpi.id], frame, T0 + 120, plan.indicators)

        assert found.series[0].arithmetic[0] == "2 is not exactly 0: 2 above"
        assert (found.at, found.seen_at, found.inputs[0].samples[0].value) == (T0 + 60, T0 + 120, 12.0)

    def test_a_quotient_shows_both_sides(self):
        """Metered and billed are two systems; which of them is off is seen in the numbers."""
        kpi = a_kpi(measure="spread_abs", unit="ratio", objective=an_objective("at_most", 0.0025))

        found = steps(kpi, [a_frame("part", T0, 1204.0), a_frame("total", T0, 1200.0)], 0)

        assert found[0] == "abs(1,204 / 1,200 - 1) = 0.3333%"

    def test_a_change_shows_both_ends(self):
        """The plan's "+2 tenants" is 9 now and 7 at the start."""
        kpi = a_kpi(measure="delta over sprint", unit="", objective=an_objective("at_least", 2), due_at=SPRINT_END)

        assert steps(kpi, counted([7, 8]), 0, 60)[:2] == (
            "from 7 at the window's start to 8 now: 1",
            "1 is not at least 2: 1 short",
        )

    @pytest.mark.parametrize(
        ("measure", "says"),
        [
            ("mean over 1h", "2 is the mean of 3 samples"),
            ("max over 1h", "3 is the largest of 3 samples"),
        ],
    )
    def test_an_aggregate_says_of_how_many_samples(self, measure, says):
        """The mean of two samples is luck."""
        kpi = a_kpi(measure=measure, unit="", objective=an_objective("at_most", 5))

        assert steps(kpi, counted([1, 2, 3]), 120)[0] == says

    @pytest.mark.parametrize(
        ("measure", "says"),
        [
            ("p95 over sprint", "2.9 is the p95 of 3 observations"),
            ("sum over sprint", "3 observations came in the window"),
        ],
    )
    def test_events_say_how_many_they_are(self, measure, says):
        """A percentile of three observations decides nothing."""
        kpi = a_kpi(measure=measure, unit="", objective=an_objective("at_most", 50), by=())
        events = a_batch("a", T0 + 60, (T0 + 10, 1.0), (T0 + 20, 2.0), (T0 + 30, 3.0))

        assert says in steps(kpi, [events], 60)

    def test_too_few_samples_are_said_to_be_too_few(self):
        """Insufficient without the two numbers leaves everybody guessing."""
        kpi = a_kpi(measure="mean over 1h", unit="", objective=an_objective("at_most", 5), min_samples=5)

        assert "3 samples, too few: at least 5 are needed" in steps(kpi, counted([1, 2, 3]), 120)

    def test_thin_coverage_is_held_against_what_is_needed(self):
        """A limit that was hardly watched is not kept."""
        kpi = a_kpi(measure="increase over sprint", unit="", baseline=0.0, objective=an_objective("at_most", 5))

        found = steps(kpi, [a_frame("a", T0 + HOUR, 1.0)], HOUR + 60)

        assert found[-1].endswith("too little: at least 90% is needed to call it met")

    def test_warning_and_resolve_are_held_against_the_value_too(self):
        """Why an alert goes on although the objective is met is what people ask first."""
        kpi = a_kpi(
            unit="seconds",
            objective=an_objective("at_most", 1.16),
            warn=an_objective("at_most", 1.05),
            resolve=an_objective("at_most", 1.1),
        )

        found = steps(kpi, counted([1.3, 1.12]), 0, 60)

        assert found[1].startswith("the warning bound is at most 1.05: passed, 1.12s is not at most 1.05")
        assert found[2].startswith(
            "its alert resolves only once the value is at most 1.1: not yet, 1.12s is not at most 1.1"
        )

    def test_what_is_ahead_is_part_of_it(self):
        """Behind its line is at risk, and the line's number is the goal of today."""
        kpi = a_kpi(
            measure="increase over sprint",
            unit="",
            baseline=0.0,
            objective=an_objective("at_least", 100),
            due_at=SPRINT_END,
            pace=Pace.LINEAR,
        )

        found = steps(kpi, [a_frame("a", T0 + 6 * 24 * HOUR, 20.0)], 6 * 24 * HOUR)

        assert "by the line that leads to the goal it should be 50 by now" in found
        assert "at the present pace it will be 40 at its due time" in found

    def test_without_a_value_nothing_is_compared(self):
        """No data is never 0."""
        kpi = a_kpi(unit="seconds", objective=an_objective("at_most", 1.16))

        found = explained(kpi, [a_failure("a", T0)], 0).series[0]

        assert (found.value, found.arithmetic) == ("no value", ("there is no value to hold against the objective",))
        assert "the source cannot be collected" in found.why


class TestFormula:
    """What a rule measures, for somebody who has never seen a rule file."""

    @pytest.mark.parametrize(
        ("kpi", "first"),
        [
            (a_kpi(), "The newest value of a."),
            (a_kpi(measure="mean over 5m"), "The mean of all samples of a, over the last 5m."),
            (a_kpi(measure="increase over sprint"), "The increase of a, over the sprint so far."),
            (a_kpi(measure="p95 over week"), "The p95 of all observations of a, over the week so far."),
            (a_kpi(measure="median over day"), "The median of all observations of a, over the day so far."),
            (a_kpi(measure="total over sprint"), "The time of being true of a, over the sprint so far."),
            (
                a_kpi(measure="ratio over 1h"),
                "A share: the increase of part (went wrong) / the increase of total (everything), over the last 1h.",
            ),
            (
                a_kpi(source=Quotient(Selection("v2"), Selection("base"))),
                "The newest value of v2 / the newest value of base.",
            ),
            (
                a_kpi(source=Single(Selection("a", (Matcher("arm", MatchOp.NOT_EQUAL, "v2"),)))),
                "The newest value of a where arm is not v2.",
            ),
        ],
    )
    def test_the_first_sentence_says_what_is_measured(self, kpi, first):
        """Each reducer and source has its own words."""
        assert explained(kpi, [], 0).formula[0] == first

    def test_the_rest_says_how_it_is_split_folded_and_judged(self):
        """The objective stands there too, and what is at risk."""
        kpi = a_kpi(
            by=("system",),
            combine=Combine.MAX,
            unit="seconds",
            objective=an_objective("at_most", 2),
            warn=an_objective("at_most", 1),
        )

        assert explained(kpi, [], 0).formula[1:] == (
            "One verdict for each system; the KPI shows the worst.",
            "Of several series that fold into one value: the largest.",
            "It must be at most 2.",
            "It is at risk when not at most 1.",
        )

    def test_what_is_only_tracked_says_so(self):
        """Nobody waits for it to turn green."""
        assert explained(a_kpi(), [], 0).formula[-1] == "It is tracked only: there is no objective that it could miss."


class TestInputs:
    """Where the number comes from, and how old it is."""

    def test_stale_series_come_first_with_their_age(self):
        """What is missing is what is looked for."""
        kpi = a_kpi(by=("system",), unit="seconds", objective=an_objective("at_most", 2))
        both = {labels("system=fs"): 1.0, labels("system=xai"): 1.0}
        late = {labels("system=fs"): 1.1, labels("system=xai"): None}
        frames = [a_frame("a", T0, both), a_frame("a", T0 + 600, late)]

        [found] = explained(kpi, frames, 0, 600).inputs

        assert [
            (dict(each.labels)["system"], each.value, each.age_seconds, each.is_stale) for each in found.samples
        ] == [
            ("xai", 1.0, 600.0, True),
            ("fs", 1.1, 0.0, False),
        ]
        assert (found.series, found.stale_series, found.is_stale, found.stale_after_seconds) == (2, 1, False, 300.0)
        assert (found.collector, found.collected_at) == ("source", T0 + 600)

    def test_a_source_that_fails_says_why_and_since_when(self):
        """Its message is the first thing to read."""
        kpi = a_kpi(unit="seconds", objective=an_objective("at_most", 2))

        [found] = explained(kpi, [a_frame("a", T0, 1.0), a_failure("a", T0 + 600)], 0, 600).inputs

        assert (found.failure, found.failed_at, found.collected_at) == ("no answer within 5s", T0 + 600, T0)
        assert found.is_stale

    def test_samples_that_came_too_late_are_counted(self):
        """They explain a total that is too small."""
        kpi = a_kpi(objective=an_objective("at_most", 2))
        frames = [a_frame("a", T0 + 60, 1.0, seen_at=T0 + 60), a_frame("a", T0 + 30, 1.0, seen_at=T0 + 90)]

        assert explained(kpi, frames, 60, 90).inputs[0].late_samples == 1

    def test_a_sign_off_says_who(self):
        """Evidence is somebody's word."""
        kpi = a_kpi(type=IndicatorType.BOOL, objective=Objective(Op.IS, 1.0, "is true"))

        [found] = explained(kpi, [an_evidence("a", T0 + 60, a_sign_off(T0 + 30))], 60).inputs

        assert [(each.value, each.at, each.note) for each in found.samples] == [(1.0, T0 + 30, "by Ada")]
        assert not found.is_stale

    def test_both_sides_of_a_ratio_are_named_by_their_role(self):
        """Both sides come from different systems."""
        kpi = a_kpi(measure="ratio over 1h", source=RatioPair(Selection("p"), Selection("t"), "good"))

        assert [(each.role, each.indicator) for each in explained(kpi, [], 0).inputs] == [("good", "p"), ("total", "t")]


class TestPage:
    """The worst first, and what more the rule says."""

    def test_of_many_series_the_worst_are_shown_and_the_rest_counted(self):
        """Twenty are read; a thousand are not."""
        kpi = a_kpi(by=("t",), objective=an_objective("at_most", 30))
        frame = a_frame("a", T0, {labels(f"t={number}"): float(number) for number in range(50)})

        found = explained(kpi, [frame], 0)

        assert (len(found.series), found.series_total) == (20, 50)
        assert {each.row.verdict for each in found.series[:19]} == {Verdict.MISSED}
        assert found.counts == {Verdict.MISSED: 19, Verdict.MET: 31}

    def test_sections_say_when_it_is_due_alerts_and_applies(self):
        """What the rule file says, without the file."""
        kpi = a_kpi(
            objective=an_objective("at_least", 2),
            due_at=T0 + 48 * HOUR,
            drift=Drift(6 * HOUR, 24 * HOUR),
            when=When("go", is_true=True),
            for_seconds=300.0,
            no_data=NoData(600.0, NoDataThen.HOLD),
            exclude=(Exclusion(T0 + 24 * HOUR, T0 + 25 * HOUR, "move", "Ana"),),
        )

        found = {each.title: each.lines for each in explained(kpi, [a_frame("a", T0, 1.0)], 0).sections}

        assert found["Time"] == (
            "due: Wed 8 Jul 2026 00:00 MDT, in 2d",
            "drift: at risk when the trend of the last 6h crosses the objective within 1d",
        )
        assert found["Condition"] == ("it applies only while go is true",)
        assert found["Excluded time"] == ("Tue 7 Jul 2026 00:00 MDT to Tue 7 Jul 2026 01:00 MDT: move (Ana)",)
        assert found["Alert"][0] == "a breach raises an alert of severity page once it has lasted for 5m"
        assert found["Missing data"] == (
            "a sample older than 10m is stale: that is no_data, and freezes the alert for up to 1h",
        )
        assert set(found) <= {title for title, _ in SECTIONS}

    def test_an_error_budget_says_what_is_left_and_how_fast_it_goes(self):
        """Half of the budget gone in an hour is another matter than half of it gone in a week."""
        kpi = a_kpi(
            measure="ratio over 1h",
            unit="ratio",
            objective=an_objective("below", 0.01),
            error_budget=ErrorBudget(
                Window(WindowKind.DURATION, 10 * HOUR),
                "10h",
                0.01,
                burn_alerts=(BurnPair(HOUR, 300.0, 2.0, Severity.PAGE, "1h/5m"),),
            ),
        )
        frames = [*counted([0, 20, 40], "part"), *counted([0, 500, 1000], "total")]

        found = explained(kpi, frames, 0, 60, 120)

        sections = {each.title: each.lines for each in found.sections}
        assert sections["Error budget"] == (
            "1% of all events within 10h may be bad",
            "over 1h/5m a burn rate above 2 raises an alert of severity page",
        )
        said = found.series[0].arithmetic
        assert "burn rate over the last 5m 4, 1h 4; at 1 the budget lasts just as long as its window" in said
        assert "both windows of 1h/5m burn above 2" in said
        assert any("beyond the error budget" in line for line in said)

    def test_explaining_changes_nothing(self):
        """A person who looks must not change what pages."""
        kpi = a_kpi(measure="increase over 5m", objective=an_objective("at_most", 5), for_seconds=120.0)
        plan, waiting = a_plan(kpi), numbered(counted([0, 3, 6, 9, 12, 15, 18, 21, 24, 27]))

        def lived(looking: bool) -> list[tuple[float, str]]:
            state, told = EvaluationState.fresh(), []
            for stored in waiting:
                at = stored.observation.seen_at
                result = evaluate(plan, [stored], state, from_unix(at))
                told += [(each.at, each.to_state.label) for each in result.transitions]
                if looking:
                    explain(state.tracks[kpi.sprint, kpi.id], result.verdicts[0], at, plan.indicators)
            return told

        assert lived(looking=True) == lived(looking=False) != []
