"""Hop 3: what to tell whom, and why; and for what is not told, why not. Pure: equal inputs give equal outputs.

Per receiver there is one message for each KPI, kind of alert and evaluation; a series that fires and ends within
one evaluation gives two. Every transition gets exactly one decision per receiver. Instants are Unix seconds (UTC).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from slo_guard.domain.alerts import Alert, AlertKey, AlertKind, Transition
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.notifications import Decision, Notification, NotificationReason, Route
from slo_guard.domain.ports import PlanRecord
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from slo_guard.notify.closing import Close, close_message, closings_apart
from slo_guard.notify.compose import as_it_stands, compose
from slo_guard.notify.decide import News, take_in
from slo_guard.notify.groups import Facts, FiringSeries, Group, GroupHead, GroupKey


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
) -> PlanRecord:
    """Return the messages, decisions and changed groups that ``transitions`` after number ``cursor`` lead to.

    Call it also without transitions: reminders fall due, and what was held back behind a failing source is told
    or dropped. ``groups`` is what earlier records left; ``alerts`` how all alerts stand now. ``judged_at`` maps
    (sprint, KPI) to its last evaluation: with it, a series held back waits after its source is back until it has
    been judged anew, so that the first good collection does not page for what it is about to clear. ``standing``:
    where routes or severities may be others than before, the transitions by which the alerts that stand in the store
    fired, each with the severity that its rule has now; of those a receiver wants and has not heard of, it is told.
    A record that changes nothing has no groups, notifications or decisions and the same cursor. Raises
    ``StoreError`` for groups that cannot be read.
    """
    news = sorted((each for each in transitions if each.seq > cursor), key=lambda each: each.seq)
    run = _Run(news, groups, alerts, now, judged_at)
    for route in routes:
        for _, instant in groupby(news, key=lambda each: each.at):
            rest, closing = closings_apart(instant)
            for wave in _waves(rest):
                run.tell(route, wave)
            for close in closing:
                run.tell_close(route, close)
        run.tell_what_stands(route, standing)
        run.tell_what_was_held_back(route)
        run.remind(route)
    run.forget_receivers_other_than({route.receiver for route in routes})
    return PlanRecord(
        transition_cursor=max([cursor, *(each.seq for each in news)]),
        groups=run.changed_groups(),
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
    ) -> None:
        self.notifications: list[Notification] = []
        self._decisions: dict[tuple[int, str], Decision] = {}
        self._before = groups
        self._heads = {name: GroupHead.from_text(text) for name, text in groups.items()}
        self._groups: dict[str, Group] = {}
        self._touched: set[str] = set()
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
        for key, members in _by_group(route, wave):
            self._tell_group(route, key, members)

    def tell_close(self, route: Route, close: Close) -> None:
        """Tell of a sprint's close in one message, in which the alerts that end with it are told as well."""
        told = [close.summary.seq]
        for end in close.ends:
            group = self._group(GroupKey.of(route.receiver, end.key))
            self._touched.add(group.key.text)
            not_told = take_in(route, group, end, News(), source_down=False, breach_told=False)
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
            alert, group = self._alerts.get(fired.key), self._group(GroupKey.of(route.receiver, fired.key))
            if alert is None or alert.state is not AlertState.FIRING or fired.severity not in route.severities:
                continue
            if fired.key.labels in group.told or fired.key.labels in group.held:
                continue
            # The note spoke of the reason that the series fired for.
            note = fired.note if alert.reason is fired.reason else None
            unknown.append(replace(fired, value=alert.value, verdict=alert.verdict, reason=alert.reason, note=note))
        for key, members in _by_group(route, unknown):
            self._tell_group(route, key, members, NotificationReason.RECEIVER_ADDED)

    def _tell_group(
        self, route: Route, key: GroupKey, members: Sequence[Transition], reason: NotificationReason | None = None
    ) -> None:
        group = self._group(key)
        self._touched.add(key.text)
        others_told = bool(group.told)
        news = News()
        for transition in members:
            self._carry_over(group, transition)
            not_told = take_in(
                route,
                group,
                transition,
                news,
                source_down=self._is_caused_by_its_source(key, transition),
                breach_told=self._is_superseded(group, transition.key.labels),
            )
            if not_told is not None:
                self._decide(Decision(transition.seq, route.receiver, None, not_told))
        if news:
            message = self._compose(group, reason or news.reason(others_told=others_told), news)
            for seq in news.transitions:
                self._decide(Decision(seq, route.receiver, message.key))

    def _carry_over(self, group: Group, transition: Transition) -> None:
        """Move what was told of an alert in the sprint before to the conversation about it in the next one."""
        if transition.reason is not Reason.CARRIED_OVER or transition.carried_from is None:
            return
        before = self._group(group.key._replace(sprint=transition.carried_from))
        self._touched.add(before.key.text)
        labels = transition.key.labels
        for old, new in ((before.told, group.told), (before.held, group.held)):
            if labels in old:
                new[labels] = old.pop(labels)
                group.facts, group.told_at = Facts.of(transition), before.told_at

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
        """
        told = self._group(GroupKey(key.receiver, "", COLLECTOR_UP, AlertKind.BREACH)).told
        return any((("collector", collector),) in told for collector in collectors)

    def tell_what_was_held_back(self, route: Route) -> None:
        """Tell of the series whose source is back, or whose data is, and which fire all the same."""
        for group in self._groups_of(route, lambda head: head.holds_back):
            news = News()
            for labels, series in list(group.held.items()):
                alert = self._alerts.get(group.key.alert(labels))
                # Without an alert its end has yet to come as a transition; while it is clear its end is near.
                if alert is None or alert.state is not AlertState.FIRING or alert.clear_since is not None:
                    continue
                if alert.verdict is Verdict.MISSED or self._judged_with_its_source_back(group, labels, series):
                    self._touched.add(group.key.text)
                    del group.held[labels]
                    group.told[labels] = as_it_stands(group.key, labels, series, self._alerts)
                    news.fresh[labels] = series.seq
            if news.fresh:
                self._compose(group, NotificationReason.HELD_BACK_AND_STILL_FIRING, news)

    def _judged_with_its_source_back(self, group: Group, labels: LabelSet, series: FiringSeries) -> bool:
        back_at = series.source_back_at
        if self._was_told_of_outage(group.key, series.collectors):
            if back_at is not None:
                self._touched.add(group.key.text)
                group.held[labels] = series._replace(source_back_at=None)
            return False
        if back_at is None:
            ends = [self._source_back_at[name] for name in series.collectors if name in self._source_back_at]
            back_at = max(ends, default=self._now)
        judged = None if self._judged_at is None else self._judged_at.get((group.key.sprint, group.key.kpi))
        if judged is None or judged >= back_at:
            return True
        if back_at != series.source_back_at:
            self._touched.add(group.key.text)
            group.held[labels] = series._replace(source_back_at=back_at)
        return False

    def remind(self, route: Route) -> None:
        """Tell again of what still fires when the last message about it is ``repeat_interval_seconds`` old."""
        interval = route.repeat_interval_seconds
        if interval is None:
            return

        def is_due(told: GroupHead | Group) -> bool:
            return told.told_at is not None and self._now >= told.told_at + interval

        for group in self._groups_of(route, is_due):
            if not is_due(group) or group.facts is None or group.facts.severity not in route.severities:
                continue
            if self._worth_a_reminder(group):
                self._compose(group, NotificationReason.REPEAT_INTERVAL_ELAPSED, News())

    def forget_receivers_other_than(self, receivers: set[str]) -> None:
        """Forget the groups of receivers that are no longer in the config."""
        for name, head in self._heads.items():
            if head.key.receiver not in receivers:
                self._touched.add(name)
                self._groups[name] = Group(head.key)

    def changed_groups(self) -> dict[str, str | None]:
        """Return the groups whose text is another than before; None for those with nothing left to remember."""
        after = {name: self._groups[name].to_text() for name in sorted(self._touched)}
        return {name: text for name, text in after.items() if text != self._before.get(name)}

    def _compose(self, group: Group, reason: NotificationReason, news: News) -> Notification:
        if reason is NotificationReason.REPEAT_INTERVAL_ELAPSED:
            basis, still = repr(group.told_at), self._worth_a_reminder(group)
        else:
            basis = news.basis(group.told)
            if reason is NotificationReason.RECEIVER_ADDED:
                # A receiver may leave and come back while the alert fires; the first message may have left with it.
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
        )
        self.notifications.append(message)
        self._touched.add(group.key.text)
        group.told_at = self._now
        return message

    def _worth_a_reminder(self, group: Group) -> list[LabelSet]:
        """Return the told series that fire at this moment: the end of one may be recorded but not planned yet.

        A series whose breach is told of needs no second reminder that it is at risk.
        """
        found = ((labels, self._alerts.get(group.key.alert(labels))) for labels in group.told)
        firing = [labels for labels, alert in found if alert is not None and alert.state is AlertState.FIRING]
        return sorted(labels for labels in firing if not self._is_superseded(group, labels))

    def _is_superseded(self, group: Group, labels: LabelSet) -> bool:
        if group.key.kind is not AlertKind.RISK:
            return False
        return labels in self._group(group.key._replace(kind=AlertKind.BREACH)).told

    def _group(self, key: GroupKey) -> Group:
        name = key.text
        group = self._groups.get(name)
        if group is None:
            text = self._before.get(name)
            group = self._groups[name] = Group(key) if text is None else Group.from_text(text)
        return group

    def _groups_of(self, route: Route, matters: Callable[[GroupHead], bool]) -> list[Group]:
        """Return the receiver's groups that this run has opened, and those whose stored head ``matters``."""
        names = [name for name, head in self._heads.items() if name in self._groups or matters(head)]
        keys = [self._heads[name].key for name in names]
        keys += [group.key for name, group in self._groups.items() if name not in self._heads]
        return [self._group(key) for key in keys if key.receiver == route.receiver]


def _by_group(route: Route, transitions: Iterable[Transition]) -> list[tuple[GroupKey, list[Transition]]]:
    """Return the transitions by conversation.

    Collectors first and breaches before risks: what has been told of them decides on what follows.
    """
    by_group: dict[GroupKey, list[Transition]] = {}
    for transition in transitions:
        by_group.setdefault(GroupKey.of(route.receiver, transition.key), []).append(transition)
    return sorted(by_group.items(), key=lambda item: (item[0].kpi != COLLECTOR_UP, item[0].kind is AlertKind.RISK))


def _waves(instant: Iterable[Transition]) -> Iterator[list[Transition]]:
    """Split one instant's transitions so that no series fires or ends twice within a part; mostly there is one part."""
    wave: list[Transition] = []
    seen: set[AlertKey] = set()
    for transition in instant:
        loud = AlertState.FIRING in (transition.from_state, transition.to_state)
        if loud and transition.key in seen:
            yield wave
            wave, seen = [], set()
        if loud:
            seen.add(transition.key)
        wave.append(transition)
    if wave:
        yield wave
