"""1,000 SLOs, each with five windows and four pairs of burn alerts, beside the equal rules in Prometheus.

`python -m tests.benchmarks.bench_burn [SLOS …]`. The SLOs are written twice: as one rule `by: [service]`, which is how
slo_guard has them, and as a rule each, as tools without `by` must. Prometheus evaluates seven rules an SLO, as Sloth
writes them: five recorded windows, and an alert each for pages and tickets. Source on core 1, slo_guard on core 0.
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
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from slo_guard.clock import from_unix
from slo_guard.domain.kpi import (
    KPI,
    BurnPair,
    ErrorBudget,
    Matcher,
    MatchOp,
    Measure,
    Objective,
    Op,
    Plan,
    RatioPair,
    Reducer,
    Selection,
    Severity,
    Sprint,
    Window,
    WindowKind,
)
from slo_guard.domain.readings import Collection, GaugeFrame, IndicatorSpec, IndicatorType, Reading
from slo_guard.domain.series import SeriesIndex
from slo_guard.evaluate import EvaluationState
from slo_guard.expose.render import KpiRenderer
from slo_guard.jobs import EvaluationBacklog, collect_once, evaluate_once
from slo_guard.store import open_store
from tests.benchmarks.prometheus_peer import free_port, measure_rules, running

WARM_CYCLES, CYCLES = 240, 9
STEP_SECONDS = 30.0
START_AT = 1_783_296_000.0
ALLOWED = 0.001
TIERS = (
    BurnPair(3600.0, 300.0, 14.4, Severity.PAGE, "1h/5m"),
    BurnPair(21600.0, 1800.0, 6.0, Severity.PAGE, "6h/30m"),
    BurnPair(21600.0, 3600.0, 3.0, Severity.TICKET, "6h/1h"),
    BurnPair(21600.0, 7200.0, 1.0, Severity.TICKET, "6h/2h"),
)
WINDOWS = ("5m", "30m", "1h", "2h", "6h")


def values(slos: int, cycle: int) -> tuple[np.ndarray, np.ndarray]:
    """Return errors and requests so far; one service in a hundred burns its budget."""
    bad = np.arange(slos) % 100 == 99
    requests = np.full(slos, 30_000.0 * (cycle + 1)) + np.arange(slos)
    return np.where(bad, 0.05, 0.0002) * requests, requests


def plan(slos: int, *, one_rule: bool) -> Plan:
    """Return the SLOs as one rule by service, or as a rule each."""
    sprint = Sprint("s", "S", "UTC", date(2026, 7, 6), date(2026, 7, 17), START_AT, START_AT + 12 * 86400)
    month = Window(WindowKind.DURATION, 30 * 86400.0)

    def kpi(name: str, where: tuple[Matcher, ...], by: tuple[str, ...]) -> KPI:
        return KPI(
            id=name,
            sprint="s",
            lane="services",
            source=RatioPair(Selection("errors_total", where), Selection("requests_total", where), "bad"),
            measure=Measure(Reducer.RATIO, month, "ratio over 30d"),
            type=IndicatorType.COUNTER,
            unit="ratio",
            objective=Objective(Op.AT_MOST, ALLOWED, "at_most 0.1%"),
            error_budget=ErrorBudget(month, "30d", ALLOWED, burn_alerts=TIERS),
            by=by,
            interval_seconds=STEP_SECONDS,
        )

    if one_rule:
        return Plan({"s": sprint}, (kpi("service_slo", (), ("service",)),))
    each = (Matcher("service", MatchOp.EQUAL, f"s{n:06d}") for n in range(slos))
    return Plan({"s": sprint}, tuple(kpi(f"service_slo_{n}", (match,), ()) for n, match in enumerate(each)))


class Source:
    """A collector that brings both counters of all services, already parsed."""

    name = "services"
    indicators = (
        IndicatorSpec("errors_total", IndicatorType.COUNTER, "", "services"),
        IndicatorSpec("requests_total", IndicatorType.COUNTER, "", "services"),
    )

    def __init__(self, slos: int) -> None:
        self._slos, self._cycle = slos, 0
        self._index = SeriesIndex.of((("service", f"s{n:06d}"),) for n in range(slos))

    def collect(self, now: float, cursor: str | None) -> Collection:  # noqa: ARG002 - the port's
        """Return the counters of the next cycle."""
        self._cycle += 1
        frames = (GaugeFrame(self._index, each, now) for each in values(self._slos, self._cycle))
        named = zip(self.indicators, frames, strict=True)
        return Collection(self.name, now, tuple(Reading(spec.name, self.name, now, frame) for spec, frame in named))

    def close(self) -> None:
        """Do nothing."""


def measure(slos: int, *, one_rule: bool) -> dict[str, float]:
    """Run cycles after two hours of history; returns medians: seconds by stage, CPU seconds, and peak memory in MiB."""
    folder = Path(tempfile.mkdtemp())
    source, store, guarded = Source(slos), open_store(folder / "bench.db"), plan(slos, one_rule=one_rule)
    state, backlog, renderer, rows = EvaluationState.fresh(), EvaluationBacklog(), KpiRenderer(), []
    for cycle in range(WARM_CYCLES):
        collect_once(source, store, from_unix(START_AT + STEP_SECONDS * cycle))
    for cycle in range(WARM_CYCLES, WARM_CYCLES + CYCLES):
        now = from_unix(START_AT + STEP_SECONDS * cycle)
        gc.collect()
        collect_once(source, store, now)
        begun, cpu = time.perf_counter(), time.process_time()
        evaluation = evaluate_once(guarded, store, state, now, backlog)
        judged = time.perf_counter()
        renderer.render(list(evaluation.verdicts), state.alerts, guarded.kpis, evaluation.burn_alarm_seconds)
        rows.append((judged - begun, time.perf_counter() - judged, time.process_time() - cpu))
    assert len(state.alerts) > slos // 100, "the services that burn their budgets must fire"
    store.close()
    shutil.rmtree(folder)
    evaluate, render, spent = (statistics.median(column) for column in zip(*rows[2:], strict=True))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"evaluate": evaluate, "render": render, "cpu": spent, "memory": memory}


def sloth_groups(slos: int) -> list[dict[str, Any]]:
    """Return the equal rules of each service as Sloth writes them."""
    groups = []
    for n in range(slos):
        service = f'service="s{n:06d}"'
        rules: list[dict[str, Any]] = [
            {
                "record": f"slo:sli_error:ratio_rate{window}",
                "expr": f"sum(rate(errors_total{{{service}}}[{window}])) / sum(rate(requests_total{{{service}}}[{window}]))",
                "labels": {"slo": f"s{n:06d}"},
            }
            for window in WINDOWS
        ]
        for severity in (Severity.PAGE, Severity.TICKET):
            tiers = [pair for pair in TIERS if pair.severity is severity]
            expr = " or ".join(
                "("
                + " and ".join(
                    f'(slo:sli_error:ratio_rate{w}{{slo="s{n:06d}"}} > {t.factor * ALLOWED:g})'
                    for w in t.text.split("/")
                )
                + ")"
                for t in tiers
            )
            rules.append({"alert": "Burn", "expr": expr, "labels": {"severity": severity.value, "slo": f"s{n:06d}"}})
        groups.append({"name": f"s{n:06d}", "rules": rules})
    return groups


def serve(slos: int, port: int) -> None:
    """Serve both counters on a /metrics page; runs in a process of its own."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    cycle = 0

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1

        def do_GET(self) -> None:
            nonlocal cycle
            cycle += 1
            lines = []
            for name, numbers in zip(("errors_total", "requests_total"), values(slos, cycle), strict=True):
                lines.append(f"# TYPE {name} counter\n")
                lines += [f'{name}{{service="s{n:06d}"}} {value!r}\n' for n, value in enumerate(numbers.tolist())]
            body = "".join(lines).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def report(slos: int) -> None:
    """Measure one size and print its lines."""
    here = "tests.benchmarks.bench_burn"
    ours = {}
    for form in ("one", "each"):
        child = subprocess.run(
            [sys.executable, "-m", here, "--measure", form, str(slos)],
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {0}),
        )
        ours[form] = json.loads(child.stdout)
    port = free_port()
    with running([sys.executable, "-m", here, "--serve", str(slos), str(port)], f"http://127.0.0.1:{port}/", core=1):
        peer = measure_rules(port, sloth_groups(slos), 10)
    for form, words in (("one", "one rule by service"), ("each", "a rule each")):
        cost = ours[form]
        print(
            f"{slos:>7,} SLOs, {words}: evaluate and store {cost['evaluate'] * 1e3:,.1f} ms, render "
            f"{cost['render'] * 1e3:,.1f} ms, CPU {cost['cpu']:.3f} s, peak {cost['memory']:,.0f} MiB"
        )
        if peer is not None:
            print(
                f"{'':>14} Prometheus, {7 * slos:,} rules: {peer['evaluate'] * 1e3:,.0f} ms "
                f"({peer['evaluate'] / cost['evaluate']:.1f} times ours), CPU {peer['cpu']:.2f} s a cycle "
                f"({peer['cpu'] / cost['cpu']:.1f} times), {peer['memory']:,.0f} MiB"
            )


def main() -> None:
    """Run all sizes, or the part that a child process is asked for."""
    match sys.argv[1:]:
        case ["--serve", slos, port]:
            serve(int(slos), int(port))
        case ["--measure", form, slos]:
            print(json.dumps(measure(int(slos), one_rule=form == "one")))
        case sizes:
            for slos in [int(size) for size in sizes] or [1000]:
                report(slos)


if __name__ == "__main__":
    main()
