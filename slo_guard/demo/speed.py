"""A whole sprint in minutes: steps the jobs from before its start to past its end, at a pace of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from slo_guard.clock import monotonic
from slo_guard.demo.mission_control import EPISODES
from slo_guard.demo.sprint_room import SprintRoom
from slo_guard.demo.stepper import JobStepper, Step
from slo_guard.demo.world.story import Episode
from slo_guard.domain.kpi import Sprint
from slo_guard.domain.verdicts import VerdictFrame

AFTER_SECONDS = 6 * 3600.0
"""How long the steps go on behind the sprint's end, where what is not counted over the sprint is judged on."""


@dataclass(slots=True)
class SprintRun:
    """What a run has been through so far: how much of everything, and how each KPI was judged last."""

    evaluations: int = 0
    collections: int = 0
    transitions: int = 0
    messages: int = 0
    seconds: float = 0.0
    frames: dict[tuple[str, str], VerdictFrame] = field(default_factory=dict)

    def add(self, step: Step) -> None:
        """Take in what a step did."""
        self.evaluations += 1
        self.collections += len(step.collections)
        self.transitions += len(step.evaluation.transitions)
        self.messages += step.delivered
        self.frames |= {(frame.kpi.sprint, frame.kpi.id): frame for frame in step.evaluation.verdicts}


class Pace:
    """Holds simulated time back to ``speed`` seconds a real second; infinite: as fast as it goes.

    ``stopped`` ends a wait when it is set.
    """

    def __init__(
        self, speed: float, started_at: float, stopped: threading.Event, stopwatch: Callable[[], float] = monotonic
    ) -> None:
        self._speed = speed
        self._started_at = started_at
        self._stopwatch = stopwatch
        self._began = stopwatch()
        self._stopped = stopped

    def seconds_ahead(self, at: float) -> float:
        """Return for how many real seconds it is too early for the instant ``at``; 0 where it is not."""
        return max(0.0, (at - self._started_at) / self._speed - (self._stopwatch() - self._began))

    def hold(self, at: float) -> None:
        """Wait until it is time for ``at``."""
        ahead = self.seconds_ahead(at)
        if ahead:
            self._stopped.wait(ahead)


def run_sprint(
    room: SprintRoom,
    stepper: JobStepper,
    sprint: Sprint,
    speed: float,
    stopped: threading.Event,
    *,
    on_step: Callable[[SprintRun, float], None],
    on_episode: Callable[[Episode, float, bool], None],
) -> SprintRun:
    """Step through ``sprint``, until ``stopped`` is set.

    ``on_step`` is called before every step, ``on_episode`` as an episode begins or has ended.
    """
    began = monotonic()
    run, pace, on = SprintRun(), Pace(speed, room.clock(), stopped), set[Episode]()
    for at in stepper.steps(sprint.end_at + AFTER_SECONDS):
        pace.hold(at)
        if stopped.is_set():
            break
        on_step(run, at)
        room.advance(at)
        for episode in EPISODES:
            active = room.mission.active(episode, at)
            if active != (episode in on):
                on ^= {episode}
                on_episode(episode, at, active)
        run.add(stepper.step(at))
        run.seconds = monotonic() - began
    return run
