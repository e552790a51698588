"""Debian's Prometheus as the peer of a benchmark: it scrapes a source and evaluates rules, and says what that costs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(command: list[str], url: str, core: int | None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends, once ``url`` answers."""
    pinned = (lambda: os.sched_setaffinity(0, {core})) if core is not None else None
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=pinned)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(url, timeout=60).close()
                break
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(20)


def measure_rules(source_port: int, groups: Sequence[dict[str, Any]], every: int) -> dict[str, float] | None:
    """Let Prometheus scrape the source and evaluate ``groups`` every so many seconds; None where it is not installed.

    Returns seconds a cycle of all groups together, CPU seconds a cycle with the scrape, and memory in MiB.
    """
    if shutil.which("prometheus") is None:
        return None
    folder, port = Path(tempfile.mkdtemp()), free_port()
    (folder / "rules.yml").write_text(json.dumps({"groups": list(groups)}))
    scrape = {"job_name": "source", "static_configs": [{"targets": [f"127.0.0.1:{source_port}"]}]}
    times = {"scrape_interval": f"{every}s", "scrape_timeout": f"{every}s", "evaluation_interval": f"{every}s"}
    config = {"global": times, "rule_files": ["rules.yml"], "scrape_configs": [scrape]}
    (folder / "prometheus.yml").write_text(json.dumps(config))
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    base = f"http://127.0.0.1:{port}"

    def metric(name: str) -> float:
        text = urllib.request.urlopen(f"{base}/metrics", timeout=60).read().decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))

    with running(command, f"{base}/-/ready", None):
        time.sleep(4 * every)
        before, cpu, durations = (
            metric("prometheus_rule_group_iterations_total"),
            metric("process_cpu_seconds_total"),
            [],
        )
        for _ in range(5):
            time.sleep(every)
            durations.append(metric("prometheus_rule_group_last_duration_seconds"))
        cycles = max(1.0, (metric("prometheus_rule_group_iterations_total") - before) / len(groups))
        result = {
            "evaluate": statistics.median(durations),
            "cpu": (metric("process_cpu_seconds_total") - cpu) / cycles,
            "memory": metric("process_resident_memory_bytes") / 2**20,
        }
    shutil.rmtree(folder)
    return result
