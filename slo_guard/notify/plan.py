"""Hop 3: what to tell whom, and why; and for what is not told, why not. Pure: equal inputs give equal outputs.

Per receiver there is one message for each KPI, kind of alert and evaluation; a series that fires and ends within
one evaluation gives two. Every transition gets exactly one decision per receiver. Instants are Unix seconds (UTC).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from slo_guard.domain.alerts import Alert, AlertKey, AlertKind, Transition
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.notifications import (
    Decision,
    Notification,
    NotificationReason,
    NotToldReason,
    Route,
)
from slo_guard.domain.ports import PlanRecord
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import AlertState, Reason, Verdict
from slo_guard.notify.compose import Ended, as_it_stands, compose
from slo_guard.notify.groups import Facts, FiringSeries, Group, GroupKey
from slo_guard.notify.outages import CollectorOutages


def plan_notifications(
    transitions: Sequence[Transition],
    groups: Mapping[str, str],
    alerts: Mapping[AlertKey, Alert],
    routes: Sequence[Route],
    now: float,
    cursor: int = 0,
    *,
    judged_at: Mapping[tuple[str, str], float] | None = None,
) -> PlanRecord:
    """Return the messages, decisions and changed groups that ``transitions`` after number ``cursor`` lead to.

    Call it also without transitions: reminders fall due, and what was held back behind a failing source is told
    or dropped. ``groups`` is what earlier records left; ``alerts`` how all alerts stand now. ``judged_at`` maps
    (sprint, KPI) to its last evaluation: with it, a series held back waits after its source is back until it has
    been judged anew, so that the first good collection does not page for what it is about to clear. A record that
    changes nothing has no groups, notifications or decisions and the same cursor. Raises ``StoreError`` for
    groups that cannot be read.
    """
    news = sorted((each for each in transitions if each.seq > cursor), key=lambda each: each.seq)
    run = _Run(news, groups, alerts, now, judged_at)
    for route in routes:
        for _, instant in groupby(news, key=lambda each: each.at):
            for wave in _waves(instant):
                run.tell(route, wave)
        run.tell_what_was_held_back(route)
        run.remind(route)
    run.forget_receivers_other_than({route.receiver for route in routes})
    return PlanRecord(
        transition_cursor=max([cursor, *(each.seq for each in news)]),
        groups=run.changed_groups(),
        notifications=tuple(run.notifications),
        decisions=tuple(run.decisions),
    )


@dataclass(slots=True)
class _News:
    """What one message is going to say: series that fire as of now and series that ended, by number of transition."""

    fresh: dict[LabelSet, int] = field(default_factory=dict)
    ended: dict[LabelSet, Ended] = field(default_factory=dict)

    @property
    def transitions(self) -> list[int]:
        return sorted([*self.fresh.values(), *(ended.end.seq for ended in self.ended.values())])


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
        self.decisions: list[Decision] = []
        self._before = groups
        self._groups = {name: Group.from_text(text) for name, text in groups.items()}
        self._touched: set[str] = set()
        self._alerts = alerts
        self._now = now
        self._judged_at = judged_at
        self._outages = CollectorOutages(news, alerts)

    def tell(self, route: Route, wave: Sequence[Transition]) -> None:
        """Decide on the transitions of one instant, each series at most once among them, and compose the messages."""
        # Breaches first: whether an ended risk is superseded depends on whether the breach has been told.
        for kind in (AlertKind.BREACH, AlertKind.RISK):
            by_group: dict[GroupKey, list[Transition]] = {}
            for transition in wave:
                if transition.key.kind is kind:
                    by_group.setdefault(GroupKey.of(route.receiver, transition.key), []).append(transition)
            for key, members in by_group.items():
                self._tell_group(route, key, members)

    def _tell_group(self, route: Route, key: GroupKey, members: Sequence[Transition]) -> None:
        group = self._group(key)
        knew = bool(group.told)
        news = _News()
        for transition in members:
            not_told = self._take_in(route, group, transition, news)
            if not_told is not None:
                self.decisions.append(Decision(transition.seq, route.receiver, None, not_told))
        if not (news.fresh or news.ended):
            return
        if news.fresh:
            reason = NotificationReason.SERIES_ADDED if knew else NotificationReason.FIRST_NOTIFICATION
        elif all(ended.end.reason is Reason.RECOVERED for ended in news.ended.values()):
            reason = NotificationReason.RECOVERED
        else:
            reason = NotificationReason.ENDED
        message = self._compose(group, reason, news)
        self.decisions += [Decision(seq, route.receiver, message.key) for seq in news.transitions]

    def _take_in(self, route: Route, group: Group, transition: Transition, news: _News) -> NotToldReason | None:
        """Take a transition into the group and the news; return why it is not told, or None if it is."""
        if transition.to_state is AlertState.FIRING:
            return self._take_in_firing(route, group, transition, news)
        if transition.to_state is AlertState.PENDING or transition.from_state is AlertState.PENDING:
            return NotToldReason.PENDING
        return self._take_in_end(route, group, transition, news)

    def _take_in_firing(self, route: Route, group: Group, transition: Transition, news: _News) -> NotToldReason | None:
        labels = transition.key.labels
        if labels in group.told:
            return NotToldReason.ALREADY_TOLD
        if transition.severity not in route.severities:
            return NotToldReason.NOT_ROUTED
        self._touched.add(group.key.text)
        group.facts = Facts.of(transition)
        series = FiringSeries.of(transition)
        if self._is_caused_by_its_source(transition):
            group.held[labels] = series
            return NotToldReason.SOURCE_DOWN
        group.held.pop(labels, None)
        group.told[labels] = series
        news.fresh[labels] = transition.seq
        return None

    def _take_in_end(self, route: Route, group: Group, transition: Transition, news: _News) -> NotToldReason | None:
        labels = transition.key.labels
        was_held = group.held.pop(labels, None)
        was_told = group.told.pop(labels, None)
        if was_told is None:
            if was_held is None:
                # Ended at a severity that this receiver does not hear of, so its firing was none of its business.
                routed = transition.severity in route.severities
                return NotToldReason.NEVER_TOLD_FIRING if routed else NotToldReason.NOT_ROUTED
            self._touched.add(group.key.text)
            return NotToldReason.NEVER_TOLD_FIRING
        # Told of the firing means told of the end, whatever severity a reload has given the rule meanwhile.
        self._touched.add(group.key.text)
        if self._is_superseded(group, labels):
            return NotToldReason.SUPERSEDED_BY_BREACH
        if not route.send_resolved:
            return NotToldReason.RESOLVED_NOT_WANTED
        news.ended[labels] = Ended(was_told, transition)
        return None

    def _is_caused_by_its_source(self, transition: Transition) -> bool:
        if transition.verdict is not Verdict.NO_DATA or transition.key.kpi == COLLECTOR_UP:
            return False
        return self._outages.any_down_at(transition.collectors, transition.at)

    def tell_what_was_held_back(self, route: Route) -> None:
        """Tell of the series whose source is back, or whose data is, and which fire all the same."""
        for group in self._groups_of(route):
            news = _News()
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
        if self._outages.any_down_now(series.collectors):
            if back_at is not None:
                self._touched.add(group.key.text)
                group.held[labels] = series._replace(source_back_at=None)
            return False
        if back_at is None:
            back_at = self._outages.back_since(series.collectors, self._now)
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
        for group in self._groups_of(route):
            if group.told_at is None or group.facts is None or self._now < group.told_at + interval:
                continue
            if group.facts.severity in route.severities and self._worth_a_reminder(group):
                self._compose(group, NotificationReason.REPEAT_INTERVAL_ELAPSED, _News())

    def forget_receivers_other_than(self, receivers: set[str]) -> None:
        """Forget the groups of receivers that are no longer in the config."""
        for name, group in self._groups.items():
            if group.key.receiver not in receivers:
                self._touched.add(name)
                group.told.clear()
                group.held.clear()

    def changed_groups(self) -> dict[str, str | None]:
        """Return the groups whose text is another than before; None for those with nothing left to remember."""
        after = {name: self._groups[name].to_text() for name in sorted(self._touched)}
        return {name: text for name, text in after.items() if text != self._before.get(name)}

    def _compose(self, group: Group, reason: NotificationReason, news: _News) -> Notification:
        if reason is NotificationReason.REPEAT_INTERVAL_ELAPSED:
            basis, still = repr(group.told_at), self._worth_a_reminder(group)
        else:
            basis = ",".join(map(str, news.transitions))
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
        return self._groups.setdefault(key.text, Group(key))

    def _groups_of(self, route: Route) -> list[Group]:
        return [group for group in self._groups.values() if group.key.receiver == route.receiver]


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
