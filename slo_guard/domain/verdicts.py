"""Verdicts: what an objective says of a value at one instant, and the named reason why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from slo_guard.domain.budget_words import budget_words
from slo_guard.domain.budgets import BudgetFrame, SeriesBudget
from slo_guard.domain.kpi import KPI
from slo_guard.domain.readings import BoolArray, FloatArray, IntArray
from slo_guard.domain.rule_changes import RuleChange
from slo_guard.domain.series import LabelSet, SeriesIndex

CodeArray: TypeAlias = npt.NDArray[np.int8]


class Verdict(IntEnum):
    """The eight verdicts of RULES.md; a larger code is worse, so a KPI shows the maximum over its series."""

    NOT_APPLICABLE = 0
    TRACKED = 1
    MET = 2
    NOT_DUE = 3
    AT_RISK = 4
    INSUFFICIENT = 5
    NO_DATA = 6
    MISSED = 7

    @property
    def label(self) -> str:
        """The name that files, pages and metrics use."""
        return self.name.lower()


class Reason(StrEnum):
    """Why a verdict, an alert state or its end is what it is; the same word in logs, metrics, pages and tests."""

    OBJECTIVE_MET = "objective_met"
    MET_LATE = "met_late"
    OBJECTIVE_MISSED = "objective_missed"
    OVERDUE = "overdue"
    BROKEN_FOR_GOOD = "broken_for_good"
    NOT_DUE_YET = "not_due_yet"
    PAST_WARN = "past_warn"
    PAST_CHECKPOINT = "past_checkpoint"
    NO_BASELINE = "no_baseline"
    BELOW_MIN_SAMPLES = "below_min_samples"
    BELOW_MIN_TOTAL = "below_min_total"
    ZERO_DENOMINATOR = "zero_denominator"
    LOW_COVERAGE = "low_coverage"
    GOOD_EXCEEDS_TOTAL = "good_exceeds_total"
    BAD_EXCEEDS_TOTAL = "bad_exceeds_total"
    SEVERAL_SERIES = "several_series"
    BEFORE_SPRINT = "before_sprint"
    NOT_A_BOOL = "not_a_bool"
    AWAITING_FIRST_COLLECTION = "awaiting_first_collection"
    NEVER_SEEN = "never_seen"
    NO_SERIES = "no_series"
    STALE = "stale"
    GONE_FROM_SOURCE = "gone_from_source"
    SOURCE_FAILED = "source_failed"
    PART_MISSING = "part_missing"
    NO_OBJECTIVE = "no_objective"
    RECOVERED = "recovered"
    NO_LONGER_JUDGED = "no_longer_judged"
    NO_DATA_IS_OK = "no_data_is_ok"
    SERIES_GONE = "series_gone"
    SERIES_APPEARED = "series_appeared"
    RULE_REMOVED = "rule_removed"
    UNOBSERVED = "unobserved"
    BEHIND_PACE = "behind_pace"
    FORECAST_MISSES = "forecast_misses"
    DRIFTING = "drifting"
    CONDITION_NOT_MET = "condition_not_met"
    CONDITION_UNKNOWN = "condition_unknown"
    EXCLUDED = "excluded"
    ESCALATED = "escalated"
    ABOVE_HIGHEST_BOUND = "above_highest_bound"
    BUCKETS_INCOMPLETE = "buckets_incomplete"
    SPRINT_CLOSED = "sprint_closed"
    CARRIED_OVER = "carried_over"
    BURNING = "burning"

    @property
    def sentence(self) -> str:
        """The reason in words for a teammate who has never seen slo_guard."""
        return _SENTENCES[self]


_SENTENCES: dict[Reason, str] = {
    Reason.OBJECTIVE_MET: "the value meets the objective",
    Reason.MET_LATE: "met, but only after its due time",
    Reason.OBJECTIVE_MISSED: "the value does not meet the objective",
    Reason.OVERDUE: "not met at its due time",
    Reason.BROKEN_FOR_GOOD: "the limit for the sprint is already broken and cannot be met again",
    Reason.NOT_DUE_YET: "not met yet, and not due yet",
    Reason.PAST_WARN: "met, but past the warning bound",
    Reason.PAST_CHECKPOINT: "not met, and its checkpoint has passed",
    Reason.NO_BASELINE: "no sample at the window's start to count from",
    Reason.BELOW_MIN_SAMPLES: "fewer samples than min_samples",
    Reason.BELOW_MIN_TOTAL: "the total is below min_total, too few to judge",
    Reason.ZERO_DENOMINATOR: "the denominator is zero",
    Reason.LOW_COVERAGE: "observed for less of the window than min_coverage",
    Reason.GOOD_EXCEEDS_TOTAL: "data error: good exceeds total",
    Reason.BAD_EXCEEDS_TOTAL: "data error: bad exceeds total",
    Reason.SEVERAL_SERIES: "several series fold into one and no combine says how",
    Reason.BEFORE_SPRINT: "the sprint has not started",
    Reason.NOT_A_BOOL: "data error: a bool indicator holds a value other than 0 and 1",
    Reason.AWAITING_FIRST_COLLECTION: "waiting for the first collection since the start",
    Reason.NEVER_SEEN: "expected, but never seen",
    Reason.NO_SERIES: "the indicator has no series",
    Reason.STALE: "the newest sample is too old",
    Reason.GONE_FROM_SOURCE: "the source answers, but no longer has this series",
    Reason.SOURCE_FAILED: "the source cannot be collected",
    Reason.PART_MISSING: "one side of the ratio has no series here",
    Reason.NO_OBJECTIVE: "tracked only, there is no objective",
    Reason.RECOVERED: "the objective is met again",
    Reason.NO_LONGER_JUDGED: "no longer breached, but not known to be met either",
    Reason.NO_DATA_IS_OK: "no data, which this rule takes as no reason to alert",
    Reason.SERIES_GONE: "the series is gone; whether its objective is met is not known",
    Reason.SERIES_APPEARED: "series have appeared and are judged by themselves",
    Reason.RULE_REMOVED: "the rule was removed",
    Reason.UNOBSERVED: "the wait started again after a time that nobody observed",
    Reason.BEHIND_PACE: "behind the line that leads to the goal",
    Reason.FORECAST_MISSES: "at the present pace the goal will be missed",
    Reason.DRIFTING: "met, but its trend will soon cross the objective",
    Reason.CONDITION_NOT_MET: "does not apply: the condition of this KPI is not met",
    Reason.CONDITION_UNKNOWN: "whether it applies is not known: its condition has no data",
    Reason.EXCLUDED: "this time is excluded by the rule",
    Reason.ESCALATED: "worse than when it was last told, and cannot recover",
    Reason.ABOVE_HIGHEST_BOUND: "the value is above the histogram's highest bound, how far is not known",
    Reason.BUCKETS_INCOMPLETE: "data error: the histogram has no bucket for +Inf, or no other than that",
    Reason.SPRINT_CLOSED: "the sprint is over",
    Reason.CARRIED_OVER: "goes on in the sprint that follows",
    Reason.BURNING: "the error budget burns faster than the alarm allows, over the long window and the short one",
}

REASONS: tuple[Reason, ...] = tuple(Reason)
"""Reasons by their code in arrays."""

REASON_CODE: dict[Reason, int] = {reason: code for code, reason in enumerate(REASONS)}


class AlertState(IntEnum):
    """Prometheus's alert states, as codes for arrays."""

    INACTIVE = 0
    PENDING = 1
    FIRING = 2

    @property
    def label(self) -> str:
        """The name that files, pages and metrics use."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """What is ahead of a KPI's series, shape (n,) each, NaN where it cannot be told; None where it has no meaning.

    ``line``: where its pace wants it to be now; ``forecast``: its value at the due time at the present pace; ``left``:
    how much of a limit is not used up (negative beyond it); ``attainable``: whether a limit can still be kept;
    ``crosses_in``: seconds until its trend crosses the objective, infinite where it leads away; ``raw``: its value
    with the excluded stretches of time; ``cross``: what the indicator that it is checked against comes to.
    """

    line: FloatArray | None = None
    forecast: FloatArray | None = None
    left: FloatArray | None = None
    attainable: BoolArray | None = None
    crosses_in: FloatArray | None = None
    raw: FloatArray | None = None
    cross: FloatArray | None = None

    def take(self, groups: IntArray) -> Outlook:
        """Return the outlook of some of the series."""
        return Outlook(*(None if each is None else each[groups] for each in self._columns()))

    def row(self, position: int) -> SeriesOutlook:
        """Return one series' outlook as an object."""
        line, forecast, left, _, crosses_in, raw, cross = (
            None if each is None else _number(each[position]) for each in self._columns()
        )
        attainable = None if self.attainable is None else bool(self.attainable[position])
        return SeriesOutlook(line, forecast, left, attainable, crosses_in, raw, cross)

    def _columns(self) -> tuple[Any, ...]:
        return self.line, self.forecast, self.left, self.attainable, self.crosses_in, self.raw, self.cross


@dataclass(frozen=True, slots=True)
class SeriesOutlook:
    """One row of an :class:`Outlook`; None where there is nothing to tell."""

    line: float | None = None
    forecast: float | None = None
    left: float | None = None
    attainable: bool | None = None
    crosses_in: float | None = None
    raw: float | None = None
    cross: float | None = None


@dataclass(frozen=True, slots=True)
class Targets:
    """What became of a KPI's target in mid-sprint, ascending, and how it stands by the one that it started with.

    ``objective`` and ``verdict``: the first one's text, and the worst verdict by it; None where its value does not
    say: what is measured changed too, or all that changed was taken back.
    """

    changes: tuple[RuleChange, ...]
    objective: str | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Seal:
    """What a final verdict was made of, as SHA-256 in hex: ``inputs_digest`` of what its measure took in.

    ``rule_digest``: of the bytes of ``rule_file``, or, where the rule came from no file, of its canonical form;
    ``objective``: the target's text as judged, whatever the rule says since.
    """

    inputs_digest: str
    rule_digest: str
    rule_file: str | None = None
    objective: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Restatement:
    """How a closed KPI would stand by what came afterwards but was so within the sprint; the final verdict stays.

    ``at``: the evaluation that last took anything in; ``inputs_digest`` as in :class:`Seal`. Arrays over ``index``,
    shape (n,), of all its series; ``notes`` by row.
    """

    sprint: str
    kpi: str
    at: float
    inputs_digest: str
    index: SeriesIndex
    value: FloatArray
    verdict: CodeArray
    reason: CodeArray
    notes: dict[int, str]

    @property
    def worst(self) -> Verdict:
        """The verdict that the KPI would show."""
        return Verdict(int(self.verdict.max()))

    def differing(self, final: VerdictFrame) -> list[int]:
        """Return the rows whose verdict or value is not that of ``final``, worst first."""
        places = np.arange(len(self.index))
        if self.index is not final.index:
            places = np.array([final.index.positions.get(labels, -1) for labels in self.index.label_sets])
        same_value = np.isclose(final.value[places], self.value, rtol=1e-9, atol=0.0, equal_nan=True)
        rows = np.flatnonzero((places < 0) | (final.verdict[places] != self.verdict) | ~same_value)
        worst_first: list[int] = rows[np.argsort(-self.verdict[rows].astype(np.int64), kind="stable")].tolist()
        return worst_first


@dataclass(frozen=True, slots=True, eq=False)
class VerdictFrame:
    """The verdicts of one KPI at one instant, a row for each value of its ``by`` labels.

    Shapes are (n,) with n = len(index) >= 1. ``value``: NaN where there is none; ``verdict``: codes of
    :class:`Verdict`; ``reason``: codes into ``REASONS``; ``samples``: how many went into the value;
    ``coverage``: observed share of the window, 0 to 1, NaN where it has no meaning; ``total``: the
    denominator of a ratio, NaN elsewhere; ``since``: when the verdict last changed (Unix seconds);
    ``alert_state``: codes of :class:`AlertState` of the breach alert; ``alert_since``: since when, NaN if inactive.
    ``window_start`` is None for ``last``. ``note`` says more of the rows' reasons where there is more to say
    (a source's error message, by row). ``budget``: of a KPI with an error budget.
    ``final``: the sprint is over, and these verdicts change no more; then
    ``seal`` says what they were made of (None of a close before seals were kept), and ``restatement`` what later data
    would make of them, once any came. ``targets``: None while none changed in mid-sprint.
    """

    kpi: KPI
    at: float
    index: SeriesIndex
    value: FloatArray
    verdict: CodeArray
    reason: CodeArray
    samples: IntArray
    coverage: FloatArray
    total: FloatArray
    since: FloatArray
    alert_state: CodeArray
    alert_since: FloatArray
    window_start: float | None
    window_end: float
    notes: dict[int, str]
    outlook: Outlook | None = None
    budget: BudgetFrame | None = None
    final: bool = False
    targets: Targets | None = None
    seal: Seal | None = None
    restatement: Restatement | None = None

    @property
    def worst(self) -> Verdict:
        """The verdict that the KPI shows."""
        return Verdict(int(self.verdict.max()))

    def counts(self) -> dict[Verdict, int]:
        """How many series have each verdict, worst first."""
        tally = np.bincount(self.verdict, minlength=len(Verdict))
        return {verdict: int(tally[verdict]) for verdict in sorted(Verdict, reverse=True) if tally[verdict]}

    def note(self, position: int) -> str | None:
        """Return what more there is to say of one series, its error budget included."""
        said = self.notes.get(position, "")
        budget = "" if self.budget is None else budget_words(self.budget.row(position))
        return "; ".join(part for part in (said, budget) if part) or None

    def row(self, position: int) -> SeriesVerdict:
        """Return one series' verdict as an object."""
        return SeriesVerdict(
            kpi=self.kpi,
            at=self.at,
            labels=self.index.label_sets[position],
            value=_number(self.value[position]),
            verdict=Verdict(int(self.verdict[position])),
            reason=REASONS[int(self.reason[position])],
            note=self.note(position),
            samples=int(self.samples[position]),
            coverage=_number(self.coverage[position]),
            total=_number(self.total[position]),
            since=float(self.since[position]),
            alert_state=AlertState(int(self.alert_state[position])),
            alert_since=_number(self.alert_since[position]),
            window_start=self.window_start,
            window_end=self.window_end,
            outlook=None if self.outlook is None else self.outlook.row(position),
            budget=None if self.budget is None else self.budget.row(position),
        )


@dataclass(frozen=True, slots=True)
class SeriesVerdict:
    """One row of a :class:`VerdictFrame`, for the few places that show series one by one."""

    kpi: KPI
    at: float
    labels: LabelSet
    value: float | None
    verdict: Verdict
    reason: Reason
    note: str | None
    samples: int
    coverage: float | None
    total: float | None
    since: float
    alert_state: AlertState
    alert_since: float | None
    window_start: float | None
    window_end: float
    outlook: SeriesOutlook | None = None
    budget: SeriesBudget | None = None


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
