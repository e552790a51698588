"""From when to when alerts of a KPI fired, put together from its transitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from slo_guard.domain.alerts import AlertKey, Transition
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import AlertState


@dataclass(frozen=True, slots=True)
class Period:
    """One alert that fired from ``start`` to ``end`` (Unix seconds); ``going_on``: it still does."""

    start: float
    end: float
    kind: str
    tier: str
    labels: LabelSet
    going_on: bool


def firing_periods(transitions: Iterable[Transition], begin: float, now: float) -> Sequence[Period]:
    """Return when alerts fired, ascending by start.

    ``transitions``: ascending; of an alert that fires before the first of them, ``begin`` is where it starts.
    """
    started: dict[AlertKey, float] = {}
    periods: list[Period] = []
    for each in transitions:
        if each.to_state is AlertState.FIRING:
            started.setdefault(each.key, each.at)
        elif each.from_state is AlertState.FIRING:
            periods.append(_period(each.key, started.pop(each.key, begin), each.at, going_on=False))
    periods += [_period(key, start, now, going_on=True) for key, start in started.items()]
    return sorted(periods, key=lambda period: (period.start, period.end))


def _period(key: AlertKey, start: float, end: float, *, going_on: bool) -> Period:
    return Period(start, end, key.kind.value, key.tier, key.labels, going_on)
