"""A Mission Control whose whole sprint is stepped through: sources, files, Slack, rules and a config, in one folder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from slo_guard.demo.adapted_budgets import STEPS_IN_LONG_WINDOW, coarsened
from slo_guard.demo.adapted_rules import shipped_rules
from slo_guard.demo.demo_config import demo_config
from slo_guard.demo.mission_control import MissionControl
from slo_guard.demo.mission_files import MissionFiles, replace_file
from slo_guard.demo.slack_stand_in import PATH, Received, SlackStandIn
from slo_guard.demo.sources import source_server
from slo_guard.demo.stepper import SimulatedClock
from slo_guard.demo.world.sprint_story import sprint_story
from slo_guard.domain.kpi import Sprint
from slo_guard.units import format_duration, parse_duration

_REPEAT = "1d"
_USUAL_STEP_SECONDS = 300.0
"""Up to this step nothing has to be adapted to it: no_data.after and the shortest burn window are as long."""

_SLACK_BUSY_ON = 3


class SprintRoom:
    """A simulated Mission Control on loopback for one sprint, while the context lasts, in ``folder``.

    It writes rules and a config that judge and collect every ``step_seconds``. ``on_message`` gets what comes to
    Slack, from another thread. Between two steps :meth:`advance` has to be called.
    """

    def __init__(
        self,
        folder: Path,
        sprint: Sprint,
        step_seconds: float,
        on_message: Callable[[Received], None],
        *,
        faults: bool = True,
    ) -> None:
        self.folder = folder
        self.mission = MissionControl(sprint_story(sprint, step_seconds, faults=faults))
        self.clock = SimulatedClock(self.mission.story.history_from)
        self._step_seconds = step_seconds
        self._slack = SlackStandIn(on_message, self.clock, busy_on=_SLACK_BUSY_ON if faults else None)
        self._files = MissionFiles(folder, self.mission)
        self._stack = ExitStack()

    @property
    def config_path(self) -> Path:
        """The config file."""
        return self.folder / "slo-guard.yaml"

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            sources_url = stack.enter_context(source_server(self.mission, self.clock)).url
            slack_url = stack.enter_context(self._slack.server()).url + PATH
            stack.callback(self._files.close)
            write_stepped_rules(self.folder / "rules", self._step_seconds)
            replace_file(self.folder / "slack-url", slack_url)
            config = stepped_config(sources_url, self._step_seconds)
            replace_file(self.config_path, yaml.safe_dump(config, sort_keys=False))
            self._files.advance(self.clock())
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def advance(self, at: float) -> None:
        """Have it be ``at`` in Mission Control, which has written by then what it writes."""
        self.clock.move_to(at)
        self._files.advance(at)


def write_stepped_rules(folder: Path, step_seconds: float) -> None:
    """Write the shipped rules into ``folder``, judged every ``step_seconds``; all else is as shipped.

    But nothing is taken for stale before the next step: ``no_data.after`` is at least as long. And no burn window is
    shorter than the steps that it looks at.
    """
    folder.mkdir(parents=True)
    for file in sorted(shipped_rules().glob("*.yaml")):
        content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        if "kpis" in content:
            content["interval"] = _text(step_seconds)
            defaults = content.setdefault("defaults", {})
            defaults["no_data"] = _not_stale_before(step_seconds, {"after": "5m", **defaults.get("no_data", {})})
            for kpi in content["kpis"]:
                kpi.pop("interval", None)
                if "after" in kpi.get("no_data", {}):
                    kpi["no_data"] = _not_stale_before(step_seconds, kpi["no_data"])
                if "error_budget" in kpi:
                    kpi["error_budget"] = coarsened(kpi["error_budget"], step_seconds)
        (folder / file.name).write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def stepped_config(sources_url: str, step_seconds: float) -> dict[str, Any]:
    """Return the demo's config, collecting every ``step_seconds``, with reminders once a day."""
    config = demo_config(sources_url, 0)
    for collector in config["collectors"]:
        collector["interval"] = _text(step_seconds)
    config.pop("collector_alert")
    for receiver in config["receivers"]:
        receiver["repeat_interval"] = _REPEAT
    return config


def adaptations(step_seconds: float) -> tuple[str, ...]:
    """Return in words in what a stepped sprint differs from what is shipped."""
    step = format_duration(step_seconds)
    told = (
        f"every source is collected, and every KPI judged, each {step} of simulated time",
        "what still fires is told again once a day",
    )
    if step_seconds <= _USUAL_STEP_SECONDS:
        return told
    long = format_duration(STEPS_IN_LONG_WINDOW * step_seconds)
    return (
        *told,
        f"nothing is stale before {step}",
        f"of burn alerts a short window is at least {step} and a long one {long}, the fastest of equal tiers stays",
    )


def _not_stale_before(step_seconds: float, no_data: dict[str, Any]) -> dict[str, Any]:
    return {**no_data, "after": _text(max(parse_duration(no_data["after"]), step_seconds))}


def _text(seconds: float) -> str:
    return f"{seconds:g}s"
