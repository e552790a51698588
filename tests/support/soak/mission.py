"""A small mission whose sources, files and receivers have a bad hour again and again."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socket import socket
from typing import Any

import yaml

from slo_guard.clock import iso
from tests.support.http_sources import HttpSource, Reply, Request, html, http_source

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
SPRINT_START = 2_208_988_800.0
"""2040-01-01 00:00 UTC: so far ahead that nothing by the wall clock is due within a test."""

TENANTS = 12
PODS, NEW_PODS_A_MINUTE = 60, 15
GUESTS = 3
SYSTEMS = ("fs", "predictive", "xai2")

RULES: dict[str, Any] = {
    "version": 1,
    "sprint": "soak",
    "lane": "soaked",
    "owner": "Ana",
    "defaults": {"no_data": {"after": "7m", "then": "alert"}, "forget_after": "20m"},
    "kpis": [
        {
            "kpi": "latency",
            "indicator": "latency_seconds",
            "by": ["tenant"],
            "measure": "last",
            "objective": {"at_most": "1s"},
            "warn": {"at_most": "0.8s"},
            "for": "2m",
            "keep_firing_for": "2m",
            "annotations": {"summary": "{{ labels.tenant }} is at {{ value }}, limit {{ objective }}"},
        },
        {
            "kpi": "slow_requests",
            "indicator": {"bad": "slow_total", "total": "requests_total"},
            "by": ["system"],
            "measure": "ratio over 1h",
            "objective": {"below": "5%"},
            "error_budget": {
                "window": "3h",
                "burn_alerts": [{"long": "30m", "short": "5m", "factor": 6, "severity": "page"}],
            },
        },
        {
            "kpi": "requests",
            "indicator": "requests_total",
            "by": ["system"],
            "measure": "increase over 1h",
            "objective": {"at_least": 100},
        },
        {
            "kpi": "resolution",
            "indicator": "resolution_seconds",
            "by": ["desk"],
            "measure": "p95 over 1h",
            "objective": {"at_most": "2h"},
            "severity": "ticket",
        },
        {"kpi": "resolved", "indicator": "resolution_seconds", "measure": "count over 1h"},
        {
            "kpi": "points",
            "indicator": "points_left",
            "combine": "sum",
            "measure": "last",
            "objective": {"at_most": 40},
            "drift": {"over": "30m", "crosses_within": "2h"},
        },
        {
            "kpi": "page_p99",
            "indicator": "page_seconds",
            "by": ["system"],
            "measure": "p99 over 30m",
            "objective": {"at_most": "1s"},
        },
        {"kpi": "approved", "indicator": "approved", "measure": "last", "objective": {"is": True}, "due": "sprint_end"},
        {
            "kpi": "depth",
            "indicator": "queue_depth",
            "by": ["pod"],
            "measure": "max over 10m",
            "objective": {"at_most": 50},
            "no_data": {"after": "7m", "then": "ok"},
            "when": {"kpi": "approved", "is": True},
        },
        {"kpi": "whole_depth", "indicator": "queue_depth", "combine": "sum", "measure": "mean over 10m"},
    ],
}


def hangs_up_late(_connection: socket, released: threading.Event) -> None:
    """Say nothing for longer than anybody waits."""
    released.wait(0.6)


def write_whole(path: Path, content: Any) -> None:
    """Write a YAML file as people's tools do: a new one takes the place of the old one."""
    half = path.with_suffix(".half")
    half.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    half.replace(path)


class SoakMission:
    """Everything around the daemon; :meth:`advance` has it be a later time. Each hour has the same faults.

    ``step``: how often the sources are collected and the rules are judged (minutes, a divisor of three).
    """

    def __init__(self, folder: Path, source: HttpSource, receiver: HttpSource, step: int) -> None:
        self.folder = folder
        self.step = step
        self.now = SPRINT_START
        self.delivered = 0
        self._source, self._receiver = source, receiver
        self._written_until = SPRINT_START
        self._files = 0
        self._source.answer = self._serve
        self._receiver.answer = self._receive
        (folder / "rules").mkdir()
        (folder / "tickets").mkdir()
        self.write_rules()
        self.write_config()
        self.sign()
        self._append()

    @property
    def config(self) -> Path:
        return self.folder / "slo-guard.yaml"

    @property
    def store(self) -> Path:
        return self.folder / "soak.db"

    @property
    def minute(self) -> int:
        """The minute of the hour."""
        return int((self.now - SPRINT_START) % HOUR // MINUTE)

    @property
    def hour(self) -> int:
        return int((self.now - SPRINT_START) // HOUR)

    def advance(self, now: float) -> None:
        """Have it be ``now``: desks close tickets, and what was received before is forgotten."""
        self.now = now
        self._append()
        self._source.requests.clear()
        self._receiver.requests.clear()

    def write_rules(self, limit: str = "1s", *, extra: bool = False, broken: bool = False) -> None:
        """Write the rules with this limit for the latency; ``extra``: a KPI that is not always there."""
        sprint = {"version": 1, "sprint": "soak", "timezone": "UTC", "start": "2040-01-01", "end": "2040-01-12"}
        kpis = [{**RULES["kpis"][0], "objective": {"at_most": limit}}, *RULES["kpis"][1:]]
        if extra:
            name = f"guest_{self.hour % GUESTS}"
            kpis.append({"kpi": name, "indicator": "latency_seconds", "by": ["tenant"], "measure": "max over 5m"})
        lane = {**RULES, "interval": f"{self.step}m", "kpis": kpis, **({"owner": ["a", "list"]} if broken else {})}
        write_whole(self.folder / "rules" / "sprint.yaml", sprint)
        write_whole(self.folder / "rules" / "lane.yaml", lane)

    def write_config(self, *, guest: bool = False) -> None:
        """Write the config; ``guest``: with a collector and a receiver that are not always there."""
        url, hook, every = self._source.url, self._receiver.url, f"{self.step}m"
        http = {"connect_timeout": "500ms", "read_timeout": "120ms", "total_timeout": "400ms", "retries": 0}
        gauge, counter = ({"type": kind} for kind in ("gauge", "counter"))
        collectors: list[dict[str, Any]] = [
            {
                "name": "page",
                "type": "scrape",
                "url": f"{url}/metrics",
                "interval": every,
                "http": http,
                "indicators": [
                    {"name": "latency_seconds", "unit": "seconds", "metric": "latency_seconds", **gauge},
                    {"name": "queue_depth", "metric": "queue_depth", **gauge},
                    {"name": "requests_total", "metric": "requests_total", **counter},
                    {"name": "slow_total", "metric": "slow_total", **counter},
                    {"name": "page_seconds", "type": "histogram", "unit": "seconds", "metric": "page_seconds"},
                ],
            },
            {
                "name": "board",
                "type": "json",
                "url": f"{url}/issues",
                "interval": "6m",
                "http": http,
                "indicators": [
                    {"name": "points_left", "rows": "issues", "value": "points", "labels": {"issue": "key"}, **gauge}
                ],
            },
            {
                "name": "desk",
                "type": "file",
                "path": "tickets/*.jsonl",
                "interval": every,
                "indicators": [
                    {
                        "name": "resolution_seconds",
                        "type": "event",
                        "unit": "seconds",
                        "value": "seconds",
                        "time": {"column": "at"},
                        "labels": ["desk"],
                    }
                ],
            },
            {
                "name": "people",
                "type": "evidence",
                "file": "signed.yaml",
                "interval": "15m",
                "indicators": ["approved"],
            },
        ]
        receivers: list[dict[str, Any]] = [
            {"name": "oncall", "type": "webhook", "url": f"{hook}/oncall", "repeat_interval": "30m"},
            {"name": "team", "type": "slack", "url": {"file": "slack-url"}, "repeat_interval": "1h"},
        ]
        (self.folder / "slack-url").write_text(f"{hook}/slack", encoding="utf-8")
        if guest:
            collectors.append({**collectors[1], "name": f"board-{self.hour % GUESTS}"})
            collectors[-1]["indicators"] = [{**collectors[1]["indicators"][0], "name": f"points_{self.hour % GUESTS}"}]
            receivers.append({**receivers[0], "name": f"oncall-{self.hour % GUESTS}"})
        config = {
            "version": 1,
            "rules": ["rules"],
            "server": {"port": 0},
            "store": {"path": "soak.db", "retention": "2h"},
            "log": {"level": "error", "format": "json"},
            "collectors": collectors,
            "receivers": receivers,
        }
        write_whole(self.config, config)

    def sign(self) -> None:
        """Have somebody approve."""
        entry = {"indicator": "approved", "value": True, "by": "Ana", "when": iso(SPRINT_START)}
        write_whole(self.folder / "signed.yaml", [entry])

    def _append(self) -> None:
        """Write the tickets closed since; a file is full after 20 minutes, and the one before the last is deleted."""
        folder = self.folder / "tickets"
        while self._written_until + 20 <= self.now:
            self._written_until += 20
            number = int((self._written_until - SPRINT_START) // (20 * MINUTE))
            if number > self._files:
                self._files = number
                (folder / f"{number - 2}.jsonl").unlink(missing_ok=True)
            row = {"at": iso(self._written_until), "desk": f"d{number % 3}", "seconds": 3000 + 50 * (number % 100)}
            with (folder / f"{number}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")

    def _serve(self, request: Request) -> Any:
        minute = self.minute
        if 3 <= minute < 9 and request.path == "/metrics":
            return Reply(b"down", 500)
        if 12 <= minute < 15:
            return hangs_up_late
        if 21 <= minute < 27 and request.path == "/issues":
            return html() if minute < 24 else Reply(b"{}", 404)
        return Reply(self._page() if request.path == "/metrics" else self._issues())

    def _page(self) -> bytes:
        passed, minute = self.now - SPRINT_START, self.minute
        churned = int(passed // (10 * MINUTE))
        slow = 30 <= minute < 42
        lines = []
        for number in range(TENANTS):
            tenant = f"tenant-{churned}" if number == 0 else f"tenant-of-{number}"
            seconds = 1.4 if slow and number < 4 else 0.4 + 0.01 * number
            lines.append(f'latency_seconds{{tenant="{tenant}"}} {seconds}')
        newest = int(passed // MINUTE) * NEW_PODS_A_MINUTE
        lines += [
            f'queue_depth{{pod="pod-{number}"}} {60 if slow and number == newest else number % 40}'
            for number in range(newest, newest + PODS)
        ]
        for number, system in enumerate(SYSTEMS):
            requests = 10 * passed
            bad = 0.01 * requests + (2000 if slow and number == 1 else 0) + 2000 * self.hour * (number == 1)
            counts = (0.9 * requests, requests - bad, requests)
            lines += [f'requests_total{{system="{system}"}} {requests}', f'slow_total{{system="{system}"}} {bad}']
            for bound, count in zip(("0.5", "1", "+Inf"), counts, strict=True):
                lines.append(f'page_seconds_bucket{{system="{system}",le="{bound}"}} {count}')
        return ("\n".join(lines) + "\n").encode()

    def _issues(self) -> bytes:
        first = self.hour * 3
        points = 3 + 2 * math.sin(self.minute / 10)
        return json.dumps({"issues": [{"key": f"I-{first + n}", "points": points} for n in range(10)]}).encode()

    def _receive(self, request: Request) -> Any:
        minute = self.minute
        if request.path == "/oncall" and 33 <= minute < 36:
            return Reply(b"busy", 429, {"Retry-After": "60"})
        if request.path == "/slack" and 33 <= minute < 39:
            return Reply(b"oops", 500)
        if request.path == "/oncall" and 39 <= minute < 42:
            return Reply(b"no such group", 400)
        self.delivered += 1
        return Reply(b"ok")


@contextmanager
def soak_mission(folder: Path, step: int) -> Iterator[SoakMission]:
    """Have a mission for the length of the block."""
    with ExitStack() as stack:
        source, receiver = (stack.enter_context(http_source(lambda _: Reply())) for _ in range(2))
        yield SoakMission(folder, source, receiver, step)
