"""Hop 3: what to tell whom, and why; and for what is not told, why not. Pure: equal inputs give equal outputs.

Per receiver there is one message for each KPI, kind of alert and evaluation; a series that fires and ends within
one evaluation gives two. Every transition gets exactly one decision per receiver. Instants are Unix seconds (UTC).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from slo_guard.domain.alerts import Alert, AlertKey, AlertKind, Transition
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.notifications import Decision, Notification, NotificationReason, NotToldReason, Route
from slo_guard.domain.ports import PlanRecord
from slo_guard.domain.series import LabelSet
from slo_guard.domain.silences import Acknowledgement, Silence
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from slo_guard.notify.closing import Close, close_message, closings_apart
from slo_guard.notify.compose import as_it_stands, compose
from slo_guard.notify.decide import News, take_in
from slo_guard.notify.groups import Facts, FiringSeries, Group, GroupHead, GroupKey
from slo_guard.notify.memory import GroupMemory
from slo_guard.notify.silencing import Silencing, acknowledged_words
from slo_guard.notify.waves import by_group, rank, waves

_MAY_COME_AGAIN = frozenset({NotificationReason.RECEIVER_ADDED, NotificationReason.SILENCE_ENDED})


def plan_notifications(
    transitions: Sequence[Transition],
    groups: Mapping[str, str],
    alerts: Mapping[AlertKey, Alert],
    routes: Sequence[Route],
    now: float,
    cursor: int = 0,
    *,
    judged_at: Mapping[tuple[str, str], float] | None = None,
    standing: Sequence[Transition] = (),
    silences: Iterable[Silence] = (),
    acknowledgements: Iterable[Acknowledgement] = (),
) -> PlanRecord:
    """Return the messages, decisions and changed groups that ``transitions`` after number ``cursor`` lead to.

    Call it also without transitions: reminders fall due, and what was held back behind a failing source is told
    or dropped. ``groups`` is what earlier records left; ``alerts`` how all alerts stand now. ``judged_at`` maps
    (sprint, KPI) to its last evaluation: with it, a series held back waits after its source is back until it has
    been judged anew, so that the first good collection does not page for what it is about to clear. ``standing``:
    where routes or severities may be others than before, the transitions by which the alerts that stand in the store
    fired, each with the severity that its rule has now; of those a receiver wants and has not heard of, it is told.

    ``silences`` keep the messages of the alerts that they match back: what begins to fire or grows worse is decided as
    ``silenced``, and there are no reminders. When no silence holds any more, whatever still fires is told, also what
    had been told before. One message passes: that an alert which was told has ended. It comes once, it closes what
    the receiver holds open, and nobody would wish to learn of it hours later; what then fires within the silence is
    not told, so neither is its end. The summary of a sprint's close is a report and is never silenced.
    ``acknowledgements`` stop the reminders of the alerts that they cover, and nothing else.

    A record that changes nothing has no groups, notifications or decisions and the same cursor. Raises
    ``StoreError`` for groups that cannot be read.
    """
    news = sorted((each for each in transitions if each.seq > cursor), key=lambda each: each.seq)
    run = _Run(news, groups, alerts, now, judged_at, Silencing(silences, acknowledgements, now))
    for route in routes:
        for _, instant in groupby(news, key=lambda each: each.at):
            rest, closing = closings_apart(instant)
            for wave in waves(rest):
                run.tell(route, wave)
            for close in closing:
                run.tell_close(route, close)
        run.tell_what_stands(route, standing)
        run.tell_what_was_held_back(route)
        run.tell_what_was_silenced(route)
        run.remind(route)
    run.memory.forget_receivers_other_than({route.receiver for route in routes})
    return PlanRecord(
        transition_cursor=max([cursor, *(each.seq for each in news)]),
        groups=run.memory.changed(),
        notifications=tuple(run.notifications),
        decisions=run.decisions,
    )


class _Run:
    def __init__(
        self,
        news: Sequence[Transition],
        groups: Mapping[str, str],
        alerts: Mapping[AlertKey, Alert],
        now: float,
        judged_at: Mapping[tuple[str, str], float] | None,
        silencing: Silencing,
    ) -> None:
        self.notifications: list[Notification] = []
        self._decisions: dict[tuple[int, str], Decision] = {}
        self.memory = GroupMemory(groups)
        self._silencing = silencing
        self._alerts = alerts
        self._now = now
        self._judged_at = judged_at
        self._source_back_at = {
            dict(each.key.labels).get("collector", ""): each.at
            for each in news
            if each.key.kpi == COLLECTOR_UP and each.from_state is AlertState.FIRING
        }

    def tell(self, route: Route, wave: Sequence[Transition]) -> None:
        """Decide on the transitions of one instant, each series at most once among them, and compose the messages."""
        for key, members in by_group(route, wave):
            self._tell_group(route, key, members)

    def tell_close(self, route: Route, close: Close) -> None:
        """Tell of a sprint's close in one message, in which the alerts that end with it are told as well."""
        told = [close.summary.seq]
        for end in close.ends:
            group = self.memory.group(GroupKey.of(route.receiver, end.key))
            self.memory.touch(group)
            not_told = take_in(route, group, end, News())
            if not_told is None:
                told.append(end.seq)
            else:
                self._decide(Decision(end.seq, route.receiver, None, not_told))
        message = close_message(route, close.summary, sorted(told), self._now)
        self.notifications.append(message)
        for seq in told:
            self._decide(Decision(seq, route.receiver, message.key))

    def tell_what_stands(self, route: Route, standing: Sequence[Transition]) -> None:
        """Tell of what fires already and the receiver does not know: it is new, or its interest in the alert is."""
        unknown: list[Transition] = []
        for fired in standing:
            alert, group = self._alerts.get(fired.key), self.memory.group(GroupKey.of(route.receiver, fired.key))
            if alert is None or alert.state is not AlertState.FIRING or fired.severity not in route.severities:
                continue
            if any(fired.key.labels in known for known in (group.told, group.held, group.silenced)):
                continue
            # The note spoke of the reason that the series fired for.
            note = fired.note if alert.reason is fired.reason else None
            unknown.append(replace(fired, value=alert.value, verdict=alert.verdict, reason=alert.reason, note=note))
        for key, members in by_group(route, unknown):
            self._tell_group(route, key, members, NotificationReason.RECEIVER_ADDED)

    def _tell_group(
        self, route: Route, key: GroupKey, members: Sequence[Transition], reason: NotificationReason | None = None
    ) -> None:
        group = self.memory.group(key)
        self.memory.touch(group)
        others_told = bool(group.told)
        news = News()
        for transition in members:
            self._carry_over(group, transition)
            silence = self._silence(transition)
            not_told = take_in(
                route,
                group,
                transition,
                news,
                source_down=self._is_caused_by_its_source(key, transition),
                breach_told=self._is_superseded(group, transition.key.labels),
                silenced=silence is not None,
            )
            if not_told is not None:
                by = silence.id if silence is not None and not_told is NotToldReason.SILENCED else None
                self._decide(Decision(transition.seq, route.receiver, None, not_told, by))
        if news:
            message = self._compose(group, reason or news.reason(others_told=others_told), news)
            for seq in news.transitions:
                self._decide(Decision(seq, route.receiver, message.key))

    def _silence(self, transition: Transition) -> Silence | None:
        if transition.to_state is not AlertState.FIRING:
            return None
        return self._silencing.silence(transition.key, transition.lane, transition.severity)

    def _carry_over(self, group: Group, transition: Transition) -> None:
        """Move what was told of an alert in the sprint before to the conversation about it in the next one."""
        if transition.reason is not Reason.CARRIED_OVER or transition.carried_from is None:
            return
        before = self.memory.group(group.key._replace(sprint=transition.carried_from))
        self.memory.touch(before)
        labels = transition.key.labels
        pairs = ((before.told, group.told), (before.held, group.held), (before.silenced, group.silenced))
        for old, new in pairs:
            if labels in old:
                new[labels] = old.pop(labels)
                group.facts, group.told_at = Facts.of(transition), before.told_at
                # The silence may end as the sprint does, or hold for that sprint only: to be looked at in any case.
                group.silence_over |= new is group.silenced
                group.quiet_while = ()

    def _decide(self, decision: Decision) -> None:
        # One that a changed severity has told after all takes the place of "not routed".
        self._decisions[decision.transition, decision.receiver] = decision

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What was decided, one decision a transition and receiver."""
        return tuple(self._decisions.values())

    def _is_caused_by_its_source(self, key: GroupKey, transition: Transition) -> bool:
        if transition.verdict is not Verdict.NO_DATA or transition.key.kpi == COLLECTOR_UP:
            return False
        return self._was_told_of_outage(key, transition.collectors)

    def _was_told_of_outage(self, key: GroupKey, collectors: Iterable[str]) -> bool:
        """Whether the receiver has been told that one of ``collectors`` fails, and not yet that it is back.

        One that does not hear of a collector's alert has nothing else to tell it, so nothing is held back from it.
        Who silences the outage has no wish to hear of all that it causes instead: that counts as told.
        """
        group = self.memory.group(GroupKey(key.receiver, "", COLLECTOR_UP, AlertKind.BREACH))
        labels = ((("collector", collector),) for collector in collectors)
        return any(each in group.told or each in group.silenced for each in labels)

    def tell_what_was_held_back(self, route: Route) -> None:
        """Tell of the series whose source is back, or whose data is, and which fire all the same."""
        for group in self.memory.groups_of(route, lambda head: head.holds_back):
            news = News()
            for labels, series in list(group.held.items()):
                alert = self._alerts.get(group.key.alert(labels))
                # Without an alert its end has yet to come as a transition; while it is clear its end is near.
                if alert is None or alert.state is not AlertState.FIRING or alert.clear_since is not None:
                    continue
                if alert.verdict is Verdict.MISSED or self._judged_with_its_source_back(group, labels, series):
                    self.memory.touch(group)
                    del group.held[labels]
                    if self._is_silenced(group, labels):
                        group.silenced[labels] = series
                        continue
                    group.told[labels] = as_it_stands(group.key, labels, series, self._alerts)
                    news.fresh[labels] = series.seq
            if news.fresh:
                self._compose(group, NotificationReason.HELD_BACK_AND_STILL_FIRING, news)

    def _judged_with_its_source_back(self, group: Group, labels: LabelSet, series: FiringSeries) -> bool:
        back_at = series.source_back_at
        if self._was_told_of_outage(group.key, series.collectors):
            if back_at is not None:
                self.memory.touch(group)
                group.held[labels] = series._replace(source_back_at=None)
            return False
        if back_at is None:
            ends = [self._source_back_at[name] for name in series.collectors if name in self._source_back_at]
            back_at = max(ends, default=self._now)
        judged = None if self._judged_at is None else self._judged_at.get((group.key.sprint, group.key.kpi))
        if judged is None or judged >= back_at:
            return True
        if back_at != series.source_back_at:
            self.memory.touch(group)
            group.held[labels] = series._replace(source_back_at=back_at)
        return False

    def tell_what_was_silenced(self, route: Route) -> None:
        """Tell of the series that no silence keeps back any more, and which fire all the same."""

        def is_to_be_looked_at(each: GroupHead | Group) -> bool:
            waits = each.holds_back if isinstance(each, GroupHead) else each.silence_over
            return waits or each.looked_for != self._silencing.may_silence(each.key)

        for group in sorted(self.memory.groups_of(route, is_to_be_looked_at), key=lambda group: rank(group.key)):
            if not is_to_be_looked_at(group):
                continue
            self.memory.touch(group)
            news, over = self._released(group)
            group.looked_for = self._silencing.may_silence(group.key)
            group.silence_over = over
            if news.fresh:
                self._compose(group, NotificationReason.SILENCE_ENDED, news)

    def _released(self, group: Group) -> tuple[News, bool]:
        """Take the series over that are to be told now; return them, and whether others wait with no silence left.

        Those that were told and that a silence holds for now are remembered: they are told anew when it ends.
        """
        for labels, series in group.told.items():
            if labels not in group.silenced and self._is_silenced(group, labels):
                group.silenced[labels] = series
        news, others_wait = News(), False
        for labels, series in list(group.silenced.items()):
            if self._is_silenced(group, labels):
                continue
            alert = self._alerts.get(group.key.alert(labels))
            # As above: its end has yet to come, or is near. And told of the breach, nobody needs to hear that it is
            # at risk as well; that waits for the breach's end.
            firing = alert is not None and alert.state is AlertState.FIRING and alert.clear_since is None
            if not firing or self._is_superseded(group, labels):
                others_wait = True
                continue
            del group.silenced[labels]
            if labels not in group.told and self._waits_for_its_source(group, labels, series):
                group.held[labels] = series
                continue
            group.told[labels] = as_it_stands(group.key, labels, series, self._alerts)
            news.fresh[labels] = series.seq
        return news, others_wait

    def _waits_for_its_source(self, group: Group, labels: LabelSet, series: FiringSeries) -> bool:
        alert = self._alerts.get(group.key.alert(labels))
        silent = alert is not None and alert.verdict is Verdict.NO_DATA and group.key.kpi != COLLECTOR_UP
        return silent and self._was_told_of_outage(group.key, series.collectors)

    def _is_silenced(self, group: Group, labels: LabelSet) -> bool:
        facts = group.facts
        if facts is None:
            return False
        return self._silencing.silence(group.key.alert(labels), facts.lane, facts.severity) is not None

    def remind(self, route: Route) -> None:
        """Tell again of what still fires when the last message about it is ``repeat_interval_seconds`` old."""
        interval = route.repeat_interval_seconds
        if interval is None:
            return

        def is_due(told: GroupHead | Group) -> bool:
            return told.told_at is not None and self._now >= told.told_at + interval

        def may_be_worth_one(head: GroupHead) -> bool:
            # Or each cycle would read a hundred thousand series of which somebody knows.
            return is_due(head) and not (head.quiet_while and head.quiet_while == self._silencing.spares(head.key))

        for group in self.memory.groups_of(route, may_be_worth_one):
            if not is_due(group) or group.facts is None or group.facts.severity not in route.severities:
                continue
            if self._worth_a_reminder(group):
                self._compose(group, NotificationReason.REPEAT_INTERVAL_ELAPSED, News())
            else:
                self.memory.touch(group)
                group.quiet_while = () if self._unspared(group) else self._silencing.spares(group.key)

    def _compose(self, group: Group, reason: NotificationReason, news: News) -> Notification:
        if reason is NotificationReason.REPEAT_INTERVAL_ELAPSED:
            basis, still = repr(group.told_at), self._worth_a_reminder(group)
        else:
            basis = news.basis(group.told)
            if reason in _MAY_COME_AGAIN:
                # A receiver may leave and come back while the alert fires; the first message may have left with it.
                # So may one silence after the other.
                basis += f"|{self._now!r}"
            still = sorted(labels for labels in group.told if labels not in news.fresh)
        message = compose(
            group,
            reason,
            self._now,
            basis=basis,
            transitions=news.transitions,
            fresh=list(news.fresh),
            ended=news.ended,
            still=still,
            alerts=self._alerts,
            acknowledged=self._who_knows(group, news, still),
        )
        self.notifications.append(message)
        self.memory.touch(group)
        group.told_at, group.quiet_while = self._now, ()
        return message

    def _who_knows(self, group: Group, news: News, still: Iterable[LabelSet]) -> str:
        """Return in words who has acknowledged what the message says of alerts that were told before; else ``""``."""
        known = [*still, *news.escalated, *news.ended]
        for labels in known if self._silencing.knows_of(group.key) else ():
            key = group.key.alert(labels)
            alert, ended = self._alerts.get(key), news.ended.get(labels)
            fired_at = ended.was.fired_at if ended else alert.fired_at if alert else None
            found = self._silencing.acknowledgement(key, fired_at)
            if found is not None:
                return acknowledged_words(found, others=not news.escalated.issuperset(news.fresh))
        return ""

    def _worth_a_reminder(self, group: Group) -> list[LabelSet]:
        """Return the told series that fire at this moment: the end of one may be recorded but not planned yet.

        A series whose breach is told of needs no second reminder that it is at risk; one that is silenced or that
        somebody has acknowledged needs none at all.
        """
        return sorted(labels for labels in self._unspared(group) if not self._is_superseded(group, labels))

    def _unspared(self, group: Group) -> list[LabelSet]:
        """Return the told series that fire at this moment and that neither a silence nor somebody who knows spares."""
        found = (self._alerts.get(group.key.alert(labels)) for labels in group.told if labels not in group.silenced)
        firing = (alert for alert in found if alert is not None and alert.state is AlertState.FIRING)
        return [each.key.labels for each in firing if self._silencing.acknowledgement(each.key, each.fired_at) is None]

    def _is_superseded(self, group: Group, labels: LabelSet) -> bool:
        if group.key.kind is not AlertKind.RISK:
            return False
        return labels in self.memory.group(group.key._replace(kind=AlertKind.BREACH)).told
