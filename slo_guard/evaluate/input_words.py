"""What a KPI reads, input by input: the last samples, when they came, and what is wrong with their source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from slo_guard.domain.explanations import InputExplanation, SampleSeen
from slo_guard.domain.kpi import KPI, Quotient, RatioPair
from slo_guard.domain.readings import BoolArray, Evidence, FloatArray, IndicatorSpec
from slo_guard.domain.verdicts import VerdictFrame
from slo_guard.evaluate.formula_words import selection_words
from slo_guard.evaluate.history import grown
from slo_guard.evaluate.inputs import Input
from slo_guard.evaluate.tracks import KpiTrack

MOST_SAMPLES = 5


def explain_inputs(
    track: KpiTrack, frame: VerdictFrame, indicators: Mapping[str, IndicatorSpec], now: float
) -> tuple[InputExplanation, ...]:
    """Return each input of ``track`` as it is at ``now``; ``indicators`` say where they come from."""
    badness = _badness(track, frame)
    return tuple(
        _explained(role, source, indicators, badness, now)
        for role, source in zip(_roles(track.kpi), track.inputs, strict=True)
    )


def _explained(
    role: str, source: Input, indicators: Mapping[str, IndicatorSpec], badness: FloatArray, now: float
) -> InputExplanation:
    selection, failure = source.selection, source.failure
    spec = indicators.get(selection.indicator)
    fresh = source.fresh(now)
    answers = source.answers(now)
    evidence = source.evidence
    by_word = evidence is not None
    samples = _samples(source, fresh, badness, now) if evidence is None else _words(evidence, source, now)
    return InputExplanation(
        role=role,
        indicator=selection.indicator,
        where=selection_words(selection.where),
        type=source.kpi.type if spec is None else spec.type,
        unit=source.kpi.unit if spec is None else spec.unit,
        collector=failure.collector if failure is not None else None if spec is None else spec.collector,
        series=len(samples) if by_word else len(source.rows),
        stale_series=0 if by_word else int((~fresh).sum()),
        samples=samples[:MOST_SAMPLES],
        collected_at=source.succeeded_at,
        failure=None if failure is None else failure.message,
        failed_at=None if failure is None else failure.seen_at,
        late_samples=source.late_samples,
        stale_after_seconds=source.kpi.no_data.after_seconds,
        is_stale=not (answers if by_word or source.events is not None else bool(fresh.any())),
    )


def _samples(source: Input, fresh: BoolArray, badness: FloatArray, now: float) -> tuple[SampleSeen, ...]:
    """Return the last samples: stale ones first, then those of the series with the worst verdicts."""
    rows = len(source.rows)
    values, times = grown(source.latest, rows), grown(source.latest_at, rows)
    group_of = source.rows.group_of
    seen = np.flatnonzero(~np.isnan(times))
    worst = grown(badness, int(group_of.max()) + 1 if rows else 0, -1.0)[group_of]
    order = seen[np.lexsort((seen, -worst[seen], fresh[seen]))][:MOST_SAMPLES]
    labels = source.rows.label_sets
    return tuple(
        SampleSeen(
            labels=labels[row],
            value=None if np.isnan(values[row]) else float(values[row]),
            at=float(times[row]),
            age_seconds=now - float(times[row]),
            is_stale=not bool(fresh[row]),
        )
        for row in order
    )


def _words(evidence: Evidence, source: Input, now: float) -> tuple[SampleSeen, ...]:
    """Return the sign-offs of the series that are looked at, the newest first."""
    ours = [each for each in evidence.sign_offs if source.rows.accepts(each.labels)]
    return tuple(
        SampleSeen(
            labels=each.labels,
            value=float(each.value),
            at=each.when,
            age_seconds=now - each.when,
            is_stale=False,
            note=", ".join(_about(each.by, each.link, each.entered_at, each.when)),
        )
        for each in sorted(ours, key=lambda each: -each.when)
    )


def _about(by: str, link: str | None, entered_at: float | None, when: float) -> Iterator[str]:
    yield f"by {by}"
    if link:
        yield link
    if entered_at is not None and entered_at > when + 60.0:
        yield "entered later"


def _roles(kpi: KPI) -> tuple[str, ...]:
    match kpi.source:
        case RatioPair(part_is=name):
            return name, "total"
        case Quotient():
            return "of", "to"
        case _:
            return ("value",)


def _badness(track: KpiTrack, frame: VerdictFrame) -> FloatArray:
    """Return the verdict codes by group, -1 for those that are not shown."""
    codes = np.full(len(track.groups), -1.0)
    places = {labels: group for group, labels in enumerate(track.groups.labels)}
    for row, labels in enumerate(frame.index.label_sets):
        if labels in places:
            codes[places[labels]] = frame.verdict[row]
    return codes
