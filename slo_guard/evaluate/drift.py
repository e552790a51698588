"""The trend of each group of a KPI, from the trails of its inputs."""

from __future__ import annotations

import numpy as np

from slo_guard.domain.kpi import KPI, Combine, Quotient, Reducer
from slo_guard.domain.readings import FloatArray
from slo_guard.evaluate.inputs import Input
from slo_guard.evaluate.objectives import worst_of_gauges
from slo_guard.evaluate.rows import Groups
from slo_guard.evaluate.trend import theil_sen


class GroupTrend:
    """Level and slope of the measured values; worked out anew once a stretch of the trail, not at each evaluation."""

    def __init__(self, kpi: KPI, groups: Groups, inputs: tuple[Input, ...]) -> None:
        self._kpi = kpi
        self._groups = groups
        self._inputs = inputs
        self._as_of: tuple[int, ...] | None = None
        self._level: FloatArray = np.zeros(0)
        self._slope: FloatArray = np.zeros(0)
        self._last_at = 0.0

    def at(self, now: float) -> tuple[FloatArray, FloatArray]:
        """Return the level at ``now`` and the slope (per second), NaN where too little is known; shape (groups,)."""
        trails = [source.trail for source in self._inputs if source.trail is not None]
        editions = [number for trail in trails for number in trail.edition(now)]
        as_of = (*editions, len(self._groups), *(len(source.rows) for source in self._inputs))
        if as_of != self._as_of:
            self._as_of = as_of
            times, values = self._points(now)
            self._slope, self._level = theil_sen(times, values)
            self._last_at = float(times[-1]) if len(times) else now
        return self._level + self._slope * (now - self._last_at), self._slope

    def _points(self, now: float) -> tuple[FloatArray, FloatArray]:
        """Return times, shape (points,), and values by group, shape (points, groups)."""
        sides = [self._folded(source, now) for source in self._inputs]
        stretches, values = sides[0]
        if isinstance(self._kpi.source, Quotient):
            stretches, here, there = np.intersect1d(stretches, sides[1][0], return_indices=True)
            totals = sides[1][1][there]
            with np.errstate(invalid="ignore", divide="ignore"):
                values = np.where(totals != 0, values[here] / totals, np.nan)
            if self._kpi.measure.reducer is Reducer.SPREAD_ABS:
                values = np.abs(values - 1.0)
        trail = self._inputs[0].trail
        assert trail is not None
        return trail.seconds(stretches), values

    def _folded(self, source: Input, now: float) -> tuple[np.typing.NDArray[np.int64], FloatArray]:
        assert source.trail is not None
        stretches, values = source.trail.until(now, len(source.rows))
        combine = source.kpi.combine or worst_of_gauges(source.kpi.objective) or Combine.MAX
        folded = [source.folding.reduce(row, combine) for row in values]
        return stretches, np.stack(folded) if folded else np.empty((0, len(self._groups)))
