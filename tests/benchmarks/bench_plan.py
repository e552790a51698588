"""One cycle over all KPIs of the shipped rule files, beside the seven of `bench_cycle` on the same feed.

`python -m tests.benchmarks.bench_plan [SERIES …]`: every KPI over 1, 100, 1,000 and 10,000 series. A cycle is: store
what one source brings, evaluate all KPIs, store, render. One series in a hundred breaches, and does so throughout.
Seven hours of the sprint have passed, so that windows, trends and alerts are those of every day. What people sign is
fed as bool indicators; up to 1,000 series it is measured as sign-offs, too, which are objects, not arrays.
`--each SERIES` prints what each KPI costs by itself, judged without the store.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from slo_guard.clock import from_unix
from slo_guard.domain.kpi import KPI, Plan
from slo_guard.domain.ports import StoredObservation
from slo_guard.domain.verdicts import Verdict
from slo_guard.evaluate import EvaluationState, evaluate
from slo_guard.expose.render import KpiRenderer
from slo_guard.jobs import EvaluationBacklog, collect_once, evaluate_once
from slo_guard.store import open_store
from tests.benchmarks.seven_kpis import plan as seven_kpis
from tests.benchmarks.whole_plan import FedSource, shipped_plan

HISTORY_SECONDS, HISTORY_STEP, EVALUATED_EVERY = 7 * 3600, 300, 12
WARM_CYCLES, CYCLES, STEP = 2, 9, 30
TREND_SECONDS = 600
MOST_SIGN_OFFS = 1_000
STAGES = ("collect and store", "evaluate and store", "render")


def history_of(plan: Plan) -> list[float]:
    """Return when the collections ran that came before those that are measured."""
    start = min(sprint.start_at for sprint in plan.sprints.values())
    return [start + HISTORY_STEP * number for number in range(HISTORY_SECONDS // HISTORY_STEP)]


def cycles_of(plan: Plan) -> list[float]:
    """Return when the measured cycles are: the first are warm-up, the last is one that works out trends anew."""
    first = min(sprint.start_at for sprint in plan.sprints.values()) + HISTORY_SECONDS
    return [*(first + STEP * number for number in range(WARM_CYCLES + CYCLES)), first + TREND_SECONDS]


def measure(plan: Plan, series: int, signed: frozenset[str] = frozenset()) -> dict[str, float]:
    """Run cycles and return medians: seconds by stage, CPU seconds; and the number of series, and peak memory in MiB."""
    folder = Path(tempfile.mkdtemp())
    source, store = FedSource(plan, series, signed), open_store(folder / "bench.db")
    state, backlog, renderer = EvaluationState.fresh(), EvaluationBacklog(), KpiRenderer()
    for number, at in enumerate(history_of(plan), start=1):
        source.prepare(at)
        collect_once(source, store, from_unix(at))
        if number % EVALUATED_EVERY == 0:
            evaluate_once(plan, store, state, from_unix(at), backlog)
    rows: list[dict[str, float]] = []
    for at in cycles_of(plan):
        source.prepare(at)
        gc.collect()
        now, marks, cpu = from_unix(at), [time.perf_counter()], time.process_time()
        collect_once(source, store, now)
        marks.append(time.perf_counter())
        evaluation = evaluate_once(plan, store, state, now, backlog)
        marks.append(time.perf_counter())
        page = renderer.render(list(evaluation.verdicts), state.alerts, plan.kpis)
        marks.append(time.perf_counter())
        row = dict(zip(STAGES, np.diff(marks).tolist(), strict=True))
        rows.append({**row, "whole": marks[-1] - marks[0], "cpu": time.process_time() - cpu, "page": len(page) / 2**20})
    store.close()
    shutil.rmtree(folder)
    tally = sum(np.bincount(frame.verdict, minlength=len(Verdict)) for frame in evaluation.verdicts)
    found = {name: statistics.median(row[name] for row in rows[WARM_CYCLES:-1]) for name in rows[0]}
    found |= {f"verdict {verdict.label}": int(tally[verdict]) for verdict in Verdict if tally[verdict]}
    return found | {
        "fed": source.series,
        "judged": int(tally.sum()),
        "with trends": rows[-1]["evaluate and store"],
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure_each(series: int) -> list[tuple[float, float, str, str]]:
    """Return for each KPI, dearest first: us a series of a cycle, of one that works out trends, id and measure."""
    plan, _ = shipped_plan()
    found = []
    for kpi in plan.kpis:
        usual, trend = _evaluated_alone(plan, kpi, series)
        found.append((usual / series * 1e6, trend / series * 1e6, kpi.id, kpi.measure.text))
    return sorted(found, reverse=True)


def _evaluated_alone(plan: Plan, kpi: KPI, series: int) -> tuple[float, float]:
    """Return the seconds of an evaluation of one KPI, and of one that works out its trend."""
    alone = replace(plan, kpis=(replace(kpi, when=None),))
    source, state = FedSource(alone, series), EvaluationState.fresh()
    took, number = [], 0
    for at in (*history_of(plan), *cycles_of(plan)):
        source.prepare(at)
        readings = source.collect(at, None).observations
        stored = [StoredObservation(number + place, each) for place, each in enumerate(readings, start=1)]
        number += len(stored)
        began = time.perf_counter()
        evaluate(alone, stored, state, from_unix(at))
        took.append(time.perf_counter() - began)
    return statistics.median(took[-CYCLES - 1 : -1]), took[-1]


def child(part: str, series: int) -> dict[str, float]:
    """Measure a part in a process of its own, on one core, so that its peak memory is its own."""
    found = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_plan", part, str(series)],
        stdout=subprocess.PIPE,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {0}),
    )
    return json.loads(found.stdout)


def report(series: int) -> None:
    """Measure one size and print its lines."""
    seven, whole = child("--seven", series), child("--whole", series)
    print_costs(f"{series:>7,} series x 7 KPIs", seven)
    print_costs(f"{series:>7,} series x {len(shipped_plan()[0].kpis)} KPIs", whole)
    verdicts = ", ".join(f"{n:,.0f} {name[8:]}" for name, n in whole.items() if name.startswith("verdict "))
    print(f"{'':>25} {verdicts}; {whole['with trends'] * 1e3:,.1f} ms where trends are worked out anew")
    ratios = {name: whole[name] / whole["judged"] / (seven[name] / seven["judged"]) for name in (*STAGES, "whole")}
    said = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
    print(f"{'':>25} all KPIs over seven, by cost a judged series: {said}")
    if series <= MOST_SIGN_OFFS:
        print_costs(f"{series:>7,} with what is signed", child("--signed", series))


def print_costs(what: str, costs: dict[str, float]) -> None:
    """Print what a cycle costs, and what a judged series does."""
    stages = ", ".join(f"{stage} {costs[stage] * 1e3:,.1f} ms" for stage in STAGES)
    each = ", ".join(f"{stage} {costs[stage] / costs['judged'] * 1e6:.2f}" for stage in STAGES)
    print(f"{what:>25}: cycle {costs['whole'] * 1e3:,.1f} ms ({stages})")
    print(
        f"{'':>25} CPU {costs['cpu']:.3f} s, peak {costs['memory']:,.0f} MiB, page {costs['page']:.1f} MiB;"
        f" {costs['judged']:,.0f} judged, us each: {each}, whole {costs['whole'] / costs['judged'] * 1e6:.2f}"
    )


def main() -> None:
    """Run all sizes, or the part that a child process is asked for."""
    match sys.argv[1:]:
        case ["--seven", series]:
            print(json.dumps(measure(seven_kpis(), int(series))))
        case ["--whole", series]:
            plan, _ = shipped_plan()
            print(json.dumps(measure(plan, int(series))))
        case ["--signed", series]:
            plan, signed = shipped_plan()
            print(json.dumps(measure(plan, int(series), signed)))
        case ["--each", series]:
            for usual, trend, kpi, text in measure_each(int(series)):
                print(f"{usual:8.2f} us {trend:8.2f} us  {kpi} ({text})")
        case sizes:
            for series in [int(size) for size in sizes] or [1, 100, 1_000, 10_000]:
                report(series)


if __name__ == "__main__":
    main()
