"""What a KPI's verdicts say for the go/no-go, what speaks for them, and what is missing, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from slo_guard.domain.alerts import FinalVerdict
from slo_guard.domain.calendar import local_text
from slo_guard.domain.gates import GateItem, GateOutcome
from slo_guard.domain.kpi import KPI, Reducer, Sprint
from slo_guard.domain.readings import Evidence, FloatArray, IndicatorType, IntArray, SignOff
from slo_guard.domain.verdicts import REASON_CODE, CodeArray, Reason, SeriesVerdict, Verdict, VerdictFrame
from slo_guard.evaluate.comparison_words import comparison, value_words
from slo_guard.evaluate.formula_words import objective_words
from slo_guard.evaluate.objectives import meets

_MOST_SERIES = 3
_TRACKED = "tracked only: without an objective nothing decides it"


def outcome_codes(kpi: KPI, verdict: CodeArray, reason: CodeArray, value: FloatArray) -> CodeArray:
    """Return the codes of :class:`GateOutcome` that verdicts come to, shape as given.

    Met is go, and so is what is at risk although its objective is met, or does not apply. Missed is no-go. The rest is
    not known, not due or not judged: undecided. So is time that is excluded: it says nothing of how things stand.
    """
    met = np.zeros(len(value), dtype=bool) if kpi.objective is None else meets(kpi.objective, value)
    applies_not = (verdict == Verdict.NOT_APPLICABLE) & (reason != REASON_CODE[Reason.EXCLUDED])
    go = (verdict == Verdict.MET) | applies_not | ((verdict == Verdict.AT_RISK) & met)
    codes = np.full(len(value), GateOutcome.UNDECIDED, dtype=np.int8)
    codes[go] = GateOutcome.GO
    codes[verdict == Verdict.MISSED] = GateOutcome.NO_GO
    return codes


def gate_item(kpi: KPI, sprint: Sprint, frame: VerdictFrame, evidence: Evidence | None = None) -> GateItem:
    """Return what the series of ``frame`` say together; ``evidence``: the sign-offs that it was judged by, if known."""
    codes = outcome_codes(kpi, frame.verdict, frame.reason, frame.value)
    outcome = GateOutcome(int(codes.max()))
    open_rows: IntArray = np.flatnonzero(codes > GateOutcome.GO)
    # Among what holds it back, the worst outcome first; of equals the worst verdict.
    held = open_rows[np.lexsort((open_rows, -frame.verdict[open_rows], -codes[open_rows]))]
    passed: IntArray = np.flatnonzero(codes == GateOutcome.GO)
    worst = int(held[0]) if len(held) else int(np.argmax(frame.verdict))
    row = frame.row(worst)
    return GateItem(
        kpi=kpi,
        outcome=outcome,
        verdict=row.verdict,
        value=value_words(row.value, kpi),
        objective="" if kpi.objective is None else objective_words(kpi.objective),
        evidence=_listed([_for_it(each, sprint, evidence) for each in _rows(frame, passed)], len(passed)),
        missing=_listed([_against_it(each, sprint) for each in _rows(frame, held)], len(held)),
        remarks=tuple(_remarks(frame, passed)),
    )


def ended_item(kpi: KPI, final: FinalVerdict) -> GateItem:
    """Return what a KPI says by how it stood when its sprint closed, of which no more is kept than its worst series."""
    value = np.array([np.nan if final.value is None else final.value])
    codes = np.array([final.verdict], dtype=np.int8), np.array([REASON_CODE[final.reason]], dtype=np.int8)
    outcome = GateOutcome(int(outcome_codes(kpi, *codes, value)[0]))
    words = final.reason.sentence
    if final.value is not None and kpi.objective is not None:
        words = comparison(kpi.objective, final.value, kpi.unit)
    said = f"{words} ({final.in_words})" if final.in_words else words
    return GateItem(
        kpi=kpi,
        outcome=outcome,
        verdict=final.verdict,
        value=value_words(final.value, kpi),
        objective="" if kpi.objective is None else objective_words(kpi.objective),
        evidence=(said,) if outcome is GateOutcome.GO else (),
        missing=() if outcome is GateOutcome.GO else (said,),
    )


def unjudged_item(kpi: KPI, why: str) -> GateItem:
    """Return what a KPI says that nobody has judged: nothing, so that it stays undecided."""
    objective = "" if kpi.objective is None else objective_words(kpi.objective)
    return GateItem(
        kpi=kpi, outcome=GateOutcome.UNDECIDED, verdict=None, value="no value", objective=objective, missing=(why,)
    )


def _rows(frame: VerdictFrame, positions: IntArray) -> list[SeriesVerdict]:
    return [frame.row(int(each)) for each in positions[:_MOST_SERIES]]


def _for_it(row: SeriesVerdict, sprint: Sprint, evidence: Evidence | None) -> str:
    if row.verdict is Verdict.NOT_APPLICABLE:
        return _with_labels(row, row.reason.sentence)
    signed = _sign_off(row, evidence)
    if signed is not None:
        link = f", {signed.link}" if signed.link else ""
        return _with_labels(row, f"signed by {signed.by}, {local_text(signed.when, sprint.timezone)}{link}")
    if _is_newest_word(row.kpi) and row.note:
        return _with_labels(row, f"{row.note}; met since {local_text(row.since, sprint.timezone)}")
    assert row.kpi.objective is not None
    return _with_labels(row, comparison(row.kpi.objective, row.value, row.kpi.unit) if row.value is not None else "met")


def _sign_off(row: SeriesVerdict, evidence: Evidence | None) -> SignOff | None:
    """Return the newest sign-off by which a series is true."""
    if evidence is None:
        return None
    ours = [each for each in evidence.sign_offs if each.value and each.when <= row.at]
    of_series = [each for each in ours if set(row.labels) <= set(each.labels)]
    return max(of_series, key=lambda each: each.when, default=None)


def _against_it(row: SeriesVerdict, sprint: Sprint) -> str:
    kpi = row.kpi
    if row.verdict is Verdict.TRACKED or kpi.objective is None:
        return _with_labels(row, _TRACKED)
    why = f"{row.reason.sentence} ({row.note})" if row.note else row.reason.sentence
    judged = row.verdict in (Verdict.MISSED, Verdict.NOT_DUE, Verdict.AT_RISK)
    if judged and _is_newest_word(kpi) and row.samples == 0:
        label = "".join(f" --label {name}={value}" for name, value in row.labels)
        why = f"nobody has signed it: slo-guard sign {kpi.id}{label} --by NAME"
    elif judged and row.value is not None:
        why = comparison(kpi.objective, row.value, kpi.unit)
    if row.verdict in (Verdict.NOT_DUE, Verdict.AT_RISK) and kpi.due_at is not None:
        why += f"; due {local_text(kpi.due_at, sprint.timezone)}"
    return _with_labels(row, why)


def _is_newest_word(kpi: KPI) -> bool:
    return kpi.type is IndicatorType.BOOL and kpi.measure.reducer is Reducer.LAST


def _remarks(frame: VerdictFrame, passed: IntArray) -> Iterator[str]:
    """Yield what is worth knowing of series that pass: that they are at risk."""
    risky = passed[frame.verdict[passed] == Verdict.AT_RISK]
    for row in _rows(frame, risky):
        yield _with_labels(row, f"at risk: {row.reason.sentence}{f' ({row.note})' if row.note else ''}")
    if len(risky) > _MOST_SERIES:
        yield f"and {len(risky) - _MOST_SERIES:,} more at risk"


def _listed(shown: list[str], total: int) -> tuple[str, ...]:
    more = total - len(shown)
    return (*dict.fromkeys(shown), *([f"and {more:,} more"] if more > 0 else []))


def _with_labels(row: SeriesVerdict, text: str) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in row.labels)
    return f"{labels}: {text}" if labels else text
