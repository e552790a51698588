"""The built-in indicator of burn alarms: at each evaluation, whether any burn alert that pages fires in a sprint.

It is a bool like any other, so that ``total over sprint`` of it is the time during which at least one alert fired: the
union over KPIs, series and tiers. What nobody could see is no sample: it is not observed, and never counted as quiet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from slo_guard.domain.alerts import AlertKind
from slo_guard.domain.builtin import BURN_ALARM, burn_alarm_index, burn_alarm_kpi
from slo_guard.domain.kpi import KPI, Severity, Sprint
from slo_guard.domain.readings import GaugeFrame, Reading
from slo_guard.domain.verdicts import AlertState
from slo_guard.evaluate.tracks import KpiTrack

_OBSERVED_INTERVALS = 1.5
_SOURCE = "slo_guard"


def may_sound(kpi: KPI) -> bool:
    """Whether the KPI has burn alerts that page."""
    return kpi.error_budget is not None and any(pair.severity is Severity.PAGE for pair in kpi.error_budget.burn_alerts)


class BurnAlarm:
    """The burn alarm of one sprint: what it reads of the KPIs' tracks, and the time for which it has sounded."""

    def __init__(self, sprint: Sprint, kpis: Iterable[KPI], before: BurnAlarm | None) -> None:
        self.kpis = tuple(kpis)
        self.sprint = sprint
        slowest = max(_OBSERVED_INTERVALS * kpi.interval_seconds for kpi in self.kpis)
        kpi = burn_alarm_kpi(sprint, fresh_for_seconds=slowest)
        self.track: KpiTrack = KpiTrack(kpi, sprint)
        if before is not None and before.track.serves(kpi, sprint):
            self.track = before.track
        self._index = burn_alarm_index(sprint.id)

    def seconds(self, now: float) -> float:
        """Return for how long it has sounded within the sprint, up to ``now``; seconds.

        It only grows: while nobody sees anything the verdict has no value, but what has sounded has sounded.
        """
        sounded, groups = self.track.inputs[0].true_time, len(self.track.groups)
        if sounded is None or now <= self.sprint.start_at:
            return 0.0
        return float(sounded.within(self.sprint.start_at, min(now, self.sprint.end_at), groups).sum())

    def takes(self, reading: Reading, judged_before: float) -> bool:
        """Whether a stored reading is of this alarm, not later than that, and later than what has been taken in."""
        frame, last = reading.frame, self.track.inputs[0].frame_at
        if not isinstance(frame, GaugeFrame) or frame.index.label_sets != self._index.label_sets:
            return False
        return frame.at <= judged_before and (last is None or frame.at > last)

    def reading(self, tracks: Mapping[tuple[str, str], KpiTrack], now: float) -> Reading:
        """Return whether it sounds at ``now``; without a sample where a KPI that does not fire could not be judged."""
        sounding, seen = False, True
        for kpi in self.kpis:
            track = tracks[kpi.sprint, kpi.id]
            for slot, alerts in track.alerts.items():
                if slot.kind is AlertKind.BURN and slot.severity(kpi) is Severity.PAGE:
                    sounding = sounding or bool((alerts.state == AlertState.FIRING).any())
            seen = seen and (track.final is not None or track.was_seen(now))
        present = None if sounding or seen else np.zeros(1, dtype=bool)
        frame = GaugeFrame(self._index, np.array([float(sounding)]), now, present)
        return Reading(BURN_ALARM, _SOURCE, now, frame)
