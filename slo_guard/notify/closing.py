"""The one message by which a sprint's close is told: how every KPI ended, and which alerts end with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from slo_guard.clock import iso
from slo_guard.domain.alerts import AlertKind, FinalVerdict, Transition
from slo_guard.domain.builtin import SPRINT_CLOSE
from slo_guard.domain.notifications import Notification, NotificationReason, Route, SeriesLine
from slo_guard.domain.series import label_set
from slo_guard.domain.verdicts import Reason
from slo_guard.notify.compose import idempotency_key
from slo_guard.notify.groups import GroupKey
from slo_guard.notify.text import objective_words, one_line, value_text

_CHANGES_TOLD = 2


class Close(NamedTuple):
    """A sprint's close: the transition that sums it up, and those by which its alerts end."""

    summary: Transition
    ends: tuple[Transition, ...]


def closings_apart(instant: Iterable[Transition]) -> tuple[list[Transition], list[Close]]:
    """Return the transitions that are told by themselves, and the closes of sprints among those of one instant."""
    rest: list[Transition] = []
    summaries: dict[str, Transition] = {}
    ends: dict[str, list[Transition]] = {}
    for transition in instant:
        if transition.key.kpi == SPRINT_CLOSE:
            summaries[transition.key.sprint] = transition
        elif transition.reason is Reason.SPRINT_CLOSED:
            ends.setdefault(transition.key.sprint, []).append(transition)
        else:
            rest.append(transition)
    for sprint, alone in ends.items():
        if sprint not in summaries:
            rest += alone
    return rest, [Close(summary, tuple(ends.get(sprint, ()))) for sprint, summary in summaries.items()]


def close_message(route: Route, summary: Transition, transitions: Sequence[int], now: float) -> Notification:
    """Return the message; every receiver gets it, whatever severities it hears of."""
    key = GroupKey(route.receiver, summary.key.sprint, SPRINT_CLOSE, AlertKind.BREACH)
    worst_first = sorted(summary.finals, key=lambda final: -final.verdict)
    return Notification(
        key=idempotency_key(key, NotificationReason.SPRINT_CLOSED, f"{summary.seq}@{summary.at!r}"),
        receiver=route.receiver,
        group=key.text,
        reason=NotificationReason.SPRINT_CLOSED,
        created_at=now,
        sprint=summary.key.sprint,
        kpi=SPRINT_CLOSE,
        kind=AlertKind.BREACH,
        severity=summary.severity,
        lane=summary.lane,
        title=summary.title,
        owner="",
        objective="",
        unit=None,
        runbook_url=None,
        series=tuple(_line(final, summary) for final in worst_first),
        transitions=tuple(transitions),
    )


def _line(final: FinalVerdict, summary: Transition) -> SeriesLine:
    value = value_text(final.value, final.unit, final.objective)
    return SeriesLine(
        labels=label_set({"kpi": final.kpi, "lane": final.lane}),
        firing=False,
        value=final.value,
        verdict=final.verdict.label,
        reason=final.reason.value,
        note=final.in_words or None,
        active_at=summary.active_at,
        ended_at=summary.at,
        annotations={
            "title": final.title or final.kpi,
            "owner": final.owner,
            "value": value,
            "objective": objective_words(final.objective),
        }
        | _beside(final),
    )


def _beside(final: FinalVerdict) -> dict[str, str]:
    """Return which of its targets changed, how it ended by the first one, and what the verdict was made of."""
    found = {}
    if final.changes:
        told = [one_line(each.in_words(iso(each.at))) for each in final.changes[-_CHANGES_TOLD:]]
        hidden = len(final.changes) - len(told)
        told = [f"{hidden} earlier changes", *told] if hidden else told
        if final.by_original is not None:
            told.append(f"by the original: {final.by_original.label.replace('_', ' ')}")
        found["target_changed"] = "; ".join(told)
    if final.inputs_digest:
        found |= {"inputs_digest": final.inputs_digest, "rule_digest": final.rule_digest}
    return found
