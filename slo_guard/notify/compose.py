"""Making one notification of a group: its key, its lines in order, and the rule's annotations filled in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from slo_guard.domain.alerts import Alert, AlertKey, Transition
from slo_guard.domain.notifications import Notification, NotificationReason, SeriesLine
from slo_guard.domain.series import LabelSet
from slo_guard.domain.verdicts import AlertState
from slo_guard.notify.alert_annotations import templates_for
from slo_guard.notify.annotations import AnnotationFacts, render_annotations
from slo_guard.notify.groups import Facts, FiringSeries, Group, GroupKey
from slo_guard.notify.text import objective_words, value_text

MAX_LINES = 200
"""The most series that one notification lists: those that changed first; the others are counted."""


class Ended(NamedTuple):
    """A series whose alert has ended: what it was while it fired, and the transition that ended it."""

    was: FiringSeries
    end: Transition


def compose(
    group: Group,
    reason: NotificationReason,
    now: float,
    *,
    basis: str,
    transitions: Sequence[int],
    fresh: Sequence[LabelSet],
    ended: Mapping[LabelSet, Ended],
    still: Sequence[LabelSet],
    alerts: Mapping[AlertKey, Alert],
    acknowledged: str = "",
) -> Notification:
    """Return the message about ``group``: ``fresh`` series first, then those ``ended``, then those ``still`` firing.

    ``basis`` is what the idempotency key is made from beside receiver, group and reason: equal for equal news.
    """
    assert group.facts is not None
    facts, key = group.facts, group.key
    firing = [*fresh[:MAX_LINES]]
    ends = list(ended)[: MAX_LINES - len(firing)]
    rest = still[: MAX_LINES - len(firing) - len(ends)]
    lines = (
        *(_firing_line(key, facts, labels, group.told[labels]) for labels in firing),
        *(_ended_line(key, facts, labels, ended[labels]) for labels in ends),
        *(_firing_line(key, facts, labels, as_it_stands(key, labels, group.told[labels], alerts)) for labels in rest),
    )
    return Notification(
        key=idempotency_key(key, reason, basis),
        receiver=key.receiver,
        group=key.text,
        reason=reason,
        created_at=now,
        sprint=key.sprint,
        kpi=key.kpi,
        kind=key.kind,
        tier=key.tier,
        severity=facts.severity,
        lane=facts.lane,
        title=facts.title,
        owner=facts.owner,
        objective=facts.objective,
        unit=facts.unit,
        runbook_url=facts.runbook_url,
        series=lines,
        transitions=tuple(transitions),
        acknowledged=acknowledged,
        unlisted_firing=len(fresh) + len(still) - len(firing) - len(rest),
        unlisted_ended=len(ended) - len(ends),
    )


def as_it_stands(
    key: GroupKey, labels: LabelSet, series: FiringSeries, alerts: Mapping[AlertKey, Alert]
) -> FiringSeries:
    """Return ``series`` with the value, verdict and reason that its alert has now, if it is the same firing."""
    alert = alerts.get(key.alert(labels))
    if alert is None or alert.state is not AlertState.FIRING or alert.active_at != series.active_at:
        return series
    changed = (alert.value, alert.verdict.label, alert.reason.value)
    if changed == (series.value, series.verdict, series.reason):
        return series
    # The note spoke of the reason that the series fired for.
    note = series.note if alert.reason.value == series.reason else None
    return series._replace(value=alert.value, verdict=alert.verdict.label, reason=alert.reason.value, note=note)


def _firing_line(key: GroupKey, facts: Facts, labels: LabelSet, series: FiringSeries) -> SeriesLine:
    return SeriesLine(
        labels=labels,
        firing=True,
        value=series.value,
        verdict=series.verdict,
        reason=series.reason,
        note=series.note,
        active_at=series.active_at,
        annotations=_annotations(key, facts, labels, series.value, series.reason),
    )


def _ended_line(key: GroupKey, facts: Facts, labels: LabelSet, ended: Ended) -> SeriesLine:
    end = ended.end
    return SeriesLine(
        labels=labels,
        firing=False,
        value=end.value,
        verdict=end.verdict.label,
        reason=end.reason.value,
        note=end.note,
        active_at=ended.was.active_at,
        ended_at=end.at,
        annotations=_annotations(key, facts, labels, end.value, end.reason.value),
    )


def _annotations(key: GroupKey, facts: Facts, labels: LabelSet, value: float | None, reason: str) -> dict[str, str]:
    templates = templates_for(key.kind, facts.annotations)
    if not templates:
        return {}
    return render_annotations(
        templates,
        AnnotationFacts(
            labels=labels,
            value=value_text(value, facts.unit, facts.objective),
            objective=objective_words(facts.objective),
            kpi=key.kpi,
            title=facts.title,
            lane=facts.lane,
            owner=facts.owner,
            sprint=key.sprint,
            severity=facts.severity.value,
            reason=reason,
        ),
    )


def idempotency_key(key: GroupKey, reason: NotificationReason, basis: str) -> str:
    """Return the key of a message: equal for every attempt at the same news, different otherwise."""
    content = f"{key.receiver}\x1f{key.text}\x1f{reason.value}\x1f{basis}"
    return hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=16).hexdigest()
