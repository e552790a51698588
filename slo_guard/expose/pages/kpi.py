"""The page of one KPI: how it went, how it stands, why, what speaks for it, and what was told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from slo_guard.domain.alerts import Transition
from slo_guard.domain.explanations import Explanation, Unexplained
from slo_guard.domain.kpi import KPI
from slo_guard.domain.notifications import DeliveryRecord
from slo_guard.domain.readings import FloatArray, SignOff
from slo_guard.domain.series import LabelSet
from slo_guard.domain.trails import Trail
from slo_guard.domain.verdicts import SeriesVerdict, VerdictFrame
from slo_guard.evaluate.comparison_words import value_words
from slo_guard.evaluate.worst_first import worst_rows
from slo_guard.expose.pages.board import Drawn, kpi_view, series_view
from slo_guard.expose.pages.budgets import BudgetView, budget_views
from slo_guard.expose.pages.explained import ExplainedView, explained_view
from slo_guard.expose.pages.marks import Marks
from slo_guard.expose.pages.model import KpiView, SeriesView
from slo_guard.expose.pages.moments import Calendar, Moment, age_words
from slo_guard.expose.pages.periods import Period, firing_periods
from slo_guard.expose.pages.plot import NARROW, WIDE, Plotted, plot
from slo_guard.expose.pages.sent import SentView, sent_view
from slo_guard.expose.pages.sparkline import is_dot
from slo_guard.expose.pages.trail_runs import bridged, judged_range, runs_of, trail_words
from slo_guard.expose.pages.wording import Badge, badge, kpi_path, web_link
from slo_guard.expose.snapshot import Snapshot
from slo_guard.units import format_duration, format_value

SERIES_SHOWN = 50
_RUNS_SHOWN, _PERIODS_SHOWN, _SIGN_OFFS_SHOWN = 60, 20, 20


@dataclass(frozen=True, slots=True)
class SeriesDetail:
    """One series with how much it was judged by."""

    view: SeriesView
    samples: str
    coverage: str


@dataclass(frozen=True, slots=True)
class RunLine:
    """A stretch of one verdict, with the least and greatest value in it."""

    start: Moment
    end: Moment
    badge: Badge
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot in two sizes, and the same as a table; ``words`` sum it up."""

    name: str
    words: str
    wide: Markup
    narrow: Markup
    runs: tuple[RunLine, ...]
    more_runs: int


@dataclass(frozen=True, slots=True)
class PeriodLine:
    """When an alert fired; ``end`` is None while it does."""

    start: Moment
    end: Moment | None
    lasted: str
    kind: str
    labels: LabelSet


@dataclass(frozen=True, slots=True)
class SignOffLine:
    """Who said so, when, and where the proof is; ``entered`` where it was written down later."""

    labels: LabelSet
    value: str
    by: str
    when: Moment
    entered: Moment | None
    link: str | None


@dataclass(frozen=True, slots=True)
class KpiPageView:
    """The whole page of a KPI; what cannot be told is None, with why in ``unexplained`` and ``unread``."""

    kpi: KpiView
    lane: str
    sprint: str
    timezone: str
    facts: tuple[tuple[str, str, Moment | None], ...]
    pictures: tuple[Picture, ...]
    series: tuple[SeriesDetail, ...]
    more: int
    budgets: tuple[BudgetView, ...]
    sign_offs: tuple[SignOffLine, ...]
    periods: tuple[PeriodLine, ...]
    sent: tuple[SentView, ...] | None
    unread: str
    explained: ExplainedView | None
    unexplained: str
    json: str


@dataclass(frozen=True, slots=True)
class Told:
    """What the store knows of a KPI; ``error`` says why it cannot be read."""

    transitions: Sequence[Transition] = ()
    deliveries: Sequence[DeliveryRecord] = ()
    error: str = ""


def kpi_page_view(
    kpi: KPI, snapshot: Snapshot, explained: Explanation | Unexplained, told: Told, now: float, drawn: Drawn
) -> KpiPageView:
    """Return what the page of ``kpi`` shows at ``now`` (Unix seconds)."""
    sprint = snapshot.plan.sprints[kpi.sprint]
    calendar = Calendar(sprint.timezone, now)
    marks = Marks(snapshot, calendar)
    frame = snapshot.frames.get((kpi.sprint, kpi.id))
    rows = [] if frame is None else [frame.row(row) for row in worst_rows(frame, SERIES_SHOWN)]
    periods = firing_periods(told.transitions, sprint.start_at, now)
    shown = sorted(periods, key=lambda period: -period.start)[:_PERIODS_SHOWN]
    return KpiPageView(
        kpi=kpi_view(kpi, snapshot, calendar, drawn, marks),
        lane=kpi.lane,
        sprint=kpi.sprint,
        timezone=sprint.timezone,
        facts=tuple(_facts(kpi, frame, rows, calendar)),
        pictures=tuple(_pictures(kpi, snapshot, calendar, periods)),
        series=tuple(_detail(row, series_view(row, snapshot.alerts, calendar, marks)) for row in rows),
        more=0 if frame is None else len(frame.index) - len(rows),
        budgets=budget_views(rows),
        sign_offs=_sign_offs(kpi, snapshot, calendar),
        periods=tuple(_period(period, calendar) for period in shown),
        sent=None if told.error else tuple(sent_view(each, snapshot, calendar) for each in told.deliveries),
        unread=told.error,
        explained=None if isinstance(explained, Unexplained) else explained_view(explained, calendar),
        unexplained=explained.reason if isinstance(explained, Unexplained) else "",
        json="/api/v1" + kpi_path(kpi.sprint, kpi.id).replace("?", "/explain?", 1),
    )


def _facts(
    kpi: KPI, frame: VerdictFrame | None, rows: Sequence[SeriesVerdict], calendar: Calendar
) -> Iterator[tuple[str, str, Moment | None]]:
    """Yield what there is to know at a glance: a name, words, and an instant where one belongs to it."""
    yield "measure", kpi.measure.text, None
    if rows:
        row = rows[0]
        yield "samples", f"{row.samples:,}" + (f", at least {kpi.min_samples:,}" if kpi.min_samples else ""), None
        if row.coverage is not None:
            yield "coverage", f"{row.coverage:.0%} of the window", None
        if row.total is not None:
            yield "total", f"{row.total:,.6g}" + (f", at least {kpi.min_total:,.6g}" if kpi.min_total else ""), None
        if frame is not None and frame.window_start is not None:
            yield (
                "window",
                f"{format_duration(frame.window_end - frame.window_start)}, from",
                calendar.moment(frame.window_start),
            )
        if row.outlook is not None:
            for name, value in (
                ("forecast", row.outlook.forecast),
                ("left", row.outlook.left),
                ("pace line", row.outlook.line),
            ):
                if value is not None:
                    yield name, format_value(value, kpi.unit), None
    if kpi.objective is not None:
        yield (
            "alert",
            f"{kpi.severity.value}, " + (f"after {format_duration(kpi.for_seconds)}" if kpi.for_seconds else "at once"),
            None,
        )
    for name, at in (("checkpoint", kpi.checkpoint_at), ("due", kpi.due_at)):
        if at is not None:
            yield name, f"in {age_words(at - calendar.now)}," if at > calendar.now else "passed", calendar.moment(at)


def _pictures(kpi: KPI, snapshot: Snapshot, calendar: Calendar, periods: Sequence[Period]) -> Iterator[Picture]:
    """Yield how it went over the sprint and lately; the other way round while little of the sprint has been seen."""
    key, sprint = (kpi.sprint, kpi.id), snapshot.plan.sprints[kpi.sprint]
    whole, lately = snapshot.trails.get(key), snapshot.recent_trails.get(key)
    seen, last_seen = (None if trail is None else judged_range(trail) for trail in (whole, lately))
    found = []
    if whole is not None and seen is not None:
        times = (sprint.start_at, max(sprint.end_at, seen[1]))
        found.append(_picture("Over the sprint", kpi, bridged(whole, kpi), times, calendar, periods))
    if lately is not None and last_seen is not None:
        found.append(_picture("Lately", kpi, bridged(lately, kpi), last_seen, calendar, periods))
    yield from reversed(found) if seen is not None and is_dot(seen, sprint) else found


def _picture(
    name: str,
    kpi: KPI,
    trail: Trail,
    times: tuple[float, float],
    calendar: Calendar,
    periods: Sequence[Period],
) -> Picture:
    moments = [("now", calendar.now)] if calendar.now < times[1] else []
    moments += [(word, at) for word, at in (("checkpoint", kpi.checkpoint_at), ("due", kpi.due_at)) if at is not None]
    shown = Plotted(kpi, trail, times, calendar.zone, [each for each in periods if each.end > times[0]], moments)
    runs = list(runs_of(trail))
    words = f"{name}: {trail_words(trail, kpi, calendar.now)}"
    return Picture(
        name=name,
        words=words,
        wide=plot(shown, WIDE, words),
        narrow=plot(shown, NARROW, words),
        runs=tuple(
            RunLine(
                calendar.moment(run.start),
                calendar.moment(run.end),
                badge(run.verdict),
                _extreme(trail.low[run.first : run.last + 1], kpi, np.min),
                _extreme(trail.high[run.first : run.last + 1], kpi, np.max),
            )
            for run in reversed(runs[-_RUNS_SHOWN:])
        ),
        more_runs=max(0, len(runs) - _RUNS_SHOWN),
    )


def _extreme(values: FloatArray, kpi: KPI, choose: Callable[[FloatArray], FloatArray]) -> str:
    found = values[np.isfinite(values)]
    return value_words(float(choose(found)), kpi) if len(found) else "no value"


def _detail(row: SeriesVerdict, view: SeriesView) -> SeriesDetail:
    coverage = "" if row.coverage is None else f"{row.coverage:.0%}"
    return SeriesDetail(view, f"{row.samples:,}", coverage)


def _sign_offs(kpi: KPI, snapshot: Snapshot, calendar: Calendar) -> tuple[SignOffLine, ...]:
    known = snapshot.sign_offs.get((kpi.sprint, kpi.id))
    newest = sorted(known.sign_offs if known else (), key=lambda each: -each.when)[:_SIGN_OFFS_SHOWN]
    return tuple(_sign_off(each, calendar) for each in newest)


def _sign_off(each: SignOff, calendar: Calendar) -> SignOffLine:
    entered = None if each.entered_at is None or each.entered_at - each.when <= 60 else each.entered_at
    return SignOffLine(
        labels=each.labels,
        value="true" if each.value else "false",
        by=each.by,
        when=calendar.moment(each.when),
        entered=None if entered is None else calendar.moment(entered),
        link=web_link(each.link),
    )


def _period(period: Period, calendar: Calendar) -> PeriodLine:
    kind = {"breach": "alert", "risk": "risk alert", "burn": "burn alert"}[period.kind]
    return PeriodLine(
        start=calendar.moment(period.start),
        end=None if period.going_on else calendar.moment(period.end),
        lasted=age_words(period.end - period.start),
        kind=f"{kind} {period.tier}".strip(),
        labels=period.labels,
    )
