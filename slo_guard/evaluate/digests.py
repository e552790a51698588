"""What a final verdict was made of, as digests: equal data and equal rules give equal ones, however they came."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

import numpy as np

from slo_guard.domain.readings import FloatArray, IntArray
from slo_guard.domain.verdicts import Seal, VerdictFrame
from slo_guard.evaluate.inputs import Input
from slo_guard.evaluate.rule_changes import form_text, rule_form
from slo_guard.evaluate.tracks import KpiTrack

_VERSION = "slo_guard inputs 1"


def seal_of(track: KpiTrack, frame: VerdictFrame) -> Seal:
    """Return the seal of a KPI's last verdicts, from the buffers that they were taken from."""
    kpi, place = frame.kpi, frame.kpi.place
    in_file = place is not None and place.digest
    return Seal(
        inputs_digest=inputs_digest(track.inputs, frame),
        rule_digest=place.digest if place is not None and in_file else _digest(form_text(rule_form(kpi))),
        rule_file=place.file if place is not None and in_file else None,
        objective=kpi.objective.text if kpi.objective is not None else None,
    )


def inputs_digest(inputs: Iterable[Input], frame: VerdictFrame) -> str:
    """Return the SHA-256 (hex) of what went into ``frame``.

    It covers, in canonical order: the KPI, its sprint and its window; of each ``by`` group its labels, its value and
    total (to nine digits, since sums may be added up in another order) and its number of samples; and of each
    indicator every series with a sample in the window (for ``last``: one that is not stale) with that sample's time
    and value, every event in the window, and every sign-off with a ``when`` up to the window's end. It covers neither
    when they were seen nor samples that newer ones of their series have replaced, except by their number and by what
    they come to: windows that were rebuilt after a restart do not hold them.
    """
    found = hashlib.sha256()
    kpi, now = frame.kpi, frame.window_end
    _add(found, [_VERSION, kpi.sprint, kpi.id, frame.window_start, now])
    order = sorted(range(len(frame.index)), key=lambda row: frame.index.label_sets[row])
    _add(found, [frame.index.label_sets[row] for row in order])
    _add(found, [frame.samples[order].tolist(), _rounded(frame.value[order]), _rounded(frame.total[order])])
    for source in inputs:
        start = now - kpi.no_data.after_seconds if frame.window_start is None else frame.window_start
        _add(found, source.selection.indicator)
        _add_series(found, source, start)
        _add_sign_offs(found, source, now)
        if source.events is not None:
            _add_events(found, source, start, now)
    return found.hexdigest()


def _add_series(found: hashlib._Hash, source: Input, start: float) -> None:
    latest_at = source.latest_at
    rows = np.flatnonzero(latest_at >= start) if source.events is None else np.zeros(0, dtype=np.int64)
    labels = source.rows.label_sets
    ordered = np.array(sorted(rows.tolist(), key=lambda row: labels[row]), dtype=np.int64)
    _add(found, [labels[row] for row in ordered])
    _add_arrays(found, latest_at[ordered], source.latest[ordered])


def _add_events(found: hashlib._Hash, source: Input, start: float, now: float) -> None:
    assert source.events is not None
    rows, at, values = source.events.listed(start, now)
    labels = source.rows.label_sets
    named = sorted(np.unique(rows).tolist(), key=lambda row: labels[row])
    rank: IntArray = np.zeros(len(labels), dtype=np.int64)
    rank[named] = np.arange(len(named))
    ranks = rank[rows]
    if bool((np.diff(at) == 0).any()):
        # Events of one instant come in any order; to sort a million takes most of a second.
        order = np.lexsort((values, ranks, at))
        ranks, values = ranks[order], values[order]
    _add(found, [labels[row] for row in named])
    _add_arrays(found, ranks, at, values)


def _add_sign_offs(found: hashlib._Hash, source: Input, now: float) -> None:
    said = () if source.evidence is None else source.evidence.sign_offs
    known = [each for each in said if each.when <= now and source.rows.accepts(each.labels)]
    lines = [[each.labels, each.value, each.by, each.when, each.link or ""] for each in known]
    _add(found, sorted(lines))


def _add(found: hashlib._Hash, value: object) -> None:
    found.update(json.dumps(value, separators=(",", ":")).encode() + b"\n")


def _add_arrays(found: hashlib._Hash, *arrays: FloatArray | IntArray) -> None:
    for array in arrays:
        found.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes() + b"\n")


def _rounded(values: FloatArray) -> list[str]:
    return [f"{value:.9g}" for value in values.tolist()]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
