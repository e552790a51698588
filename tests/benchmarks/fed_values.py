"""What a KPI is fed so that 99 series of a hundred are fine and one breaches: found from its own rule, whatever it is."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from slo_guard.domain.kpi import KPI, Combine, Matcher, Objective, Op, Quotient, RatioPair, Reducer, Selection, Single
from slo_guard.domain.readings import FloatArray, IndicatorType

_REQUESTS = 1000.0
_SHARE = 0.9
"""The share of good or bad that is fine wherever no objective says another."""


@dataclass(frozen=True)
class Role:
    """What one selection is to the KPI that is fed by it; ``fold``: over how many series its sum is spread."""

    kpi: KPI
    part: str
    fold: int = 1

    def values(self, frame: int, bad: FloatArray) -> FloatArray:
        """Return a value a series for the ``frame``-th collection since the sprint began; ``bad`` ones breach."""
        noise = np.random.default_rng([frame, zlib.crc32(self.kpi.id.encode())]).random(len(bad))
        kpi, reducer = self.kpi, self.kpi.measure.reducer
        if isinstance(kpi.source, RatioPair):
            return self._counted(frame, bad)
        if isinstance(kpi.source, Quotient):
            return _REQUESTS * (frame + 1) * (np.ones(len(bad)) if self.part == "to" else _quotients(kpi, noise, bad))
        if kpi.type is IndicatorType.COUNTER or reducer is Reducer.DELTA:
            return 3.0 + frame * _steps(kpi.objective, bad)
        if kpi.type is IndicatorType.BOOL:
            return _truths(kpi, bad)
        if kpi.type is IndicatorType.EVENT and reducer in (Reducer.SUM, Reducer.COUNT):
            return np.ones(len(bad))
        return _gauges(kpi.objective or kpi.warn, frame, noise, bad) / self.fold

    def _counted(self, frame: int, bad: FloatArray) -> FloatArray:
        """Return the counters of a ratio: the total grows evenly, the part by the share that is fine or is not."""
        if self.part == "total":
            return np.full(len(bad), _REQUESTS * (frame + 1))
        assert isinstance(self.kpi.source, RatioPair)
        bound = _SHARE if self.kpi.objective is None else self.kpi.objective.bound
        if self.kpi.source.part_is == "good":
            shares = np.where(bad, 0.9 * bound, (1.0 + bound) / 2)
        else:
            shares = np.where(bad, min(1.0, 2.0 * bound), bound / 2)
        return _REQUESTS * shares * (frame + 1)


def roles_of(kpi: KPI) -> Iterator[tuple[Selection, Role]]:
    """Yield what ``kpi`` reads, and what each is to it."""
    match kpi.source:
        case Single(of=selection):
            yield selection, Role(kpi, "value", 2 if kpi.combine is Combine.SUM else 1)
        case RatioPair(part=part, total=total):
            yield part, Role(kpi, "part")
            yield total, Role(kpi, "total")
        case Quotient(of=one, to=other):
            yield one, Role(kpi, "of")
            yield other, Role(kpi, "to")


def example(matcher: Matcher) -> str:
    """Return a label value that a ``where`` entry takes: of a regex its first alternative, as it stands."""
    match matcher.op.name:
        case "EQUAL":
            return matcher.value
        case "NOT_EQUAL":
            return f"not-{matcher.value}"
        case _:
            return matcher.value.strip("()").split("|")[0]


def _truths(kpi: KPI, bad: FloatArray) -> FloatArray:
    """Return what is signed or not; a time total of an alarm is fine while the alarm is not on."""
    wanted = 0.0 if kpi.measure.reducer is Reducer.TOTAL else 1.0
    if kpi.objective is not None and kpi.objective.op is Op.IS:
        wanted = kpi.objective.bound
    return np.where(bad, 1.0 - wanted, wanted)


def _steps(objective: Objective | None, bad: FloatArray) -> FloatArray:
    """Return by how much a counter grows from collection to collection."""
    if objective is not None and objective.op in (Op.AT_LEAST, Op.ABOVE):
        return np.where(bad, 0.0, objective.bound + 1.0)
    return np.where(bad, 1.0, 0.0)


def _quotients(kpi: KPI, noise: FloatArray, bad: FloatArray) -> FloatArray:
    if kpi.objective is None:
        return np.where(bad, 0.5, 1.0 + 0.1 * noise)
    bound = kpi.objective.bound
    if kpi.measure.reducer is Reducer.SPREAD_ABS:
        return 1.0 + np.where(bad, 2.0 * bound, 0.5 * bound * noise)
    return _gauges(kpi.objective, 1, noise, bad)


def _gauges(objective: Objective | None, frame: int, noise: FloatArray, bad: FloatArray) -> FloatArray:
    """Return fresh numbers well within the objective, those of ``bad`` beyond it; without one, a gauge runs down."""
    if objective is None:
        return np.full(len(bad), 10.0) if frame == 0 else np.where(bad, 20.0, 10.0 - 0.01 * noise)
    bound = objective.bound
    match objective.op:
        case Op.AT_MOST | Op.BELOW:
            return np.where(bad, 2.0 * bound + 1.0, bound * (0.4 + 0.4 * noise))
        case Op.AT_LEAST | Op.ABOVE:
            return np.where(bad, 0.5 * bound - 1.0, bound * (1.2 + noise) + 1.0)
        case Op.BETWEEN:
            assert objective.upper is not None
            return np.where(bad, objective.upper + 1.0, bound + (objective.upper - bound) * noise)
        case _:
            return np.where(bad, bound + 1.0, bound)
