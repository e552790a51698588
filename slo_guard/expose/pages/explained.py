"""Why a verdict is what it is, as the page of a KPI prints it: plain values in words and in the sprint's time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slo_guard.domain.explanations import Explanation, HistoryEntry, InputExplanation, SampleSeen, Section
from slo_guard.domain.kpi import KPI
from slo_guard.domain.series import LabelSet
from slo_guard.evaluate.comparison_words import changed_value, changed_why, changed_words
from slo_guard.expose.pages.moments import Calendar, Moment
from slo_guard.expose.pages.wording import Badge, badge, web_link
from slo_guard.units import format_duration, format_value


@dataclass(frozen=True, slots=True)
class SeriesLine:
    """One series with the arithmetic of its verdict."""

    labels: LabelSet
    value: str
    badge: Badge
    why: str
    arithmetic: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SampleLine:
    """One sample, or sign-off, of an input."""

    labels: LabelSet
    value: str
    at: Moment
    stale: bool
    note: str
    link: str | None


@dataclass(frozen=True, slots=True)
class InputView:
    """One input: ``remarks`` are what is worth knowing of it, and ``failure`` why it could not be collected."""

    name: str
    role: str
    kind: str
    collector: str
    collected: Moment | None
    stale: bool
    failure: str
    failed: Moment | None
    samples: tuple[SampleLine, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One change."""

    at: Moment
    labels: LabelSet
    what: str
    before: str
    after: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class ExplainedView:
    """Why a verdict is what it is: formula, arithmetic, inputs, the rule, and how it came to that, newest first."""

    formula: tuple[str, ...]
    window: tuple[Moment, Moment] | None
    series: tuple[SeriesLine, ...]
    more: int
    sections: tuple[Section, ...]
    inputs: tuple[InputView, ...]
    history: tuple[HistoryLine, ...]


def explained_view(explanation: Explanation, calendar: Calendar) -> ExplainedView:
    """Return what the page of a KPI shows of its explanation."""
    start = explanation.window_start
    return ExplainedView(
        formula=explanation.formula,
        window=None if start is None else (calendar.moment(start), calendar.moment(explanation.window_end)),
        series=tuple(_series(explanation)),
        more=explanation.series_total - len(explanation.series),
        sections=explanation.sections,
        inputs=tuple(_input(each, calendar, final=explanation.final) for each in explanation.inputs),
        history=tuple(_history(entry, explanation.kpi, calendar) for entry in reversed(explanation.history)),
    )


def _series(explanation: Explanation) -> Iterator[SeriesLine]:
    for series in explanation.series:
        row = series.row
        yield SeriesLine(
            labels=row.labels,
            value=series.value,
            badge=badge(row.verdict),
            why=series.why,
            arithmetic=series.arithmetic,
        )


def _input(each: InputExplanation, calendar: Calendar, *, final: bool) -> InputView:
    return InputView(
        name=each.indicator,
        role="" if each.role == "value" else each.role,
        kind=each.type.value,
        collector=each.collector or "",
        collected=None if each.collected_at is None else calendar.moment(each.collected_at),
        stale=each.is_stale and not final,
        failure=each.failure or "",
        failed=None if each.failed_at is None else calendar.moment(each.failed_at),
        samples=tuple(_sample(sample, each, calendar) for sample in each.samples),
        remarks=tuple(_remarks(each, final=final)),
    )


def _remarks(each: InputExplanation, *, final: bool) -> Iterator[str]:
    if each.where:
        yield f"only where {each.where}"
    if each.collected_at is None:
        yield "the sprint is over, and it is not looked at any more" if final else "nothing has been collected yet"
    yield f"stale after {format_duration(each.stale_after_seconds)}"
    if each.series > len(each.samples):
        yield f"{each.series:,} series in all, {each.stale_series:,} of them stale"
    if each.late_samples:
        yield f"{each.late_samples:,} samples came behind newer ones and were left out"


def _sample(sample: SampleSeen, each: InputExplanation, calendar: Calendar) -> SampleLine:
    *rest, last = (sample.note or "").split(", ")
    link = web_link(last)
    is_bool = each.type.value == "bool" and sample.value in (0.0, 1.0)
    value = "last seen" if sample.value is None else format_value(sample.value, each.unit)
    return SampleLine(
        labels=sample.labels,
        value=("true" if sample.value else "false") if is_bool else value,
        at=calendar.moment(sample.at),
        stale=sample.is_stale,
        note=", ".join(rest) if link else sample.note or "",
        link=link,
    )


def _history(entry: HistoryEntry, kpi: KPI, calendar: Calendar) -> HistoryLine:
    why = changed_why(entry)
    return HistoryLine(
        at=calendar.moment(entry.at),
        labels=entry.labels,
        what=changed_words(entry),
        before=(entry.before or "").replace("_", " "),
        after=entry.after.replace("_", " "),
        value=changed_value(entry, kpi),
        why=f"{why} ({entry.note})" if entry.note else why,
    )
