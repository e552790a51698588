"""All that the evaluator keeps of one KPI between evaluations: window buffers, last verdicts, alert arrays."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from slo_guard.domain.alerts import BREACH, RISK, Alert, AlertKey, AlertKind, AlertSlot
from slo_guard.domain.kpi import KPI, Reducer, Severity, Sprint, WindowKind
from slo_guard.domain.ports import VerdictChanges, VerdictMemory
from slo_guard.domain.readings import (
    BoolArray,
    FloatArray,
    GaugeFrame,
    HistogramFrame,
    IndicatorType,
    IntArray,
    Observation,
    Reading,
)
from slo_guard.domain.series import NO_LABELS_INDEX, SeriesIndex
from slo_guard.domain.verdicts import REASON_CODE, CodeArray, Outlook, Reason, Verdict, VerdictFrame
from slo_guard.evaluate.alerting import AlertArray
from slo_guard.evaluate.budgets import BudgetWatch, budget_keeps_from, budget_reach_seconds, trailing_sums
from slo_guard.evaluate.cross_check import CrossCheck
from slo_guard.evaluate.drift import GroupTrend
from slo_guard.evaluate.history import grown, grown_flags
from slo_guard.evaluate.inputs import Input
from slo_guard.evaluate.judge import Circumstances, Rulings, broken_for_good, judge, judged_by
from slo_guard.evaluate.late_news import late_news
from slo_guard.evaluate.measures import Measured, measure
from slo_guard.evaluate.outlook import look_ahead, outlook_notes
from slo_guard.evaluate.presence import Presence
from slo_guard.evaluate.rows import Groups
from slo_guard.evaluate.sides import sides_of
from slo_guard.evaluate.trend import seconds_to_cross
from slo_guard.evaluate.windows import Counted, origin_of, window_start


class Judged(NamedTuple):
    """One evaluation of one KPI: the frame, the groups behind its rows, and what changed of the verdicts.

    ``broken``: which rows are missed because a limit for the whole sprint is used up; ``unresolved``: which rows may be
    outside ``resolve``.
    """

    frame: VerdictFrame
    groups: IntArray
    broken: BoolArray
    unresolved: BoolArray
    changes: VerdictChanges | None
    memory: VerdictMemory | None


class KpiTrack:
    """The evaluator's memory of one KPI. Groups are numbered once and never renumbered.

    ``final``: how it stood when its sprint closed, after which it is judged no more, and takes in only what was so
    within the sprint; ``news``: whether anything came of that since it was restated; ``can_be_restated``: whether its
    buffers hold all that the final verdict was made of. ``retired``: it was handed over to the sprint that follows, and
    takes in nothing any more.
    """

    def __init__(self, kpi: KPI, sprint: Sprint) -> None:
        window = kpi.measure.window
        in_sprint = window is not None and window.kind is WindowKind.SPRINT
        end = sprint.end_at if in_sprint else np.inf
        self.kpi = kpi
        self.sprint = sprint
        self.groups = Groups(kpi.by)
        self.evaluated_at: float | None = None
        self.final: VerdictFrame | None = None
        self.news = False
        self.can_be_restated = True
        self.retired = False
        self.burn_seen = False
        self.alerts = {slot: AlertArray() for slot in _slots(kpi)}
        pairs = kpi.error_budget.burn_alerts if kpi.error_budget is not None else ()
        self.tiers = {AlertSlot(AlertKind.BURN, pair.text): tier for tier, pair in enumerate(pairs)}
        self._origin = origin_of(kpi, sprint)
        self._counted = Counted(kpi.exclude)
        self.inputs = self._inputs(end, self._counted)
        # What a window holds with the excluded stretches is shown beside what is judged.
        self._raw_inputs = self._inputs(end, None) if self._counted and window is not None else ()
        self._cross = CrossCheck(kpi, self._origin, end, sprint, self._counted) if kpi.cross_check is not None else None
        self.presence = Presence(kpi, self.groups, self.inputs)
        self._in_sprint = in_sprint
        self._verdict: CodeArray = np.zeros(0, dtype=np.int8)
        self._reason: CodeArray = np.zeros(0, dtype=np.int8)
        self._since: FloatArray = np.zeros(0)
        self._late: BoolArray = np.zeros(0, dtype=bool)
        self._expected_from: dict[str, tuple[str, ...]] = {}
        self._remembered: SeriesIndex | None = None
        self._trend = GroupTrend(kpi, self.groups, self.inputs)
        self._budget = None
        if kpi.error_budget is not None:
            self._budget = BudgetWatch(kpi, kpi.error_budget, sprint, self.inputs[0], self.inputs[1])

    def _inputs(self, end: float, counted: Counted | None) -> tuple[Input, ...]:
        """Return the inputs; without ``counted`` those that hold excluded time too, of which no budget is asked."""
        start, reach, keep_from = self.sprint.start_at, 0.0, np.inf
        if counted is not None:
            reach, keep_from = budget_reach_seconds(self.kpi, self.sprint), budget_keeps_from(self.kpi, self.sprint)
        return tuple(
            Input(
                *(kpi, selection, self.groups, self._origin, end, start),
                counted=counted,
                reach_seconds=reach,
                keep_from=keep_from,
                trailing=trailing_sums(kpi, reach, keep_from) if reach else None,
            )
            for kpi, selection in sides_of(self.kpi)
        )

    def serves(self, kpi: KPI, sprint: Sprint) -> bool:
        """Whether a new version of the KPI, and of its sprint, can go on with this track."""
        return self.sprint == sprint and _same_inputs(self.kpi, kpi)

    def owns(self, alert: Alert) -> bool:
        """Whether an alert can still be one of this KPI's: same sprint, id, ``by`` labels and kind.

        One without labels stands for "no series at all", unless there is no ``by``: also while time is excluded, or
        while it is not known whether the KPI applies. A value that was judged belongs to series, and ends with the
        rule that folded them; only unsigned evidence has one without any.
        """
        key = alert.key
        if (key.sprint, key.kpi) != (self.kpi.sprint, self.kpi.id) or key.slot not in self.alerts:
            return False
        if key.labels or not self.groups.by:
            return tuple(name for name, _ in key.labels) == self.groups.by
        may_be_unsigned = self.kpi.type is IndicatorType.BOOL and self.kpi.measure.reducer is Reducer.LAST
        return may_be_unsigned or (alert.value is None and alert.verdict in _WITHOUT_SERIES)

    def take(self, observation: Observation, indicator: str) -> None:
        """Take in an observation of one of the KPI's indicators."""
        self.take_all((observation,), indicator)

    def take_all(self, observations: Sequence[Observation], indicator: str) -> None:
        """Take in many observations of one of the KPI's indicators, ascending, as far as they are of its time."""
        if self.final is not None and not self.retired:
            observations = self._still_of_its_time(observations, indicator)
        elif self.kpi.closes_with_sprint or self.retired:
            observations = self._of_its_time(observations)
        if not observations:
            return
        cross = () if self._cross is None else (self._cross.source,)
        for source in (*self.inputs, *self._raw_inputs, *cross):
            if source.selection.indicator == indicator:
                source.take_all(observations)
        for expected in self.kpi.expect:
            if expected.labels_of == indicator:
                before = self._expected_from.get(expected.label, ())
                self._expected_from[expected.label] = _listed_values(expected.label, observations, before)

    def _still_of_its_time(self, observations: Sequence[Observation], indicator: str) -> Sequence[Observation]:
        """Return what restates a final KPI; what it was judged by comes again only from the store, after a restart."""
        end = self.sprint.end_at
        before = bisect_right(observations, end, key=lambda item: item.seen_at)
        read_back = observations[:before]
        if not self.can_be_restated:
            return ()
        sources = [source for source in self.inputs if source.selection.indicator == indicator]
        late = late_news(sources, observations[before:], end)
        self.news |= bool(late)
        return [*read_back, *late]

    def _of_its_time(self, observations: Sequence[Observation]) -> Sequence[Observation]:
        """Return what counts for a KPI that closes with its sprint: what was seen by then.

        A sprint that nobody watched is read back after its end; then it is what was so by then.
        """
        end = self.sprint.end_at
        if self.retired:
            return ()
        if observations[-1].seen_at <= end:
            return observations
        if self.was_watched:
            return [item for item in observations if item.seen_at <= end]
        return [item for item in observations if not (isinstance(item, Reading) and _sampled_at(item) > end)]

    @property
    def was_watched(self) -> bool:
        """Whether it was judged in its sprint at any time."""
        return self.evaluated_at is not None and self.evaluated_at >= self.sprint.start_at

    def note_seen(self, frame: VerdictFrame) -> None:
        """Note whether what was judged could tell whether the error budget burns."""
        self.burn_seen = _tells_whether_it_burns(frame.verdict, frame.reason)

    def was_seen(self, now: float) -> bool:
        """Whether the last evaluation, not long before ``now``, could tell whether its error budget burns."""
        last = self.evaluated_at
        return self.burn_seen and last is not None and now - last <= longest_wait_seconds(self.kpi)

    def was_left_alone(self, now: float) -> bool:
        """Whether so much time has passed since the last evaluation that nobody knows what was in between."""
        return self.evaluated_at is not None and now - self.evaluated_at > longest_wait_seconds(self.kpi)

    def restore(self, memory: VerdictMemory | None, alerts: dict[AlertKey, Alert], evaluated_at: float | None) -> None:
        """Put back what was persisted; groups of live alerts stay in view although nothing is read of them yet."""
        self.evaluated_at = evaluated_at
        if memory is not None:
            codes = np.array([self.groups.code(labels) for labels in memory.index.label_sets], dtype=np.intp)
            self._grow()
            self._verdict[codes], self._reason[codes], self._since[codes] = memory.verdict, memory.reason, memory.since
            self._late[codes] = memory.late
            self.burn_seen = _tells_whether_it_burns(memory.verdict, memory.reason)
        for key, alert in alerts.items():
            self.adopt(key, alert, evaluated_at or alert.active_at)

    def adopt(self, key: AlertKey, alert: Alert, since: float) -> None:
        """Go on with an alert that comes from the store, or from the sprint before, as of ``since``."""
        group = self.groups.code(key.labels)
        self._grow()
        if key.slot in self.alerts:
            self.alerts[key.slot].restore(group, alert)
        self.presence.keep(group, since)

    def retire(self) -> None:
        """Judge and take in nothing any more, and forget the alerts: they go on elsewhere, or have ended."""
        if not self.retired:
            self.retired = True
            for alerts in self.alerts.values():
                alerts.end(alerts.state > 0)

    def judge(self, now: float, ruling: tuple[Verdict, Reason] | None = None) -> Judged:
        """Judge all groups in view at ``now`` and remember since when their verdicts stand.

        ``ruling``: the verdict and reason that all of them have, whatever their values, which are not shown then.
        """
        frame, groups, broken, unresolved = self._look(now, ruling)
        frame = self._with_late_samples(frame, groups)
        changes, memory = self._remember(frame, groups, now)
        return Judged(frame, groups, broken, unresolved, changes, memory)

    def _with_late_samples(self, frame: VerdictFrame, groups: IntArray) -> VerdictFrame:
        """Have the verdict say which late samples it has taken in since the one before."""
        late: dict[int, int] = {}
        for source in self.inputs:
            for group, number in source.taken_late.items():
                late[group] = late.get(group, 0) + number
            source.taken_late.clear()
        if not late:
            return frame
        rows = {group: row for row, group in enumerate(groups.tolist()) if group in late}
        notes = dict(frame.notes)
        for group, row in rows.items():
            number = late[group]
            few = "a late sample" if number == 1 else f"{number:,} late samples"
            words = f"{few} taken into {'its' if number == 1 else 'their'} place"
            notes[row] = f"{notes[row]}; {words}" if row in notes else words
        return replace(frame, notes=notes)

    def peek(self, now: float, ruling: tuple[Verdict, Reason] | None = None) -> VerdictFrame:
        """Return what :meth:`judge` would say, and remember nothing."""
        return self._look(now, ruling)[0]

    def verdicts_by(self, kpi: KPI, frame: VerdictFrame) -> CodeArray:
        """Return the verdicts that the series of ``frame``, just judged, have by ``kpi``, which measures the same."""
        start, effective = frame.window_start, frame.window_end
        groups = np.array([self.groups.code(labels) for labels in frame.index.label_sets], dtype=np.int64)
        measured = measure(kpi, self.inputs, self.groups, start, effective)
        circumstances = self._circumstances(kpi, measured, groups, start, effective)
        return judge(kpi, _only(measured, groups), circumstances, frame.at).verdict

    def _look(
        self, now: float, ruling: tuple[Verdict, Reason] | None
    ) -> tuple[VerdictFrame, IntArray, BoolArray, BoolArray]:
        effective = min(now, self.sprint.end_at) if self._in_sprint else now
        self.presence.expect(self._expected_from)
        start = window_start(self.kpi, self._origin, effective)
        measured = measure(self.kpi, self.inputs, self.groups, start, effective)
        if len(measured.value) < len(self.groups):  # a sign-off of a group that is new
            measured = measure(self.kpi, self.inputs, self.groups, start, effective)
        self._grow()
        broken = broken_for_good(self.kpi, measured)
        groups, index = self.presence.in_view(effective, broken)
        if not len(groups):
            self.groups.code(())
            return self._look(now, ruling)
        circumstances = self._circumstances(self.kpi, measured, groups, start, effective)
        ahead, crosses_in = circumstances.ahead, circumstances.crosses_in
        raw = self._raw(groups, start, effective)
        cross = None if self._cross is None else self._cross.values(index, start, effective)
        measured = _only(measured, groups)
        if ruling is None:
            rulings = judge(self.kpi, measured, circumstances, now)
        else:
            rulings, measured = Rulings(len(groups)), replace(measured, value=np.full(len(groups), np.nan))
            rulings.rule_rest(*ruling)
        never = rulings.reason == REASON_CODE[Reason.NEVER_SEEN]
        rulings.reason[never & ~self.presence.expected[groups]] = REASON_CODE[Reason.NO_SERIES]
        frame = self._frame(measured, rulings.verdict, rulings.reason, groups, index, (start, effective, now))
        outlook = ahead.outlook if ahead is not None else Outlook()
        if ruling is None and (ahead is not None or any(each is not None for each in (crosses_in, raw, cross))):
            outlook = replace(outlook, crosses_in=crosses_in, raw=raw, cross=cross)
            frame = replace(frame, outlook=outlook, notes=outlook_notes(self.kpi, outlook, frame.value) | frame.notes)
        if ruling is None and self._budget is not None:
            budget = self._budget.at(effective, len(self.groups), alerting=self._burn_alert_stands)
            budget = budget if len(groups) == len(self.groups) else budget.take(groups)
            frame = replace(frame, budget=budget)
        unresolved = np.zeros(len(groups), dtype=bool)
        if self.kpi.resolve is not None:
            unresolved = ~judged_by(self.kpi.resolve, measured)[0]
        return frame, groups, broken[groups] & (frame.verdict == Verdict.MISSED), unresolved

    @property
    def _burn_alert_stands(self) -> bool:
        return any(self.alerts[slot].any_active for slot in self.tiers if slot in self.alerts)

    def awaiting_frame(self, now: float) -> VerdictFrame:
        """Return what stands while the first collection is awaited: nothing is known, and nothing is changed."""
        self.presence.expect(self._expected_from)
        self._grow()
        groups, index = self.presence.in_view(now)
        if not len(groups):
            groups, index = np.array([self.groups.code(())], dtype=np.int64), NO_LABELS_INDEX
            self._grow()
        count = len(groups)
        blank = np.full(count, np.nan)
        breach = self.alerts[BREACH]
        return VerdictFrame(
            kpi=self.kpi,
            at=now,
            index=index,
            value=blank,
            verdict=np.full(count, Verdict.INSUFFICIENT, dtype=np.int8),
            reason=np.full(count, REASON_CODE[Reason.AWAITING_FIRST_COLLECTION], dtype=np.int8),
            samples=np.zeros(count, dtype=np.int64),
            coverage=blank,
            total=blank,
            since=np.full(count, now),
            alert_state=breach.state[groups],
            alert_since=np.where(breach.state[groups] > 0, breach.active_at[groups], np.nan),
            window_start=window_start(self.kpi, self._origin, now),
            window_end=now,
            notes={},
        )

    def _circumstances(
        self, kpi: KPI, measured: Measured, groups: IntArray, start: float | None, effective: float
    ) -> Circumstances:
        """Return what beside the values of ``groups`` decides on their verdicts by ``kpi``."""
        initial = None if measured.initial is None else measured.initial[groups]
        ahead = look_ahead(kpi, self.sprint, measured.value[groups], initial, effective)
        excluded = bool(self._counted) and not self._counted.leaves_any(start, effective)
        was_overdue = self._late[groups]
        if self.final is not None and kpi.due_at is not None and kpi.due_at >= self.sprint.end_at:
            # Only the look that made it final can have found it overdue: what is restated as of then is not late.
            was_overdue = np.zeros_like(was_overdue)
        return Circumstances(was_overdue, excluded, ahead, self._crosses_in(kpi, groups, effective))

    def _crosses_in(self, kpi: KPI, groups: IntArray, now: float) -> FloatArray | None:
        """Return in how many seconds the trend of each group crosses the objective; None without drift."""
        if kpi.drift is None or kpi.objective is None:
            return None
        level, slope = self._trend.at(now)
        return seconds_to_cross(kpi.objective, level, slope)[groups]

    def _raw(self, groups: IntArray, start: float | None, now: float) -> FloatArray | None:
        """Return the values with what is excluded; None where nothing is."""
        if not self._raw_inputs:
            return None
        return measure(self.kpi, self._raw_inputs, self.groups, start, now).value[groups]

    def _grow(self) -> None:
        count = len(self.groups)
        missing = count - len(self._verdict)
        if missing > 0:
            unknown = np.full(missing, -1, dtype=np.int8)
            self._verdict = np.concatenate([self._verdict, unknown])
            self._reason = np.concatenate([self._reason, unknown])
            self._since = grown(self._since, count)
            self._late = grown_flags(self._late, count)
        for alerts in self.alerts.values():
            alerts.grow(count)

    def _frame(
        self,
        measured: Measured,
        verdict: CodeArray,
        reason: CodeArray,
        groups: IntArray,
        index: SeriesIndex,
        times: tuple[float | None, float, float],
    ) -> VerdictFrame:
        start, effective, now = times
        before = self._verdict[groups]
        since = np.where(before == verdict, self._since[groups], now)
        unknown = (verdict == Verdict.NO_DATA) | ((verdict == Verdict.NOT_APPLICABLE) & ~measured.fresh)
        return VerdictFrame(
            kpi=self.kpi,
            at=now,
            index=index,
            value=np.where(unknown, np.nan, measured.value),
            verdict=verdict,
            reason=reason,
            samples=measured.samples,
            coverage=measured.coverage,
            total=measured.total,
            since=since,
            alert_state=np.zeros(len(groups), dtype=np.int8),
            alert_since=np.full(len(groups), np.nan),
            window_start=start,
            window_end=effective,
            notes=measured.notes | self._failure_notes(reason),
        )

    def _failure_notes(self, reason: CodeArray) -> dict[int, str]:
        failures = [source.failure for source in self.inputs if source.failure is not None]
        if not failures:
            return {}
        text = f"{failures[0].collector}: {failures[0].message}"
        return {int(row): text for row in np.flatnonzero(reason == REASON_CODE[Reason.SOURCE_FAILED])[:100]}

    def _remember(
        self, frame: VerdictFrame, groups: IntArray, now: float
    ) -> tuple[VerdictChanges | None, VerdictMemory | None]:
        before, kpi = self._verdict[groups], self.kpi
        changed = np.flatnonzero(before != frame.verdict)
        new_reason = bool((self._reason[groups] != frame.reason).any()) or frame.index is not self._remembered
        if len(groups) < len(self._verdict):
            # What is out of view is judged anew when it comes back: its "since" must not reach over the gap.
            self._verdict, self._reason = np.full_like(self._verdict, -1), np.full_like(self._reason, -1)
        self._remembered = frame.index
        self._verdict[groups], self._reason[groups], self._since[groups] = frame.verdict, frame.reason, frame.since
        self._late[groups] |= frame.reason == REASON_CODE[Reason.OVERDUE]
        if not len(changed) and not new_reason:
            return None, None
        memory = VerdictMemory(
            kpi.sprint, kpi.id, frame.index, frame.verdict, frame.reason, frame.since, self._late[groups]
        )
        if not len(changed):
            return None, memory
        everything = len(changed) == len(groups)
        index = frame.index if everything else SeriesIndex.of(frame.index.label_sets[row] for row in changed)
        return (
            VerdictChanges(
                sprint=kpi.sprint,
                kpi=kpi.id,
                at=now,
                index=index,
                before=before[changed],
                after=frame.verdict[changed],
                reason=frame.reason[changed],
                value=frame.value[changed],
            ),
            memory,
        )


def _slots(kpi: KPI) -> Iterator[AlertSlot]:
    """Yield the alerts that each series of a KPI may have."""
    yield BREACH
    if kpi.warn_severity is not Severity.NONE:
        yield RISK
    if kpi.error_budget is not None:
        loud = (pair for pair in kpi.error_budget.burn_alerts if pair.severity is not Severity.NONE)
        yield from (AlertSlot(AlertKind.BURN, pair.text) for pair in loud)


_WITHOUT_SERIES = frozenset({Verdict.NO_DATA, Verdict.INSUFFICIENT, Verdict.NOT_APPLICABLE})
"""The verdicts of a KPI that has no series at all: it is missing, or something else than its values rules on it."""

_OBSERVED_INTERVALS = 1.5
"""So many intervals apart evaluations may be, by a late start or a moved grid, and have left none out."""


def longest_wait_seconds(kpi: KPI) -> float:
    """Return the longest time between two evaluations that counts as observed: a slow rule is not an outage."""
    return max(kpi.no_data.after_seconds, _OBSERVED_INTERVALS * kpi.interval_seconds)


def _tells_whether_it_burns(verdict: CodeArray, reason: CodeArray) -> bool:
    unseen = (verdict == Verdict.NO_DATA) | (reason == REASON_CODE[Reason.CONDITION_UNKNOWN])
    return not bool(unseen.any())


def _sampled_at(reading: Reading) -> float:
    """Return the time of a reading's samples; of those with several times, or none, nothing is later than the end."""
    frame = reading.frame
    return frame.at if isinstance(frame, GaugeFrame | HistogramFrame) else -np.inf


def _listed_values(label: str, observations: Sequence[Observation], before: tuple[str, ...]) -> tuple[str, ...]:
    """Return the label's values in the newest frame, though failures follow it; without any, those of ``before``.

    Frames that are increments add to what there was.
    """
    found: set[str] = set()
    for item in reversed(observations):
        if isinstance(item, Reading) and isinstance(item.frame, GaugeFrame | HistogramFrame):
            listed = item.frame.index.values_of(label)
            if isinstance(item.frame, HistogramFrame) or not item.frame.increment:
                return tuple(sorted(found.union(listed))) if found.difference(listed) else listed
            found.update(listed)
    return before if found.issubset(before) else tuple(sorted(found.union(before)))


def _only(measured: Measured, groups: IntArray) -> Measured:
    """Return the measured values of ``groups`` alone; all of them are passed on as they are."""
    if len(groups) == len(measured.value):
        return measured
    rows = {group: row for row, group in enumerate(groups.tolist())} if measured.notes else {}
    return Measured(
        value=measured.value[groups],
        samples=measured.samples[groups],
        coverage=measured.coverage[groups],
        total=measured.total[groups],
        fresh=measured.fresh[groups],
        gap=measured.gap[groups],
        flaw=measured.flaw[groups],
        met_since=measured.met_since[groups],
        initial=None if measured.initial is None else measured.initial[groups],
        unbounded=None if measured.unbounded is None else measured.unbounded[groups],
        notes={rows[group]: note for group, note in measured.notes.items() if group in rows},
    )


def _same_inputs(one: KPI, other: KPI) -> bool:
    """Whether two versions of a KPI fill their buffers alike, so that a changed threshold keeps the state."""
    return (
        replace(
            one,
            title=other.title,
            owner=other.owner,
            lane=other.lane,
            objective=other.objective,
            warn=other.warn,
            resolve=other.resolve,
            for_seconds=other.for_seconds,
            keep_firing_for_seconds=other.keep_firing_for_seconds,
            severity=other.severity,
            due_at=other.due_at,
            checkpoint_at=other.checkpoint_at,
            min_samples=other.min_samples,
            min_total=other.min_total,
            min_coverage=other.min_coverage,
            when=other.when,
            interval_seconds=other.interval_seconds,
            gate=other.gate,
            runbook_url=other.runbook_url,
            annotations=other.annotations,
            place=other.place,
        )
        == other
    )
