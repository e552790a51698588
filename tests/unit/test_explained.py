"""Explanations from a store: what is read for them, and how a KPI came to its verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from slo_guard.clock import from_unix
from slo_guard.domain.builtin import BURN_ALARM
from slo_guard.domain.kpi import BurnPair, ErrorBudget, Selection, Severity, Single, When, Window, WindowKind
from slo_guard.domain.ports import Store
from slo_guard.domain.readings import Collection, IndicatorType
from slo_guard.domain.verdicts import Reason, Verdict
from slo_guard.evaluate import EvaluationState
from slo_guard.explained import explain_stored, history_of, narrowed
from slo_guard.jobs import EvaluationBacklog, evaluate_once
from slo_guard.store import open_store
from tests.support.builders import SPRINT_START, a_frame, a_kpi, a_plan, an_objective

HOUR = 3600.0
ERRORS = a_kpi(
    "errors",
    "ratio over 1h",
    unit="ratio",
    objective=an_objective("below", 0.01),
    error_budget=ErrorBudget(
        Window(WindowKind.DURATION, 10 * HOUR),
        "10h",
        0.01,
        burn_alerts=(BurnPair(HOUR, 300.0, 2.0, Severity.PAGE, "1h/5m"),),
    ),
)
ALARMS = a_kpi(
    "alarms",
    "total over sprint",
    source=Single(Selection(BURN_ALARM)),
    type=IndicatorType.BOOL,
    unit="seconds",
    objective=an_objective("below", 120.0),
)
GO = a_kpi("go", source=Single(Selection("signed")), type=IndicatorType.BOOL)
LATER = a_kpi("later", when=When("go", is_true=True), objective=an_objective("at_most", 1.0))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Open the store of a daemon that saw 4 % of errors from the third minute on, for twelve minutes."""
    with closing(open_store(tmp_path_factory.mktemp("lived") / "s.db")) as opened:
        live_through(opened, 12)
        yield opened


def live_through(store: Store, minutes: int) -> None:
    plan, state, backlog = a_plan(ERRORS, ALARMS), EvaluationState.fresh(), EvaluationBacklog()
    bad = total = 0.0
    for minute in range(minutes):
        at = SPRINT_START + 60.0 * minute
        total, bad = total + 500, bad + (20 if minute >= 3 else 0)
        frames = (a_frame("part", at, bad), a_frame("total", at, total))
        store.save_collection(Collection("source", at, frames), lambda at=at: at)
        evaluate_once(plan, store, state, from_unix(at), backlog)


def test_only_what_a_kpi_depends_on_is_read_for_it() -> None:
    """A store holds weeks of all indicators; an answer must not wait for them."""
    plan = a_plan(ERRORS, ALARMS, GO, LATER)

    assert [kpi.id for kpi in narrowed(plan, [LATER]).kpis] == ["go", "later"]
    assert [kpi.id for kpi in narrowed(plan, [ALARMS]).kpis] == ["errors", "alarms"]
    assert [kpi.id for kpi in narrowed(plan, [GO]).kpis] == ["go"]


def test_the_time_of_burn_alarms_comes_back_from_what_was_stored(store: Store) -> None:
    """It is the daemon's own word, and no collector's."""
    found = explain_stored(a_plan(ERRORS, ALARMS), store, ALARMS)

    assert found.verdict is Verdict.MISSED
    escalated = [each.value for each in found.history if each.reason is Reason.ESCALATED]
    assert found.series[0].row.value == escalated[-1] == 360.0, "what the daemon told last"
    assert found.series[0].arithmetic[:2] == (
        "it was true for 6m of the sprint so far",
        "6m is not below 120.0: 4m above",
    )


def test_burn_alerts_are_part_of_how_it_came_to_that(store: Store) -> None:
    """Each tier is an alert of its own, and its value a burn rate."""
    burns = [each for each in history_of(store, ERRORS, SPRINT_START + HOUR) if each.kind == "burn"]

    assert [(each.tier, each.before, each.after) for each in burns][:1] == [("1h/5m", "inactive", "firing")]
    assert burns[0].value is not None
    assert burns[0].value > 2.0
