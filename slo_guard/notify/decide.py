"""One transition, one receiver: told, or not told and why. Changes the group to what is known afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from slo_guard.domain.alerts import Transition
from slo_guard.domain.notifications import NotificationReason, NotToldReason, Route
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import AlertState, Reason
from slo_guard.notify.compose import Ended
from slo_guard.notify.groups import Facts, FiringSeries, Group


@dataclass(slots=True)
class News:
    """What one message is going to say: series that fire, by the transition that said so, and series that ended.

    ``escalated``: which of ``fresh`` were told before, and are worse now.
    """

    fresh: dict[LabelSet, int] = field(default_factory=dict)
    escalated: set[LabelSet] = field(default_factory=set)
    ended: dict[LabelSet, Ended] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.fresh or self.ended)

    @property
    def transitions(self) -> list[int]:
        """The numbers of the transitions that the message tells, ascending."""
        return sorted([*self.fresh.values(), *(ended.end.seq for ended in self.ended.values())])

    def basis(self, told: Mapping[LabelSet, FiringSeries]) -> str:
        """Return what tells this news from any other: the transitions by number and instant.

        The numbers alone would not: a store that begins anew numbers from 1 again, and a receiver that drops what it
        has seen would drop the new store's first messages.
        """
        firings = ((seq, told[labels].fired_at) for labels, seq in self.fresh.items())
        ends = ((ended.end.seq, ended.end.at) for ended in self.ended.values())
        return ",".join(f"{seq}@{at!r}" for seq, at in sorted([*firings, *ends]))

    def reason(self, *, others_told: bool) -> NotificationReason:
        """Return why the message is sent; ``others_told``: series of the group were told as firing before."""
        if self.fresh and self.escalated.issuperset(self.fresh):
            return NotificationReason.ESCALATED
        if self.fresh:
            return NotificationReason.SERIES_ADDED if others_told else NotificationReason.FIRST_NOTIFICATION
        recovered = all(ended.end.reason is Reason.RECOVERED for ended in self.ended.values())
        return NotificationReason.RECOVERED if recovered else NotificationReason.ENDED


def take_in(
    route: Route,
    group: Group,
    transition: Transition,
    news: News,
    *,
    source_down: bool = False,
    breach_told: bool = False,
    silenced: bool = False,
) -> NotToldReason | None:
    """Take ``transition`` into ``group`` and, if it is told, into ``news``; return why it is not told, None if it is.

    ``source_down``: a failing collector is what makes the series fire. ``breach_told``: the series is at risk, and the
    receiver has been told that its objective is breached. ``silenced``: a silence keeps the series' firing back; the
    end of what was told is told in spite of it.
    """
    if transition.reason is Reason.CARRIED_OVER:
        return NotToldReason.CARRIED_OVER
    if transition.to_state is AlertState.FIRING:
        return _take_in_firing(route, group, transition, news, source_down=source_down, silenced=silenced)
    if transition.to_state is AlertState.PENDING or transition.from_state is AlertState.PENDING:
        return NotToldReason.PENDING
    return _take_in_end(route, group, transition, news, breach_told=breach_told)


def _take_in_firing(
    route: Route, group: Group, transition: Transition, news: News, *, source_down: bool, silenced: bool
) -> NotToldReason | None:
    labels = transition.key.labels
    escalated = transition.reason is Reason.ESCALATED
    if labels in group.told and not escalated:
        return NotToldReason.ALREADY_TOLD
    if transition.severity not in route.severities:
        return NotToldReason.NOT_ROUTED
    group.facts = Facts.of(transition)
    series = FiringSeries.of(transition)
    if silenced:
        # Before the failing source: when the silence is over, what it kept back may still be held for its source.
        group.held.pop(labels, None)
        group.silenced[labels] = series
        return NotToldReason.SILENCED
    group.silenced.pop(labels, None)
    if source_down:
        group.held[labels] = series
        return NotToldReason.SOURCE_DOWN
    group.held.pop(labels, None)
    if escalated and labels in group.told:
        news.escalated.add(labels)
    group.told[labels] = series
    news.fresh[labels] = transition.seq
    return None


def _take_in_end(
    route: Route, group: Group, transition: Transition, news: News, *, breach_told: bool
) -> NotToldReason | None:
    labels = transition.key.labels
    was_held = group.held.pop(labels, None) or group.silenced.pop(labels, None)
    was_told = group.told.pop(labels, None)
    if was_told is None:
        # At a severity that this receiver does not hear of, its firing was none of its business.
        routed = was_held is not None or transition.severity in route.severities
        return NotToldReason.NEVER_TOLD_FIRING if routed else NotToldReason.NOT_ROUTED
    # Told of the firing means told of the end, whatever severity a reload has given the rule meanwhile.
    if breach_told:
        return NotToldReason.SUPERSEDED_BY_BREACH
    if not route.send_resolved:
        return NotToldReason.RESOLVED_NOT_WANTED
    news.ended[labels] = Ended(was_told, transition)
    if transition.reason is Reason.RECOVERED and group.facts is not None:
        # A reload may have moved the limit: by the one that was breached the value may well be no recovery.
        group.facts = Facts.of(transition)._replace(severity=group.facts.severity)
    return None
