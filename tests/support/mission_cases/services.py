"""The lanes reliability and ga-ops."""

from __future__ import annotations

from tests.support.mission_cases.case import Case, due_evidence
from tests.support.mission_world import MissionWorld


def _set(name: str, value: float, world: MissionWorld, **labels: str) -> None:
    world.prometheus.set(name, value, **labels)


def _requests(world: MissionWorld, system: str, number: int, *, in_time: int) -> None:
    """Have requests come, so many of them within the target: first all of them, so that no more are in time than came."""
    world.prometheus.add("ga_requests_total", number, system=system)
    world.prometheus.add("ga_requests_within_target_total", in_time, system=system)


def _complaints(world: MissionWorld) -> None:
    _requests(world, "xai2", 20, in_time=20)
    world.prometheus.add("ga_complaints_total", 19, system="xai2")


RELIABILITY = {
    "sev1_incidents": Case(lambda world: world.prometheus.add("sev1_incidents_total", 1), says="*1*"),
    "burn_alarm_minutes": Case(
        lambda world: _set("burn_alarm_active", 1.0, world),
        calm=("at_risk", "past_warn"),
        says="10m",
        risk=({}, "past_warn"),
    ),
    "query_p95_4hop_100k": Case(
        lambda world: _set("query_p95_4hop_100k_seconds", 0.97, world),
        lambda world: _set("query_p95_4hop_100k_seconds", 0.74, world),
        says="970ms",
    ),
}

GA_OPS = {
    "ga_e2e_p95": Case(
        lambda world: _set("ga_e2e_p95_seconds", 1.31, world, system="predictive"),
        lambda world: _set("ga_e2e_p95_seconds", 1.02, world, system="predictive"),
        labels={"system": "predictive"},
        says="1.31s",
    ),
    # Of an hour's 500 requests none is in time: twenty times what may be too slow.
    "ga_latency_slo": Case(
        lambda world: _requests(world, "predictive", 500, in_time=0),
        lambda world: _requests(world, "predictive", 12000, in_time=12000),
        labels={"system": "predictive"},
        says="66",
        burns="1h/5m",
    ),
    # 2% of a day's 1,020 requests are 2.5 times what may be: too slow a burn for all tiers but the last.
    "ga_complaint_rate": Case(
        _complaints,
        lambda world: _requests(world, "xai2", 8980, in_time=8980),
        labels={"system": "xai2"},
        says="1.96",
        burns="3d/6h",
    ),
    "ga_audits": Case(
        lambda world: world.prometheus.add("ga_audits_total", 25, system="fs"),
        lambda world: world.prometheus.add("ga_audits_passed_total", 25, system="fs"),
        labels={"system": "fs"},
        says="80%",
        burns="1h/5m",
    ),
    "ga_rollback_drill_logged": due_evidence("ga_rollback_drill_logged", "rollback drill", by_command=True),
    "ga_slo_dashboards_live": due_evidence("ga_slo_dashboards_live", "SLO dashboards of the GA systems"),
    "ga_provenance_stitched": due_evidence("ga_provenance_stitched", "stitched provenance"),
    "ga_abuse_rules_in_force": due_evidence("ga_abuse_rules_in_force", "quotas and abuse rules"),
}
