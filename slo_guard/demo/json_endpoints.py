"""Mission Control's JSON endpoints: tickets, scope ledger, marketplace and feature flags, page by page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from slo_guard.clock import iso
from slo_guard.demo.mission_control import MissionControl
from slo_guard.domain.series import LabelSet

TICKETS = "/api/tickets/issues"
SCOPE = "/api/tickets/scope"
PARTNERS = "/api/marketplace/partners"
FLAG = "/api/flags/xai-2-1-m1"

_TICKETS_A_PAGE = 8
_PARTNERS_A_PAGE = 2
_CHANGES_A_PAGE = 2


def answer_json(path: str, parameters: Mapping[str, str], base_url: str, mission: MissionControl, now: float) -> Any:
    """Return the document of an endpoint as of ``now`` (Unix seconds), None for a path that is none.

    Raises ``ValueError`` for a page or cursor that is no number.
    """
    endpoint = _ENDPOINTS.get(path)
    return None if endpoint is None else endpoint(parameters, base_url, mission, now)


def _tickets(parameters: Mapping[str, str], _base_url: str, mission: MissionControl, now: float) -> Any:
    """Pages by cursor: each answer names the next one's, the last one null."""
    points = mission.now("sprint_points_remaining", now)
    blocked = mission.now("blocker_age_seconds", now)
    issues = [
        {"key": dict(labels)["issue"], "points_left": left, "blocked_hours": _hours(blocked[labels])}
        for labels, left in points.items()
    ]
    start = int(parameters.get("cursor", "0"))
    end = start + _TICKETS_A_PAGE
    following = str(end) if end < len(issues) else None
    return {"issues": issues[start:end], "page": {"next_cursor": following}}


def _scope(parameters: Mapping[str, str], base_url: str, mission: MissionControl, now: float) -> Any:
    """Pages by link: each answer holds the URL of the next one."""
    changes = [
        {"id": event.id, "changed_at": iso(event.at), "points": event.value}
        for event in mission.events("scope_change_points", mission.story.history_from, now)
    ]
    start = int(parameters.get("from", "0"))
    end = start + _CHANGES_A_PAGE
    following = f"{base_url}{SCOPE}?from={end}" if end < len(changes) else None
    return {"changes": changes[start:end], "links": {"next": following}}


def _partners(parameters: Mapping[str, str], _base_url: str, mission: MissionControl, now: float) -> Any:
    """Pages by number, from 1; the one behind the last has no rows."""
    verified = mission.now("mpd_packets_total", now)

    def of(name: str) -> dict[LabelSet, float]:
        return mission.now(name, now)

    passed, untriaged = of("mpd_packets_auto_passed_total"), of("mpd_failures_untriaged_over_1d")
    without_clause, commercial = of("mpd_failures_without_clause"), of("mpd_commercial_transactions")
    partners = [
        {
            "id": dict(labels)["partner"],
            "packets": {"verified": count, "auto_passed": passed[labels]},
            "failures": {
                "untriaged_over_1d": untriaged[labels],
                "triaged_without_clause": without_clause[labels],
            },
            "transactions": {"commercial": commercial[labels]},
        }
        for labels, count in verified.items()
    ]
    start = (int(parameters.get("page", "1")) - 1) * _PARTNERS_A_PAGE
    return {"partners": partners[max(start, 0) : max(start, 0) + _PARTNERS_A_PAGE]}


def _flag(_parameters: Mapping[str, str], _base_url: str, mission: MissionControl, now: float) -> Any:
    exposure = [
        {"cohort": dict(labels)["cohort"], "users": users}
        for labels, users in mission.now("xai_flag_users", now).items()
    ]
    enabled = any(value == 1.0 for value in mission.now("xai_m1_flag_enabled", now).values())
    return {"key": "xai-2-1-m1", "enabled": enabled, "exposure": exposure}


def _hours(seconds: float) -> float | None:
    return seconds / 3600.0 if seconds else None


_ENDPOINTS: Mapping[str, Callable[[Mapping[str, str], str, MissionControl, float], Any]] = {
    TICKETS: _tickets,
    SCOPE: _scope,
    PARTNERS: _partners,
    FLAG: _flag,
}
