"""What the API answers about sprints: dates, what is left of them, verdict counts and the go/no-go so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel

from slo_guard.clock import iso
from slo_guard.domain.calendar import workday_ends, zone_of
from slo_guard.domain.kpi import Sprint
from slo_guard.domain.verdicts import AlertState, Verdict
from slo_guard.evaluate.gate_json import gate_json
from slo_guard.expose.final_answers import VerdictName
from slo_guard.expose.snapshot import Snapshot

SprintState: TypeAlias = Literal["running", "upcoming", "closed"]


class GateItemAnswer(BaseModel):
    """What one KPI with ``gate: true`` says; ``verdict`` is null where it was never judged."""

    kpi: str
    title: str
    lane: str
    owner: str
    outcome: Literal["go", "undecided", "no-go"]
    verdict: VerdictName | None
    value: str
    objective: str | None
    evidence: list[str]
    missing: list[str]
    remarks: list[str]


class GateAnswer(BaseModel):
    """The go/no-go: the JSON of ``slo-guard gate --format json``, as of the evaluation ``at``.

    ``final``: the sprint is over, and this stays so; ``kpis``: the worst outcome first.
    """

    sprint: str
    at: str
    final: bool
    outcome: Literal["go", "undecided", "no-go"]
    reason: str
    kpis: list[GateItemAnswer]


class SprintAlertsAnswer(BaseModel):
    """How many alerts of the sprint there are, of all kinds."""

    firing: int
    pending: int


class SprintAnswer(BaseModel):
    """One sprint; ``start`` and ``end`` are its first and last day, ``starts_at`` and ``ends_at`` exact instants.

    ``days_left`` and ``work_days_left`` count the present day, and all days of an upcoming sprint; ``counts``: KPIs
    by their worst verdict, without the ``not_judged``; ``go_no_go``: null of a sprint that has not begun.
    """

    sprint: str
    title: str
    state: SprintState
    start: str
    end: str
    starts_at: str
    ends_at: str
    timezone: str
    work_days: list[str]
    days_left: int
    work_days_left: int
    seconds_left: float
    kpis: int
    not_judged: int
    counts: dict[VerdictName, int]
    alerts: SprintAlertsAnswer
    go_no_go: GateAnswer | None


class SprintsAnswer(BaseModel):
    """The sprints as of the evaluation ``at``: those that run, those to come, those that are over, newest first."""

    at: str
    sprints: list[SprintAnswer]


def sprints_answer(snapshot: Snapshot, sprints: Iterable[Sprint]) -> dict[str, Any]:
    """Return ``SprintsAnswer`` for ``sprints`` of the plan of ``snapshot``."""
    return {"at": iso(snapshot.at), "sprints": [_sprint(snapshot, each) for each in _by_interest(sprints, snapshot.at)]}


def sprint_state(sprint: Sprint, now: float) -> SprintState:
    """Return whether a sprint runs, is to come or is over at ``now`` (Unix seconds)."""
    if now < sprint.start_at:
        return "upcoming"
    return "running" if now < sprint.end_at else "closed"


def _by_interest(sprints: Iterable[Sprint], now: float) -> list[Sprint]:
    order = ("running", "upcoming", "closed")

    def rank(sprint: Sprint) -> tuple[int, float, str]:
        state = sprint_state(sprint, now)
        return order.index(state), -sprint.end_at if state == "closed" else sprint.start_at, sprint.id

    return sorted(sprints, key=rank)


def _sprint(snapshot: Snapshot, sprint: Sprint) -> dict[str, Any]:
    kpis = [kpi for kpi in snapshot.kpis if kpi.sprint == sprint.id]
    frames = (snapshot.frames.get((kpi.sprint, kpi.id)) for kpi in kpis)
    verdicts = Counter(frame.worst for frame in frames if frame is not None)
    states = Counter(alert.state for key, alert in snapshot.alerts.items() if key.sprint == sprint.id)
    left_from = max(snapshot.at, sprint.start_at)
    gate = snapshot.gates.get(sprint.id)
    return {
        "sprint": sprint.id,
        "title": sprint.title,
        "state": sprint_state(sprint, snapshot.at),
        "start": sprint.start.isoformat(),
        "end": sprint.end.isoformat(),
        "starts_at": iso(sprint.start_at),
        "ends_at": iso(sprint.end_at),
        "timezone": sprint.timezone,
        "work_days": list(sprint.workdays),
        "days_left": _days_left(sprint, left_from),
        "work_days_left": len(workday_ends(left_from, sprint.end_at, sprint.timezone, sprint.workdays)),
        "seconds_left": max(0.0, sprint.end_at - left_from),
        "kpis": len(kpis),
        "not_judged": len(kpis) - verdicts.total(),
        "counts": {each.label: verdicts[each] for each in sorted(Verdict, reverse=True) if verdicts[each]},
        "alerts": {"firing": states[AlertState.FIRING], "pending": states[AlertState.PENDING]},
        "go_no_go": None if gate is None else gate_json(gate),
    }


def _days_left(sprint: Sprint, now: float) -> int:
    if now >= sprint.end_at:
        return 0
    today = datetime.fromtimestamp(now, UTC).astimezone(zone_of(sprint.timezone)).date()
    return (sprint.end - today).days + 1
