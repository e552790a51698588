"""Go or no-go: what each verdict says of it, what speaks for it and what is missing, and how they add up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo_guard.domain.alerts import FinalVerdict
from slo_guard.domain.gates import GateItem, GateOutcome, decide_gate
from slo_guard.domain.kpi import KPI, Objective, Op
from slo_guard.domain.readings import Evidence, IndicatorType, SignOff
from slo_guard.domain.verdicts import REASON_CODE, Reason, Verdict
from slo_guard.evaluate.gating import ended_item, gate_item, unjudged_item
from tests.support.builders import SPRINT_END, a_kpi, a_sprint, an_objective, labels
from tests.support.pictures import NAN, NOW, verdict_frame

GO, NO_GO, UNDECIDED = GateOutcome.GO, GateOutcome.NO_GO, GateOutcome.UNDECIDED
P95 = a_kpi("p95", unit="seconds", objective=an_objective("at_most", 1.16), gate=True)
SIGNED = a_kpi("drill", type=IndicatorType.BOOL, objective=Objective(Op.IS, 1.0, "is true"), due_at=SPRINT_END)


def item(kpi: KPI, value: float, verdict: Verdict, reason: Reason, evidence: Evidence | None = None, **more: Any):
    frame = verdict_frame(kpi, value, verdict, reason=[REASON_CODE[reason]], **more)
    return gate_item(kpi, a_sprint(), frame, evidence)


@pytest.mark.parametrize(
    ("value", "verdict", "reason", "outcome"),
    [
        (1.0, Verdict.MET, Reason.OBJECTIVE_MET, GO),
        (1.0, Verdict.MET, Reason.MET_LATE, GO),
        (NAN, Verdict.NOT_APPLICABLE, Reason.CONDITION_NOT_MET, GO),
        (NAN, Verdict.NOT_APPLICABLE, Reason.EXCLUDED, UNDECIDED),
        (1.1, Verdict.AT_RISK, Reason.PAST_WARN, GO),
        (1.1, Verdict.AT_RISK, Reason.DRIFTING, GO),
        (1.1, Verdict.AT_RISK, Reason.FORECAST_MISSES, GO),
        (1.3, Verdict.AT_RISK, Reason.PAST_CHECKPOINT, UNDECIDED),
        (1.3, Verdict.AT_RISK, Reason.BEHIND_PACE, UNDECIDED),
        (1.3, Verdict.NOT_DUE, Reason.NOT_DUE_YET, UNDECIDED),
        (1.0, Verdict.INSUFFICIENT, Reason.BELOW_MIN_SAMPLES, UNDECIDED),
        (NAN, Verdict.NO_DATA, Reason.STALE, UNDECIDED),
        (1.3, Verdict.MISSED, Reason.OBJECTIVE_MISSED, NO_GO),
    ],
)
def test_each_verdict_says_one_thing(value, verdict, reason, outcome):
    """Unknown is not go, and a warning is no veto."""
    assert item(P95, value, verdict, reason).outcome is outcome


def test_what_is_only_tracked_can_decide_nothing():
    """A gate without an objective is a mistake in the rules, not a go."""
    found = item(a_kpi("t", gate=True), 4.0, Verdict.TRACKED, Reason.NO_OBJECTIVE)

    assert (found.outcome, found.missing) == (UNDECIDED, ("tracked only: without an objective nothing decides it",))


def test_what_is_missing_is_told_by_series_the_worst_outcome_first():
    """Whoever owns it sees which of its series hold the release back."""
    rows = {labels(f"system={name}"): value for name, value in (("a", NAN), ("b", 1.0), ("c", 1.3))}
    verdicts = [Verdict.NO_DATA, Verdict.MET, Verdict.MISSED]
    reasons = [REASON_CODE[each] for each in (Reason.STALE, Reason.OBJECTIVE_MET, Reason.OBJECTIVE_MISSED)]
    kpi = replace(P95, by=("system",))

    found = gate_item(kpi, a_sprint(), verdict_frame(kpi, rows, verdicts, reason=reasons))

    assert (found.outcome, found.verdict, found.value) == (NO_GO, Verdict.MISSED, "1.3s")
    assert found.missing == (
        "system=c: 1.3s is not at most 1.16: 140ms above",
        "system=a: the newest sample is too old",
    )
    assert found.evidence == ("system=b: 1s is at most 1.16, with 160ms to spare",)


def test_of_many_series_a_few_are_told_and_the_rest_counted():
    """A cell with a thousand tenants is read by nobody."""
    kpi = replace(P95, by=("t",))
    rows = {labels(f"t={number}"): 2.0 for number in range(9)}
    reasons = [REASON_CODE[Reason.OBJECTIVE_MISSED]] * 9

    found = gate_item(kpi, a_sprint(), verdict_frame(kpi, rows, [Verdict.MISSED] * 9, reason=reasons))

    assert (len(found.missing), found.missing[-1]) == (4, "and 6 more")


def test_a_risk_is_a_remark_of_a_go():
    """The objective is met; that it may not stay so is to be known."""
    found = item(P95, 1.1, Verdict.AT_RISK, Reason.PAST_WARN)

    assert found.remarks == ("at risk: met, but past the warning bound",)


def test_who_signed_when_and_where_is_the_evidence():
    """A sign-off is worth what its proof is worth."""
    words = (
        SignOff((), True, "Ada", NOW - 7200, "https://wiki/drill"),
        SignOff((), True, "Bo", NOW - 3600, None),
        SignOff((), True, "Eve", NOW + 3600, None),
    )

    found = item(SIGNED, 1.0, Verdict.MET, Reason.OBJECTIVE_MET, Evidence(words, NOW))

    assert found.evidence == ("signed by Bo, Wed 8 Jul 2026 13:00 MDT",)


def test_what_nobody_has_signed_says_how_to_sign_it_and_by_when():
    """The missing step is a command to copy."""
    kpi = replace(SIGNED, by=("step",))
    frame = verdict_frame(
        kpi, {labels("step=packs"): 0.0}, [Verdict.NOT_DUE], reason=[REASON_CODE[Reason.NOT_DUE_YET]], samples=[0]
    )

    found = gate_item(kpi, a_sprint(), frame)

    [missing] = found.missing
    assert missing.startswith("step=packs: nobody has signed it: slo-guard sign drill --label step=packs --by NAME; ")
    assert missing.endswith("due Sat 18 Jul 2026 00:00 MDT")


@given(st.lists(st.sampled_from(GateOutcome), max_size=6))
def test_one_no_go_outweighs_all_and_one_unknown_outweighs_every_go(outcomes):
    """A release is never let through by how many things are fine."""
    items = [GateItem(kpi=P95, outcome=each, verdict=None, value="", objective="") for each in outcomes]

    gate = decide_gate(a_sprint(), items, NOW)

    expected = NO_GO if NO_GO in outcomes else UNDECIDED if UNDECIDED in outcomes or not outcomes else GO
    assert gate.outcome is expected
    assert [each.outcome for each in gate.items] == sorted(outcomes, reverse=True)


def test_a_gate_without_kpis_is_undecided_and_says_why():
    """Somebody forgot to say what the release depends on."""
    gate = decide_gate(a_sprint(), [], NOW)

    assert (gate.outcome, gate.reason) == (
        UNDECIDED,
        "no KPI of sprint-40 has gate: true, so there is nothing to decide by",
    )


def test_the_reason_counts_what_there_is():
    """One line for the channel."""
    items = [item(P95, 1.0, Verdict.MET, Reason.OBJECTIVE_MET), unjudged_item(P95, "never judged")]

    assert decide_gate(a_sprint(), items, NOW).reason == "1 undecided, 1 go"


@pytest.mark.parametrize(
    ("value", "verdict", "outcome", "said"),
    [
        (1.0, Verdict.MET, GO, "1s is at most 1.16, with 160ms to spare (3 met)"),
        (1.1, Verdict.AT_RISK, GO, "1.1s is at most 1.16, with 60ms to spare (3 met)"),
        (1.3, Verdict.MISSED, NO_GO, "1.3s is not at most 1.16: 140ms above (3 met)"),
        (None, Verdict.NO_DATA, UNDECIDED, "the newest sample is too old (3 met)"),
    ],
)
def test_a_kpi_that_goes_on_after_the_close_counts_as_it_stood_then(value, verdict, outcome, said):
    """What became slow a week later is the next sprint's matter."""
    final = FinalVerdict(
        kpi="p95",
        title="",
        lane="",
        owner="",
        verdict=verdict,
        reason=Reason.STALE,
        value=value,
        unit="seconds",
        objective="",
        series=3,
        in_words="3 met",
    )

    found = ended_item(P95, final)

    assert (found.outcome, *found.evidence, *found.missing) == (outcome, said)
