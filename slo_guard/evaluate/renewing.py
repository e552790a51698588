"""Series that are gone for good, and when it is worth while to build what is kept of a KPI anew without them.

Buffers are numbered by the series that were ever seen, and a number is never given twice: pods and tenants that come
and go would fill the memory until the restart.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from slo_guard.domain.builtin import BURN_ALARM
from slo_guard.domain.kpi import KPI
from slo_guard.evaluate.state import EvaluationState
from slo_guard.evaluate.tracks import KpiTrack

FEWEST: Final = 1000
"""So few series of one KPI are never worth the reading."""

_GROWN = 1.5
_DEAD_SHARE = 0.25


class LitterWatch:
    """Knows how many series each KPI held when it was last looked at, so that a look costs nothing in most cycles."""

    def __init__(self, fewest: int = FEWEST) -> None:
        self._fewest = fewest
        self._looked_at: dict[tuple[str, str], int] = {}

    def littered(self, state: EvaluationState, now: float) -> tuple[KPI, ...]:
        """Return the KPIs of which half as many series again are held as before, and a quarter is gone for good.

        What is final, or reads what the evaluator itself says of burn alarms, is left alone: it does not grow.
        """
        held = {key: _series_held(track) for key, track in state.tracks.items()}
        self._looked_at = {key: number for key, number in self._looked_at.items() if key in held}
        found: list[KPI] = []
        for key, number in held.items():
            track = state.tracks[key]
            if number < max(self._fewest, _GROWN * self._looked_at.get(key, 0)) or _stands_still(track):
                continue
            if not all(source.answers(now) for source in track.inputs):
                continue  # while a source fails nobody knows what is gone from it
            gone = _series_gone(track, now)
            # Those that are kept are known only when it is built anew: what is gone may be in a long window still.
            self._looked_at[key] = number
            if gone > _DEAD_SHARE * number:
                found.append(track.kpi)
        return tuple(found)

    def renewed(self, state: EvaluationState, kpis: Iterable[KPI]) -> None:
        """Note that ``kpis`` were built anew."""
        for kpi in kpis:
            self._looked_at[kpi.sprint, kpi.id] = _series_held(state.tracks[kpi.sprint, kpi.id])


def _series_held(track: KpiTrack) -> int:
    return sum(len(source.rows) for source in track.inputs)


def _series_gone(track: KpiTrack, now: float) -> int:
    after = track.kpi.forget_after_seconds
    return sum(int(np.count_nonzero(source.forgotten(now, after))) for source in track.inputs)


def _stands_still(track: KpiTrack) -> bool:
    return track.final is not None or track.retired or BURN_ALARM in track.kpi.indicators
