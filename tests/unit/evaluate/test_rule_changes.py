"""Worked examples of rules that change while their sprint runs: what is recorded, and both verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pytest

from slo_guard.clock import from_unix
from slo_guard.domain.builtin import SPRINT_CLOSE
from slo_guard.domain.kpi import (
    KPI,
    BurnPair,
    Drift,
    ErrorBudget,
    Exclusion,
    Pace,
    Place,
    Plan,
    Selection,
    Severity,
    Single,
    When,
    Window,
    WindowKind,
)
from slo_guard.domain.ports import PersistedEvaluation
from slo_guard.domain.readings import IndicatorType, Observation
from slo_guard.domain.rule_changes import RuleChange, RuleLog
from slo_guard.domain.verdicts import Targets, Verdict, VerdictFrame
from slo_guard.evaluate import Evaluation, EvaluationState, evaluate
from tests.support.builders import (
    SPRINT_START,
    a_frame,
    a_kpi,
    a_measure,
    a_plan,
    a_sign_off,
    a_sprint,
    an_evidence,
    an_objective,
    numbered,
)
from tests.support.restarts import kept

T0 = SPRINT_START
END = T0 + 600.0
SPRINT = a_sprint(T0, END)
NOTHING = PersistedEvaluation(None, 0, 0, {}, {}, {})
MINUTES = [T0 + 60.0 * number for number in range(16)]

P95 = a_kpi("p95", objective=an_objective("at_most", 1.16), resolve=an_objective("at_most", 1.1))
LOOSE = replace(P95, objective=an_objective("at_most", 1.3))
SLOW = [a_frame("a", T0 + 30.0 * number, 1.2) for number in range(-20, 40)]


def lived(
    rules: Mapping[float, KPI],
    observations: Iterable[Observation] = SLOW,
    instants: Sequence[float] = MINUTES,
    *,
    restarting: bool = False,
) -> list[Evaluation]:
    """Evaluate at ``instants`` by the rule of ``rules`` that holds by then.

    ``restarting``: each time from what was kept, as a daemon that is stopped for the edit.
    """
    stored, persisted, state = numbered(observations), NOTHING, EvaluationState.fresh()
    plans: dict[float, Plan] = {since: a_plan(kpi, sprint=SPRINT) for since, kpi in rules.items()}
    results: list[Evaluation] = []
    for now in instants:
        plan = plans[max(since for since in plans if since <= now)]
        if restarting:
            history = [each for each in stored if each.id <= persisted.reading_cursor]
            state = EvaluationState.restored(plan, persisted, history)
        new = [each for each in stored if each.id > state.reading_cursor and each.observation.seen_at <= now]
        results.append(evaluate(plan, new, state, from_unix(now)))
        persisted = kept(persisted, results[-1].record)
    return results


def recorded(results: Iterable[Evaluation]) -> list[RuleChange]:
    """Return all changes that were recorded."""
    return [each for result in results for each in result.record.rules.changes]


def the_frame(result: Evaluation) -> VerdictFrame:
    """Return the only frame."""
    [frame] = result.verdicts
    return frame


def targets_of(result: Evaluation) -> Targets:
    """Return what the only frame says of its target's changes."""
    targets = the_frame(result).targets
    assert targets is not None
    return targets


@pytest.mark.parametrize("restarting", [False, True])
def test_a_target_that_is_loosened_is_recorded_and_both_verdicts_show(restarting):
    """A limit that moves behind the value in the second week turns the lane green: that must be seen."""
    results = lived({T0: P95, T0 + 270: LOOSE}, restarting=restarting)

    change = RuleChange("sprint-40", "p95", T0 + 300, "objective", "at_most 1.16", "at_most 1.3")
    assert recorded(results) == [change]
    assert the_frame(results[4]).targets is None
    assert [the_frame(result).worst for result in (results[4], results[5])] == [Verdict.MISSED, Verdict.MET]
    assert targets_of(results[5]) == Targets((change,), "at_most 1.16", Verdict.MISSED)


def test_the_close_tells_of_the_change_and_of_both_verdicts():
    """The summary is what people read: it must not say met alone."""
    due = {"due_at": END}
    results = lived({T0: replace(P95, **due), T0 + 270: replace(LOOSE, **due)})

    [close] = [each for result in results for each in result.transitions if each.key.kpi == SPRINT_CLOSE]
    [final] = close.finals
    assert (final.verdict, final.by_original) == (Verdict.MET, Verdict.MISSED)
    assert [(each.at, each.before, each.after) for each in final.changes] == [(T0 + 300, "at_most 1.16", "at_most 1.3")]
    assert targets_of(results[-1]) == Targets(final.changes, "at_most 1.16", Verdict.MISSED), "as long as it is shown"


def test_what_goes_on_after_the_sprint_is_summed_up_by_both_targets_too():
    """A p95 does not freeze, and its target may be moved all the same."""
    [close] = [
        each
        for result in lived({T0: P95, T0 + 270: LOOSE})
        for each in result.transitions
        if each.key.kpi == SPRINT_CLOSE
    ]

    assert [(final.verdict, final.by_original) for final in close.finals] == [(Verdict.MET, Verdict.MISSED)]


def test_final_verdicts_by_both_targets_come_back_after_a_restart():
    """The page shows next month what the summary said."""
    due = {"due_at": END}

    results = lived({T0: replace(P95, **due), T0 + 270: replace(LOOSE, **due)}, restarting=True)

    assert the_frame(results[-1]).final
    assert targets_of(results[-1]) == targets_of(results[10])
    assert targets_of(results[-1]).verdict is Verdict.MISSED


def test_a_change_made_while_nobody_was_running_over_the_end_is_recorded_before_the_close():
    """Stopping the daemon at the last minute is no way around it."""
    due = {"due_at": END}

    results = lived(
        {T0: replace(P95, **due), END + 30: replace(LOOSE, **due)}, instants=[T0, T0 + 540, END + 60], restarting=True
    )

    assert [(each.at, each.field) for each in recorded(results)] == [(END + 60, "objective")]
    assert (the_frame(results[-1]).worst, targets_of(results[-1]).verdict) == (Verdict.MET, Verdict.MISSED)


@pytest.mark.parametrize("restarting", [False, True])
def test_a_change_before_the_sprint_starts_is_planning(restarting):
    """Targets are made up before the sprint; only what it began with was promised."""
    results = lived({T0 - 600: P95, T0 - 90: LOOSE}, instants=[T0 - 120, T0 - 60, T0, T0 + 60], restarting=restarting)

    assert recorded(results) == []
    assert the_frame(results[-1]).targets is None


@pytest.mark.parametrize("restarting", [False, True])
def test_a_change_after_the_close_is_no_change_of_this_sprint(restarting):
    """What is final was judged by the rule of its time."""
    due = {"due_at": END}

    results = lived({T0: replace(P95, **due), END + 90: replace(LOOSE, **due)}, restarting=restarting)

    assert recorded(results) == []
    assert (the_frame(results[-1]).worst, the_frame(results[-1]).targets) == (Verdict.MISSED, None)


def test_a_change_that_is_taken_back_stays_on_record():
    """Both edits happened; there is one target again, and so one verdict."""
    results = lived({T0: P95, T0 + 120: LOOSE, T0 + 240: P95})

    assert [(each.before, each.after) for each in recorded(results)] == [
        ("at_most 1.16", "at_most 1.3"),
        ("at_most 1.3", "at_most 1.16"),
    ]
    assert (targets_of(results[-1]).objective, targets_of(results[-1]).verdict) == (None, None)


def test_the_original_is_the_first_target_however_often_it_changes():
    """Small steps must not hide the way."""
    results = lived({T0: P95, T0 + 120: LOOSE, T0 + 240: replace(P95, objective=an_objective("at_most", 2))})

    assert targets_of(results[5]).objective == "at_most 1.16"
    assert len(targets_of(results[5]).changes) == 2


def test_a_due_time_that_is_put_off_is_judged_by_the_first_one_too():
    """Unsigned on Friday is missed, though the rule says Monday since."""
    signed = a_kpi("p95", type=IndicatorType.BOOL, objective=an_objective("is", True), due_at=T0 + 300)
    later = replace(signed, due_at=END)
    unsigned = [an_evidence("a", T0 + 30.0 * number) for number in range(20)]

    results = lived({T0: signed, T0 + 240: later}, unsigned)

    assert the_frame(results[6]).worst is Verdict.NOT_DUE
    assert targets_of(results[6]).verdict is Verdict.MISSED
    assert targets_of(results[6]).objective == "is True, due 2026-07-06T06:05:00Z"


def test_a_sign_off_is_judged_anew_by_an_objective_of_the_other_sense():
    """What meets one target since noon meets its opposite until noon: each is measured for itself."""
    signed = a_kpi("p95", type=IndicatorType.BOOL, objective=an_objective("is", True))
    evidence = [an_evidence("a", T0 + 30.0 * number, a_sign_off(T0 + 10)) for number in range(1, 20)]

    results = lived({T0: signed, T0 + 240: replace(signed, objective=an_objective("is", False))}, evidence)

    assert (the_frame(results[6]).worst, targets_of(results[6]).verdict) == (Verdict.MISSED, Verdict.MET)


def test_another_measure_is_recorded_and_judged_only_as_it_is_now():
    """By the old measure nobody has looked: a verdict by it would be made up."""
    results = lived({T0: P95, T0 + 270: replace(LOOSE, measure=a_measure("mean over 5m"))})

    assert [(each.field, each.before, each.after) for each in recorded(results)] == [
        ("measure", "last", "mean over 5m"),
        ("objective", "at_most 1.16", "at_most 1.3"),
    ]
    assert targets_of(results[6]).verdict is None


def test_another_way_to_write_the_same_is_no_change():
    """``10m`` for ``600s``, a new title or a moved line must raise no eyebrow."""
    written = replace(
        P95,
        objective=replace(P95.objective, text="at_most  1160ms"),
        measure=replace(P95.measure, text=" last "),
        title="P95",
        place=Place("ga-ops.yaml", 30),
        for_seconds=60.0,
    )

    assert recorded(lived({T0: P95, T0 + 270: written})) == []


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("indicator", {"source": Single(Selection("b"))}),
        ("by", {"by": ("system",)}),
        ("warn", {"warn": an_objective("at_most", 1)}),
        ("resolve", {"resolve": None}),
        ("due", {"due_at": T0 + 500}),
        ("checkpoint", {"checkpoint_at": T0 + 400}),
        ("min_samples", {"min_samples": 3}),
        ("min_total", {"min_total": 10.0}),
        ("min_coverage", {"min_coverage": 0.5}),
        ("baseline", {"baseline": 0.0}),
        ("pace", {"pace": Pace.WORKDAYS}),
        ("drift", {"drift": Drift(3600.0, 600.0)}),
        ("when", {"when": When("other", is_true=True)}),
        ("exclude", {"exclude": (Exclusion(T0, T0 + 60, "outage", "Ada"),)}),
    ],
)
def test_whatever_bears_on_the_verdict_is_recorded(name, fields):
    """An exclusion or a smaller minimum is a way to green as well as a higher limit."""
    state = EvaluationState.fresh()
    evaluate(a_plan(P95, sprint=SPRINT), [], state, from_unix(T0))

    log = state.rules.note([replace(P95, **fields)], SPRINT, T0 + 60, closed=False)
    assert log == RuleLog(), "asked again without a reload nothing is looked at"
    state.rules.follow()
    log = state.rules.note([replace(P95, **fields)], SPRINT, T0 + 60, closed=False)

    assert [each.field for each in log.changes] == [name]


def a_slo(limit: float, long: float = 3600.0) -> KPI:
    """Return a ratio that must not exceed ``limit``, with the error budget that follows from it."""
    pair = BurnPair(long, 300.0, 2.0, Severity.PAGE, "burn")
    budget = ErrorBudget(Window(WindowKind.SPRINT), "sprint", limit, burn_alerts=(pair,))
    return a_kpi("slo", "ratio over sprint", objective=an_objective("at_most", limit), error_budget=budget)


FAILING = [
    a_frame(name, T0 + 30.0 * number, share * number)
    for number in range(40)
    for name, share in (("part", 7), ("total", 100))
]


def test_a_target_that_is_loosened_shows_both_verdicts_also_where_a_budget_follows_from_it():
    """The budget grows with the limit: that is the same change, and no reason to hide what the old limit says."""
    results = lived({T0: a_slo(0.05), T0 + 270: a_slo(0.1)}, FAILING)

    targets = targets_of(results[-1])
    assert [change.field for change in targets.changes] == ["error_budget", "objective"]
    assert (targets.objective, targets.verdict) == ("at_most 0.05", Verdict.MISSED)
    assert the_frame(results[-1]).worst is Verdict.MET


def test_a_budget_that_changes_alone_is_recorded_and_is_no_other_target():
    """Louder or quieter burn alerts change no verdict, so there is no second one to show."""
    results = lived({T0: a_slo(0.05), T0 + 270: a_slo(0.05, 7200.0)}, FAILING)

    targets = targets_of(results[-1])
    assert [change.field for change in targets.changes] == ["error_budget"]
    assert (targets.objective, targets.verdict) == (None, None)


def test_of_a_budget_that_changed_people_read_what_differs():
    """Four tiers on either side bury the one number that moved; a number that is not told makes both sides read alike."""
    slo = a_slo(0.05)
    quieter = replace(slo, error_budget=replace(slo.error_budget, min_total=20.0))
    results = lived({T0: slo, T0 + 270: a_slo(0.1), T0 + 390: quieter}, FAILING)

    looser, _, back, _ = (each.in_words("today") for each in recorded(results))
    by = "over sprint by occurrences"
    assert looser == f"error_budget changed today: 5% {by} -> 10% {by}"
    assert back == f"error_budget changed today: 10% {by}; min_total 0 -> 5% {by}; min_total 20"
