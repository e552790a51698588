"""What people signed, by group: the last word of each label set, and since when that meets the objective."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from slo_guard.domain.kpi import KPI, Combine
from slo_guard.domain.readings import Evidence, FloatArray, IntArray, SignOff
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import REASON_CODE, CodeArray, Reason
from slo_guard.evaluate.objectives import meets, worst_of_gauges
from slo_guard.evaluate.rows import SeriesRows

_BACKDATED_AFTER_SECONDS = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What sign-offs come to, shape (groups,), with the fields of ``Measured``, and what it was found from.

    It is so from ``found_at`` until the next sign-off's own time comes.
    """

    kpi: KPI
    sign_offs: tuple[SignOff, ...]
    found_at: float
    until: float
    value: FloatArray
    met_since: FloatArray
    samples: IntArray
    flaw: CodeArray
    notes: dict[int, str]

    def stands(self, kpi: KPI, evidence: Evidence, now: float, groups: int) -> bool:
        """Whether the same would be found again: people sign once a day, and are asked what they signed all day."""
        if len(self.value) != groups or not self.found_at <= now < self.until:
            return False
        same_rule = kpi is self.kpi or (kpi.objective, kpi.combine) == (self.kpi.objective, self.kpi.combine)
        return same_rule and evidence.sign_offs == self.sign_offs


def hear(kpi: KPI, evidence: Evidence, rows: SeriesRows, now: float) -> Said:
    """Return what the sign-offs with a ``when`` by ``now`` come to; groups that are new are numbered."""
    groups = rows.groups
    by_group: dict[int, list[SignOff]] = {}
    until = np.inf
    for sign_off in sorted(evidence.sign_offs, key=lambda item: (item.when, item.entered_at or item.when)):
        if sign_off.when > now:
            until = sign_off.when
            break
        if rows.accepts(sign_off.labels):
            by_group.setdefault(groups.code_of_series(sign_off.labels), []).append(sign_off)
    count = len(groups)
    value, met_since = np.zeros(count), np.full(count, np.nan)
    samples = np.zeros(count, dtype=np.int64)
    flaw = np.full(count, -1, dtype=np.int8)
    notes: dict[int, str] = {}
    combine = kpi.combine or worst_of_gauges(kpi.objective)
    met = _met_if(kpi)
    for code, words in by_group.items():
        samples[code] = len({word.labels for word in words})
        if combine is None and samples[code] > 1:
            value[code], flaw[code] = np.nan, REASON_CODE[Reason.SEVERAL_SERIES]
            continue
        value[code], met_since[code], deciding = _last_word(words, combine or Combine.MIN, met)
        notes[code] = _sign_off_note(deciding)
    return Said(kpi, evidence.sign_offs, now, until, value, met_since, samples, flaw, notes)


def _met_if(kpi: KPI) -> tuple[bool, bool]:
    """Return whether the objective is met by what is not so, and by what is so."""
    if kpi.objective is None:
        return False, False
    unsigned, signed = meets(kpi.objective, np.array([0.0, 1.0])).tolist()
    return unsigned, signed


def _last_word(words: list[SignOff], combine: Combine, met: tuple[bool, bool]) -> tuple[float, float, SignOff]:
    """Return what a group's sign-offs, ascending, come to, since when that meets the objective, and which decides."""
    fold = max if combine is Combine.MAX else min
    standing = {word.labels: False for word in words}
    said: dict[LabelSet, SignOff] = {}
    met_since = -np.inf if met[False] else np.nan
    value = False
    for when, together in groupby(words, key=lambda word: word.when):
        # What is signed at one instant is so at once: in between it was never otherwise.
        for word in together:
            standing[word.labels], said[word.labels] = word.value, word
        value = fold(standing.values())
        met_since = (when if np.isnan(met_since) else met_since) if met[value] else np.nan
    deciding = max((word for word in said.values() if word.value == value), key=lambda word: word.when)
    return float(value), met_since, deciding


def _sign_off_note(sign_off: SignOff) -> str:
    verb = "signed" if sign_off.value else "withdrawn"
    late = sign_off.entered_at is not None and sign_off.entered_at > sign_off.when + _BACKDATED_AFTER_SECONDS
    link = f", {sign_off.link}" if sign_off.link else ""
    return f"{verb} by {sign_off.by}{link}{', backdated' if late else ''}"
