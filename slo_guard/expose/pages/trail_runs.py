"""A trail cut into what a picture is made of: points of a line, runs of one verdict, and what they come to in words.

Instants are Unix seconds (UTC).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from slo_guard.domain.kpi import KPI, Objective, Op
from slo_guard.domain.readings import BoolArray, FloatArray
from slo_guard.domain.trails import Trail
from slo_guard.domain.verdicts import Verdict
from slo_guard.expose.pages.moments import age_words

_LOWER = (Op.AT_LEAST, Op.ABOVE)
_FARTHEST = 1e300
_LEAST_PART = 1e-12
"""What differs by no more of itself is a level line: between its values there are too few numbers for ticks."""
_TELLING = (Verdict.MISSED, Verdict.NO_DATA, Verdict.INSUFFICIENT, Verdict.AT_RISK)


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of slots of one verdict, from ``start`` to ``end``; ``first`` and ``last`` are its slots."""

    start: float
    end: float
    verdict: Verdict
    first: int
    last: int


def runs_of(trail: Trail) -> Iterator[Run]:
    """Yield the stretches of one verdict, ascending; slots that were not judged are in none."""
    codes = trail.verdict
    if not len(codes):
        return
    cuts = np.flatnonzero(np.diff(codes)) + 1
    for first, beyond in zip([0, *cuts.tolist()], [*cuts.tolist(), len(codes)], strict=True):
        if codes[first] >= 0:
            start = float(trail.at[first]) - trail.slot_seconds
            yield Run(start, float(trail.at[beyond - 1]), Verdict(int(codes[first])), first, beyond - 1)


def bridged(trail: Trail, kpi: KPI) -> Trail:
    """Return ``trail`` with each verdict standing until the next evaluation, where slots are shorter than that."""
    most = math.ceil(kpi.interval_seconds / trail.slot_seconds) - 1
    codes = trail.verdict
    if most < 1 or not len(codes):
        return trail
    slots = np.arange(len(codes))
    last = np.maximum.accumulate(np.where(codes >= 0, slots, -1))
    source = np.where((last >= 0) & (slots - last <= most), last, slots)
    value, low, high = (each[source] for each in (trail.value, trail.low, trail.high))
    return Trail(trail.slot_seconds, trail.at, value, low, high, codes[source])


def judged_range(trail: Trail) -> tuple[float, float] | None:
    """Return from when to when a KPI was judged; None where it never was."""
    judged = np.flatnonzero(trail.verdict >= 0)
    if not len(judged):
        return None
    return float(trail.at[judged[0]]) - trail.slot_seconds, float(trail.at[judged[-1]])


def thinned(trail: Trail, objective: Objective | None, most: int) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return at most ``most`` points of a trail: when, value, and whether it was missed there.

    Of neighbours the worst by ``objective`` stays, without one the greatest. NaN where there is no value: there the
    line is broken.
    """
    at, value, missed = trail.at, trail.value, trail.verdict == Verdict.MISSED
    if len(at) <= most:
        return at, value, missed
    step = -(-len(at) // most)
    padding = -len(at) % step
    lower = objective is not None and objective.op in _LOWER
    padded = np.pad(value, (0, padding), constant_values=np.nan).reshape(-1, step)
    blank = np.isnan(padded).all(axis=1)
    filled = np.where(np.isnan(padded), np.inf if lower else -np.inf, padded)
    worst = filled.min(axis=1) if lower else filled.max(axis=1)
    ends = np.minimum(np.arange(1, len(padded) + 1) * step, len(at)) - 1
    any_missed: BoolArray = np.logical_or.reduce(np.pad(missed, (0, padding)).reshape(-1, step), axis=1)
    return at[ends], np.where(blank, np.nan, worst), any_missed


def bounds_of(objective: Objective | None) -> tuple[float, ...]:
    """Return the values at which an objective has a line; none for what is true or false."""
    if objective is None or objective.op is Op.IS:
        return ()
    return (objective.bound,) if objective.upper is None else (objective.bound, objective.upper)


def value_range(arrays: list[FloatArray], bounds: tuple[float, ...]) -> tuple[float, float] | None:
    """Return what a picture of all finite values and ``bounds`` reaches from and to; None without values.

    It is never empty, and its length never so great or small that places in it cannot be reckoned.
    """
    finite = [each[np.isfinite(each)] for each in arrays]
    if not any(len(each) for each in finite):
        return None
    values = np.clip(np.concatenate([*finite, bounds]), -_FARTHEST, _FARTHEST)
    low, high = float(values.min()), float(values.max())
    size = max(abs(low), abs(high))
    if high - low <= max(size * _LEAST_PART, 1 / _FARTHEST):
        spread = 0.1 * size if size > 1 / _FARTHEST else 1.0
        return low - spread, high + spread
    return low, high


def trail_words(trail: Trail, kpi: KPI, until: float) -> str:
    """Return how a KPI went in a sentence: ``judged for 4 d, of which missed up to 3 h 20 min``.

    "Up to": of a slot only its worst is known. ``until``: now (Unix seconds); the last slot may not be over.
    """
    spent = np.full(len(trail), trail.slot_seconds)
    spent[-1:] = np.clip(until - (trail.at[-1:] - trail.slot_seconds), 0.0, trail.slot_seconds)
    judged = float(spent[trail.verdict >= 0].sum())
    if not (trail.verdict >= 0).any():
        return "not judged yet"
    of = [(each, float(spent[trail.verdict == each].sum())) for each in _TELLING]
    told = [f"{each.label.replace('_', ' ')} up to {age_words(seconds)}" for each, seconds in of if seconds]
    seen = f"judged for {age_words(judged)}"
    if told:
        return f"{seen}, of which {', '.join(told)}"
    return f"{seen}, never {'missed' if kpi.objective is not None else 'without data'}"
