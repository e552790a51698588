"""One snapshot that has everything the API can show: each verdict, kind of alert and end of a sprint."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np

from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.budgets import BudgetFrame
from slo_guard.domain.builtin import collector_up_kpi
from slo_guard.domain.gates import decide_gate
from slo_guard.domain.kpi import (
    BudgetMethod,
    BurnPair,
    Drift,
    ErrorBudget,
    Exclusion,
    Expected,
    Matcher,
    MatchOp,
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
from slo_guard.domain.readings import Evidence, IndicatorType, SignOff
from slo_guard.domain.rule_changes import RuleChange
from slo_guard.domain.verdicts import REASON_CODE, AlertState, Outlook, Reason, Seal, Targets, Verdict
from slo_guard.evaluate.gating import gate_item, unjudged_item
from slo_guard.expose.snapshot import Snapshot, SourceError, SourceStatus
from tests.support.builders import SPRINT_END, SPRINT_START, a_kpi, a_sprint, an_objective, labels
from tests.support.pictures import NAN, NOW, a_restatement, a_snapshot, an_alert, verdict_frame

_DAY = 86_400.0
FILE = "rules/sprint-40/ga-ops.yaml"
FAST = BurnPair(3600.0, 300.0, 14.4, Severity.PAGE, "1h/5m")
SLOW = BurnPair(3 * _DAY, 6 * 3600.0, 1.0, Severity.TICKET, "3d/6h")
BUDGET = ErrorBudget(Window(WindowKind.SPRINT), "sprint", 0.05, burn_alerts=(FAST, SLOW), min_total=200.0)
SLICES = ErrorBudget(
    Window(WindowKind.DURATION, 7 * _DAY), "7d", 0.01, BudgetMethod.TIMESLICES, slice_good=0.99, burn_alerts=(FAST,)
)

RUNNING = a_sprint()
UPCOMING = replace(
    a_sprint(SPRINT_END + 2 * _DAY, SPRINT_END + 14 * _DAY, "sprint-41"), start=date(2026, 7, 20), end=date(2026, 7, 31)
)
CLOSED = replace(
    a_sprint(SPRINT_START - 14 * _DAY, SPRINT_START - 2 * _DAY, "sprint-39"),
    start=date(2026, 6, 22),
    end=date(2026, 7, 3),
)

P95 = a_kpi(
    "ga_e2e_p95",
    title="GA end-to-end p95",
    owner="SRE Lead",
    by=("system",),
    unit="seconds",
    objective=an_objective("at_most", 1.16),
    warn=an_objective("at_most", 1.05),
    resolve=an_objective("at_most", 1.1),
    expect=(Expected("system", ("fs", "xai2")), Expected("system", labels_of="b")),
    source=Single(Selection("a", (Matcher("arm", MatchOp.NOT_EQUAL, "old"), Matcher("pod", MatchOp.REGEX, "p.*")))),
    for_seconds=300.0,
    keep_firing_for_seconds=300.0,
    gate=True,
    runbook_url="https://runbooks.example/ga-latency",
    annotations={"summary": "{{ labels.system }} p95 is {{ value }}, limit {{ objective }}"},
    place=Place(FILE, 8, "ab" * 32),
)
SLO = a_kpi(
    "ga_latency_slo",
    "ratio over sprint",
    title="GA requests within 1.16s",
    owner="SRE Lead",
    by=("system",),
    unit="ratio",
    objective=an_objective("at_least", 0.95),
    min_total=200.0,
    error_budget=BUDGET,
    place=Place(FILE, 30, "ab" * 32),
)
SLICED = replace(SLO, id="ga_uptime", title="GA uptime", error_budget=SLICES, by=(), severity=Severity.TICKET)
MEMO = a_kpi(
    "memo_signed",
    title="Memo signed",
    owner="PM",
    lane="fs-v2",
    type=IndicatorType.BOOL,
    source=Single(Selection("memo_signed")),
    objective=an_objective("is", True),
    due_at=NOW - 3600.0,
    gate=True,
    severity=Severity.TICKET,
)
DRILL = replace(MEMO, id="drill_logged", title="Drill logged", source=Single(Selection("drill_logged")))
BURNDOWN = a_kpi(
    "stories_done",
    "increase over sprint",
    lane="fs-v2",
    unit="",
    objective=an_objective("at_least", 40),
    pace=Pace.WORKDAYS,
    due_at=SPRINT_END,
    checkpoint_at=NOW + 3600.0,
    baseline=0.0,
    when=When("memo_signed", is_true=True),
    exclude=(Exclusion(SPRINT_START, SPRINT_START + 3600.0, "migration", "SRE Lead"),),
    gate=True,
)
DRIFTING = a_kpi("queue_age", unit="seconds", objective=an_objective("below", 60), drift=Drift(3600.0, 7200.0))
TRACKED = a_kpi("fsv2_go", lane="fs-v2", type=IndicatorType.BOOL)
NOT_JUDGED = a_kpi("new_rule", objective=an_objective("between", 1, 2))
ENDED = replace(SLO, sprint=CLOSED.id, place=None, gate=True)
ENDED_MEMO = replace(MEMO, sprint=CLOSED.id, due_at=CLOSED.end_at)
NEXT = replace(P95, sprint=UPCOMING.id, place=Place("rules/sprint-41/ga-ops.yaml", 8))
COLLECTORS = collector_up_kpi(["evidence", "prom"], for_seconds=60.0, severity=Severity.TICKET, interval_seconds=60.0)

SIGNED = SignOff((), True, "Ada Example", NOW - 7200.0, "https://wiki.example/memo", NOW - 3600.0)
WITHDRAWN = SignOff((), False, "Ben Example", NOW - 9000.0)


def codes(*reasons: Reason) -> list[int]:
    """Return reasons as frames have them."""
    return [REASON_CODE[reason] for reason in reasons]


def whole_snapshot() -> Snapshot:
    """Return the snapshot at ``NOW``, the third day of the sprint."""
    systems = [labels(f"system={name}") for name in ("fs", "xai2", "predictive")]
    p95 = verdict_frame(
        P95,
        dict(zip(systems, (1.31, NAN, 1.08), strict=True)),
        [Verdict.MISSED, Verdict.NO_DATA, Verdict.AT_RISK],
        reason=codes(Reason.OBJECTIVE_MISSED, Reason.STALE, Reason.PAST_WARN),
        alert_state=[AlertState.FIRING, AlertState.PENDING, AlertState.INACTIVE],
        alert_since=[NOW - 600, NOW - 60, NAN],
        notes={1: "newest sample 6m old"},
    )
    change = RuleChange(RUNNING.id, P95.id, NOW - 4000, "objective", "at_most 1.10", "at_most 1.16")
    p95 = replace(p95, targets=Targets((change,), "at_most 1.10", Verdict.MISSED))
    slo = replace(verdict_frame(SLO, dict(zip(systems, (0.9, 1.0, NAN), strict=True)), [Verdict.MISSED, Verdict.MET, Verdict.INSUFFICIENT], reason=codes(Reason.OBJECTIVE_MISSED, Reason.OBJECTIVE_MET, Reason.BELOW_MIN_TOTAL), window_start=SPRINT_START), budget=_budget(3))  # fmt: skip
    sliced = replace(verdict_frame(SLICED, 0.999), budget=_budget(1, SLICES))
    memo = verdict_frame(MEMO, 1.0, notes={0: "signed by Ada Example"})
    drill = verdict_frame(DRILL, 0.0, Verdict.MISSED, reason=codes(Reason.OVERDUE))
    burndown = replace(
        verdict_frame(BURNDOWN, 3.0, Verdict.NOT_DUE, reason=codes(Reason.NOT_DUE_YET), window_start=SPRINT_START),
        outlook=Outlook(line=np.array([8.0]), forecast=np.array([31.0]), attainable=np.array([True])),
    )
    drifting = replace(verdict_frame(DRIFTING, 50.0), outlook=Outlook(crosses_in=np.array([np.inf])))
    tracked = verdict_frame(TRACKED, 1.0, Verdict.TRACKED, reason=codes(Reason.NO_OBJECTIVE))
    skipped = verdict_frame(
        replace(TRACKED, id="skipped", objective=an_objective("is", True)), NAN, Verdict.NOT_APPLICABLE, reason=codes(Reason.CONDITION_NOT_MET)
    )  # fmt: skip
    ended = replace(
        verdict_frame(ENDED, {systems[0]: 0.97}, at=CLOSED.end_at),
        final=True,
        seal=Seal("cd" * 32, "ab" * 32, FILE, "at_least 0.95"),
        restatement=a_restatement(
            ENDED, {systems[0]: 0.9, systems[1]: 1.0}, [Verdict.MISSED, Verdict.MET], at=NOW - 100
        ),
    )
    ended_memo = replace(verdict_frame(ENDED_MEMO, 1.0, at=CLOSED.end_at), final=True)
    frames = [p95, slo, sliced, memo, drill, burndown, drifting, tracked, skipped, ended, ended_memo]
    plan = Plan(
        {each.id: each for each in (CLOSED, RUNNING, UPCOMING)},
        (*(frame.kpi for frame in frames), NOT_JUDGED, NEXT, COLLECTORS),
    )
    alerts = [
        an_alert(P95, systems[0], value=1.31, fired_at=NOW - 300),
        an_alert(P95, systems[1], AlertState.PENDING, verdict=Verdict.NO_DATA, reason=Reason.STALE),
        an_alert(P95, systems[2], kind=AlertKind.RISK, value=1.08, verdict=Verdict.AT_RISK, reason=Reason.PAST_WARN),
        an_alert(SLO, systems[0], kind=AlertKind.BURN, tier="1h/5m", value=20.0, reason=Reason.BURNING),
        an_alert(DRILL, value=0.0, reason=Reason.OVERDUE),
        an_alert(COLLECTORS, labels("collector=prom"), value=0.0),
        an_alert(a_kpi("rule_that_is_gone"), value=1.0),
    ]
    known = {
        (kpi.sprint, kpi.id): Evidence(words, NOW - 5) for kpi, words in ((MEMO, (WITHDRAWN, SIGNED)), (DRILL, ()))
    }
    now_said = [gate_item(P95, RUNNING, p95), gate_item(MEMO, RUNNING, memo, known[MEMO.sprint, MEMO.id])]
    then_said = [gate_item(ENDED, CLOSED, ended), gate_item(ENDED_MEMO, CLOSED, ended_memo)]
    return a_snapshot(
        frames,
        alerts,
        plan=plan,
        sources=(
            SourceStatus("evidence", ("memo_signed", "drill_logged"), NOW - 5, None, "evidence"),
            SourceStatus("late", ("b",), None, None, "sql"),
            SourceStatus(
                "prom", ("a",), NOW - 120, SourceError("timeout", "no answer within 5s", NOW - 5), "prometheus"
            ),
        ),
        gates={
            RUNNING.id: decide_gate(RUNNING, [*now_said, unjudged_item(BURNDOWN, "not judged yet")], NOW),
            CLOSED.id: decide_gate(CLOSED, then_said, CLOSED.end_at, final=True),
        },
        sign_offs=known,
    )


def _budget(series: int, budget: ErrorBudget = BUDGET) -> BudgetFrame:
    known = [30.0, 0.0, NAN][:series]
    tiers = len(budget.burn_alerts)
    windows = sorted({each for pair in budget.burn_alerts for each in (pair.long_seconds, pair.short_seconds)})
    burning = np.zeros((tiers, series), dtype=bool)
    burning[0, 0] = True
    return BudgetFrame(
        budget=budget,
        start=SPRINT_START,
        end=NOW,
        bad=np.array(known),
        total=np.array([1000.0, 500.0, NAN][:series]),
        remaining=np.array([-0.4, 1.0, NAN][:series]),
        windows=np.array(windows),
        rates=np.array([[20.0, 0.0, NAN][:series]] * len(windows)),
        totals=np.zeros((len(windows), series)),
        burning=burning,
        unseen=np.zeros((tiers, series), dtype=bool),
        exhausted_in=np.array([0.0, np.inf, NAN][:series]),
        pace_seconds=3600.0,
        length_seconds=SPRINT_END - SPRINT_START,
    )
