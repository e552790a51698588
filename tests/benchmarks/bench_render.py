"""What rendering the metrics page costs a cycle, against prometheus_client on the same samples in the same run.

Run: ``python tests/benchmarks/bench_render.py [--json]``. Times are medians on one core; read the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import generate_latest

from slo_guard.domain.series import SeriesIndex
from slo_guard.domain.verdicts import Verdict, VerdictFrame
from slo_guard.expose.metrics_page import GzipPage
from slo_guard.expose.render import KpiRenderer
from tests.support.builders import a_kpi, an_objective
from tests.support.pictures import verdict_frame

SERIES = (1, 1_000, 100_000)


def frames_of(series: int, cycles: int) -> list[VerdictFrame]:
    """Return a frame a cycle over one index: all values fresh, a hundredth breached, coverage steady."""
    kpi = a_kpi("tenant_p95", by=("tenant",), unit="seconds", objective=an_objective("at_most", 1.16))
    index = SeriesIndex.of((("tenant", f"tenant-{number:06d}"),) for number in range(series))
    numbers = np.random.default_rng(0)
    frames = []
    for _ in range(cycles):
        values = numbers.gamma(2, 0.4, series)
        verdicts = np.where(numbers.random(series) < 0.01, Verdict.MISSED, Verdict.MET).tolist()
        rows = dict(zip(index.label_sets, values.tolist(), strict=True))
        frames.append(verdict_frame(kpi, rows, verdicts, index=index, coverage=[1.0] * series))
    return frames


def client_registry(frame: VerdictFrame) -> CollectorRegistry:
    """Return the same per-series families as gauges of the client library."""
    registry = CollectorRegistry()
    names = ("sprint", "lane", "kpi", "tenant")
    for family, extra, values in (
        ("value", (), frame.value),
        ("target", ("bound",), np.full(len(frame.index), 1.16)),
        ("breached", (), frame.verdict == Verdict.MISSED),
        ("coverage_ratio", (), frame.coverage),
    ):
        gauge = Gauge(f"slo_guard_kpi_{family}", "x", (*names, *extra), registry=registry)
        for labels, value in zip(frame.index.label_sets, values.tolist(), strict=True):
            gauge.labels("sprint-40", "ga-ops", "tenant_p95", labels[0][1], *(["at_most"] if extra else [])).set(value)
    return registry


def seconds(calls: list[Callable[[], Any]]) -> float:
    """Return the median time of ``calls``."""
    times = []
    for call in calls:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def measure(series: int) -> dict[str, float]:
    """Return the costs at ``series`` series, in seconds and bytes."""
    cycles = 15 if series >= 100_000 else 60
    frames = frames_of(series, cycles + 1)
    renderer = KpiRenderer()
    first = seconds([lambda: renderer.render([frames[0]], {})])
    fresh = seconds([lambda frame=frame: renderer.render([frame], {}) for frame in frames[1:]])
    unchanged = seconds([lambda: renderer.render([frames[-1]], {})] * cycles)
    page = renderer.render([frames[-1]], {})
    packed = seconds([lambda: GzipPage(page)] * 3)
    registry = client_registry(frames[-1])
    client = seconds([lambda: generate_latest(registry)] * (3 if series >= 100_000 else 15))
    return {
        "series": series,
        "page_bytes": len(page),
        "first": first,
        "fresh": fresh,
        "unchanged": unchanged,
        "gzip": packed,
        "prometheus_client": client,
        "ratio": client / fresh,
    }


def main() -> None:
    """Print one line a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    results = [measure(series) for series in SERIES]
    if arguments.json:
        click.echo(json.dumps(results, indent=2))
        return
    click.echo(
        f"{'series':>8} {'page':>9} {'first':>9} {'fresh':>9} {'unchanged':>10} {'gzip -1':>9} {'client':>10} {'client/fresh':>13}"
    )
    for row in results:
        times = [f"{row[name] * 1e3:.2f} ms" for name in ("first", "fresh", "unchanged", "gzip", "prometheus_client")]
        size = f"{row['page_bytes'] / 1e6:.2f} MB"
        click.echo(
            f"{row['series']:>8,} {size:>9} {times[0]:>9} {times[1]:>9} {times[2]:>10} {times[3]:>9} {times[4]:>10} {row['ratio']:>12.1f}x"
        )


if __name__ == "__main__":
    main()
