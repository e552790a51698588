"""Everything that the demo's daemon needs around it: sources, sign-offs, Slack, rules and a config, in one folder."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from slo_guard.clock import iso
from slo_guard.demo.adapted_rules import INTERVAL_SECONDS, WAIT_SECONDS, sprint_start, write_rules
from slo_guard.demo.mission_control import FAULTS, Fault, MissionControl
from slo_guard.demo.prometheus_stand_in import QUERIES
from slo_guard.demo.slack_stand_in import PATH, Received, SlackStandIn
from slo_guard.demo.sources import PAGE_INDICATORS, source_server
from slo_guard.domain.readings import SignOff

DRILL = "ga_rollback_drill_logged"

_BEFORE_FAULTS_SECONDS = 3.0
"""The daemon starts while all is quiet: the cycle of faults begins this long after the room is opened."""

_COUNTING_BEFORE_SPRINT_SECONDS = 3600.0
_TICK_SECONDS = 0.5
_SLACK_BUSY_ON = 3


class DemoRoom:
    """A simulated Mission Control that runs on loopback while the context lasts; its folder is deleted at the end.

    ``on_message`` gets what comes to Slack, ``on_fault`` each fault as it begins (True) and ends (False), both
    from other threads; ``clock`` gives Unix seconds; ``port`` is where the daemon's page is to be.
    """

    def __init__(
        self,
        on_message: Callable[[Received], None],
        clock: Callable[[], float],
        *,
        port: int,
        faults: bool = True,
        on_fault: Callable[[Fault, float, bool], None] | None = None,
    ) -> None:
        self._on_message = on_message
        self._on_fault = on_fault
        self._clock = clock
        self._port = port
        self._faults = faults
        self._stack = ExitStack()
        self._left = threading.Event()
        self.folder = Path()
        self.sources_url = ""
        self.slack_url = ""

    @property
    def config_path(self) -> Path:
        """The daemon's config file."""
        return self.folder / "slo-guard.yaml"

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slo-guard-demo-")))
            now = self._clock()
            begins = now + _BEFORE_FAULTS_SECONDS
            mission = MissionControl(begins, sprint_start(now) - _COUNTING_BEFORE_SPRINT_SECONDS, self._faults)
            slack = SlackStandIn(self._on_message, self._clock, busy_on=_SLACK_BUSY_ON if self._faults else None)
            self.sources_url = stack.enter_context(source_server(mission, self._clock)).url
            self.slack_url = stack.enter_context(slack.server()).url + PATH
            write_rules(self.folder / "rules", now, drill_due_at=mission.drill_due_at if self._faults else None)
            self._write("slack-url", self.slack_url)
            self._write("slo-guard.yaml", yaml.safe_dump(demo_config(self.sources_url, self._port), sort_keys=False))
            self._write("sign-offs.yaml", "[]\n")
            ticking = threading.Thread(target=self._tick, args=(mission,), name="mission-control", daemon=True)
            ticking.start()
            stack.callback(ticking.join)
            stack.callback(self._left.set)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _tick(self, mission: MissionControl) -> None:
        """Tell of faults as they come and go, and write the evidence file anew whenever somebody signs or withdraws."""
        told: set[Fault] = set()
        written: list[dict[str, Any]] = []
        while not self._left.wait(_TICK_SECONDS):
            now = self._clock()
            for fault in FAULTS:
                active = mission.active(fault, now)
                if active != (fault in told):
                    told ^= {fault}
                    if self._on_fault is not None:
                        self._on_fault(fault, now, active)
            entries = [_entry(signed) for signed in mission.sign_offs(now)]
            if entries != written:
                self._write("sign-offs.yaml", yaml.safe_dump(entries, sort_keys=False))
                written = entries

    def _write(self, name: str, text: str) -> None:
        """Write a file so that whoever reads it meanwhile sees the old or the new content, never half of it."""
        half = self.folder / f".{name}"
        half.write_text(text, encoding="utf-8")
        half.replace(self.folder / name)


def _entry(signed: SignOff) -> dict[str, Any]:
    entry = {"indicator": DRILL, "value": signed.value, "by": signed.by, "when": iso(signed.when)}
    return {**entry, "link": signed.link} if signed.link else entry


def demo_config(sources_url: str, port: int) -> dict[str, Any]:
    """Return the config of the demo's daemon as a person would have written it."""
    every = f"{INTERVAL_SECONDS:g}s"
    return {
        "version": 1,
        "rules": ["rules"],
        "server": {"host": "127.0.0.1", "port": port},
        "store": {"path": "slo-guard.db"},
        "log": {"level": "error"},
        "collector_alert": {"for": f"{WAIT_SECONDS:g}s"},
        "collectors": [
            {
                "name": "services",
                "type": "scrape",
                "url": f"{sources_url}/metrics",
                "interval": every,
                "indicators": [
                    {"name": name, "type": "percentile", "unit": "seconds", "metric": name} for name in PAGE_INDICATORS
                ],
            },
            {
                "name": "prometheus",
                "type": "prometheus",
                "url": sources_url,
                "interval": every,
                "indicators": [
                    {"name": name, "type": "counter" if name.endswith("_total") else "bool", "query": query}
                    for query, name in QUERIES.items()
                ],
            },
            {
                "name": "sign-offs",
                "type": "evidence",
                "file": "sign-offs.yaml",
                "interval": every,
                "indicators": [DRILL],
            },
        ],
        "receivers": [{"name": "slack", "type": "slack", "url": {"file": "slack-url"}}],
    }
