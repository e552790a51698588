"""How a verdict came about, for people who did not write the rule: plain values, ready to be printed.

Instants are Unix seconds (UTC) as float; durations are seconds; values are in base units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from slo_guard.domain.kpi import KPI, Sprint
from slo_guard.domain.readings import IndicatorType
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import Reason, SeriesVerdict, Verdict

HistoryKind: TypeAlias = Literal["verdict", "breach", "risk", "burn"]
"""What changed: a series' verdict, its alert, the quieter one about a risk, or one about a budget that burns."""


@dataclass(frozen=True, slots=True)
class SampleSeen:
    """The last sample of one series: its ``value`` (None: it is only counted), its own time ``at`` and its age.

    ``note``: of a sign-off, who signed and where the proof is.
    """

    labels: LabelSet
    value: float | None
    at: float
    age_seconds: float
    is_stale: bool
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputExplanation:
    """One indicator as the KPI reads it.

    ``role``: ``value``, or which side of a ratio or quotient it is; ``where``: which of its series, in words;
    ``collected_at``: the last successful collection, by when it was got; ``failure``: why the last collection failed,
    if it did, at ``failed_at``. ``samples`` are those of a few of its ``series``, stale ones first. ``is_stale``:
    nothing of it is young enough to judge by; ``late_samples``: how many came behind newer ones and were left out.
    """

    role: str
    indicator: str
    where: str
    type: IndicatorType
    unit: str | None
    collector: str | None
    series: int
    stale_series: int
    samples: tuple[SampleSeen, ...]
    collected_at: float | None
    failure: str | None
    failed_at: float | None
    late_samples: int
    stale_after_seconds: float
    is_stale: bool


@dataclass(frozen=True, slots=True)
class SeriesExplanation:
    """One series: its verdict, its value in words, and the arithmetic that leads from one to the other."""

    row: SeriesVerdict
    value: str
    why: str
    arithmetic: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """More about a KPI under a title of its own, line by line."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One change of a series: from ``before`` (None: it was not known) to ``after``, and why.

    ``tier``: which of the burn alerts it was; their ``value`` is a burn rate.
    """

    at: float
    kind: HistoryKind
    labels: LabelSet
    before: str | None
    after: str
    reason: Reason
    value: float | None = None
    note: str | None = None
    tier: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a KPI's verdict is what it is, as of the evaluation ``at``.

    ``formula``: what is measured and what it must be, in sentences; ``series``: the worst first, of ``series_total``;
    ``history``: the last changes, the newest last; ``seen_at``: up to when ``inputs`` are known.
    """

    kpi: KPI
    sprint: Sprint
    at: float
    seen_at: float
    verdict: Verdict
    counts: Mapping[Verdict, int]
    final: bool
    formula: tuple[str, ...]
    window: str
    window_start: float | None
    window_end: float
    series: tuple[SeriesExplanation, ...]
    series_total: int
    inputs: tuple[InputExplanation, ...]
    sections: tuple[Section, ...]
    history: tuple[HistoryEntry, ...] = ()

    def with_history(self, history: tuple[HistoryEntry, ...]) -> Explanation:
        """Return the same with the changes that led here."""
        return replace(self, history=history)


@dataclass(frozen=True, slots=True)
class Unexplained:
    """A KPI that is guarded, but cannot be explained now: ``reason`` says why, in words."""

    reason: str
