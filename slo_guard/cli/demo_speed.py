"""``slo-guard demo --speed``: a whole sprint in minutes."""

from __future__ import annotations

import signal
import tempfile
import threading
from pathlib import Path

import click

from slo_guard import logs
from slo_guard.demo.adapted_rules import shipped_rules
from slo_guard.demo.speed import run_sprint
from slo_guard.demo.sprint_console import SprintConsole
from slo_guard.demo.sprint_room import SprintRoom, adaptations
from slo_guard.domain.kpi import Sprint
from slo_guard.errors import StartError
from slo_guard.loaded import load_files
from slo_guard.rulebook import load_rules
from slo_guard.stepped import stepping

_SHORTEST_STEP_SECONDS, _LONGEST_STEP_SECONDS = 30.0, 6 * 3600.0
_DAY_SECONDS = 86400.0


def check_step(step_seconds: float) -> None:
    """Raise ``click.UsageError`` for steps that a sprint cannot be walked in."""
    if not _SHORTEST_STEP_SECONDS <= step_seconds <= _LONGEST_STEP_SECONDS or _DAY_SECONDS % step_seconds:
        raise click.UsageError("--step is from 30s to 6h, and a part of a day: write 5m, 10m or 1h, for example.")


def go_through_sprint(speed: float, step_seconds: float, *, faults: bool) -> None:
    """Step through the shipped sprint at ``speed`` simulated seconds a second, in steps of ``step_seconds``."""
    logs.configure("error")
    sprint = shipped_sprint()
    console = SprintConsole(sprint)
    with (
        tempfile.TemporaryDirectory(prefix="slo-guard-demo-") as folder,
        SprintRoom(Path(folder), sprint, step_seconds, console.message, faults=faults) as room,
    ):
        console.introduce(speed, adaptations(step_seconds))
        stopped = _asked_to_stop()
        try:
            with stepping(load_files(room.config_path), room.clock) as stepper:
                run = run_sprint(
                    room, stepper, sprint, speed, stopped, on_step=console.step, on_episode=console.episode
                )
        finally:
            console.stop()
        if stopped.is_set():
            console.say("Stopped; nothing is left behind.")
        else:
            console.finish(run, stepper.seconds_spent)


def _asked_to_stop() -> threading.Event:
    """Return what is set by Ctrl-C and SIGTERM: an exception could be raised where Python has to drop it."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stopped.set())
    return stopped


def shipped_sprint() -> Sprint:
    """Return the sprint of the shipped rules; raises ``StartError``."""
    loaded = load_rules([shipped_rules()], None)
    if loaded.plan is None or len(loaded.plan.sprints) != 1:
        raise StartError("the rules that the demo ships cannot be read; install slo_guard again")
    return next(iter(loaded.plan.sprints.values()))
