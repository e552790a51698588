"""A collector without a source, for tests of what comes after collecting; it keeps the collectors' contract."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from slo_guard.domain.readings import (
    Collection,
    CollectionFailure,
    GaugeFrame,
    IndicatorSpec,
    IndicatorType,
    Observation,
    Reading,
)
from slo_guard.domain.series import LabelSet, SeriesIndex


class FakeCollector:
    """Gives the values that it was given, until it is told to fail."""

    def __init__(self, name: str, values: Mapping[str, Mapping[LabelSet, float]], unit: str = "") -> None:
        self._name = name
        self.values = {indicator: dict(series) for indicator, series in values.items()}
        self._unit = unit
        self._failure: tuple[str, str] | None = None
        self.closed = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def indicators(self) -> tuple[IndicatorSpec, ...]:
        return tuple(IndicatorSpec(each, IndicatorType.GAUGE, self._unit, self._name) for each in self.values)

    def fail(self, reason: str, message: str) -> None:
        """Fail from now on, until :meth:`recover`."""
        self._failure = (reason, message)

    def recover(self) -> None:
        self._failure = None

    def collect(self, now: float, cursor: str | None) -> Collection:  # noqa: ARG002 - it has no memory
        if self._failure is not None:
            reason, message = self._failure
            failure = CollectionFailure(self._name, tuple(self.values), now, reason, message)
            return Collection(self._name, now, (failure,))
        readings: list[Observation] = [
            Reading(
                indicator,
                self._name,
                now,
                GaugeFrame(SeriesIndex.of(series), np.array(list(series.values()), dtype=np.float64), now),
            )
            for indicator, series in self.values.items()
        ]
        return Collection(self._name, now, tuple(readings))

    def close(self) -> None:
        self.closed = True
