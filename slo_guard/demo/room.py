"""Everything that the demo's daemon needs around it: sources, sign-offs, Slack, rules and a config, in one folder."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from slo_guard.demo.adapted_rules import sprint_start, write_rules
from slo_guard.demo.demo_config import demo_config
from slo_guard.demo.mission_control import EPISODES, MissionControl
from slo_guard.demo.mission_files import MissionFiles, replace_file
from slo_guard.demo.slack_stand_in import PATH, Received, SlackStandIn
from slo_guard.demo.sources import source_server
from slo_guard.demo.world.story import Episode, Story

_BEFORE_FAULTS_SECONDS = 8.0
"""The daemon starts and reads the sprint so far while all is quiet; episodes begin this long after the opening."""

_TICK_SECONDS = 0.5
_SLACK_BUSY_ON = 3


class DemoRoom:
    """A simulated Mission Control that runs on loopback while the context lasts; its folder is deleted at the end.

    ``on_message`` gets what comes to Slack, ``on_episode`` each episode as it begins (True) and ends (False), both
    from other threads; ``clock`` gives Unix seconds; ``host`` and ``port`` are where the daemon's
    page is to be.
    """

    def __init__(
        self,
        on_message: Callable[[Received], None],
        clock: Callable[[], float],
        *,
        port: int,
        host: str = "127.0.0.1",
        faults: bool = True,
        on_episode: Callable[[Episode, float, bool], None] | None = None,
    ) -> None:
        self._on_message = on_message
        self._on_episode = on_episode
        self._clock = clock
        self._port = port
        self._host = host
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
            story = Story(now + _BEFORE_FAULTS_SECONDS, sprint_start(now), faults=self._faults)
            mission = MissionControl(story)
            slack = SlackStandIn(self._on_message, self._clock, busy_on=_SLACK_BUSY_ON if self._faults else None)
            self.sources_url = stack.enter_context(source_server(mission, self._clock)).url
            self.slack_url = stack.enter_context(slack.server()).url + PATH
            write_rules(self.folder / "rules", now, story=story if self._faults else None)
            replace_file(self.folder / "slack-url", self.slack_url)
            config = demo_config(self.sources_url, self._port, host=self._host)
            replace_file(self.config_path, yaml.safe_dump(config, sort_keys=False))
            files = MissionFiles(self.folder, mission)
            stack.callback(files.close)
            files.advance(now)
            ticking = threading.Thread(target=self._tick, args=(mission, files), name="mission-control", daemon=True)
            ticking.start()
            stack.callback(ticking.join)
            stack.callback(self._left.set)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _tick(self, mission: MissionControl, files: MissionFiles) -> None:
        """Tell of episodes as they come and go, and bring Mission Control's files up to date."""
        told: set[Episode] = set()
        while not self._left.wait(_TICK_SECONDS):
            now = self._clock()
            files.advance(now)
            for episode in EPISODES:
                active = mission.active(episode, now)
                if active != (episode in told):
                    told ^= {episode}
                    if self._on_episode is not None:
                        self._on_episode(episode, now, active)
