"""An explanation as a page of text: readable in 80 columns, in colour only in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from rich.text import Text

from slo_guard.cli.recorded import CleanConsole
from slo_guard.domain.calendar import local_text
from slo_guard.domain.explanations import Explanation, HistoryEntry, InputExplanation, SampleSeen, SeriesExplanation
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import AlertState, Verdict
from slo_guard.evaluate.comparison_words import changed_value, changed_why, changed_words
from slo_guard.units import format_duration, format_value

VERDICT_STYLES = {
    Verdict.MET: "green",
    Verdict.AT_RISK: "yellow",
    Verdict.INSUFFICIENT: "magenta",
    Verdict.NO_DATA: "bold red",
    Verdict.MISSED: "bold red",
}


def print_explanation(explanation: Explanation, now: float) -> None:
    """Print ``explanation`` as seen at ``now`` (Unix seconds); instants stand in the sprint's zone."""
    console = CleanConsole()
    for depth, line in _page(explanation, now):
        indent = "  " * depth
        # A link that is longer than a line stays whole, to be copied.
        parts = wrap(line.plain, console.width - len(indent), break_long_words=False, break_on_hyphens=False)
        whole = len(parts) <= 1
        for part in [line] if whole else [Text(each, style=line.style) for each in parts]:
            console.print(Text(indent).append_text(part) if part.plain else "", soft_wrap=True)


def _page(explanation: Explanation, now: float) -> Iterator[tuple[int, Text]]:
    yield from _head(explanation, now)
    yield from _titled("What it measures", _formula(explanation))
    yield from _titled("How it stands", _series(explanation))
    for section in explanation.sections:
        yield from _titled(section.title, ((1, Text(line)) for line in section.lines))
    yield from _titled("What it reads", _inputs(explanation))
    yield from _titled("How it came to that", _history(explanation))


def _titled(title: str, lines: Iterator[tuple[int, Text]]) -> Iterator[tuple[int, Text]]:
    yield 0, Text()
    yield 0, Text(title, style="bold")
    yield from lines


def _head(explanation: Explanation, now: float) -> Iterator[tuple[int, Text]]:
    kpi, zone = explanation.kpi, explanation.sprint.timezone
    title = Text.assemble((kpi.title or kpi.id, "bold"), ": ", _verdict(explanation.verdict))
    yield 0, title.append(" (final)") if explanation.final else title
    about = (kpi.id, kpi.sprint, f"lane {kpi.lane}", f"owner {kpi.owner}" if kpi.owner else "")
    yield 0, Text(", ".join(filter(None, about)))
    if kpi.place is not None:
        yield 0, Text(f"Rule: {kpi.place.file}:{kpi.place.line}")
    if kpi.runbook_url:
        yield 0, Text(f"Runbook: {kpi.runbook_url}")
    ago = format_duration(max(0.0, float(round(now - explanation.at))))
    yield 0, Text(f"As of {local_text(explanation.at, zone)}, {ago} ago")


def _formula(explanation: Explanation) -> Iterator[tuple[int, Text]]:
    yield from ((1, Text(line)) for line in explanation.formula)
    if explanation.window_start is not None:
        begin, end = (
            local_text(at, explanation.sprint.timezone) for at in (explanation.window_start, explanation.window_end)
        )
        yield 1, Text(f"Window: {begin} to {end}.")


def _series(explanation: Explanation) -> Iterator[tuple[int, Text]]:
    for series in explanation.series:
        yield 1, _series_head(explanation, series)
        yield 2, Text(series.why)
        yield from ((2, Text(line)) for line in series.arithmetic)
        row = series.row
        if row.alert_state is not AlertState.INACTIVE and row.alert_since is not None:
            since = local_text(row.alert_since, explanation.sprint.timezone)
            yield 2, Text(f"alert {row.alert_state.label} since {since}", style="bold red")
    more = explanation.series_total - len(explanation.series)
    if more:
        yield 1, Text(f"and {more:,} more series that are no worse")


def _series_head(explanation: Explanation, series: SeriesExplanation) -> Text:
    row = series.row
    head = Text.assemble(_verdict(row.verdict), f"  {series.value}")
    if row.labels:
        head.append(f"  {_labels(row.labels)}", style="bold")
    since = local_text(row.since, explanation.sprint.timezone)
    return head.append(f"  since {since}")


def _inputs(explanation: Explanation) -> Iterator[tuple[int, Text]]:
    zone = explanation.sprint.timezone
    for each in explanation.inputs:
        role = "" if each.role == "value" else f"{each.role}: "
        source = f", from the collector {each.collector}" if each.collector else ""
        yield 1, Text(f"{role}{each.indicator} ({each.type.value}){source}")
        if each.where:
            yield 2, Text(f"only where {each.where}")
        if each.failure is not None and each.failed_at is not None:
            yield (
                2,
                Text(f"the last collection failed at {local_text(each.failed_at, zone)}: {each.failure}", "bold red"),
            )
        yield 2, Text(_collected(each, zone, final=explanation.final))
        yield from ((2, _sample(sample, each, zone)) for sample in each.samples)
        if each.series > len(each.samples):
            yield 2, Text(f"{each.series:,} series in all, {each.stale_series:,} of them stale")
        if each.late_samples:
            yield 2, Text(f"{each.late_samples:,} samples came behind newer ones and were left out")


def _collected(each: InputExplanation, zone: str, *, final: bool) -> str:
    limit = f"stale after {format_duration(each.stale_after_seconds)}"
    if each.collected_at is None and final:
        return "the sprint is over, and what it read is not looked at any more; --at T shows it as it was"
    if each.collected_at is None:
        return f"nothing has been collected yet; {limit}"
    state = "STALE, " if each.is_stale else ""
    return f"{state}collected at {local_text(each.collected_at, zone)}; {limit}"


def _sample(sample: SampleSeen, each: InputExplanation, zone: str) -> Text:
    value = "last seen" if sample.value is None else _value(sample.value, each)
    age = format_duration(max(0.0, float(round(sample.age_seconds))))
    labels = f"  {_labels(sample.labels)}" if sample.labels else ""
    note = f"  {sample.note}" if sample.note else ""
    text = Text(f"{value}{labels}  {local_text(sample.at, zone)}, {age} old{note}")
    return text.append("  stale", style="bold red") if sample.is_stale else text


def _value(value: float, each: InputExplanation) -> str:
    if each.type.value == "bool" and value in (0.0, 1.0):
        return "true" if value else "false"
    return format_value(value, each.unit)


def _history(explanation: Explanation) -> Iterator[tuple[int, Text]]:
    if not explanation.history:
        yield 1, Text("no change is on record")
    for entry in explanation.history:
        yield 1, Text(_changed(entry, explanation))


def _changed(entry: HistoryEntry, explanation: Explanation) -> str:
    labels = f"{_labels(entry.labels)}: " if entry.labels else ""
    before = f"{entry.before} -> " if entry.before is not None else ""
    said = changed_value(entry, explanation.kpi)
    value = f", {said}" if said else ""
    note = f" ({entry.note})" if entry.note else ""
    what = f"{changed_words(entry)} {before}{entry.after}{value}"
    return f"{local_text(entry.at, explanation.sprint.timezone)}  {labels}{what}: {changed_why(entry)}{note}"


def _verdict(verdict: Verdict) -> tuple[str, str]:
    return verdict.label.replace("_", " "), VERDICT_STYLES.get(verdict, "")


def _labels(labels: LabelSet) -> str:
    return ", ".join(f"{name}={value}" for name, value in labels)
