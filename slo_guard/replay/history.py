"""A backtest over a source with a memory, which is asked as time comes: a long history need not fit into memory."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeAlias

from slo_guard.domain.alerts import Transition
from slo_guard.domain.builtin import BURN_ALARM
from slo_guard.domain.kpi import Plan
from slo_guard.domain.ports import StoredObservation
from slo_guard.domain.readings import Reading
from slo_guard.evaluate import needed_from
from slo_guard.replay.backtest import backtest

History: TypeAlias = Callable[[str, float, float, float], Iterator[Reading]]
"""``history(indicator, since, through, until)``: its readings at ``through`` + k x its step within [since, until]."""


@dataclass(slots=True)
class Lookback:
    """What a backtest came upon in the history: indicators without any sample, and samples that were not usable."""

    empty: list[str] = field(default_factory=list)
    rejected: int = 0
    example: str = ""

    @property
    def notices(self) -> tuple[str, ...]:
        """What a user should know of the history, a sentence each."""
        said = []
        if self.empty:
            said.append(f"has no sample of {', '.join(self.empty)} in the time that was looked at")
        if self.rejected:
            said.append(f"{self.rejected:,} samples are not usable and count as missing ({self.example})")
        return tuple(said)


def backtest_history(plan: Plan, history: History, start: float, end: float, found: Lookback) -> Iterator[Transition]:
    """Yield what :func:`backtest` does of a history, each reading as of its own time; ``found`` tells what it was like.

    Each indicator is read from where the windows of its KPIs begin. Raises what ``history`` raises.
    """
    names = sorted({name for kpi in plan.kpis for name in kpi.indicators} - {BURN_ALARM})
    streams: dict[str, Iterator[Reading]] = {}
    for name in names:
        readers = tuple(kpi for kpi in plan.kpis if name in kpi.indicators)
        since = needed_from(replace(plan, kpis=readers), start)
        readings = _counted(history(name, since, start, end), found)
        first = next(readings, None)
        if first is None:
            found.empty.append(name)
        else:
            streams[name] = chain((first,), readings)
    merged = heapq.merge(*streams.values(), key=lambda reading: reading.seen_at)
    observations = (StoredObservation(number, reading) for number, reading in enumerate(merged, 1))
    yield from backtest(plan, observations, start, end, coming=streams.keys())


def _counted(readings: Iterator[Reading], found: Lookback) -> Iterator[Reading]:
    for reading in readings:
        if reading.rejected:
            found.rejected += reading.rejected
            found.example = found.example or f"{reading.indicator}{reading.example or ''}"
        yield reading
