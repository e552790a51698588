"""The page beside an error budget: what is left of it, how fast it goes, and which of its alerts fire."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import numpy as np
import pytest

from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.budgets import BudgetFrame
from slo_guard.domain.kpi import BurnPair, ErrorBudget, Severity, Window, WindowKind
from slo_guard.domain.verdicts import Verdict
from slo_guard.expose.pages.board import Drawn, board_view
from slo_guard.expose.pages.rendering import Pages
from tests.support.builders import SPRINT_END, SPRINT_START, a_kpi, an_objective, labels
from tests.support.pictures import NAN, NOW, a_snapshot, an_alert, verdict_frame

FAST = BurnPair(3600.0, 300.0, 14.4, Severity.PAGE, "1h/5m")
SLOW = BurnPair(3 * 86400.0, 6 * 3600.0, 1.0, Severity.TICKET, "3d/6h")
BUDGET = ErrorBudget(Window(WindowKind.SPRINT), "sprint", 0.05, burn_alerts=(FAST, SLOW))
SLO = a_kpi("ga_latency_slo", title="GA requests within 1.16s", by=("system",), unit="ratio", error_budget=BUDGET, objective=an_objective("at_least", 0.95))  # fmt: skip
SYSTEMS = {labels("system=fs"): 0.97, labels("system=xai2"): 1.0}


def shown(*alerts):
    """Return a snapshot of two systems: one has spent 60% of its budget and burns, of the other nothing is known."""
    budget = BudgetFrame(
        budget=BUDGET,
        start=SPRINT_START,
        end=NOW,
        bad=np.array([30.0, NAN]),
        total=np.array([1000.0, NAN]),
        remaining=np.array([0.4, NAN]),
        windows=np.array([300.0, 3600.0, 21600.0, 259200.0]),
        rates=np.array([[20.0, NAN], [16.25, NAN], [4.0, NAN], [0.6, NAN]]),
        totals=np.zeros((4, 2)),
        burning=np.array([[True, False], [False, False]]),
        unseen=np.zeros((2, 2), dtype=bool),
        exhausted_in=np.array([7200.0, NAN]),
        pace_seconds=3600.0,
        length_seconds=SPRINT_END - SPRINT_START,
    )
    frame = verdict_frame(SLO, SYSTEMS, Verdict.MET)
    return a_snapshot([replace(frame, budget=budget)], alerts)


def text_of(snapshot):
    page = Pages.load().board(snapshot, NOW)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page[page.index("<body") :])))


def test_a_series_shows_what_is_left_how_fast_it_goes_and_when_it_is_gone():
    """Three numbers decide whether to release on a Friday."""
    text = text_of(shown())

    assert "40% left of the error budget so far" in text
    assert "the whole sprint's gone in 2h at the pace of the last 1h" in text
    assert "burn rate 16.2 over 1h, 0.6 over 3d" in text


def test_a_budget_that_is_gone_for_the_whole_sprint_says_so():
    """The worst state must not say less than the one before it."""
    snapshot = shown()
    (frame,) = snapshot.frames.values()
    gone = replace(frame.budget, remaining=np.array([-9.0, NAN]), exhausted_in=np.array([0.0, NAN]))

    text = text_of(a_snapshot([replace(frame, budget=gone)], ()))

    assert "900% beyond the error budget so far, the whole sprint's gone already" in text


def test_a_series_without_events_shows_no_burn_rate():
    """Nothing happened is not a rate of nothing."""
    (lane,) = board_view(shown(), NOW, Drawn()).lanes
    (kpi,) = lane.kpis

    assert [series.burn_rates for series in kpi.series] == ["16.2 over 1h, 0.6 over 3d", ""]


def test_a_burn_alert_is_seen_in_the_list_and_at_its_series():
    """The verdict is met, so that nothing else on the page would say that somebody was paged."""
    burn = an_alert(SLO, labels("system=fs"), kind=AlertKind.BURN, tier="1h/5m", value=17.0)

    view = board_view(shown(burn), NOW, Drawn())
    page = Pages.load().board(shown(burn), NOW)

    (alert,) = view.alerts
    assert alert.value == "16.2 times the allowed rate over 1h"
    assert (alert.kind, alert.severity) == ("burn rate 1h/5m", "page")
    assert alert.objective == "burn rate at most 14.4 over 1h and 5m"
    series = view.lanes[0].kpis[0].series[0]
    assert (series.alert, series.alert_kind) == ("firing", "burn rate 1h/5m")
    assert '<li class="alert firing"' in page, "a page is red, unlike a risk"


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_alerts_a_series_shows_the_loudest(order):
    """One line has place for one."""
    burn = an_alert(SLO, labels("system=fs"), kind=AlertKind.BURN, tier="3d/6h", value=1.2)
    risk = an_alert(SLO, labels("system=fs"), kind=AlertKind.RISK)

    view = board_view(shown(*[burn, risk][::order]), NOW, Drawn())

    assert view.lanes[0].kpis[0].series[0].alert_kind == "burn rate 3d/6h"
