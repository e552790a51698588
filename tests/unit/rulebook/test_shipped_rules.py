"""The shipped rules: what the plan of sprint 40 promises, KPI by KPI, and that every breach says what to do."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from slo_guard.domain.builtin import BURN_ALARM
from slo_guard.domain.kpi import (
    KPI,
    BudgetMethod,
    Drift,
    Expected,
    Pace,
    Selection,
    Severity,
    Single,
    When,
    WindowKind,
)
from slo_guard.domain.readings import IndicatorType
from slo_guard.rulebook import load_rules

RULES = Path(__file__).parents[3] / "rules" / "sprint-40"
DENVER = ZoneInfo("America/Denver")
END = "2026-07-18"
"""The first instant after the sprint, in the sprint's zone."""

TABLE: dict[str, tuple[str, str, str | None, str | None, str | None]] = {
    # KPI: (lane, measure, objective, checkpoint and due: the midnights that end them)
    "sev1_incidents": ("reliability", "increase over sprint", "equals 0", None, None),
    "burn_alarm_minutes": ("reliability", "total over sprint", "below 10m", None, None),
    "query_p95_4hop_100k": ("reliability", "last", "at_most 0.83s", None, None),
    "ga_e2e_p95": ("ga-ops", "last", "at_most 1.16s", None, None),
    "ga_latency_slo": ("ga-ops", "ratio over sprint", "at_least 95%", None, None),
    "ga_complaint_rate": ("ga-ops", "ratio over 24h", "below 0.8%", None, None),
    "ga_audits": ("ga-ops", "ratio over sprint", "at_least 99%", None, None),
    "ga_rollback_drill_logged": ("ga-ops", "last", "is true", None, END),
    "ga_slo_dashboards_live": ("ga-ops", "last", "is true", None, END),
    "ga_provenance_stitched": ("ga-ops", "last", "is true", None, END),
    "ga_abuse_rules_in_force": ("ga-ops", "last", "is true", None, END),
    "fsv2_decision_signed": ("fs-v2", "last", "is true", None, "2026-07-07"),
    "fsv2_decision_go": ("fs-v2", "last", None, None, None),
    "fsv2_risk_gates_agreed": ("fs-v2", "last", "is true", None, "2026-07-11"),
    "fsv2_pilot0_board_populated": ("fs-v2", "last", "is true", None, "2026-07-11"),
    "fsv2_blended_sources": ("fs-v2", "last", "between 2 and 3", "2026-07-11", END),
    "fsv2_adapter_contracts_tested": ("fs-v2", "last", "is true", None, END),
    "fsv2_fail_safe_validated": ("fs-v2", "last", "is true", None, END),
    "fsv2_ab_harness_running": ("fs-v2", "last", "is true", "2026-07-11", END),
    "fsv2_first_compare_logged": ("fs-v2", "last", "is true", None, END),
    "fsv2_uplift_report": ("fs-v2", "last", "is true", None, END),
    "fsv2_ctr5_uplift": ("fs-v2", "last", None, None, None),
    "fsv2_p95_uplift": ("fs-v2", "last", None, None, None),
    "fsv2_production_requests": ("fs-v2", "increase over sprint", "equals 0", None, None),
    "xai_m1_approved": ("xai", "last", None, None, None),
    "xai_m1_flag_enabled": ("xai", "last", "is true", "2026-07-11", END),
    "xai_internal_sessions": ("xai", "increase over sprint", "at_least 100", None, END),
    "xai_opt_out_rate": ("xai", "ratio over sprint", "below 3%", None, None),
    "xai_a11y_pass": ("xai", "last", "is true", None, END),
    "xai_export_v21_audited": ("xai", "last", "is true", None, END),
    "xai_privacy_reviewed": ("xai", "last", "is true", None, END),
    "xai_users_outside_cohort": ("xai", "last", "at_most 0", None, None),
    "mpd_partner_sla_median": ("mp-d", "median over sprint", "below 24h", None, None),
    "mpd_partner_sla_median_overall": ("mp-d", "median over sprint", "below 24h", None, None),
    "mpd_partner_sla_p95": ("mp-d", "p95 over sprint", None, None, None),
    "mpd_partner_sla_p95_overall": ("mp-d", "p95 over sprint", None, None, None),
    "mpd_packet_auto_pass": ("mp-d", "ratio over sprint", "at_least 95%", None, None),
    "mpd_packet_failures_untriaged": ("mp-d", "last", "at_most 0", None, None),
    "mpd_packet_failures_without_clause": ("mp-d", "last", "at_most 0", None, None),
    "mpd_pilot_hardening_complete": ("mp-d", "last", "is true", None, END),
    "mpd_partner_feedback_reviewed": ("mp-d", "last", "is true", None, END),
    "mpd_sla_dashboard_live": ("mp-d", "last", "is true", "2026-07-16", END),
    "mpd_beta_criteria_agreed": ("mp-d", "last", "is true", None, "2026-07-16"),
    "mpd_beta_plan_ready": ("mp-d", "last", "is true", None, "2026-07-16"),
    "mpd_commercial_transactions": ("mp-d", "last", "at_most 0", None, None),
    "metering_variance": ("metering", "spread_abs", "at_most 0.25%", None, None),
    "metering_exports_on_schedule": ("metering", "last", "is true", None, None),
    "metering_rotation_rehearsed": ("metering", "last", "is true", None, END),
    "metering_invoice_preview_reviewed": ("metering", "last", "is true", None, END),
    "metering_finance_note_filed": ("metering", "last", "is true", None, END),
    "tenants_onboarded": ("onboarding", "delta over sprint", "at_least 2", None, END),
    "onboarding_throughput": ("onboarding", "delta over week", None, None, None),
    "onboarding_policy_blocks": ("onboarding", "increase over sprint", "equals 0", None, None),
    "onboarding_evidence_bundles": ("onboarding", "last", "at_least 2", None, END),
    "onboarding_factory_steps": ("onboarding", "last", "is true", None, END),
    "onboarding_tenant_slos_green": ("onboarding", "last", "is true", None, None),
    "onboarding_docs_updated": ("onboarding", "last", "is true", None, END),
    "security_evidence_complete": ("security-governance", "last", "is true", None, END),
    "sprint_points_remaining": ("reporting", "last", None, None, None),
    "scope_change_points": ("reporting", "sum over sprint", None, None, None),
    "blocker_age_max": ("reporting", "last", None, None, None),
    "standups_held": ("reporting", "count over sprint", "at_least 4", None, "2026-07-17"),
    "kickoff_held": ("reporting", "last", "is true", None, "2026-07-07"),
    "beta_plan_review_held": ("reporting", "last", "is true", None, "2026-07-16"),
    "sprint_closing_held": ("reporting", "last", "is true", None, END),
    "release_papers_published": ("reporting", "last", "is true", None, END),
}


@pytest.fixture(scope="module")
def kpis() -> dict[str, KPI]:
    loaded = load_rules([RULES], None)
    assert loaded.plan is not None, loaded.findings
    return {kpi.id: kpi for kpi in loaded.plan.kpis}


def midnight(at: float | None) -> str | None:
    """Return the day whose first local instant ``at`` is."""
    if at is None:
        return None
    local = datetime.fromtimestamp(at, DENVER)
    assert (local.hour, local.minute, local.second) == (0, 0, 0)
    return str(local.date())


def test_every_kpi_is_as_the_plan_states_it(kpis: dict[str, KPI]) -> None:
    """A threshold that slips in a rule file is a promise that nobody guards; this table is read beside the plan."""
    said = {
        kpi.id: (
            kpi.lane,
            kpi.measure.text,
            kpi.objective.text if kpi.objective else None,
            midnight(kpi.checkpoint_at),
            midnight(kpi.due_at),
        )
        for kpi in kpis.values()
    }

    assert said == TABLE


def test_each_lane_has_the_owner_of_the_plan(kpis: dict[str, KPI]) -> None:
    """A message names who answers for it."""
    assert {kpi.lane: kpi.owner for kpi in kpis.values()} == {
        "reliability": "SRE Lead",
        "fs-v2": "Backend Lead",
        "xai": "ML Lead",
        "mp-d": "FE Lead",
        "ga-ops": "SRE Lead",
        "metering": "Product Ops",
        "onboarding": "Product Ops",
        "security-governance": "SecEng Lead",
        "reporting": "Eng Manager",
    }


def test_what_holds_only_if_decided_waits_for_the_decision(kpis: dict[str, KPI]) -> None:
    """A no-go must not leave a trail of missed due dates, and the plan's non-goals hold either way."""
    conditions = {kpi.id: kpi.when for kpi in kpis.values() if kpi.lane in ("fs-v2", "xai")}

    always = {name for name, when in conditions.items() if when is None}
    assert always == {
        "fsv2_decision_signed",
        "fsv2_decision_go",
        "fsv2_production_requests",
        "xai_m1_approved",
        "xai_users_outside_cohort",
    }
    assert {when for name, when in conditions.items() if name.startswith("fsv2")} == {
        None,
        When("fsv2_decision_go", is_true=True),
    }
    assert {when for name, when in conditions.items() if name.startswith("xai")} == {
        None,
        When("xai_m1_approved", is_true=True),
    }


def test_the_finer_points_of_the_plan_are_kept(kpis: dict[str, KPI]) -> None:
    """Pace, drift, warnings, minima and what is expected: what the table of objectives has no column for."""
    assert kpis["burn_alarm_minutes"].warn.text == "below 5m"
    assert kpis["ga_e2e_p95"].resolve.text == "at_most 1.10s"
    assert kpis["ga_e2e_p95"].expect == (Expected("system", ("fs", "predictive", "xai2")),)
    assert kpis["ga_complaint_rate"].min_total == 200
    assert kpis["xai_opt_out_rate"].min_total == 30
    assert (kpis["xai_internal_sessions"].pace, kpis["xai_internal_sessions"].baseline) == (Pace.WORKDAYS, 0)
    assert kpis["sprint_points_remaining"].pace is Pace.WORKDAYS
    assert kpis["metering_variance"].drift == Drift(6 * 3600, 24 * 3600)
    assert kpis["metering_exports_on_schedule"].expect == (Expected("tenant", labels_of="metering_active_tenants"),)
    assert kpis["security_evidence_complete"].expect == (Expected("tenant", labels_of="onboarding_stage"),)
    assert kpis["blocker_age_max"].warn.text == "at_most 3d"
    assert [kpis[name].by for name in ("mpd_partner_sla_median", "mpd_partner_sla_median_overall")] == [
        ("partner",),
        (),
    ]


def test_the_error_budgets_are_those_of_the_plan(kpis: dict[str, KPI]) -> None:
    """What may be spent over the sprint, and which pace wakes somebody."""
    budgets = {kpi.id: kpi.error_budget for kpi in kpis.values() if kpi.error_budget is not None}

    assert {name: (budget.window.kind, round(budget.allowed, 9)) for name, budget in budgets.items()} == {
        "ga_latency_slo": (WindowKind.SPRINT, 0.05),
        "ga_complaint_rate": (WindowKind.SPRINT, 0.008),
        "ga_audits": (WindowKind.SPRINT, 0.01),
    }
    for budget in budgets.values():
        assert budget.method is BudgetMethod.OCCURRENCES
        assert [(pair.text, pair.factor, pair.severity.value) for pair in budget.burn_alerts] == [
            ("1h/5m", 14.4, "page"),
            ("6h/30m", 6.0, "page"),
            ("24h/2h", 3.0, "ticket"),
            ("3d/6h", 1.0, "ticket"),
        ]


def test_no_single_failure_wakes_anybody(kpis: dict[str, KPI]) -> None:
    """At night there are few requests and fewer audits: one that fails must not look like an outage."""
    for kpi in kpis.values():
        if kpi.error_budget is not None:
            pages = [pair for pair in kpi.error_budget.burn_alerts if pair.severity is Severity.PAGE]
            assert pages
            assert 1.0 / kpi.error_budget.min_total / kpi.error_budget.allowed <= min(pair.factor for pair in pages)


def test_burn_alarms_are_counted_twice_and_held_against_each_other(kpis: dict[str, KPI]) -> None:
    """Mission Control's alarms are judged; what these rules' own burn alerts add up to stands beside."""
    assert kpis["burn_alarm_minutes"].source == Single(Selection("burn_alarm_active"))
    assert kpis["burn_alarm_minutes"].cross_check.indicator == BURN_ALARM


def test_only_what_cannot_wait_for_the_morning_pages(kpis: dict[str, KPI]) -> None:
    """Due dates and sprint totals are tickets; a page is for users, money, and what must never happen."""
    pages = {kpi.id for kpi in kpis.values() if kpi.severity is Severity.PAGE}

    assert pages == {
        "sev1_incidents",
        "burn_alarm_minutes",
        "query_p95_4hop_100k",
        "ga_e2e_p95",
        "ga_complaint_rate",
        "ga_audits",
        "fsv2_production_requests",
        "xai_users_outside_cohort",
        "mpd_commercial_transactions",
        "metering_variance",
        "metering_exports_on_schedule",
        "onboarding_policy_blocks",
    }
    assert {kpi.id for kpi in kpis.values() if kpi.due_at is not None} & pages == set()


def test_the_gate_is_the_definition_of_done(kpis: dict[str, KPI]) -> None:
    """The plan's section 4, line by line: what is not in it holds no release back."""
    assert {kpi.id for kpi in kpis.values() if kpi.gate} == {
        *("fsv2_decision_signed", "fsv2_blended_sources", "fsv2_fail_safe_validated", "fsv2_uplift_report"),
        *("xai_m1_flag_enabled", "xai_internal_sessions", "xai_a11y_pass", "xai_opt_out_rate"),
        *("mpd_pilot_hardening_complete", "mpd_sla_dashboard_live", "mpd_beta_plan_ready"),
        *("ga_e2e_p95", "ga_complaint_rate", "ga_audits"),
        *("metering_variance", "metering_exports_on_schedule", "metering_finance_note_filed"),
        *("tenants_onboarded", "onboarding_evidence_bundles", "onboarding_docs_updated"),
        *("onboarding_tenant_slos_green", "sev1_incidents", "burn_alarm_minutes", "query_p95_4hop_100k"),
    }


def test_every_kpi_that_can_be_told_of_says_what_and_where_to_read_on(kpis: dict[str, KPI]) -> None:
    """Whoever is woken gets a sentence and a runbook."""
    for kpi in kpis.values():
        assert kpi.title, kpi.id
        assert kpi.runbook_url is not None, kpi.id
        assert kpi.runbook_url.startswith("https://runbooks.example/mission-control/")
        if kpi.objective is not None or kpi.warn is not None:
            assert "summary" in kpi.annotations, kpi.id


def test_every_kind_of_indicator_but_histograms_is_used(kpis: dict[str, KPI]) -> None:
    """The rules are read as an example, too."""
    assert {kpi.type for kpi in kpis.values()} >= {
        IndicatorType.GAUGE,
        IndicatorType.COUNTER,
        IndicatorType.EVENT,
        IndicatorType.BOOL,
    }
