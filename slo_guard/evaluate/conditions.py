"""Which KPIs are not judged by their own value at an instant: before their sprint, or by their condition (``when``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import TypeAlias

import numpy as np

from slo_guard.domain.builtin import BURN_ALARM
from slo_guard.domain.kpi import KPI
from slo_guard.domain.verdicts import REASON_CODE, Reason, Verdict, VerdictFrame
from slo_guard.evaluate.tracks import KpiTrack

Key: TypeAlias = tuple[str, str]
Ruling: TypeAlias = tuple[Verdict, Reason]

_NOT_APPLICABLE = (Verdict.NOT_APPLICABLE, Reason.CONDITION_NOT_MET)
_UNKNOWN = (Verdict.INSUFFICIENT, Reason.CONDITION_UNKNOWN)
_NOT_MET_CODE = REASON_CODE[Reason.CONDITION_NOT_MET]
_RULED = {REASON_CODE[reason]: (verdict, reason) for verdict, reason in (_NOT_APPLICABLE, _UNKNOWN)}


class Conditions:
    """What conditions say within one evaluation.

    A condition counts as it stands at the instant for which it is asked, also when its own KPI is not due then: so
    neither its interval nor a restart changes what depends on it.
    """

    def __init__(self, tracks: Mapping[Key, KpiTrack], awaiting: AbstractSet[str]) -> None:
        self._tracks = tracks
        self._awaiting = awaiting
        self._frames: dict[tuple[Key, float], VerdictFrame] = {}

    def note(self, frame: VerdictFrame) -> None:
        """Take in a frame that was judged anyway."""
        self._frames[(frame.kpi.sprint, frame.kpi.id), frame.at] = frame

    def ruling(self, kpi: KPI, at: float) -> Ruling | None:
        """Return the verdict and reason that all series of ``kpi`` have at ``at``; None: by their own values."""
        if at < self._tracks[kpi.sprint, kpi.id].sprint.start_at:
            return Verdict.INSUFFICIENT, Reason.BEFORE_SPRINT
        if kpi.when is None:
            return None
        frame = self._frame((kpi.sprint, kpi.when.kpi), at)
        if frame is None:
            return _UNKNOWN
        if bool((frame.reason == _NOT_MET_CODE).any()):
            return _NOT_APPLICABLE
        known = (frame.verdict != Verdict.NO_DATA) & (frame.verdict != Verdict.INSUFFICIENT) & ~np.isnan(frame.value)
        if bool((known & (frame.value != float(kpi.when.is_true))).any()):
            return _NOT_APPLICABLE
        return None if bool(known.all()) else _UNKNOWN

    def awaits(self, kpi: KPI) -> bool:
        """Whether a condition of ``kpi`` awaits the first collection of what it reads."""
        while kpi.when is not None:
            track = self._tracks.get((kpi.sprint, kpi.when.kpi))
            if track is None:
                return False
            if track.final is None and not self._awaiting.isdisjoint(track.kpi.indicators):
                return True
            kpi = track.kpi
        return False

    def _frame(self, key: Key, at: float) -> VerdictFrame | None:
        """Return how a condition stands at ``at``; None where that cannot be known."""
        track = self._tracks.get(key)
        if track is None:
            return None
        if track.final is not None:
            return track.final
        if not self._awaiting.isdisjoint(track.kpi.indicators):
            return None
        if (key, at) not in self._frames:
            self._frames[key, at] = track.peek(at, self.ruling(track.kpi, at))
        return self._frames[key, at]


def ruling_of(frame: VerdictFrame) -> Ruling | None:
    """Return by which condition all series of ``frame`` have their verdict; None: by their own values."""
    return _RULED.get(int(frame.reason[0]))


def in_order_of_conditions(kpis: Iterable[KPI]) -> tuple[KPI, ...]:
    """Return ``kpis`` in their order, but each behind those that it depends on.

    What reads the burn alarms depends on all that have an error budget.
    """
    ordered: dict[Key, KPI] = {}
    by_key = {(kpi.sprint, kpi.id): kpi for kpi in kpis}

    def place(kpi: KPI) -> None:
        if (kpi.sprint, kpi.id) in ordered:
            return
        if BURN_ALARM in kpi.indicators:
            for other in by_key.values():
                if other.error_budget is not None and other.sprint == kpi.sprint:
                    place(other)
        if kpi.when is not None and (kpi.sprint, kpi.when.kpi) in by_key:
            place(by_key[kpi.sprint, kpi.when.kpi])
        ordered[kpi.sprint, kpi.id] = kpi

    for kpi in by_key.values():
        place(kpi)
    return tuple(ordered.values())
