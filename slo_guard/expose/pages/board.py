"""The board: the sprint at a glance, what fires, and every KPI by lane, worked out from a snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import Markup

from slo_guard.domain.alerts import Alert, AlertKey, AlertKind
from slo_guard.domain.budget_words import burn_rates_words
from slo_guard.domain.close_words import restated_lines, seal_words, target_lines
from slo_guard.domain.kpi import KPI
from slo_guard.domain.verdicts import AlertState, SeriesVerdict, Verdict, VerdictFrame
from slo_guard.evaluate.comparison_words import value_words
from slo_guard.evaluate.worst_first import worst_rows
from slo_guard.expose.pages.alert_lines import loudest_views
from slo_guard.expose.pages.marks import Marks
from slo_guard.expose.pages.model import BoardView, Filter, KpiView, LaneView, SeriesView
from slo_guard.expose.pages.moments import Calendar
from slo_guard.expose.pages.sparkline import spark_of
from slo_guard.expose.pages.sprints import sprint_view
from slo_guard.expose.pages.wording import (
    UNJUDGED,
    anchor,
    badge,
    counts_words,
    kind_words,
    kpi_path,
    objective_judged,
    place_words,
    proof_of,
    web_link,
    why_words,
)
from slo_guard.expose.snapshot import Snapshot

SERIES_SHOWN = 10
ALERTS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Choice:
    """What the board is narrowed to; None for all."""

    lane: str | None = None
    verdict: str | None = None

    def path(self) -> str:
        """Return the address of the board that is narrowed so."""
        chosen = {name: value for name, value in (("lane", self.lane), ("verdict", self.verdict)) if value is not None}
        return f"/?{urlencode(chosen)}" if chosen else "/"

    def words(self) -> str:
        """Return what is chosen: ``missed in ga-ops``."""
        verdict = "" if self.verdict is None else self.verdict.replace("_", " ")
        lane = "" if self.lane is None else f"in {self.lane}"
        return f"{verdict} {lane}".strip()


class Drawn:
    """The small pictures of KPIs, each drawn once for all who look: anew once its KPI is judged anew."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[VerdictFrame | None, Markup | None]] = {}

    def spark(self, kpi: KPI, snapshot: Snapshot) -> Markup | None:
        """Return the picture of a KPI; None where nothing is known of how it went."""
        key = (kpi.sprint, kpi.id)
        frame, kept = snapshot.frames.get(key), self._kept.get(key)
        if kept is None or kept[0] is not frame:
            kept = self._kept[key] = (frame, spark_of(kpi, snapshot))
        return kept[1]


def calendars_of(snapshot: Snapshot, now: float) -> tuple[dict[str, Calendar], Calendar]:
    """Return the calendar of each sprint, and that of what belongs to none: the first sprint's."""
    calendars = {sprint.id: Calendar(sprint.timezone, now) for sprint in snapshot.plan.sprints.values()}
    return calendars, next(iter(calendars.values()), Calendar("UTC", now))


def board_view(snapshot: Snapshot, now: float, drawn: Drawn, choice: Choice = Choice()) -> BoardView:
    """Return what the board shows of ``snapshot`` at ``now`` (Unix seconds), narrowed to ``choice``."""
    plan = snapshot.plan
    calendars, general = calendars_of(snapshot, now)
    marks = Marks(snapshot, general)
    sprints = [sprint_view(sprint, calendars[sprint.id], snapshot) for sprint in plan.sprints.values()]
    alerts = loudest_views(snapshot, ALERTS_SHOWN, calendars, general, marks)
    states = Counter(int(alert.state) for alert in snapshot.alerts.values())
    return BoardView(
        sprints=tuple(sorted(sprints, key=lambda sprint: sprint.state != "")),
        verdicts=tuple(_verdict_filters(snapshot, choice)),
        lane_filters=tuple(_lane_filters(snapshot, choice)),
        everything=Choice().path(),
        narrowed=choice.words(),
        alerts=alerts,
        more_alerts=len(snapshot.alerts) - len(alerts),
        firing=states[AlertState.FIRING],
        pending=states[AlertState.PENDING],
        lanes=tuple(_lanes(snapshot, choice, calendars, general, drawn, marks)),
    )


def _shown(kpi: KPI, snapshot: Snapshot, choice: Choice) -> bool:
    frame = snapshot.frames.get((kpi.sprint, kpi.id))
    verdict = frame.worst.label if frame is not None else None
    return choice.lane in (None, kpi.lane) and choice.verdict in (None, verdict)


def _worst(snapshot: Snapshot, kpis: Sequence[KPI]) -> Counter[Verdict]:
    """Return how many KPIs have each verdict; those of a sprint that has not started count for nothing."""
    frames = (snapshot.frames.get((kpi.sprint, kpi.id)) for kpi in kpis if not snapshot.is_upcoming(kpi.sprint))
    return Counter(frame.worst for frame in frames if frame is not None)


def _verdict_filters(snapshot: Snapshot, choice: Choice) -> Iterator[Filter]:
    counts = _worst(snapshot, [kpi for kpi in snapshot.kpis if choice.lane in (None, kpi.lane)])
    for verdict in sorted(counts, reverse=True):
        chosen = choice.verdict == verdict.label
        path = Choice(choice.lane, None if chosen else verdict.label).path()
        yield Filter(badge(verdict).word, path, counts[verdict], chosen, badge(verdict))


def _lane_filters(snapshot: Snapshot, choice: Choice) -> Iterator[Filter]:
    for lane in dict.fromkeys(kpi.lane for kpi in snapshot.kpis):
        members = [kpi for kpi in snapshot.kpis if kpi.lane == lane]
        worst = max(_worst(snapshot, members), default=None)
        chosen = choice.lane == lane
        path = Choice(None if chosen else lane, choice.verdict).path()
        yield Filter(lane, path, len(members), chosen, UNJUDGED if worst is None else badge(worst))


def _lanes(
    snapshot: Snapshot,
    choice: Choice,
    calendars: Mapping[str, Calendar],
    general: Calendar,
    drawn: Drawn,
    marks: Marks,
) -> Iterator[LaneView]:
    grouped: dict[tuple[str, str], list[KPI]] = {}
    for kpi in snapshot.kpis:
        grouped.setdefault((kpi.sprint, kpi.lane), []).append(kpi)
    for (sprint, lane), members in grouped.items():
        shown = [kpi for kpi in members if _shown(kpi, snapshot, choice)]
        counts = _worst(snapshot, members)
        calendar = calendars.get(sprint, general)
        if shown:
            yield LaneView(
                name=lane,
                anchor=f"lane-{sprint}-{lane}",
                sprint=sprint,
                owner=common_owner(members),
                counts=tuple((badge(verdict), counts[verdict]) for verdict in sorted(counts, reverse=True)),
                kpis=tuple(kpi_view(kpi, snapshot, calendar, drawn, marks) for kpi in shown),
            )


def common_owner(kpis: Sequence[KPI]) -> str:
    """Return whose all of ``kpis`` are; empty where they have several owners."""
    owners = {kpi.owner for kpi in kpis}
    return owners.pop() if len(owners) == 1 else ""


def kpi_view(kpi: KPI, snapshot: Snapshot, calendar: Calendar, drawn: Drawn, marks: Marks) -> KpiView:
    """Return one KPI with its worst series."""
    frame = snapshot.frames.get((kpi.sprint, kpi.id))
    rows = [] if frame is None else worst_rows(frame, SERIES_SHOWN)
    restated = restated_lines(frame, lambda at: calendar.moment(at).text, lambda value: value_words(value, kpi))
    return KpiView(
        anchor=anchor(kpi.sprint, kpi.id),
        id=kpi.id,
        path=kpi_path(kpi.sprint, kpi.id),
        title=kpi.title or kpi.id,
        badge=UNJUDGED if frame is None else badge(frame.worst),
        objective=objective_judged(kpi, frame),
        measure=kpi.measure.text,
        counts="" if frame is None else counts_words(frame.counts()),
        series=()
        if frame is None
        else tuple(series_view(frame.row(row), snapshot.alerts, calendar, marks) for row in rows),
        more=0 if frame is None else len(frame.index) - len(rows),
        owner=kpi.owner,
        runbook=web_link(kpi.runbook_url),
        place=place_words(kpi),
        final=frame is not None and frame.final,
        gate=kpi.gate,
        seal=seal_words(frame),
        asides=(*restated, *target_lines(frame, lambda at: calendar.moment(at).text)),
        spark=drawn.spark(kpi, snapshot),
    )


def series_view(row: SeriesVerdict, alerts: Mapping[AlertKey, Alert], calendar: Calendar, marks: Marks) -> SeriesView:
    """Return one series with the loudest of its alerts."""
    state, since, kind = row.alert_state, row.alert_since, ""
    told = alerts.get(AlertKey(row.kpi.sprint, row.kpi.id, row.labels))
    if state is AlertState.INACTIVE:
        told = next((alert for alert in map(alerts.get, _other_alerts(row)) if alert is not None), None)
        if told is not None:
            state, since, kind = told.state, told.fired_at or told.active_at, kind_words(told.key)
    active = state is not AlertState.INACTIVE
    return SeriesView(
        labels=row.labels,
        value=value_words(row.value, row.kpi),
        badge=badge(row.verdict),
        why=why_words(row),
        proof=proof_of(row)[1],
        since=calendar.moment(row.since),
        alert=state.label if active else "",
        alert_since=calendar.moment(since) if active and since is not None else None,
        alert_kind=kind,
        burn_rates="" if row.budget is None else burn_rates_words(row.budget),
        marks=marks.of(told) if active and told is not None else (),
    )


def _other_alerts(row: SeriesVerdict) -> Iterator[AlertKey]:
    """Yield the keys of a series' alerts beside that of a breach, the loudest first."""
    kpi = row.kpi
    for pair in () if kpi.error_budget is None else kpi.error_budget.burn_alerts:
        yield AlertKey(kpi.sprint, kpi.id, row.labels, AlertKind.BURN, pair.text)
    yield AlertKey(kpi.sprint, kpi.id, row.labels, AlertKind.RISK)
