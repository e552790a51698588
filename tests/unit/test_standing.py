"""What is published beside verdicts: which sign-offs a KPI reads, and of what kind its sources are."""

from __future__ import annotations

from dataclasses import replace

from slo_guard.clock import from_unix
from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.kpi import (
    BurnPair,
    ErrorBudget,
    Matcher,
    MatchOp,
    Selection,
    Severity,
    Single,
    Window,
    WindowKind,
)
from slo_guard.domain.readings import Collection, IndicatorType
from slo_guard.evaluate import EvaluationState, evaluate
from slo_guard.notify import annotations_of
from slo_guard.source_board import SourceBoard
from slo_guard.standing import sign_offs_known
from tests.support.builders import (
    SPRINT_START,
    a_failure,
    a_kpi,
    a_plan,
    a_sign_off,
    an_evidence,
    an_objective,
    labels,
    numbered,
)
from tests.support.pictures import an_alert

NOW = SPRINT_START + 3600.0


def test_a_kpi_is_shown_the_sign_offs_that_it_reads_and_no_others():
    """Two KPIs may read one list; the signature of one is not that of the other."""
    eu = Single(Selection("memo", (Matcher("region", MatchOp.EQUAL, "eu"),)))
    kpis = [
        a_kpi("all", type=IndicatorType.BOOL, source=Single(Selection("memo"))),
        a_kpi("eu", type=IndicatorType.BOOL, source=eu),
        a_kpi("counted"),
    ]
    plan, state = a_plan(*kpis), EvaluationState.fresh()
    words = a_sign_off(NOW - 60, "region=eu"), a_sign_off(NOW - 50, "region=us")
    evaluate(plan, numbered([an_evidence("memo", NOW - 5, *words)]), state, from_unix(NOW))

    known = sign_offs_known(state)

    assert {key[1]: [each.labels for each in known[key].sign_offs] for key in known} == {
        "all": [labels("region=eu"), labels("region=us")],
        "eu": [labels("region=eu")],
    }


def test_a_source_keeps_its_kind_when_a_collection_ends():
    """The kind comes from the config, what became of it from the collector."""
    board = SourceBoard()
    board.expect({"prom": ("a",)}, {"prom": "prometheus"})

    board.collected(Collection("prom", NOW, (a_failure("a", NOW, collector="prom"),)), NOW)
    [status] = board.statuses()

    assert (status.kind, status.failing, status.indicators) == ("prometheus", True, ("a",))


def test_what_an_alert_says_elsewhere_is_what_its_messages_say():
    """But a sentence about the value is not said of a burn rate."""
    pair = BurnPair(3600.0, 300.0, 14.4, Severity.PAGE, "1h/5m")
    kpi = a_kpi(
        "slo",
        "ratio over sprint",
        unit="ratio",
        objective=replace(an_objective("at_least", 0.95), text="at_least 95%"),
        error_budget=ErrorBudget(Window(WindowKind.SPRINT), "sprint", 0.05, burn_alerts=(pair,)),
        annotations={"summary": "{{ labels.system }} has {{ value }}, {{ objective }}", "team": "{{ severity }}"},
    )
    breach = an_alert(kpi, labels("system=fs"), value=0.9)
    burn = an_alert(kpi, labels("system=fs"), kind=AlertKind.BURN, tier="1h/5m", value=20.0)

    assert annotations_of(breach, kpi) == {"summary": "fs has 90%, at least 95%", "team": "page"}
    assert annotations_of(burn, kpi) == {"team": "page"}
