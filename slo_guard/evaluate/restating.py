"""Restatements: what later data would make of verdicts that are final. They stay; nobody is alerted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from slo_guard.domain.verdicts import Restatement, VerdictFrame
from slo_guard.evaluate.conditions import ruling_of
from slo_guard.evaluate.digests import inputs_digest
from slo_guard.evaluate.rule_changes import RuleHistory
from slo_guard.evaluate.tracks import KpiTrack


def restate(tracks: Iterable[KpiTrack], rules: RuleHistory, now: float) -> list[Restatement]:
    """Return how the final KPIs among ``tracks`` stand of which news came, as of their sprint's end, and show it there.

    A KPI whose condition decided at the close is left as it was, and so is one whose rule promises something else
    since: by that it was not judged.
    """
    found: list[Restatement] = []
    for track in tracks:
        final = track.final
        if final is None or not track.news:
            continue
        track.news = False
        if not rules.is_unchanged(track.kpi):
            track.can_be_restated = False
            continue
        restated = _restated(track, final, now)
        if restated.inputs_digest != _last_digest(final):
            track.final = with_restatement(final, restated)
            found.append(restated)
    return found


def with_restatement(final: VerdictFrame, restated: Restatement) -> VerdictFrame:
    """Return a final frame with what later data would make of it."""
    return replace(final, restatement=restated)


def can_go_on(track: KpiTrack, rules: RuleHistory) -> bool:
    """Whether a final KPI's buffers, rebuilt from the store, hold what it was judged by: nothing of it is pruned."""
    final = track.final
    if final is None or final.seal is None or not rules.is_unchanged(track.kpi):
        return False
    frame = track.peek(track.sprint.end_at, ruling_of(final))
    return inputs_digest(track.inputs, frame) == _last_digest(final)


def _restated(track: KpiTrack, final: VerdictFrame, now: float) -> Restatement:
    frame = track.peek(track.sprint.end_at, ruling_of(final))
    return Restatement(
        sprint=track.kpi.sprint,
        kpi=track.kpi.id,
        at=now,
        inputs_digest=inputs_digest(track.inputs, frame),
        index=frame.index,
        value=frame.value,
        verdict=frame.verdict,
        reason=frame.reason,
        notes=frame.notes,
    )


def _last_digest(final: VerdictFrame) -> str | None:
    if final.restatement is not None:
        return final.restatement.inputs_digest
    return None if final.seal is None else final.seal.inputs_digest
