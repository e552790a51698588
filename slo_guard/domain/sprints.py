"""How sprints follow each other: which is over at an instant, and which one takes up what an earlier one leaves."""

from __future__ import annotations

from collections.abc import Iterable

from slo_guard.domain.kpi import KPI, Plan, Sprint


def successor_of(sprint: Sprint, sprints: Iterable[Sprint]) -> Sprint | None:
    """Return the sprint that follows: of those that start at its end or later the first; None without one."""
    later = (each for each in sprints if each.id != sprint.id and each.start_at >= sprint.end_at)
    return min(later, key=lambda each: (each.start_at, each.end_at, each.id), default=None)


def is_succeeded(sprint: Sprint, sprints: Iterable[Sprint], now: float) -> bool:
    """Whether the sprint that follows has started at ``now``."""
    following = successor_of(sprint, sprints)
    return following is not None and following.start_at <= now


def is_handed_over(kpi: KPI, plan: Plan, now: float) -> bool:
    """Whether ``kpi`` does not end with its sprint, but with the start of the one that follows, and that is over."""
    sprint = plan.sprints.get(kpi.sprint)
    if sprint is None or kpi.closes_with_sprint or sprint.end_at > now:
        return False
    return is_succeeded(sprint, plan.sprints.values(), now)
