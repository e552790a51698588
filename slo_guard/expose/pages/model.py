"""The parts of the board as plain values, ready to be printed; the templates do nothing but print them."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from slo_guard.domain.series import LabelSet
from slo_guard.expose.pages.moments import Moment
from slo_guard.expose.pages.wording import Badge


@dataclass(frozen=True, slots=True)
class Mark:
    """A silence or an acknowledgement that holds: ``what`` it is, by whom, until when and why."""

    what: str
    by: str
    until: Moment | None
    why: str


@dataclass(frozen=True, slots=True)
class SeriesView:
    """One series of a KPI; its alert is the breach's, or else a burn alert's, or else that of the risk."""

    labels: LabelSet
    value: str
    badge: Badge
    why: str
    proof: str | None
    since: Moment
    alert: str
    alert_since: Moment | None
    alert_kind: str
    burn_rates: str
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class KpiView:
    """One KPI; ``badge`` is that of its worst series, ``more`` counts the series that are not listed.

    ``final``: its sprint is over, and this is how it ended, made of what ``seal`` names. ``asides``: what came later,
    and which of its targets changed. ``path``: its own page; ``spark``: how it went, where anything is known of it.
    """

    anchor: str
    id: str
    path: str
    title: str
    badge: Badge
    objective: str
    measure: str
    counts: str
    series: tuple[SeriesView, ...]
    more: int
    owner: str
    runbook: str | None
    place: str
    final: bool
    gate: bool
    seal: str
    asides: tuple[str, ...]
    spark: Markup | None


@dataclass(frozen=True, slots=True)
class LaneView:
    """One lane of one sprint; ``owner`` is set when all its KPIs have the same. ``counts``: its KPIs by verdict."""

    name: str
    anchor: str
    sprint: str
    owner: str
    counts: tuple[tuple[Badge, int], ...]
    kpis: tuple[KpiView, ...]


@dataclass(frozen=True, slots=True)
class AlertView:
    """One line of an alert list; ``key`` is the same for as long as it is the same alert."""

    key: str
    path: str
    kpi: str
    title: str
    lane: str
    owner: str
    labels: LabelSet
    state: str
    severity: str
    kind: str
    value: str
    objective: str
    why: str
    since: Moment
    fired_at: str
    runbook: str | None
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class DayView:
    """One day of a sprint: ``state`` is ``past``, ``today`` or ``ahead``, ``done`` how much of it is over, 0 to 100."""

    name: str
    number: str
    worked: bool
    state: str
    done: float


@dataclass(frozen=True, slots=True)
class GateLine:
    """One KPI of the go/no-go: the badge of its outcome, and what is missing or speaks for it."""

    title: str
    path: str
    owner: str
    outcome: Badge
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GateView:
    """The go/no-go so far; ``blocking`` stands in the way, ``open`` is not decided, ``passed`` counts the rest."""

    outcome: Badge
    reason: str
    final: bool
    blocking: tuple[GateLine, ...]
    open: tuple[GateLine, ...]
    passed: tuple[GateLine, ...]


@dataclass(frozen=True, slots=True)
class SprintView:
    """A sprint at a glance; ``state`` is ``closed``, ``upcoming``, or empty while it runs.

    ``left``: the number that counts now, and what it is of: ``("7", "days left")``. ``gate`` is None without gates.
    """

    id: str
    title: str
    dates: str
    timezone: str
    state: str
    days: str
    left: tuple[tuple[str, str], ...]
    bar: tuple[DayView, ...]
    bar_words: str
    gate: GateView | None


@dataclass(frozen=True, slots=True)
class Filter:
    """One way to narrow the board: where it leads, how many KPIs there are, and whether it is chosen."""

    word: str
    path: str
    count: int
    chosen: bool
    badge: Badge | None = None


@dataclass(frozen=True, slots=True)
class BoardView:
    """The board; ``sprints``: those that run first; ``narrowed`` says in words what is chosen, empty for all."""

    sprints: tuple[SprintView, ...]
    verdicts: tuple[Filter, ...]
    lane_filters: tuple[Filter, ...]
    everything: str
    narrowed: str
    alerts: tuple[AlertView, ...]
    more_alerts: int
    firing: int
    pending: int
    lanes: tuple[LaneView, ...]
