"""What a page costs whoever asks for it: the board with 66 KPIs, and the page of a KPI with 1 to 10,000 series.

Run: ``python tests/benchmarks/bench_pages.py [--json]``. Times are medians of CPU on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from slo_guard.domain.explanations import Unexplained
from slo_guard.domain.series import SeriesIndex
from slo_guard.domain.trails import Trail
from slo_guard.domain.verdicts import Verdict
from slo_guard.expose.pages.kpi import Told
from slo_guard.expose.pages.rendering import Pages
from slo_guard.expose.snapshot import Snapshot
from tests.support.builders import SPRINT_END, SPRINT_START, a_kpi, a_plan, an_objective
from tests.support.pictures import NOW, a_snapshot, verdict_frame

KPIS, SLOTS = 66, 400
NUMBERS = np.random.default_rng(0)


def a_course() -> Trail:
    """Return a sprint of 400 slots, a twentieth of them missed."""
    slot = (SPRINT_END - SPRINT_START) / SLOTS
    at = SPRINT_START + slot * np.arange(1, SLOTS + 1)
    value = NUMBERS.gamma(2, 0.4, SLOTS)
    verdict = np.where(NUMBERS.random(SLOTS) < 0.05, Verdict.MISSED, Verdict.MET).astype(np.int8)
    return Trail(slot, at, value, value * 0.8, value * 1.2, verdict)


def a_board(series: int) -> Snapshot:
    """Return 66 KPIs in six lanes, each with a course and ``series`` series."""
    base = a_kpi("k", by=("tenant",), unit="seconds", objective=an_objective("at_most", 1.16))
    kpis = [replace(base, id=f"kpi_{n:02d}", title=f"KPI {n}", lane=f"lane-{n % 6}") for n in range(KPIS)]
    index = SeriesIndex.of((("tenant", f"tenant-{number:06d}"),) for number in range(series))
    rows = dict(zip(index.label_sets, NUMBERS.gamma(2, 0.4, series).tolist(), strict=True))
    frames = [verdict_frame(kpi, rows, Verdict.MET, index=index) for kpi in kpis]
    trails = {(kpi.sprint, kpi.id): a_course() for kpi in kpis}
    return a_snapshot(frames, plan=a_plan(*kpis), trails=trails)


def median_ms(call: Callable[[], Any], times: int) -> float:
    """Return the median time of ``call`` in milliseconds."""
    spent = []
    for _ in range(times):
        started = time.process_time()
        call()
        spent.append(time.process_time() - started)
    return statistics.median(spent) * 1e3


def measure(series: int) -> dict[str, float]:
    """Return the costs where each KPI has ``series`` series, in milliseconds and bytes."""
    snapshot, pages = a_board(series), Pages.load()
    kpi = snapshot.kpis[0]

    def of_one_kpi() -> str:
        return pages.kpi(kpi, snapshot, Unexplained("not asked"), Told(), NOW)

    first = median_ms(lambda: Pages.load().board(snapshot, NOW), 3) - median_ms(Pages.load, 3)
    seconds = iter(range(100))
    again = median_ms(lambda: pages.board(snapshot, NOW + next(seconds)), 15)
    shared = median_ms(lambda: pages.board(snapshot, NOW), 15)
    return {
        "series": series,
        "board_first_ms": first,
        "board_again_ms": again,
        "board_shared_ms": shared,
        "board_bytes": len(pages.board(snapshot, NOW)),
        "kpi_ms": median_ms(of_one_kpi, 9),
        "kpi_bytes": len(of_one_kpi()),
    }


def main() -> None:
    """Print one line a number of series."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    results = [measure(series) for series in (1, 10, 10_000)]
    if arguments.json:
        click.echo(json.dumps(results, indent=2))
        return
    click.echo(
        f"{'series':>8} {'board first':>12} {'board again':>12} {'same second':>12} {'board':>9} {'KPI page':>10} {'KPI page':>9}"
    )
    for row in results:
        click.echo(
            f"{row['series']:>8,} {row['board_first_ms']:>9.1f} ms {row['board_again_ms']:>9.1f} ms {row['board_shared_ms']:>9.2f} ms"
            f" {row['board_bytes'] / 1e3:>6.0f} kB {row['kpi_ms']:>7.1f} ms {row['kpi_bytes'] / 1e3:>6.0f} kB"
        )


if __name__ == "__main__":
    main()
