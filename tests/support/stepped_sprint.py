"""A sprint of the demo, stepped through in a test: straight, or stopped and restarted at will."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from slo_guard.cli.demo_speed import shipped_sprint
from slo_guard.demo.slack_stand_in import Received
from slo_guard.demo.speed import AFTER_SECONDS
from slo_guard.demo.sprint_room import SprintRoom
from slo_guard.domain.alerts import Transition
from slo_guard.domain.kpi import Sprint
from slo_guard.domain.notifications import Decision
from slo_guard.domain.trails import Trail
from slo_guard.domain.verdicts import Verdict, VerdictFrame
from slo_guard.loaded import load_files
from slo_guard.stepped import stepping
from slo_guard.store import open_store

_PORT = re.compile(r"127\.0\.0\.1:\d+")


@dataclass
class LivedSprint:
    """What a sprint was: ``instants`` of its evaluations, all that was found and told, and where it is stored."""

    sprint: Sprint
    config_path: Path
    store_path: Path
    restarts: int = 0
    instants: list[float] = field(default_factory=list)
    transitions: tuple[Transition, ...] = ()
    decisions: tuple[Decision, ...] = ()
    messages: list[str] = field(default_factory=list)
    verdicts: set[Verdict] = field(default_factory=set)
    last: dict[str, VerdictFrame] = field(default_factory=dict)
    trails: dict[tuple[str, str], Trail] = field(default_factory=dict)


def live_through(folder: Path, step_seconds: float, stops: Collection[float] = ()) -> LivedSprint:
    """Step through the shipped sprint in ``folder``; at the instants ``stops`` it is stopped, pruned and restarted."""
    sprint, received = shipped_sprint(), list[Received]()
    with SprintRoom(folder, sprint, step_seconds, received.append) as room:
        loaded = load_files(room.config_path)
        lived = LivedSprint(sprint, room.config_path, loaded.config.store.path)
        until = sprint.end_at + AFTER_SECONDS
        while not lived.instants or lived.instants[-1] < until:
            with stepping(loaded, room.clock) as stepper:
                for at in stepper.steps(until):
                    room.advance(at)
                    for frame in stepper.step(at).evaluation.verdicts:
                        lived.verdicts |= set(frame.counts())
                        lived.last[frame.kpi.id] = frame
                    lived.instants.append(at)
                    if at in stops:
                        lived.restarts += 1
                        break
            if lived.instants[-1] < until:
                prune(lived.store_path, lived.instants[-1])
    with closing(open_store(lived.store_path)) as store:
        lived.transitions = without_ports(store.transitions())
        lived.trails = dict(store.load_evaluation().trails)
        lived.decisions = store.decisions()
    lived.messages = [_PORT.sub("HOST", str(each.message)) for each in received if each.accepted]
    return lived


def prune(store_path: Path, now: float) -> None:
    """Compact what is old enough at ``now``, as the daemon does every ten minutes."""
    with closing(open_store(store_path)) as store:
        store.prune(now)


def without_ports(transitions: Collection[Transition]) -> tuple[Transition, ...]:
    """Return ``transitions`` without the ports of servers, which are others in every run."""
    return tuple(replace(each, note=each.note and _PORT.sub("HOST", each.note)) for each in transitions)
