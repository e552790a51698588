"""Why a KPI's verdict is what it is: put together from its track, as of the frame that was judged of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

import numpy as np

from slo_guard.domain.alerts import BREACH
from slo_guard.domain.calendar import local_text
from slo_guard.domain.close_words import restated_lines, seal_words, target_lines
from slo_guard.domain.explanations import Explanation, Section, SeriesExplanation
from slo_guard.domain.kpi import BudgetMethod, NoDataThen, Pace, Severity
from slo_guard.domain.readings import IndicatorSpec
from slo_guard.domain.verdicts import SeriesVerdict, VerdictFrame
from slo_guard.evaluate.arithmetic import arithmetic
from slo_guard.evaluate.comparison_words import value_words
from slo_guard.evaluate.formula_words import formula_words, objective_words, window_words
from slo_guard.evaluate.input_words import explain_inputs
from slo_guard.evaluate.tracks import KpiTrack
from slo_guard.evaluate.worst_first import worst_rows
from slo_guard.units import RATIO, format_duration, format_value

MOST_SERIES: Final = 20

SectionBuilder: TypeAlias = Callable[[KpiTrack, VerdictFrame], Iterator[str]]


def explain(
    track: KpiTrack,
    frame: VerdictFrame,
    now: float,
    indicators: Mapping[str, IndicatorSpec],
    *,
    most_series: int = MOST_SERIES,
) -> Explanation:
    """Return why the verdicts of ``frame``, judged of ``track``, are what they are; nothing of either is changed.

    ``now``: up to when the track has taken in what was seen (Unix seconds), not before ``frame.at``; ``indicators``:
    what the collectors declare, by name.
    """
    rows = [frame.row(row) for row in worst_rows(frame, most_series)]
    places = {labels: group for group, labels in enumerate(track.groups.labels)}
    return Explanation(
        kpi=track.kpi,
        sprint=track.sprint,
        at=frame.at,
        seen_at=now,
        verdict=frame.worst,
        counts=frame.counts(),
        final=frame.final,
        formula=formula_words(track.kpi),
        window=window_words(track.kpi.measure),
        window_start=frame.window_start,
        window_end=frame.window_end,
        series=tuple(_series(track, row, places.get(row.labels, -1)) for row in rows),
        series_total=len(frame.index),
        inputs=explain_inputs(track, frame, indicators, now),
        sections=tuple(Section(title, lines) for title, build in SECTIONS if (lines := tuple(build(track, frame)))),
    )


def standing_frame(track: KpiTrack, frame: VerdictFrame) -> VerdictFrame:
    """Return ``frame``, as ``peek`` gives it, with the breach alerts of ``track`` as they stand."""
    breach = track.alerts[BREACH]
    groups = np.array([track.groups.code(labels) for labels in frame.index.label_sets], dtype=np.intp)
    breach.grow(len(track.groups))
    state = breach.state[groups]
    return replace(frame, alert_state=state, alert_since=np.where(state > 0, breach.active_at[groups], np.nan))


def _series(track: KpiTrack, row: SeriesVerdict, group: int) -> SeriesExplanation:
    why = f"{row.reason.sentence} ({row.note})" if row.note else row.reason.sentence
    return SeriesExplanation(row, value_words(row.value, track.kpi), why, arithmetic(track, row, group))


def _alerting(track: KpiTrack, _frame: VerdictFrame) -> Iterator[str]:
    """Yield when its alert fires and ends."""
    kpi = track.kpi
    if kpi.objective is None and kpi.warn is None:
        return
    if kpi.severity is not Severity.NONE and kpi.objective is not None:
        when = f"once it has lasted for {format_duration(kpi.for_seconds)}" if kpi.for_seconds else "at once"
        yield f"a breach raises an alert of severity {kpi.severity.value} {when}"
    if kpi.resolve is not None:
        yield f"it resolves once the value is {objective_words(kpi.resolve)}, not before"
    if kpi.keep_firing_for_seconds:
        yield f"it keeps firing until clear for {format_duration(kpi.keep_firing_for_seconds)}"
    may_be_at_risk = any(each is not None for each in (kpi.warn, kpi.pace, kpi.drift, kpi.checkpoint_at))
    if may_be_at_risk and kpi.warn_severity is not Severity.NONE:
        yield f"what is at risk raises a quieter alert of severity {kpi.warn_severity.value}"


def _times(track: KpiTrack, frame: VerdictFrame) -> Iterator[str]:
    """Yield by when it must be met, and along which line."""
    kpi, zone = track.kpi, track.sprint.timezone
    for name, at in (("checkpoint", kpi.checkpoint_at), ("due", kpi.due_at)):
        if at is not None:
            apart = format_duration(abs(at - frame.at))
            yield f"{name}: {local_text(at, zone)}, {f'in {apart}' if at > frame.at else f'{apart} ago'}"
    if kpi.pace is not None:
        yield "pace: even in time" if kpi.pace is Pace.LINEAR else "pace: a step at the end of each work day"
    if kpi.drift is not None:
        over, within = format_duration(kpi.drift.over_seconds), format_duration(kpi.drift.within_seconds)
        yield f"drift: at risk when the trend of the last {over} crosses the objective within {within}"


def _error_budget(track: KpiTrack, _frame: VerdictFrame) -> Iterator[str]:
    """Yield how much may go wrong, and which burn rates raise an alert."""
    budget = track.kpi.error_budget
    if budget is None:
        return
    what = "of all time slices" if budget.method is BudgetMethod.TIMESLICES else "of all events"
    where = "of the sprint" if budget.window.seconds is None else f"within {budget.window_text}"
    yield f"{format_value(budget.allowed, RATIO)} {what} {where} may be bad"
    for pair in budget.burn_alerts:
        if pair.severity is not Severity.NONE:
            raised = f"raises an alert of severity {pair.severity.value}"
            yield f"over {pair.text} a burn rate above {pair.factor:g} {raised}"


def _missing_data(track: KpiTrack, _frame: VerdictFrame) -> Iterator[str]:
    """Yield what silence means."""
    rule = track.kpi.no_data
    then = {
        NoDataThen.ALERT: "and alerts like a breach",
        NoDataThen.HOLD: f"and freezes the alert for up to {format_duration(rule.hold_for_seconds)}",
        NoDataThen.OK: "and raises no alert",
    }[rule.then]
    yield f"a sample older than {format_duration(rule.after_seconds)} is stale: that is no_data, {then}"


def _condition(track: KpiTrack, _frame: VerdictFrame) -> Iterator[str]:
    when = track.kpi.when
    if when is not None:
        yield f"it applies only while {when.kpi} is {'true' if when.is_true else 'false'}"


def _exclusions(track: KpiTrack, _frame: VerdictFrame) -> Iterator[str]:
    zone = track.sprint.timezone
    for each in track.kpi.exclude:
        yield f"{local_text(each.start_at, zone)} to {local_text(each.end_at, zone)}: {each.reason} ({each.by})"


def _targets(track: KpiTrack, frame: VerdictFrame) -> Iterator[str]:
    """Yield what of the rule changed while its sprint ran, and the verdict by what it promised at first."""
    yield from target_lines(frame, lambda at: local_text(at, track.sprint.timezone))


def _close(track: KpiTrack, frame: VerdictFrame) -> Iterator[str]:
    """Yield what a final verdict was made of, and what later data would make of it."""
    if frame.seal is not None:
        if frame.seal.objective is not None:
            yield f"judged by {frame.seal.objective.replace('_', ' ', 1)}, as the rule was then"
        yield f"SHA-256 of what it was judged by: {seal_words(frame)}"
    zone, kpi = track.sprint.timezone, track.kpi
    yield from restated_lines(frame, lambda at: local_text(at, zone), lambda value: value_words(value, kpi))


SECTIONS: Sequence[tuple[str, SectionBuilder]] = (
    ("Time", _times),
    ("Condition", _condition),
    ("Excluded time", _exclusions),
    ("Alert", _alerting),
    ("Error budget", _error_budget),
    ("Missing data", _missing_data),
    ("Changed in mid-sprint", _targets),
    ("The close", _close),
)
"""What more there is to say of a KPI, in the order of the page: a title, and the lines under it (none: not shown)."""
