"""The simulated Mission Control, judged: every fault breaks its objective, and every verdict and message is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from slo_guard.demo.world.story import CYCLE_SECONDS
from slo_guard.domain.alerts import AlertKind, Transition
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from tests.support.demo_world import STEP_SECONDS, T0, Watched, mission, watch

RECOVERING = {
    "ga_e2e_p95",
    "query_p95_4hop_100k",
    "ga_complaint_rate",
    "ga_audits",
    "ga_rollback_drill_logged",
    "xai_opt_out_rate",
    "xai_users_outside_cohort",
    "mpd_partner_sla_median",
    "mpd_packet_auto_pass",
    "mpd_packet_failures_untriaged",
    "metering_variance",
    "metering_exports_on_schedule",
}
LASTING = {"sev1_incidents", "burn_alarm_minutes", "onboarding_policy_blocks"}
AT_RISK = {
    "burn_alarm_minutes",
    "fsv2_blended_sources",
    "fsv2_ab_harness_running",
    "xai_internal_sessions",
    "metering_variance",
    "blocker_age_max",
}


def fired(told: list[Transition], kind: AlertKind, begin: float, end: float) -> set[str]:
    return {
        each.key.kpi
        for each in told
        if begin <= each.at - T0 < end and each.key.kind is kind and each.to_state is AlertState.FIRING
    }


def ended(told: list[Transition], reason: Reason, begin: float, end: float) -> set[str]:
    return {
        each.key.kpi
        for each in told
        if begin <= each.at - T0 < end
        and each.from_state is AlertState.FIRING
        and each.to_state is AlertState.INACTIVE
        and each.reason is reason
    }


@pytest.fixture(scope="module")
def two_cycles(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """Watch the first two cycles once for all tests that ask about them."""
    return watch(tmp_path_factory.mktemp("demo"), mission(), 2 * CYCLE_SECONDS - STEP_SECONDS)


def test_every_fault_breaches_within_one_cycle_and_recovers_where_it_can(two_cycles: Watched) -> None:
    """The demo's promise: all of it within three minutes, by the shipped objectives."""
    told = two_cycles.told

    assert fired(told, AlertKind.BREACH, 0, CYCLE_SECONDS) == RECOVERING | LASTING
    assert ended(told, Reason.RECOVERED, 0, CYCLE_SECONDS) >= RECOVERING
    missed = {
        kpi for kpi, verdict in two_cycles.verdicts[int(CYCLE_SECONDS / 2) - 1].items() if verdict is Verdict.MISSED
    }
    assert missed == LASTING


def test_the_faults_of_the_second_cycle_cross_and_recover_again(two_cycles: Watched) -> None:
    """Whoever looks in later must see as much as whoever was there at the start."""
    told = two_cycles.told

    assert fired(told, AlertKind.BREACH, CYCLE_SECONDS, 2 * CYCLE_SECONDS) == RECOVERING
    assert ended(told, Reason.RECOVERED, CYCLE_SECONDS, 2 * CYCLE_SECONDS) >= RECOVERING


def test_every_verdict_is_seen_within_one_cycle(two_cycles: Watched) -> None:
    """The rule file's reference names eight; the page shows each of them to whoever watches."""
    seen = {verdict for moment in two_cycles.verdicts[: int(CYCLE_SECONDS / 2)] for verdict in moment.values()}

    assert seen == set(Verdict)


def test_what_is_at_risk_is_told_by_checkpoint_pace_drift_and_warning(two_cycles: Watched) -> None:
    """Each of the ways in which a risk shows before a breach does."""
    assert fired(two_cycles.told, AlertKind.RISK, 0, CYCLE_SECONDS) == AT_RISK
    reasons = {each.reason for each in two_cycles.told if each.key.kind is AlertKind.RISK}
    assert {Reason.PAST_CHECKPOINT, Reason.BEHIND_PACE, Reason.DRIFTING, Reason.PAST_WARN} <= reasons


@pytest.mark.parametrize("cycle", [0, 1])
def test_budgets_burn_and_burn_no_longer_within_each_cycle(two_cycles: Watched, cycle: int) -> None:
    """Burn alerts come before the promise is broken, and end by themselves: both has to be seen to be believed."""
    begin, end = cycle * CYCLE_SECONDS, (cycle + 1) * CYCLE_SECONDS
    burns = [each for each in two_cycles.told if each.key.kind is AlertKind.BURN and begin <= each.at - T0 < end]

    fired = {(each.key.kpi, each.key.tier) for each in burns if each.to_state is AlertState.FIRING}
    over = {(each.key.kpi, each.key.tier) for each in burns if each.reason is Reason.RECOVERED}
    assert (
        over
        == fired
        >= {
            ("ga_latency_slo", "1m/5s"),
            ("ga_audits", "1m/5s"),
            ("ga_audits", "6m/30s"),
            ("ga_complaint_rate", "1m/5s"),
        }
    )
    slo = {verdicts["ga_latency_slo"] for verdicts in two_cycles.verdicts}
    assert slo == {Verdict.MET}, "a burn alert comes before the objective is missed"


def test_the_burn_alarms_are_counted_and_shown_beside_those_that_are_collected(two_cycles: Watched) -> None:
    """Two sources of one number: what slo_guard counted itself stands beside what Mission Control's Prometheus says."""
    frame = two_cycles.frames[int(CYCLE_SECONDS / STEP_SECONDS) - 1]["burn_alarm_minutes"]

    assert frame.outlook is not None
    assert frame.outlook.cross is not None
    assert 20.0 <= frame.outlook.cross[0] <= 80.0
    assert "by slo_guard_burn_alarm_seconds" in (frame.note(0) or "")


def test_a_second_series_joins_an_alert_and_they_recover_one_by_one(two_cycles: Watched) -> None:
    """The message about more series, and the one about some of them recovered."""
    p95 = [
        (dict(each.key.labels)["system"], each.to_state)
        for each in two_cycles.told
        if each.at < T0 + 100 and each.key.kpi == "ga_e2e_p95" and each.to_state is not AlertState.PENDING
    ]

    assert p95 == [
        ("predictive", AlertState.FIRING),
        ("xai2", AlertState.FIRING),
        ("predictive", AlertState.INACTIVE),
        ("xai2", AlertState.INACTIVE),
    ]


def test_a_no_go_ends_the_alerts_of_the_pilot_and_not_as_recovered(two_cycles: Watched) -> None:
    """What does not apply any more is not fine: its message says that it ended."""
    harness = [
        (each.to_state, each.reason)
        for each in two_cycles.told
        if each.at < T0 + CYCLE_SECONDS and each.key.kpi == "fsv2_ab_harness_running"
    ]

    assert [state for state, _ in harness] == [AlertState.FIRING, AlertState.INACTIVE]
    assert harness[1][1] is not Reason.RECOVERED
    no_go = two_cycles.verdicts[int(160 / STEP_SECONDS)]
    assert {no_go[kpi] for kpi in ("fsv2_blended_sources", "fsv2_uplift_report", "fsv2_ctr5_uplift")} == {
        Verdict.NOT_APPLICABLE
    }


def test_a_second_sev1_escalates(two_cycles: Watched) -> None:
    """It cannot recover, and it got worse: whoever knows of the first must hear of the second."""
    escalated = [
        (each.key.kpi, each.value)
        for each in two_cycles.told
        if each.reason is Reason.ESCALATED and each.key.kpi == "sev1_incidents"
    ]

    assert escalated == [("sev1_incidents", 2.0)]


def test_the_late_drill_is_met_late_once_it_is_logged(two_cycles: Watched) -> None:
    """A recovery that hides that it came too late would be a lie."""
    drill = [
        each for each in two_cycles.told if each.key.kpi == "ga_rollback_drill_logged" and each.at < T0 + CYCLE_SECONDS
    ]

    assert [(each.to_state, each.verdict) for each in drill] == [
        (AlertState.FIRING, Verdict.MISSED),
        (AlertState.INACTIVE, Verdict.MET),
    ]
    assert "signed by SRE Lead" in (drill[-1].note or "")


def test_only_northwind_is_slow_and_the_median_over_all_partners_is_not(two_cycles: Watched) -> None:
    """A median of medians, or one over all, would hide the partner that waits."""
    slow = two_cycles.frames[int(100 / STEP_SECONDS)]

    by_partner = slow["mpd_partner_sla_median"]
    missed = [dict(by_partner.index.label_sets[row])["partner"] for row in range(3) if by_partner.verdict[row] == 7]
    assert missed == ["northwind"]
    assert slow["mpd_partner_sla_median_overall"].worst is Verdict.MET
    assert slow["mpd_partner_sla_p95"].worst is Verdict.TRACKED


def test_without_faults_nobody_is_told_anything(tmp_path: Path) -> None:
    """The quiet demo shows what a good sprint looks like; one message would spoil it."""
    told, verdicts, _ = watch(tmp_path, mission(faults=False), 60)

    assert [(each.key.kpi, each.reason) for each in told] == []
    assert verdicts[-1]["ga_rollback_drill_logged"] is Verdict.NOT_DUE
    bad = (Verdict.MISSED, Verdict.NO_DATA, Verdict.AT_RISK)
    # Before a new tenant is live it has no SLOs, which is said as it is.
    assert [kpi for kpi, verdict in verdicts[-1].items() if verdict in bad] == ["onboarding_tenant_slos_green"]
