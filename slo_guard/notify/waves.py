"""In which order transitions are told: instant by instant, in conversations, what others depend on first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from slo_guard.domain.alerts import AlertKey, AlertKind, Transition
from slo_guard.domain.builtin import COLLECTOR_UP
from slo_guard.domain.notifications import Route
from slo_guard.domain.verdicts import AlertState
from slo_guard.notify.groups import GroupKey


def by_group(route: Route, transitions: Iterable[Transition]) -> list[tuple[GroupKey, list[Transition]]]:
    """Return the transitions by conversation.

    Collectors first and breaches before risks: what has been told of them decides on what follows.
    """
    by_group: dict[GroupKey, list[Transition]] = {}
    for transition in transitions:
        by_group.setdefault(GroupKey.of(route.receiver, transition.key), []).append(transition)
    return sorted(by_group.items(), key=lambda item: rank(item[0]))


def rank(key: GroupKey) -> tuple[bool, bool]:
    """Return what sorts groups: collectors first, breaches before risks."""
    return key.kpi != COLLECTOR_UP, key.kind is AlertKind.RISK


def waves(instant: Iterable[Transition]) -> Iterator[list[Transition]]:
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
