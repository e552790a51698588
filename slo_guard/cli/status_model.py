"""How slo_guard stands, as ``slo-guard status`` shows it: by a running daemon, or by its store where none answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from slo_guard.domain.verdicts import Verdict

UNWELL = frozenset({Verdict.MISSED.label, Verdict.NO_DATA.label})
_RANKS = {verdict.label: int(verdict) for verdict in Verdict}


class Origin(StrEnum):
    """Where a report comes from."""

    DAEMON = "daemon"
    STORE = "store"


@dataclass(frozen=True, slots=True)
class SprintLine:
    """One sprint; ``days_left`` count the present day, ``go_no_go`` is None where nothing is known of it."""

    sprint: str
    title: str
    state: str
    ends_at: float
    days_left: int | None
    work_days_left: int | None
    go_no_go: str | None
    go_no_go_reason: str | None


@dataclass(frozen=True, slots=True)
class KpiLine:
    """One KPI by its worst series; ``verdict``: None before it is judged; ``value`` and ``objective`` are in words."""

    sprint: str
    lane: str
    kpi: str
    title: str
    verdict: str | None
    value: str | None
    objective: str | None
    reason: str | None
    since: float | None
    series: int
    unwell_series: int

    @property
    def badness(self) -> int:
        """How bad its verdict is, comparable; one that is not judged yet is below all."""
        return -1 if self.verdict is None else _RANKS[self.verdict]


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert that fires; ``silenced_by`` is the number of a silence, ``acknowledged_by`` says who knows of it."""

    sprint: str
    kpi: str
    kind: str
    tier: str | None
    severity: str | None
    labels: Mapping[str, str]
    since: float
    silenced_by: int | None = None
    acknowledged_by: str | None = None
    acknowledged_until: float | None = None


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One collector; ``error`` is why it fails."""

    collector: str
    state: str
    last_success: float | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Outbox:
    """Messages that wait and that were given up, by receiver, and since when the oldest waits."""

    pending: Mapping[str, int]
    oldest_at: float | None
    dead: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class StatusReport:
    """All of it as of the evaluation ``at`` (None: nothing was judged yet); ``sources`` None where only a daemon knows.

    ``unreachable`` says why no daemon answered.
    """

    origin: Origin
    url: str
    at: float | None
    sprints: tuple[SprintLine, ...]
    kpis: tuple[KpiLine, ...]
    alerts: tuple[AlertLine, ...]
    sources: tuple[SourceLine, ...] | None
    outbox: Outbox
    unreachable: str | None = None

    @property
    def shown_sprints(self) -> tuple[SprintLine, ...]:
        """The sprints that run; without one the first to come, or the last that is over."""
        running = tuple(each for each in self.sprints if each.state == "running")
        return running or self.sprints[:1]

    @property
    def well(self) -> bool:
        """Whether no alert fires and no KPI of a sprint that runs is missed or without data."""
        running = {each.sprint for each in self.sprints if each.state == "running"}
        return not self.alerts and not any(each.verdict in UNWELL for each in self.kpis if each.sprint in running)
