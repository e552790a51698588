"""Debian's Prometheus as a process of its own, on a free port, with its own config and data."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.support.daemon import eventually


class PrometheusServer:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[tuple[Mapping[str, str], float]]:
        """Return the series of an instant query: labels and value."""
        answer = requests.get(f"{self.url}/api/v1/query", {"query": expression}, timeout=10)
        answer.raise_for_status()
        return [(each["metric"], float(each["value"][1])) for each in answer.json()["data"]["result"]]


@contextmanager
def running_prometheus(
    folder: Path,
    targets: Mapping[str, str],
    *,
    port: int | None = None,
    alerts: list[dict[str, Any]] | None = None,
    flags: Sequence[str] = (),
) -> Iterator[PrometheusServer]:
    """Run a Prometheus that scrapes ``targets`` (address by job name) and evaluates ``alerts`` every second.

    Blocks that stand in ``folder``/data already are its history; ``flags`` are further ones of its command line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    jobs = [{"job_name": job, "static_configs": [{"targets": [address]}]} for job, address in targets.items()]
    every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (folder / "alerts.yml").write_text(json.dumps({"groups": [{"name": "alerts", "rules": alerts or []}]}))
    config = {"global": every, "scrape_configs": jobs, "rule_files": ["alerts.yml"]}
    (folder / "prometheus.yml").write_text(json.dumps(config))
    command = [
        "prometheus",
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        *flags,
    ]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            eventually(lambda: requests.get(f"{url}/-/ready", timeout=5).ok, 60, what="Prometheus is ready")
            yield PrometheusServer(url)
        finally:
            process.terminate()
            process.wait(20)


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
