"""How a KPI went over its sprint, as a picture of one line: value, objective, and where it was missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from markupsafe import Markup

from slo_guard.domain.kpi import KPI, Sprint
from slo_guard.domain.readings import IndicatorType
from slo_guard.domain.trails import Trail
from slo_guard.domain.verdicts import Verdict
from slo_guard.expose.pages.scale import Scale
from slo_guard.expose.pages.trail_runs import (
    Run,
    bounds_of,
    bridged,
    judged_range,
    runs_of,
    thinned,
    trail_words,
    value_range,
)
from slo_guard.expose.snapshot import Snapshot

_WIDTH, _HEIGHT = 240.0, 40.0
_TOP, _FLOOR = 4.0, 30.0
"""Between these the line is drawn; below them is the strip of verdicts."""

_MOST_POINTS, _MOST_RUNS = 120, 80
_STRIP = {
    Verdict.MISSED: (33.0, 7.0),
    Verdict.NO_DATA: (34.0, 5.0),
    Verdict.INSUFFICIENT: (36.0, 3.0),
    Verdict.AT_RISK: (35.0, 5.0),
    Verdict.NOT_DUE: (37.5, 1.5),
    Verdict.MET: (37.0, 2.0),
}
"""Where the strip's bar of a verdict begins and how high it is: what is worse is higher, whatever its colour."""

_DOT_BELOW = 0.04


def spark_of(kpi: KPI, snapshot: Snapshot) -> Markup | None:
    """Return the picture of a KPI of ``snapshot``; None where nothing is known of how it went."""
    key = (kpi.sprint, kpi.id)
    sprint, trail = snapshot.plan.sprints.get(kpi.sprint), snapshot.trails.get(key)
    seen = None if trail is None else judged_range(trail)
    if sprint is not None and trail is not None and seen is not None:
        times = sprint.start_at, sprint.end_at
        if not is_dot(seen, sprint):
            return sparkline(bridged(trail, kpi), kpi, times, "over the sprint", snapshot.at)
    # Of a sprint that has been watched for minutes only a dot would be seen: lately is what there is to see.
    lately = snapshot.recent_trails.get(key, trail)
    seen = None if lately is None else judged_range(lately)
    if lately is None or seen is None:
        return None
    return sparkline(bridged(lately, kpi), kpi, seen, "lately", snapshot.at)


def is_dot(seen: tuple[float, float], sprint: Sprint) -> bool:
    """Whether so little of a sprint has been seen that a picture of all of it shows nothing."""
    return seen[1] - seen[0] < _DOT_BELOW * (sprint.end_at - sprint.start_at)


def sparkline(trail: Trail, kpi: KPI, times: tuple[float, float], when: str, now: float) -> Markup:
    """Return the picture of ``trail`` between two instants; a screen reader reads what it comes to instead."""
    runs = list(runs_of(trail))
    words = f"{kpi.title or kpi.id} {when}: {trail_words(trail, kpi, now)}"
    parts = [*bars(runs, Scale(times, (0.0, 1.0), (0.0, _TOP, _WIDTH, _FLOOR)))]
    if kpi.type is not IndicatorType.BOOL:
        parts += _line(trail, kpi, times)
    return Markup(
        '<svg class="spark" viewBox="0 0 240 40" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format(words, Markup("".join(parts)))  # noqa: S704 - as above


def _line(trail: Trail, kpi: KPI, times: tuple[float, float]) -> Iterator[str]:
    bounds = bounds_of(kpi.objective)
    at, value, missed = thinned(trail, kpi.objective, _MOST_POINTS)
    values = value_range([value], bounds)
    if values is None:
        return
    scale = Scale(times, values, (0.0, _TOP, _WIDTH, _FLOOR))
    for bound in bounds:
        yield f'<path class="goal" d="M0 {scale.y(bound):.1f}H240"/>'
    yield f'<path class="line" d="{scale.path(at, value)}"/>'
    if missed.any():
        yield f'<path class="line bad" d="{scale.path(at, np.where(missed, value, np.nan))}"/>'


def bars(runs: Sequence[Run], scale: Scale, *, zones: bool = True) -> Iterator[str]:
    """Yield the strip of verdicts; with ``zones`` what was missed is shaded up to the top."""
    for run in _joined(runs):
        place = _STRIP.get(run.verdict)
        if place is None:
            continue
        x = scale.x(run.start)
        width = max(scale.x(run.end) - x, 0.8)
        name = run.verdict.label.replace("_", "-")
        if zones and run.verdict is Verdict.MISSED:
            yield f'<rect class="zone" x="{x:.1f}" y="0" width="{width:.1f}" height="33"/>'
        yield f'<rect class="bar-{name}" x="{x:.1f}" y="{place[0]}" width="{width:.1f}" height="{place[1]}"/>'


def _joined(runs: Sequence[Run]) -> Iterator[Run]:
    """Yield at most so many runs: of a verdict that flaps all the time the worst ones stay."""
    if len(runs) <= _MOST_RUNS:
        yield from runs
        return
    step = -(-len(runs) // _MOST_RUNS)
    for start in range(0, len(runs), step):
        group = runs[start : start + step]
        worst = max(run.verdict for run in group)
        yield Run(group[0].start, group[-1].end, worst, group[0].first, group[-1].last)
