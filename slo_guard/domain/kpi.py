"""What rule files say, parsed: sprints, lanes, KPIs and the plan that they make up.

Instants are Unix seconds (UTC) as float; durations are seconds as float; values are in base units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import TypeAlias

from slo_guard.domain.grid import AT_POINT_SECONDS, on_grid, point_after, point_up_to
from slo_guard.domain.readings import IndicatorSpec, IndicatorType


class MatchOp(StrEnum):
    """How a ``where`` entry compares a label: ``value``, ``!value`` or ``~regex`` (RE2, anchored)."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One ``where`` entry; a label that a series lacks counts as the empty string."""

    label: str
    op: MatchOp
    value: str


@dataclass(frozen=True, slots=True)
class Selection:
    """The series of one indicator that match ``where``."""

    indicator: str
    where: tuple[Matcher, ...] = ()


@dataclass(frozen=True, slots=True)
class Single:
    """``indicator: NAME``."""

    of: Selection


@dataclass(frozen=True, slots=True)
class RatioPair:
    """``{good, total}`` or ``{bad, total}``: ``part`` over ``total``; ``part_is`` is ``good`` or ``bad``."""

    part: Selection
    total: Selection
    part_is: str


@dataclass(frozen=True, slots=True)
class Quotient:
    """``{of, to}``: one measured value over another, such as v2 over baseline; not a share, it may exceed 1."""

    of: Selection
    to: Selection


Source: TypeAlias = Single | RatioPair | Quotient


class Reducer(StrEnum):
    """How the samples of a window become one value; ``quantile`` is written ``median`` or ``pN``."""

    LAST = "last"
    MIN = "min"
    MAX = "max"
    MEAN = "mean"
    SUM = "sum"
    COUNT = "count"
    QUANTILE = "quantile"
    INCREASE = "increase"
    RATE = "rate"
    DELTA = "delta"
    RATIO = "ratio"
    TOTAL = "total"
    SPREAD_ABS = "spread_abs"


class WindowKind(StrEnum):
    """A sliding duration, from the sprint's start to now, or a calendar day, week or month in the sprint's zone."""

    DURATION = "duration"
    SPRINT = "sprint"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    @property
    def is_calendar(self) -> bool:
        """Whether it begins anew at local midnights."""
        return self in (WindowKind.DAY, WindowKind.WEEK, WindowKind.MONTH)


@dataclass(frozen=True, slots=True)
class Window:
    """``seconds`` is set for a duration and None for the others; a week begins on Monday."""

    kind: WindowKind
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """``REDUCER over WINDOW``; ``last`` has no window. ``text`` is as written; ``quantile`` is 0.95 for ``p95``."""

    reducer: Reducer
    window: Window | None
    text: str
    quantile: float | None = None


class Op(StrEnum):
    """How a value is compared with its bound."""

    AT_MOST = "at_most"
    BELOW = "below"
    AT_LEAST = "at_least"
    ABOVE = "above"
    EQUALS = "equals"
    BETWEEN = "between"
    IS = "is"


@dataclass(frozen=True, slots=True)
class Objective:
    """When a value is fine. ``bound`` in base units; ``upper`` only for ``between``; ``is: true`` is bound 1.0.

    ``text`` is for people, with units as written: ``at_most 1.16s``.
    """

    op: Op
    bound: float
    text: str
    upper: float | None = None


class Combine(StrEnum):
    """How series that ``by`` folds together become one."""

    SUM = "sum"
    MAX = "max"
    MIN = "min"
    MEAN = "mean"


class NoDataThen(StrEnum):
    """What missing data does to the alert."""

    ALERT = "alert"
    HOLD = "hold"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class NoData:
    """A sample older than ``after_seconds`` is stale; ``hold`` freezes the alert for ``hold_for_seconds``."""

    after_seconds: float = 300.0
    then: NoDataThen = NoDataThen.ALERT
    hold_for_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class Expected:
    """The values of one ``by`` label that must exist: listed, or those that label has in another indicator."""

    label: str
    values: tuple[str, ...] = ()
    labels_of: str | None = None


class Pace(StrEnum):
    """Along which line a goal is approached: even in time, or a step at the end of each work day."""

    LINEAR = "linear"
    WORKDAYS = "workdays"


@dataclass(frozen=True, slots=True)
class Drift:
    """At risk when the robust trend of the last ``over_seconds`` crosses the objective ``within_seconds``."""

    over_seconds: float
    within_seconds: float


@dataclass(frozen=True, slots=True)
class When:
    """The KPI applies only while another one of its sprint is true (or, with ``is_true`` False, is false)."""

    kpi: str
    is_true: bool


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A stretch of time, [start_at, end_at), that is not judged; ``reason`` and ``by`` are shown."""

    start_at: float
    end_at: float
    reason: str
    by: str


class Severity(StrEnum):
    """How loud an alert is."""

    PAGE = "page"
    TICKET = "ticket"
    NONE = "none"


class BudgetMethod(StrEnum):
    """What an error budget counts: single events, or slices of time that were good or bad as a whole."""

    OCCURRENCES = "occurrences"
    TIMESLICES = "timeslices"


@dataclass(frozen=True, slots=True)
class BurnPair:
    """One tier of burn alerts: it fires while the burn rate over both windows is above ``factor``, strictly.

    ``text`` names the tier: ``1h/5m``. A tier of severity ``none`` is measured and raises no alert.
    """

    long_seconds: float
    short_seconds: float
    factor: float
    severity: Severity
    text: str

    @property
    def limit(self) -> str:
        """The tier as an objective reads: ``burn rate at most 14.4 over 1h and 5m``."""
        long, _, short = self.text.partition("/")
        return f"burn rate at most {self.factor:g} over {long} and {short}"


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """What of a ratio may go wrong over ``window`` (the sprint, or a duration), and the burn alerts on it.

    ``allowed``: the share that may be bad, 0 to 1. ``slice_good``: for time slices of ``slice_seconds``, the share of
    good events from which a slice is good. ``min_total``: with fewer events in its long window no tier fires.
    """

    window: Window
    window_text: str
    allowed: float
    method: BudgetMethod = BudgetMethod.OCCURRENCES
    slice_seconds: float = 60.0
    slice_good: float = 0.0
    burn_alerts: tuple[BurnPair, ...] = ()
    min_total: float = 0.0

    @property
    def burn_windows(self) -> tuple[float, ...]:
        """The windows of all tiers in seconds, each once, ascending."""
        return tuple(sorted({each for pair in self.burn_alerts for each in (pair.long_seconds, pair.short_seconds)}))

    def length_seconds(self, sprint: Sprint) -> float:
        """Return how long the budget's window is as a whole."""
        if self.window.seconds is not None:
            return self.window.seconds
        return sprint.end_at - sprint.start_at


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the rule files a KPI stands; ``digest``: SHA-256 of the file's bytes, in hex."""

    file: str
    line: int
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Sprint:
    """A sprint's calendar: ``start_at`` inclusive, ``end_at`` exclusive, both local midnights as Unix seconds."""

    id: str
    title: str
    timezone: str
    start: date
    end: date
    start_at: float
    end_at: float
    workdays: tuple[str, ...] = ("mon", "tue", "wed", "thu", "fri")


@dataclass(frozen=True, slots=True, kw_only=True)
class KPI:
    """One guarded number: an indicator, a measure and an objective."""

    id: str
    sprint: str
    lane: str
    source: Source
    measure: Measure
    type: IndicatorType
    unit: str | None
    title: str = ""
    owner: str = ""
    objective: Objective | None = None
    warn: Objective | None = None
    resolve: Objective | None = None
    by: tuple[str, ...] = ()
    combine: Combine | None = None
    expect: tuple[Expected, ...] = ()
    for_seconds: float = 0.0
    keep_firing_for_seconds: float = 0.0
    severity: Severity = Severity.PAGE
    warn_severity: Severity = Severity.TICKET
    no_data: NoData = field(default_factory=NoData)
    forget_after_seconds: float = 86400.0
    due_at: float | None = None
    checkpoint_at: float | None = None
    min_samples: int | None = None
    min_total: float | None = None
    min_coverage: float = 0.9
    baseline: float | None = None
    pace: Pace | None = None
    drift: Drift | None = None
    when: When | None = None
    exclude: tuple[Exclusion, ...] = ()
    error_budget: ErrorBudget | None = None
    cross_check: Selection | None = None
    interval_seconds: float = 60.0
    gate: bool = False
    runbook_url: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    place: Place | None = None

    @property
    def indicators(self) -> tuple[str, ...]:
        """The names of the indicators that this KPI reads, those of ``expect`` included."""
        match self.source:
            case Single(of=selection):
                names = [selection.indicator]
            case RatioPair(part=one, total=other) | Quotient(of=one, to=other):
                names = [one.indicator, other.indicator]
        if self.cross_check is not None:
            names.append(self.cross_check.indicator)
        names += [expected.labels_of for expected in self.expect if expected.labels_of]
        return tuple(dict.fromkeys(names))

    def burn_pair(self, tier: str) -> BurnPair | None:
        """Return the tier of burn alerts of that name."""
        pairs = self.error_budget.burn_alerts if self.error_budget is not None else ()
        return next((pair for pair in pairs if pair.text == tier), None)

    @property
    def closes_with_sprint(self) -> bool:
        """Whether its last verdict is that of the sprint's end: what is counted over the sprint, or due in it."""
        over_sprint = self.measure.window is not None and self.measure.window.kind is WindowKind.SPRINT
        return over_sprint or self.due_at is not None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is guarded: sprints, KPIs and the indicators that they read.

    ``due`` names the KPIs to judge this time, by (sprint, id) (None: all of them); the others keep their verdicts.
    """

    sprints: Mapping[str, Sprint]
    kpis: tuple[KPI, ...]
    indicators: Mapping[str, IndicatorSpec] = field(default_factory=dict)
    due: frozenset[tuple[str, str]] | None = None

    def due_at(self, now: float, origin: float = 0.0) -> Plan:
        """Return the plan narrowed to the KPIs whose grid, ``origin`` + k x interval, has a point at ``now``."""
        return self._narrowed({step for step in self._steps if on_grid(now, step, origin)})

    def due_since(self, last: float | None, now: float) -> Plan:
        """Return the plan narrowed to the KPIs whose grid has a point in (``last``, ``now``]; None: to all of them."""
        if last is None:
            return replace(self, due=None)
        return self._narrowed({step for step in self._steps if point_up_to(now, step) > last + AT_POINT_SECONDS})

    def last_evaluation(self, now: float) -> float:
        """Return the last grid point of any KPI, or sprint's end, up to ``now``; raises ``ValueError`` without KPIs."""
        points = [point_up_to(now, step) for step in self._steps]
        return max(points + [end for end in self._ends if end <= now])

    def next_evaluation(self, after: float, origin: float = 0.0) -> float:
        """Return the first grid point of any KPI, or sprint's end, after that; raises ``ValueError`` without KPIs."""
        points = [point_after(after, step, origin) for step in self._steps]
        return min(points + [end for end in self._ends if end > after])

    def has_evaluation_at(self, now: float, origin: float = 0.0) -> bool:
        """Whether an evaluation falls on ``now``: a grid point of any KPI, or a sprint's end."""
        return now in self._ends or any(on_grid(now, step, origin) for step in self._steps)

    @property
    def judged_now(self) -> tuple[KPI, ...]:
        """The KPIs that this evaluation judges, in rule file order."""
        if self.due is None:
            return self.kpis
        return tuple(kpi for kpi in self.kpis if (kpi.sprint, kpi.id) in self.due)

    @property
    def _ends(self) -> set[float]:
        """When the sprints that have KPIs end; the built-in KPIs belong to none."""
        guarded = {kpi.sprint for kpi in self.kpis}
        return {sprint.end_at for sprint in self.sprints.values() if sprint.id in guarded}

    @property
    def _steps(self) -> set[float]:
        return {kpi.interval_seconds for kpi in self.kpis}

    def _narrowed(self, steps: set[float]) -> Plan:
        hits = frozenset((kpi.sprint, kpi.id) for kpi in self.kpis if kpi.interval_seconds in steps)
        return replace(self, due=hits)
