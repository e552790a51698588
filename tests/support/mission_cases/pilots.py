"""The lanes fs-v2, xai and mp-d."""

from __future__ import annotations

from tests.support.mission_cases.case import MET_LATE, OVERDUE, PAST_CHECKPOINT, Case, due_evidence, nothing
from tests.support.mission_world import MissionWorld

TICKETS_OF_GLOBEX = 3 + 20 + 40
"""How many tickets of globex count in the end: each once, however often it is written and the file is rotated."""

_CHECKPOINT: tuple[dict[str, str], str] = ({}, "past_checkpoint")


def _slow_tickets(world: MissionWorld) -> None:
    """Nineteen tickets took 40 hours; of a twentieth only half the row is there."""
    world.files.resolve_tickets("globex", 19, 40.0, world.now)
    world.files.begin_ticket("globex", 40.0, world.now)


def _quick_tickets(world: MissionWorld) -> None:
    """Rotate the files, end the row, and have forty tickets that took two hours, the last one written twice."""
    world.files.rotate()
    world.files.resolve_tickets("globex", 40, 2.0, world.now)
    world.files.repeat_last_ticket()


FS_V2 = {
    "fsv2_decision_signed": due_evidence("fsv2_decision_signed", "memo is not signed", by_command=True),
    "fsv2_risk_gates_agreed": due_evidence("fsv2_risk_gates_agreed", "risk gates and fallbacks"),
    "fsv2_pilot0_board_populated": due_evidence("fsv2_pilot0_board_populated", "Pilot-0 board"),
    "fsv2_blended_sources": Case(
        lambda world: world.prometheus.set("fsv2_blended_sources", 4.0),
        lambda world: world.prometheus.set("fsv2_blended_sources", 3.0),
        calm=PAST_CHECKPOINT,
        breached=OVERDUE,
        recovered=MET_LATE,
        says="blends 4 sources",
        risk=_CHECKPOINT,
    ),
    "fsv2_adapter_contracts_tested": due_evidence("fsv2_adapter_contracts_tested", "adapter tests"),
    "fsv2_fail_safe_validated": due_evidence("fsv2_fail_safe_validated", "fail-safe"),
    "fsv2_ab_harness_running": Case(
        recover=lambda world: world.prometheus.set("fsv2_ab_harness_running", 1.0),
        calm=PAST_CHECKPOINT,
        breached=OVERDUE,
        recovered=MET_LATE,
        says="harness captures nothing",
        risk=_CHECKPOINT,
    ),
    "fsv2_first_compare_logged": due_evidence("fsv2_first_compare_logged", "no compare"),
    "fsv2_uplift_report": due_evidence("fsv2_uplift_report", "uplift report"),
    "fsv2_production_requests": Case(
        lambda world: world.prometheus.add("fsv2_production_requests_total", 12), says="*12*"
    ),
}

XAI = {
    "xai_m1_flag_enabled": Case(
        recover=lambda world: world.api.enable_flag(enabled=True),
        calm=PAST_CHECKPOINT,
        breached=OVERDUE,
        recovered=MET_LATE,
        says="flag of XAI-2.1 M1 is off",
        risk=_CHECKPOINT,
    ),
    "xai_internal_sessions": Case(
        recover=lambda world: world.files.report_usage(world.now, sessions=101, opt_outs=2),
        calm=("at_risk", "behind_pace"),
        breached=OVERDUE,
        recovered=MET_LATE,
        says="31 internal sessions",
        risk=({}, "behind_pace"),
    ),
    # Two of 31 sessions; the sessions that mend the KPI above dilute them to two of 101.
    "xai_opt_out_rate": Case(
        lambda world: world.files.report_usage(world.now, sessions=31, opt_outs=2),
        nothing,
        says="6.452%",
    ),
    "xai_a11y_pass": due_evidence("xai_a11y_pass", "WCAG AA"),
    "xai_export_v21_audited": due_evidence("xai_export_v21_audited", "export sample"),
    "xai_privacy_reviewed": due_evidence("xai_privacy_reviewed", "Legal/Ombuds"),
    "xai_users_outside_cohort": Case(
        lambda world: world.api.expose("beta", 7), lambda world: world.api.expose("beta", 0), says="7 users"
    ),
}

MP_D = {
    "mpd_partner_sla_median": Case(_slow_tickets, _quick_tickets, labels={"partner": "globex"}, says="1d 16h"),
    # The same tickets: half of all partners' were slow, and then quick.
    "mpd_partner_sla_median_overall": Case(nothing, nothing, says="1d 16h"),
    "mpd_packet_auto_pass": Case(
        lambda world: world.api.verify_packets("acme", 30, auto_passed=0),
        lambda world: world.api.verify_packets("wonka", 500, auto_passed=500),
        says="76.92%",
    ),
    "mpd_packet_failures_untriaged": Case(
        lambda world: world.api.set_partner("globex", "failures", "untriaged_over_1d", 2),
        lambda world: world.api.set_partner("globex", "failures", "untriaged_over_1d", 0),
        labels={"partner": "globex"},
        says="2 failed packets of globex",
    ),
    "mpd_packet_failures_without_clause": Case(
        lambda world: world.api.set_partner("umbrella", "failures", "triaged_without_clause", 3),
        lambda world: world.api.set_partner("umbrella", "failures", "triaged_without_clause", 0),
        labels={"partner": "umbrella"},
        says="3 failures of umbrella",
    ),
    "mpd_pilot_hardening_complete": due_evidence("mpd_pilot_hardening_complete", "pilot hardening"),
    "mpd_partner_feedback_reviewed": due_evidence("mpd_partner_feedback_reviewed", "feedback"),
    "mpd_sla_dashboard_live": due_evidence("mpd_sla_dashboard_live", "SLA dashboard", checkpoint=True),
    "mpd_beta_criteria_agreed": due_evidence("mpd_beta_criteria_agreed", "entry and exit criteria"),
    "mpd_beta_plan_ready": due_evidence("mpd_beta_plan_ready", "Beta plan draft"),
    "mpd_commercial_transactions": Case(
        lambda world: world.api.set_partner("acme", "transactions", "commercial", 1),
        lambda world: world.api.set_partner("acme", "transactions", "commercial", 0),
        labels={"partner": "acme"},
        says="1 commercial transactions",
    ),
}
