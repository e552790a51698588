"""Another indicator measured as the KPI's own is, so that two sources of one number can be held against each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from slo_guard.domain.kpi import KPI, Single, Sprint
from slo_guard.domain.readings import FloatArray
from slo_guard.domain.series import SeriesIndex
from slo_guard.evaluate.inputs import Input
from slo_guard.evaluate.measures import measure
from slo_guard.evaluate.rows import Groups
from slo_guard.evaluate.windows import Counted, Origin


class CrossCheck:
    """What the other indicator comes to; it is shown, and decides nothing."""

    def __init__(self, kpi: KPI, origin: Origin | None, end: float, sprint: Sprint, counted: Counted) -> None:
        assert kpi.cross_check is not None
        self._kpi = replace(kpi, source=Single(kpi.cross_check), objective=None, drift=None, pace=None)
        self._groups = Groups(kpi.by)
        selection = kpi.cross_check
        self.source = Input(self._kpi, selection, self._groups, origin, end, sprint.start_at, counted=counted)

    def values(self, index: SeriesIndex, start: float | None, now: float) -> FloatArray:
        """Return its value for each series of ``index``, shape (n,), NaN where it has none that is fresh."""
        measured = measure(self._kpi, (self.source,), self._groups, start, now)
        known = np.where(measured.fresh, measured.value, np.nan)
        codes = [self._groups.find(labels) for labels in index.label_sets]
        return np.array([np.nan if code is None or code >= len(known) else known[code] for code in codes])
