"""One cycle of slo_guard beside Prometheus's rule evaluation on the same series, in the same run.

`python -m tests.benchmarks.bench_cycle [SERIES …]`: seven KPIs like the shipped lanes over 1, 100, 10,000 and
100,000 series each. A cycle is: collect nine indicators over HTTP (parsed), store them, evaluate, store, render.
One series in a hundred breaches, and does so throughout. The source runs in a process of its own on core 1,
slo_guard on core 0; Prometheus (Debian's) runs with both, scrapes the same series and evaluates seven equal rules.
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
from pathlib import Path

import numpy as np

from slo_guard.clock import from_unix
from slo_guard.collect import COLLECTORS
from slo_guard.evaluate import EvaluationState
from slo_guard.expose.render import KpiRenderer
from slo_guard.jobs import EvaluationBacklog, collect_once, evaluate_once
from slo_guard.store import open_store
from tests.benchmarks.prometheus_peer import free_port, measure_rules, running
from tests.benchmarks.seven_kpis import INDICATORS, PROMETHEUS_RULES, plan, sample

WARM_CYCLES, CYCLES = 2, 7


def serve(series: int, port: int) -> None:
    """Serve the query API and a /metrics page over the same series; runs in a process of its own."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from urllib.parse import parse_qs, urlsplit

    names = [f'"tenant":"t{n:06d}","region":"eu-west-{n % 3}"' for n in range(series)]
    cycles: dict[str, int] = {}

    def answer(query: str) -> bytes:
        cycle = cycles[query] = cycles.get(query, 0) + 1
        rows = zip(names, sample(query, series, cycle).tolist(), strict=True)
        inner = ",".join(f'{{"metric":{{{name}}},"value":[{cycle * 30}.5,"{value!r}"]}}' for name, value in rows)
        return f'{{"status":"success","data":{{"resultType":"vector","result":[{inner}]}}}}'.encode()

    def page() -> bytes:
        cycle = cycles["page"] = cycles.get("page", 0) + 1
        lines = []
        for indicator in INDICATORS:
            lines.append(f"# TYPE {indicator} {'counter' if indicator.endswith('_total') else 'gauge'}\n")
            for n, value in enumerate(sample(indicator, series, cycle).tolist()):
                lines.append(f'{indicator}{{tenant="t{n:06d}",region="eu-west-{n % 3}"}} {value!r}\n')
        return "".join(lines).encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one write an answer: two would wait for each other's acknowledgement

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            self._say(page() if url.path == "/metrics" else answer(parse_qs(url.query)["query"][0]))

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self._say(answer(form["query"][0]))

        def _say(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def measure_slo_guard(port: int) -> dict[str, float]:
    """Run cycles and return medians: seconds by stage, CPU seconds, and peak memory in MiB."""
    kind = COLLECTORS["prometheus"]
    indicators = [{"name": name, "type": type_, "query": name} for name, type_ in INDICATORS.items()]
    options = kind.options.model_validate(
        {
            "name": "bench",
            "type": "prometheus",
            "url": f"http://127.0.0.1:{port}",
            "backfill": False,
            "indicators": indicators,
            "timeout": "120s",
            "http": {"max_response": "256MiB", "read_timeout": "100s", "total_timeout": "110s"},
        }
    )
    folder = Path(tempfile.mkdtemp())
    collector, store = kind.build(options, None), open_store(folder / "bench.db")
    guarded, state, backlog, renderer = plan(), EvaluationState.fresh(), EvaluationBacklog(), KpiRenderer()
    frames: dict[tuple[str, str], object] = {}
    rows: list[dict[str, float]] = []
    for cycle in range(WARM_CYCLES + CYCLES):
        now = from_unix(1_000_000.0 + 30.0 * cycle)
        gc.collect()
        marks, cpu = [time.perf_counter()], time.process_time()
        collect_once(collector, store, now)
        marks.append(time.perf_counter())
        evaluation = evaluate_once(guarded, store, state, now, backlog)
        marks.append(time.perf_counter())
        frames |= {(frame.kpi.sprint, frame.kpi.id): frame for frame in evaluation.verdicts}
        page = renderer.render(list(frames.values()), state.alerts, guarded.kpis)
        marks.append(time.perf_counter())
        row = dict(zip(("collect and store", "evaluate and store", "render"), np.diff(marks), strict=True))
        rows.append({**row, "whole": marks[-1] - marks[0], "cpu": time.process_time() - cpu, "page": len(page) / 2**20})
    collector.close()
    store.close()
    shutil.rmtree(folder)
    medians = {name: statistics.median(row[name] for row in rows[WARM_CYCLES:]) for name in rows[0]}
    return medians | {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def report(series: int) -> None:
    """Measure one size and print its lines."""
    port = free_port()
    serving = [sys.executable, "-m", "tests.benchmarks.bench_cycle", "--serve", str(series), str(port)]
    with running(serving, f"http://127.0.0.1:{port}/metrics", core=1):
        child = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.bench_cycle", "--cycle", str(port)],
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {0}),
        )
        ours = json.loads(child.stdout)
        rules = [{"alert": name, "expr": expr, "for": "0s"} for name, expr in PROMETHEUS_RULES.items()]
        peer = measure_rules(port, [{"name": "kpis", "rules": rules}], 2 if series <= 10_000 else 10)
    judged = 7 * series
    stages = ", ".join(
        f"{name} {ours[name] * 1e3:,.1f} ms" for name in ("collect and store", "evaluate and store", "render")
    )
    print(f"{series:>7,} series x 7 KPIs: cycle {ours['whole'] * 1e3:,.1f} ms ({stages})")
    print(
        f"{'':>24} CPU {ours['cpu']:.3f} s, peak {ours['memory']:,.0f} MiB, page {ours['page']:.1f} MiB,"
        f" {ours['evaluate and store'] / judged * 1e6:.2f} us a series evaluated and stored"
    )
    if peer is not None:
        ratio = peer["evaluate"] / ours["evaluate and store"]
        print(
            f"{'':>24} Prometheus: 7 rules {peer['evaluate'] * 1e3:,.1f} ms ({ratio:.1f} times ours),"
            f" CPU {peer['cpu']:.3f} s a cycle with its scrape ({peer['cpu'] / ours['cpu']:.1f} times), {peer['memory']:,.0f} MiB"
        )


def main() -> None:
    """Run all sizes, or the part that a child process is asked for."""
    match sys.argv[1:]:
        case ["--serve", series, port]:
            serve(int(series), int(port))
        case ["--cycle", port]:
            print(json.dumps(measure_slo_guard(int(port))))
        case sizes:
            for series in [int(size) for size in sizes] or [1, 100, 10_000, 100_000]:
                report(series)


if __name__ == "__main__":
    main()
