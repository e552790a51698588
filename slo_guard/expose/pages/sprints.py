"""A sprint at a glance: its days, how many are left, and the go/no-go so far."""

from __future__ import annotations

from datetime import date, timedelta

from slo_guard.clock import from_unix
from slo_guard.domain.calendar import day_start
from slo_guard.domain.gates import Gate, GateItem, GateOutcome
from slo_guard.domain.kpi import Sprint
from slo_guard.expose.pages.model import DayView, GateLine, GateView, SprintView
from slo_guard.expose.pages.moments import Calendar
from slo_guard.expose.pages.wording import Badge, kpi_path
from slo_guard.expose.snapshot import Snapshot

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_OUTCOMES = {
    GateOutcome.GO: Badge("go", "✓", "met"),
    GateOutcome.UNDECIDED: Badge("undecided", "○", "not-due"),
    GateOutcome.NO_GO: Badge("no-go", "✕", "missed"),
}


def sprint_view(sprint: Sprint, calendar: Calendar, snapshot: Snapshot) -> SprintView:
    """Return a sprint at a glance, as of ``calendar.now``."""
    state = "closed" if snapshot.at >= sprint.end_at else "upcoming" if snapshot.is_upcoming(sprint.id) else ""
    start, end = sprint.start, sprint.end
    first = f"{start.day} {start:%b}" + (f" {start.year}" if start.year != end.year else "")
    days, gate = _days(sprint, calendar), snapshot.gates.get(sprint.id)
    share = (calendar.now - sprint.start_at) / (sprint.end_at - sprint.start_at)
    return SprintView(
        id=sprint.id,
        title=sprint.title or sprint.id,
        dates=f"{first} to {end.day} {end:%b} {end.year}",
        timezone=sprint.timezone,
        state=state,
        days=days,
        left=_left(sprint, calendar),
        bar=_bar(sprint, calendar),
        bar_words=f"{days}; {min(max(share, 0.0), 1.0):.0%} of the sprint's time is over",
        gate=gate_view(gate) if gate is not None and gate.items else None,
    )


def gate_view(gate: Gate) -> GateView:
    """Return a go/no-go: what stands in the way by name, and what speaks for the rest."""
    lines = {
        outcome: tuple(_gate_line(item) for item in gate.items if item.outcome is outcome) for outcome in GateOutcome
    }
    return GateView(
        outcome=_OUTCOMES[gate.outcome],
        reason=gate.reason,
        final=gate.final,
        blocking=lines[GateOutcome.NO_GO],
        open=lines[GateOutcome.UNDECIDED],
        passed=lines[GateOutcome.GO],
    )


def _gate_line(item: GateItem) -> GateLine:
    kpi = item.kpi
    words = item.remarks or item.evidence if item.outcome is GateOutcome.GO else item.missing
    return GateLine(kpi.title or kpi.id, kpi_path(kpi.sprint, kpi.id), kpi.owner, _OUTCOMES[item.outcome], words)


def _today(calendar: Calendar) -> date:
    return from_unix(calendar.now).astimezone(calendar.zone).date()


def _dates(sprint: Sprint) -> tuple[date, ...]:
    return tuple(sprint.start + timedelta(days=each) for each in range((sprint.end - sprint.start).days + 1))


def _bar(sprint: Sprint, calendar: Calendar) -> tuple[DayView, ...]:
    today, days = _today(calendar), []
    for day in _dates(sprint):
        start, end = (day_start(each, calendar.zone) for each in (day, day + timedelta(days=1)))
        done = min(max((calendar.now - start) / (end - start), 0.0), 1.0)
        state = "past" if day < today else "today" if day == today else "ahead"
        worked = _WEEKDAYS[day.weekday()] in sprint.workdays
        days.append(DayView(f"{day:%a}", str(day.day), worked, state, round(100 * done, 1)))
    return tuple(days)


def _left(sprint: Sprint, calendar: Calendar) -> tuple[tuple[str, str], ...]:
    today = _today(calendar)
    if today < sprint.start:
        return (_counted((sprint.start - today).days, "day", "until it starts"),)
    if today > sprint.end:
        return (_counted((today - sprint.end).days, "day", "since its end"),)
    ahead = [day for day in _dates(sprint) if day > today]
    worked = [day for day in ahead if _WEEKDAYS[day.weekday()] in sprint.workdays]
    return _counted(len(ahead), "day", "left"), _counted(len(worked), "work day", "left")


def _counted(number: int, what: str, then: str) -> tuple[str, str]:
    return str(number), f"{what if number == 1 else f'{what}s'} {then}"


def _days(sprint: Sprint, calendar: Calendar) -> str:
    today = _today(calendar)
    if today < sprint.start:
        return f"starts in {' '.join(_counted((sprint.start - today).days, 'day', ''))}".strip()
    if today > sprint.end:
        return f"ended {' '.join(_counted((today - sprint.end).days, 'day', 'ago'))}"
    number, length = (today - sprint.start).days + 1, (sprint.end - sprint.start).days + 1
    left = (sprint.end - today).days
    rest = f"{' '.join(_counted(left, 'day', 'left'))} after today" if left else "the last"
    return f"day {number} of {length}, {rest}"
