"""An explanation as JSON, in the shape that ``explain`` and the API promise."""

from __future__ import annotations

from typing import Any

from slo_guard.domain.explanations import Explanation, HistoryEntry, InputExplanation, SampleSeen, SeriesExplanation
from slo_guard.evaluate.comparison_words import changed_why
from slo_guard.evaluate.verdict_json import iso_text


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """Return the JSON object; instants are ISO 8601 in UTC, durations seconds, values in base units or null."""
    kpi = explanation.kpi
    return {
        "kpi": kpi.id,
        "title": kpi.title,
        "lane": kpi.lane,
        "owner": kpi.owner,
        "sprint": kpi.sprint,
        "place": f"{kpi.place.file}:{kpi.place.line}" if kpi.place else None,
        "runbook_url": kpi.runbook_url,
        "at": iso_text(explanation.at),
        "seen_at": iso_text(explanation.seen_at),
        "verdict": explanation.verdict.label,
        "final": explanation.final,
        "counts": {verdict.label: count for verdict, count in explanation.counts.items()},
        "objective": kpi.objective.text if kpi.objective else None,
        "unit": kpi.unit or None,
        "formula": list(explanation.formula),
        "window": {
            "start": iso_text(explanation.window_start),
            "end": iso_text(explanation.window_end),
            "timezone": explanation.sprint.timezone,
            "text": explanation.window,
        },
        "series_total": explanation.series_total,
        "series": [_series(each) for each in explanation.series],
        "inputs": [_input(each) for each in explanation.inputs],
        "sections": [{"title": each.title, "lines": list(each.lines)} for each in explanation.sections],
        "history": [_entry(each) for each in explanation.history],
    }


def _series(series: SeriesExplanation) -> dict[str, Any]:
    row = series.row
    return {
        "labels": dict(row.labels),
        "value": row.value,
        "value_text": series.value,
        "verdict": row.verdict.label,
        "reason": row.reason.value,
        "why": series.why,
        "since": iso_text(row.since),
        "arithmetic": list(series.arithmetic),
        "samples": row.samples,
        "min_samples": row.kpi.min_samples,
        "coverage": row.coverage,
        "min_coverage": row.kpi.min_coverage,
        "total": row.total,
        "alert": {"state": row.alert_state.label, "since": iso_text(row.alert_since)},
    }


def _input(each: InputExplanation) -> dict[str, Any]:
    return {
        "role": each.role,
        "indicator": each.indicator,
        "where": each.where,
        "type": each.type.value,
        "unit": each.unit or None,
        "collector": each.collector,
        "series": each.series,
        "stale_series": each.stale_series,
        "samples": [_sample(sample) for sample in each.samples],
        "collected_at": iso_text(each.collected_at),
        "failure": each.failure,
        "failed_at": iso_text(each.failed_at),
        "late_samples": each.late_samples,
        "stale_after_seconds": each.stale_after_seconds,
        "stale": each.is_stale,
    }


def _sample(sample: SampleSeen) -> dict[str, Any]:
    return {
        "labels": dict(sample.labels),
        "value": sample.value,
        "at": iso_text(sample.at),
        "age_seconds": sample.age_seconds,
        "stale": sample.is_stale,
        "note": sample.note,
    }


def _entry(entry: HistoryEntry) -> dict[str, Any]:
    return {
        "at": iso_text(entry.at),
        "kind": entry.kind,
        "labels": dict(entry.labels),
        "from": entry.before,
        "to": entry.after,
        "reason": entry.reason.value,
        "why": changed_why(entry),
        "value": entry.value,
        "note": entry.note,
        "tier": entry.tier or None,
    }
