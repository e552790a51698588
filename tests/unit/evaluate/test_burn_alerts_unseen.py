"""Burn alerts while one side of the ratio, or both, are not seen: that is neither a failure nor a recovery."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from slo_guard.clock import from_unix
from slo_guard.domain.kpi import KPI, BurnPair, ErrorBudget, NoData, RatioPair, Selection, Severity, Window, WindowKind
from slo_guard.domain.readings import Observation
from slo_guard.domain.verdicts import AlertState
from slo_guard.evaluate import EvaluationState, evaluate
from tests.support.builders import SPRINT_START, a_failure, a_frame, a_kpi, a_plan, an_objective, numbered

T0 = SPRINT_START
HOUR = 3600.0
PAIR = BurnPair(HOUR, 300.0, 14.4, Severity.PAGE, "1h/5m")

Seen = Callable[[str, int], bool]


def an_slo(part_is: str, allowed: float = 0.05, after: float = 300.0) -> KPI:
    """Return a ratio whose budget is burnt by more than 14.4 times ``allowed``."""
    objective = an_objective("at_most", allowed) if part_is == "bad" else an_objective("at_least", 1 - allowed)
    return a_kpi(
        "slo",
        "ratio over sprint",
        source=RatioPair(Selection("part"), Selection("total"), part_is),
        objective=objective,
        error_budget=ErrorBudget(Window(WindowKind.SPRINT), "sprint", allowed, burn_alerts=(PAIR,)),
        no_data=NoData(after),
    )


def lived(kpi: KPI, share: float, minutes: int, seen: Seen, *, said: bool = False) -> list[tuple[int, AlertState]]:
    """Return the burn alert's changes, minute by minute: ``share`` of the total is part, where a side is ``seen``.

    ``said``: a side that is not seen says so, as a collection that fails.
    """
    plan, state, found, count = a_plan(kpi), EvaluationState.fresh(), [], 0
    for minute in range(minutes):
        now = T0 + 60.0 * minute
        sides = {"part": 100.0 * share * minute, "total": 100.0 * minute}
        new: list[Observation] = [a_frame(name, now, value) for name, value in sides.items() if seen(name, minute)]
        new += [a_failure(name, now) for name in sides if said and not seen(name, minute)]
        stored = [replace(each, id=each.id + count) for each in numbered(new)]
        count += len(stored)
        result = evaluate(plan, stored, state, from_unix(now))
        found += [(minute, each.to_state) for each in result.transitions if each.key.tier]
    return found


@pytest.mark.parametrize("minutes", [6, 10, 20, 90])
@pytest.mark.parametrize("after", [300.0, 900.0])
def test_an_outage_of_the_source_does_not_end_an_alert_that_goes_on_after_it(minutes: int, after: float):
    """As the data stops it was told as recovered, and as it is back paged anew: silence is no recovery."""
    changes = lived(an_slo("bad", after=after), 0.9, 300, lambda _, minute: not 120 < minute < 120 + minutes)

    assert [state for _, state in changes] == [AlertState.FIRING]


def test_an_alert_ends_when_an_outage_is_over_and_nothing_fails_any_more():
    """What was frozen must not stay: the first window in which both sides were seen lets it go."""
    plan, state, ends = a_plan(an_slo("bad")), EvaluationState.fresh(), []
    frames: list[Observation] = []
    for minute in (*range(121), *range(140, 160)):
        now, failed = T0 + 60.0 * minute, 90.0 * min(minute, 120)
        frames += [a_frame("part", now, failed), a_frame("total", now, 100.0 * minute)]
    stored = numbered(frames)

    for minute in range(160):
        now = T0 + 60.0 * minute
        new = [each for each in stored if each.id > state.reading_cursor and each.observation.seen_at <= now]
        result = evaluate(plan, new, state, from_unix(now))
        ends += [minute for each in result.transitions if each.key.tier and each.to_state is AlertState.INACTIVE]

    assert ends == [141]


@pytest.mark.parametrize("gap", [range(2), range(70), range(130)])
def test_good_events_that_are_seen_later_than_all_events_do_not_page(gap: range):
    """The collector of the good ones was down, or came a release later: what was not counted has not failed."""
    returns = 120 + len(gap)
    kpi = an_slo("good", 0.001, after=900.0)

    changes = lived(kpi, 1.0, 300, lambda name, minute: name == "total" or not 120 <= minute < returns, said=True)
    began_late = lived(an_slo("good"), 0.99, 200, lambda name, minute: name == "total" or minute >= 120)

    assert changes == []
    assert began_late == []


def test_a_window_without_events_that_was_seen_ends_an_alert():
    """No traffic is an answer: the counters are there, and stand still."""
    kpi, state, ends = an_slo("bad"), EvaluationState.fresh(), []
    for minute in range(90):
        now, at = T0 + 60.0 * minute, float(min(minute, 60))
        new = numbered([a_frame("part", now, 90 * at), a_frame("total", now, 100 * at)])
        new = [replace(each, id=each.id + 2 * minute) for each in new]
        result = evaluate(a_plan(kpi), new, state, from_unix(now))
        ends += [minute for each in result.transitions if each.key.tier and each.to_state is AlertState.INACTIVE]

    assert ends == [65]
