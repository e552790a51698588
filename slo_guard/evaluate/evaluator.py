"""The one evaluator that the daemon, eval and backtest all call: no clock, no I/O, equal inputs give equal outputs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from slo_guard.domain.alerts import BREACH, Transition
from slo_guard.domain.builtin import BURN_ALARM
from slo_guard.domain.kpi import KPI, Plan, Sprint
from slo_guard.domain.ports import EvaluationRecord, StoredObservation, VerdictChanges, VerdictMemory
from slo_guard.domain.readings import Reading
from slo_guard.domain.rule_changes import RuleLog
from slo_guard.domain.sprints import is_succeeded
from slo_guard.domain.verdicts import Reason, Restatement, VerdictFrame
from slo_guard.evaluate.closing import end_alerts, final_frame, final_verdict, hand_over, kept_frame
from slo_guard.evaluate.conditions import Conditions
from slo_guard.evaluate.ledger import Ledger, kpi_of
from slo_guard.evaluate.restating import restate
from slo_guard.evaluate.state import EvaluationState
from slo_guard.evaluate.stepping import step_alerts
from slo_guard.evaluate.tracks import KpiTrack


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What one evaluation found.

    ``verdicts``: a frame for each KPI judged, in rule order, and for each that was due and is final; ``record``: what
    is to be made durable; ``skipped``: ``now`` was not later than the last evaluation, and nothing was done;
    ``burn_alarm_seconds``: for how long burn alarms have sounded, by sprint.
    """

    verdicts: tuple[VerdictFrame, ...]
    transitions: tuple[Transition, ...]
    state: EvaluationState
    record: EvaluationRecord
    skipped: bool = False
    burn_alarm_seconds: Mapping[str, float] = field(default_factory=dict)


def evaluate(
    plan: Plan, observations: Iterable[StoredObservation], state: EvaluationState, now: datetime
) -> Evaluation:
    """Judge the due KPIs of ``plan`` at ``now`` (aware) after taking in what is new.

    ``observations``: those after ``state.reading_cursor`` with ``seen_at`` up to ``now``, ascending, each
    given once. ``state`` is owned by the evaluator: it is updated and returned. Times before ``now`` of the
    last evaluation are skipped: nothing is taken in, so the same observations can be given again. The first
    evaluation at or after a sprint's end closes it, as of its end and of what was seen by then, whatever is due.
    """
    at = now.timestamp()
    if state.evaluated_at is not None and at <= state.evaluated_at:
        record = EvaluationRecord(at=state.evaluated_at, reading_cursor=state.reading_cursor)
        return Evaluation((), (), state, record, skipped=True)
    state.follow(plan)
    run, new = _Run(plan, state, at), list(observations)
    run.note_rules()
    over = [sprint for sprint in state.sprints if sprint.end_at <= at]
    for sprint in over:
        if not state.has_closed(sprint):
            by_then = bisect_right(new, sprint.end_at, key=lambda stored: stored.observation.seen_at)
            state.take_all(new[:by_then], at)
            new = new[by_then:]
            run.close(sprint)
    state.take_all(new, at)
    for sprint in over:
        run.finish_quietly(sprint)
        if is_succeeded(sprint, plan.sprints.values(), at):
            hand_over(plan, sprint, state.tracks, run.ledger, at)
    run.restate()
    for kpi in state.in_order(plan.judged_now):
        if BURN_ALARM in kpi.indicators:
            run.sound_burn_alarms(at)
        run.judge_due(kpi)
    run.sound_burn_alarms(at)
    if state.rules_changed:
        run.end_alerts_without_rule()
        state.rules_changed = False
    state.evaluated_at = at
    return run.result()


class _Run:
    """Collects what one evaluation finds."""

    def __init__(self, plan: Plan, state: EvaluationState, now: float) -> None:
        self.ledger = Ledger(plan, state.alerts, state.last_seq)
        self._plan = plan
        self._state = state
        self._now = now
        self._conditions = Conditions(state.tracks, state.awaiting)
        self._frames: dict[tuple[str, str], VerdictFrame] = {}
        self._changes: list[VerdictChanges] = []
        self._memories: list[VerdictMemory] = []
        self._evaluated: list[tuple[str, str]] = []
        self._closed: dict[str, float] = {}
        self._finals: list[VerdictFrame] = []
        self._own: list[Reading] = []
        self._sounded: set[tuple[str, float]] = set()
        self._restatements: list[Restatement] = []
        self._rules = RuleLog()
        self._newly_judged: set[tuple[str, str]] = set()

    def note_rules(self) -> None:
        """Note which rules of sprints that run, or have still to be closed, are others than before."""
        for sprint in self._state.sprints:
            closed = self._state.has_closed(sprint)
            new = self._state.rules.note(self._state.kpis, sprint, self._now, closed=closed)
            self._rules = self._rules.joined(new)

    def restate(self) -> None:
        """Show beside the verdicts that are final what came of their time since; nothing fires."""
        self._restatements = restate(self._state.tracks.values(), self._state.rules, self._now)
        for each in self._restatements:
            final = self._state.tracks[each.sprint, each.kpi].final
            assert final is not None
            self._show(final)

    def close(self, sprint: Sprint) -> None:
        """Close a sprint: freeze the KPIs that end with it, judged once more, and say how all of them stand.

        Call it when all that was seen by its end, and nothing else, has been taken in. A sprint that nobody watched
        is over without a word.
        """
        kpis = [kpi for kpi in self._state.kpis if kpi.sprint == sprint.id]
        if any(self._state.tracks[sprint.id, kpi.id].was_watched for kpi in kpis):
            ends = {}
            for kpi in self._state.in_order(kpis):
                if BURN_ALARM in kpi.indicators:
                    self.sound_burn_alarms(sprint.end_at, sprint.id)
                ends[kpi.id] = self._last_look(kpi, sprint.end_at)
            self.ledger.add_close(sprint, (final_verdict(ends[kpi.id]) for kpi in kpis))
        self._closed[sprint.id] = self._state.closed[sprint.id] = sprint.end_at

    def sound_burn_alarms(self, at: float, sprint: str | None = None) -> None:
        """Take in whether burn alarms sound at ``at`` (of one sprint, or of all), once their KPIs were judged."""
        for alarm in self._state.burn_alarms.values():
            name = alarm.sprint.id
            if sprint not in (None, name) or not alarm.sprint.start_at <= at <= alarm.sprint.end_at:
                continue
            if (name, at) in self._sounded:
                continue
            if sprint is None and not any((kpi.sprint, kpi.id) in self._frames for kpi in alarm.kpis):
                continue
            self._sounded.add((name, at))
            reading = alarm.reading(self._state.tracks, at)
            self._state.take_own((reading,), name)
            self._own.append(reading)

    def finish_quietly(self, sprint: Sprint) -> None:
        """Judge the KPIs of a closed sprint that were not there when it closed, once they can be; nothing fires."""
        for kpi in self._state.kpis:
            track = self._state.tracks[kpi.sprint, kpi.id]
            open_end = kpi.sprint == sprint.id and kpi.closes_with_sprint and track.final is None
            if open_end and not self._awaits(kpi) and not self._conditions.awaits(kpi):
                judged = track.judge(sprint.end_at, self._conditions.ruling(kpi, sprint.end_at))
                self._freeze(track, self._with_targets(track, judged.frame))
                self._newly_judged.add((kpi.sprint, kpi.id))

    def judge_due(self, kpi: KPI) -> None:
        """Judge a KPI that is due, unless it is final, left to the next sprint, or awaits what it reads."""
        track = self._state.tracks[kpi.sprint, kpi.id]
        if track.retired or (kpi.sprint, kpi.id) in self._frames:
            return
        if track.final is not None:
            self._show(track.final)
        elif self._awaits(kpi):
            self._show(self._with_targets(track, track.awaiting_frame(self._now)))
        else:
            self._judge(track, self._now)

    def end_alerts_without_rule(self) -> None:
        """End the alerts whose rule, labels or kind the plan no longer has."""
        for alert in list(self._state.alerts.values()):
            key = alert.key
            track = self._state.tracks.get((key.sprint, key.kpi))
            if track is None or not track.owns(alert):
                kpi = track.kpi if track is not None else kpi_of(key, self._state.departed)
                self.ledger.end(kpi, alert, Reason.RULE_REMOVED, self._now)

    def result(self) -> Evaluation:
        """Return what was found."""
        transitions = tuple(self.ledger.transitions)
        self._state.last_seq += len(transitions)
        record = EvaluationRecord(
            at=self._now,
            reading_cursor=self._state.reading_cursor,
            alerts=self.ledger.alerts,
            transitions=transitions,
            changes=tuple(self._changes),
            memories=tuple(self._memories),
            evaluated=tuple(self._evaluated),
            closed=self._closed,
            finals=tuple(map(kept_frame, self._finals)),
            own_readings=tuple(self._own),
            restatements=tuple(self._restatements),
            rules=self._rules,
            # At the end, and all at once: an evaluation that fails leaves no trace in them.
            trails=self._state.trails.note(self._frames[key] for key in self._newly_judged),
        )
        found = ((kpi.sprint, kpi.id) for kpi in self._state.kpis)
        verdicts = tuple(self._frames[key] for key in found if key in self._frames and not self._state.is_left(key))
        alarms = {name: alarm.seconds(self._now) for name, alarm in self._state.burn_alarms.items()}
        return Evaluation(verdicts, transitions, self._state, record, burn_alarm_seconds=alarms)

    def _last_look(self, kpi: KPI, end: float) -> VerdictFrame:
        """Return how a KPI stands at the ``end`` of its sprint; freeze it if it ends with the sprint."""
        track = self._state.tracks[kpi.sprint, kpi.id]
        if not kpi.closes_with_sprint or (self._awaits(kpi) and not track.was_watched):
            return self._with_targets(track, track.peek(end, self._conditions.ruling(kpi, end)))
        # What it reads was seen by now, or never will be in time: there is nothing to await.
        self._judge(track, end)
        frame = self._frames[kpi.sprint, kpi.id]
        end_alerts(track, frame, self.ledger)
        return self._freeze(track, frame)

    def _judge(self, track: KpiTrack, at: float) -> None:
        kpi = track.kpi
        judged = track.judge(at, self._conditions.ruling(kpi, at))
        self._conditions.note(judged.frame)
        step_alerts(track, judged, at, self.ledger)
        breach = track.alerts[BREACH]
        state = breach.state[judged.groups]
        since = np.where(state > 0, breach.active_at[judged.groups], np.nan)
        track.note_seen(judged.frame)
        self._show(self._with_targets(track, replace(judged.frame, alert_state=state, alert_since=since)))
        track.evaluated_at = at
        self._evaluated.append((kpi.sprint, kpi.id))
        self._newly_judged.add((kpi.sprint, kpi.id))
        if judged.changes is not None:
            self._changes.append(judged.changes)
        if judged.memory is not None:
            self._memories.append(judged.memory)

    def _freeze(self, track: KpiTrack, frame: VerdictFrame) -> VerdictFrame:
        track.final = final_frame(track, frame)
        self._finals.append(track.final)
        self._show(track.final)
        return track.final

    def _with_targets(self, track: KpiTrack, frame: VerdictFrame) -> VerdictFrame:
        targets = self._state.rules.targets(track, frame)
        return frame if targets is None else replace(frame, targets=targets)

    def _show(self, frame: VerdictFrame) -> None:
        self._frames[frame.kpi.sprint, frame.kpi.id] = frame

    def _awaits(self, kpi: KPI) -> bool:
        if not self._state.awaiting.isdisjoint(kpi.indicators):
            return True
        alarm = self._state.burn_alarms.get(kpi.sprint) if BURN_ALARM in kpi.indicators else None
        return alarm is not None and any(self._awaits(each) for each in alarm.kpis)
